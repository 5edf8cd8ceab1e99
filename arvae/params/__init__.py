"""`params.yaml` as frozen, checked objects: a typo or an impossible value is refused before anything runs.

params = load()
setup = params.setup("mnist", "arvae")     # all that decides one training: data set x model at a scale
"""

import os
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from arvae import paths
from arvae.params.faults import ParamsError, checked
from arvae.params.project import Params
from arvae.params.schema import ClassifierParams, ClassifierSchedule, Engine, EvaluationSizes, Schedule
from arvae.params.setup import Setup

__all__ = ["ClassifierParams", "ClassifierSchedule", "Engine", "EvaluationSizes", "Params", "ParamsError"]
__all__ += ["Schedule", "Setup", "load"]


def load(path: Path | str | None = None) -> Params:
    """Read and check params.yaml (default: the one of `paths.root`). ParamsError names every fault found.

    A file with the key `base` has what stands in that one, beside it, but for what it says itself.
    """
    path = Path(path) if path is not None else paths.root() / "params.yaml"
    return checked(Params, _read(path), os.path.relpath(path))


def _read(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    shown = os.path.relpath(path)
    try:
        raw = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ParamsError(f"{shown} is not in UTF-8 ({error}): save it as UTF-8") from error
    except YAMLError as error:
        raise ParamsError(f"{shown} is not valid YAML and must be corrected: {error}") from error
    if not isinstance(raw, dict):
        raise ParamsError(f"{shown} holds {type(raw).__name__}: it must be a mapping of keys to values")
    if (base := raw.pop("base", None)) is None:
        return raw
    below, above = path.parent / str(base), (*above, path)
    if not below.is_file() or any(below.samefile(one) for one in above):
        raise ParamsError(
            f"{shown}: base: there is no file {base} below it; name that of the parameters below"
        )
    return _merged(_read(below, above), raw)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`, mapping by mapping; a list is replaced as a whole."""
    both = {
        key: _merged(below[key], above[key])
        for key in below.keys() & above.keys()
        if isinstance(below[key], dict) and isinstance(above[key], dict)
    }
    return below | above | both
