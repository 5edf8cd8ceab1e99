"""`python -m arvae.check` (make check): do committed reports, dvc.lock, parameters and code belong together?

DVC compares the hashes in dvc.lock with the files here. On a fresh clone the files that DVC itself keeps
(data/, not in git) are absent, which is no fault; anything else that differs means that a committed result
was not made by the committed code, data or parameters.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arvae import paths, pipeline


def stale(home: Path) -> list[str]:
    """What differs between dvc.lock and the tree at `home`, a line each: stage, file, how.

    A pipeline that was not run (`not_run`) has nothing to differ.

    Raises:
        RuntimeError: DVC could not tell.
    """
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    asked = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise RuntimeError(f"dvc status failed:\n{asked.stderr.strip()}")
    found = faults(
        json.loads(asked.stdout),
        absent_is_fine=lambda path: path.startswith("data/") and not (home / path).exists(),
    )
    absent = tuple(f"{name}:" for name in not_run(home))
    return [line for line in found if not line.startswith(absent)]


def not_run(home: Path) -> list[str]:
    """The pipelines' files that have no lock beside them."""
    return [name for name in pipeline.written(home) if not (home / name).with_suffix(".lock").is_file()]


def faults(status: dict[str, Any], absent_is_fine: Callable[[str], bool]) -> list[str]:
    """The lines for `dvc status --json`, leaving out absent files for which `absent_is_fine(path)`."""
    found = []
    for stage, changes in status.items():
        for change in changes:
            if not isinstance(change, dict):
                found.append(f"{stage}: {change}")
                continue
            for what, files in change.items():
                for path, how in files.items():
                    if not (how in ("deleted", "not in cache") and absent_is_fine(path)):
                        found.append(f"{stage}: {path} ({what.removeprefix('changed ')}: {how})")
    return found


def main() -> int:
    """Print what is stale and return 1, or say that all is fresh and return 0."""
    home = paths.root()
    for name in (files := pipeline.stale(home)):
        print(f"{name} is not what pipeline.yaml and params.yaml say: run `python -m arvae.pipeline`")
    if not (home / "dvc.lock").is_file():
        print("there is no dvc.lock: run `dvc repro` and commit it with reports/")
        return 1
    for name in not_run(home):
        print(f"{name} was not run with this version: its reports are not committed")
    if found := stale(home):
        print("committed results are stale; run `dvc repro` and commit dvc.lock and reports/:")
        print("\n".join(f"  {line}" for line in found))
    if files or found:
        return 1
    print("dvc.yaml, dvc.lock, reports, parameters and code belong together")
    return 0


if __name__ == "__main__":
    sys.exit(main())
