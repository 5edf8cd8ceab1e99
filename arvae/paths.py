"""Where the project's files are, found from wherever a person stands in it."""

from pathlib import Path


def root(start: Path | str | None = None) -> Path:
    """The project's root: the nearest folder, upwards from `start` (default: here), that holds params.yaml.

    Looked up from the working directory, not from this file, so that an experiment that runs in its own
    copy of the project reads and writes that copy.
    """
    here = Path(start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file():
            return folder
    raise FileNotFoundError(
        f"no params.yaml in {here} nor in any folder above it: run this from inside the project"
    )


def project(start: Path | str | None = None) -> Path:
    """The folder of the whole project, upwards from `start` (default: here): the one with pipeline.yaml.

    A pipeline with parameters of its own, such as overnight/, is a root (`root`) inside the project. Where no
    folder has a pipeline.yaml: `start` itself.
    """
    here = Path(start or root()).resolve()
    return next((folder for folder in (here, *here.parents) if (folder / "pipeline.yaml").is_file()), here)
