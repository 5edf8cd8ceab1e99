"""`params.yaml` as frozen, checked objects: a typo or an impossible value is refused before anything runs.

params = load()
setup = params.setup("mnist", "arvae")     # all that decides one training: data set x model at a scale
"""

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from arvae import paths
from arvae.params.faults import ParamsError, checked
from arvae.params.project import Params, Setup
from arvae.params.schema import ClassifierParams, ClassifierSchedule, Engine, EvaluationSizes, Schedule

__all__ = ["ClassifierParams", "ClassifierSchedule", "Engine", "EvaluationSizes", "Params", "ParamsError"]
__all__ += ["Schedule", "Setup", "load"]


def load(path: Path | str | None = None) -> Params:
    """Read and check params.yaml (default: the project's). Raises ParamsError naming every fault found."""
    path = Path(path) if path is not None else paths.root() / "params.yaml"
    try:
        raw = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path.name} is not in UTF-8 ({error}): save it as UTF-8") from error
    except YAMLError as error:
        raise ParamsError(f"{path.name} is not valid YAML and must be corrected: {error}") from error
    if not isinstance(raw, dict):
        raise ParamsError(f"{path.name} holds {type(raw).__name__}: it must be a mapping of keys to values")
    return checked(Params, raw, path.name)
