"""Where the weights of trained models are: of those trained here, and of those that come with the project."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from arvae import paths
from arvae.files import read_json
from arvae.music.coding import Vocabulary
from arvae.params.faults import unknown

SHIPPED = Path("data/weights")  # weights that come with the project, see compendium.weights


class ModelError(ValueError):
    """A trained model that is not there or cannot be used; the message says what to do."""


def find(name: str, run: str | None = None, home: Path | None = None) -> tuple[Path, str]:
    """The folder with weights and the run that a name means; see `TrainedModel.load`."""
    home = home or paths.root()
    models, shipped = home / "data" / "models", paths.project(home) / SHIPPED
    names = [name, f"{name}-arvae"]
    choices = [*map(models.joinpath, names), Path(name)]
    folder = next((folder for folder in choices if any(folder.glob("*.safetensors"))), None)
    if folder is None:
        if run is None and (come := [one for one in names if (shipped / f"{one}.safetensors").is_file()]):
            return shipped, come[0]
        there = sorted(path.name for path in models.glob("*") if any(path.glob("*.safetensors")))
        raise ModelError(
            f"no trained model {name!r}{'' if run is None else f' with a {run}'} (trained here: "
            f"{', '.join(there) or 'none'}): "
            f"train it with {paths.remedy('train', home, *names if '-' in name else names[1:])}"
        )
    runs = sorted((path.stem for path in folder.glob("*.safetensors")), key=lambda run: (len(run), run))
    if run is not None and run not in runs:
        raise ModelError(unknown(f"run of {folder.name}", run, runs))
    return folder, run or runs[0]


def manifest(prepared: Path) -> dict[str, Any]:
    """What a prepared data set says of itself, without reading its arrays; ModelError where it is missing."""
    path = prepared / "manifest.json"
    if not path.is_file():
        raise ModelError(
            f"the range of each control is measured on {prepared.name}, which is not in {prepared}: "
            f"make it with {paths.remedy('data', prepared)}"
        )
    return read_json(path)


def facts_of(said: dict[str, Any]) -> SimpleNamespace:
    """A manifest with the attributes that `TrainedModel.of` asks of a data set."""
    vocabulary = Vocabulary(**said["vocabulary"]) if said["vocabulary"] else None
    return SimpleNamespace(**(said | {"vocabulary": vocabulary}))


def within(path: Path) -> str:
    """A path from the working directory, where it is in there."""
    return os.path.relpath(path) if path.resolve().is_relative_to(Path.cwd()) else str(path)
