"""Where the project's files are, found from wherever a person stands in it, and what makes those missing."""

import re
from pathlib import Path


def _nearest(here: Path, name: str) -> Path | None:
    return next((folder for folder in (here, *here.parents) if (folder / name).is_file()), None)


def root(start: Path | str | None = None) -> Path:
    """The project's root: the nearest folder, upwards from `start` (default: here), that holds params.yaml.

    Looked up from the working directory, not from this file, so that an experiment that runs in its own
    copy of the project reads and writes that copy.
    """
    here = Path(start or Path.cwd()).resolve()
    if found := _nearest(here, "params.yaml"):
        return found
    raise FileNotFoundError(f"no params.yaml in {here} or above it: run this from inside the project")


def project(start: Path | str | None = None) -> Path:
    """The folder of the whole project, upwards from `start` (default: here): the one with pipeline.yaml.

    A pipeline with parameters of its own, such as overnight/, is a root (`root`) inside the project. Where no
    folder has a pipeline.yaml: `start` itself.
    """
    here = Path(start or root()).resolve()
    return _nearest(here, "pipeline.yaml") or here


def remedy(kind: str, folder: Path | str, *names: str, command: str = "dvc repro") -> str:
    """What makes what is missing in `folder`: the command, for the project's own folder, that runs the stage
    `kind` of the first of `names` (none: the folder's) that a pipeline has; also, where none has, how to add
    it."""
    here = Path(folder).resolve()
    names, home = names or (here.name,), _nearest(here, "params.yaml") or here
    top, files = project(home), [home / "dvc.yaml", home / "studies" / "dvc.yaml"]
    ways = {f"{one.relative_to(top).as_posix()}:": one.read_text("utf-8") for one in files if one.is_file()}
    for way, text in ways.items():
        for name in names:
            if re.search(rf"^  {kind}:\n(?:    .*\n)*?      {re.escape(name)}:$", text, re.MULTILINE):
                return f"`{command} {way.removeprefix('dvc.yaml:')}{kind}@{name}`"
    plain = f"`{command} {next(iter(ways), '').removeprefix('dvc.yaml:')}{kind}@{names[0]}`"
    where = f"`{'datasets' if kind == 'data' else 'setups'}` in {(home / 'params.yaml').relative_to(top)}"
    add = f"; no pipeline has it yet: first add it to {where} and run `python -m compendium.pipeline`"
    return plain + add * bool(ways)
