"""`python -m compendium.check [--strict [--numbers]]` (make check): do results and code belong together?

DVC compares the hashes in dvc.lock with the files here. On a fresh clone the files that DVC itself keeps
(data/, not in git) are absent, which is no fault; anything else that differs means that a committed result
was not made by the committed code, data or parameters.

--strict, after `dvc repro`: are the results here those that are committed, to the byte? On the same kind of
processor they are, all but reports/machine; on another it is said how far each file's numbers moved (and what
else of the committed results belonged to the old ones). --numbers: every single one of them.
"""

import contextlib
import csv
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arvae import machine, paths
from compendium import pipeline, weights

RESULTS = tuple(
    f"{home}{name}" for home in ("", "studies/", "overnight/") for name in ("dvc.lock", "reports")
)
KEPT_BY_DVC = ("data/", "overnight/data/")
BUSY = (
    "another dvc command is at work here (or was killed); run this again when it has ended; "
    "if none runs, delete .dvc/tmp/rwlock"
)


def stale(home: Path) -> list[str]:
    """What differs between dvc.lock and the tree at `home`, a line each: stage, file, how.

    A pipeline that was not run (`not_run`) has nothing to differ.

    Raises:
        RuntimeError: DVC could not tell, since it is busy here, or for what it says itself.
    """
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    asked = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    if asked.returncode:
        if re.search("Unable to acquire lock|is busy|Unable to read RWLock", asked.stderr):
            raise RuntimeError(f"nothing was checked: {BUSY}")
        raise RuntimeError(f"nothing was checked: dvc status failed:\n{asked.stderr.strip()}")
    found = faults(
        json.loads(asked.stdout),
        absent_is_fine=lambda path: path.startswith(KEPT_BY_DVC) and not (home / path).exists(),
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


def moved(home: Path, numbers: bool = False) -> list[str]:
    """How the results at `home` differ from the committed ones, a line a file; without reports/machine.

    numbers: of every number that moved an indented line in its file's.
    """
    listed = _git(
        home, "status", "--porcelain", "--no-renames", "-z", "--untracked-files=all", "--", *RESULTS
    )
    found = []
    for status, path in ((entry[:2], entry[3:]) for entry in listed.split("\0") if entry):
        if Path(path).parent.name == machine.FOLDER:
            continue
        if status == "??" or "A" in status:
            found.append(f"{path}: not committed")
        elif not (home / path).is_file():
            found.append(f"{path}: missing here")
        elif Path(path).suffix in (".json", ".csv"):
            before, after = _git(home, "show", f"HEAD:{path}"), (home / path).read_text(encoding="utf-8")
            old, new = values(before, path), values(after, path)
            found.append(f"{path}: {distance(old, new)}")
            for place in gaps(old, new) if numbers else ():
                found[-1] += f"\n    {place}: {old[place]:g} -> {new[place]:g}"
        else:
            found.append(f"{path}: differs")
    return found


def _git(home: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=home, capture_output=True, text=True, check=True).stdout


def values(text: str, path: str) -> dict[str, Any]:
    """All values of a .json or .csv file by their place in it; numbers as float."""
    found: dict[str, Any] = {}

    def walk(place: str, value: Any) -> None:
        if isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                walk(f"{place}.{key}".lstrip("."), inner)
        else:
            found[place] = value
            with contextlib.suppress(TypeError, ValueError):
                number = float(value)  # NaN and infinity are words: nothing is so many from them
                found[place] = number if math.isfinite(number) else str(value)

    table = path.endswith(".csv")  # whose first line may be a caption
    walk("", list(csv.DictReader(text.splitlines()[text.startswith("#") :])) if table else json.loads(text))
    return found


def gaps(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """How far each number that is in both, and is another one, moved, by its place."""
    both = [p for p in before if all(isinstance(one.get(p), float) for one in (before, after))]
    return {p: abs(after[p] - before[p]) for p in both if after[p] != before[p]}


def distance(before: dict[str, Any], after: dict[str, Any]) -> str:
    """In words, how far the numbers of one file are from those of another."""
    places = before | after
    both = [p for p in places if all(isinstance(one.get(p), float) for one in (before, after))]
    others = sum(before.get(p) != after.get(p) for p in places if p not in both)
    told = [f"{others} values that are no numbers, or in one of both only, differ"] if others else []
    if by := gaps(before, after):
        most = max(by, key=lambda p: by[p])
        how = f"the furthest is {most}, {before[most]:g} -> {after[most]:g}"
        told.insert(0, f"{len(by)} of {len(both)} numbers moved; {how}")
    return "; ".join(told) or "the same values, written otherwise"


def strict(home: Path, numbers: bool = False) -> int:
    """Print what is not as committed and return 1, or return 0."""
    here = machine.describe()["name"]
    made_on = {one["machine"]["name"] for one in machine.read(home / "reports").values()}
    print(f"results here: made on {', '.join(sorted(made_on)) or 'no recorded machine'}; this is {here}")
    if lines := moved(home, numbers):
        print(f"{len(lines)} files are not as committed:", *lines, sep="\n  ")
        return 1
    print("every result is as committed, to the byte; only times differ (reports/machine)")
    return 0


def together(home: Path) -> int:
    """Print what is stale at `home` and return 1, or say that all belongs together and return 0."""
    for name in (files := pipeline.stale(home)):
        print(f"{name} is not what pipeline.yaml and params.yaml say: run `python -m compendium.pipeline`")
    if not (home / "dvc.lock").is_file():
        print("there is no dvc.lock: run `dvc repro` and commit it with reports/")
        return 1
    for name in not_run(home):
        print(f"{name} was not run with this version: its reports are not committed")
    for line in (shipped := weights.stale(home)):
        print(f"data/weights: {line}; run `python -m compendium.weights` and commit")
    if found := stale(home):
        print("committed results are stale; run `dvc repro` and commit dvc.lock and reports/:")
        print("\n".join(f"  {line}" for line in found))
    if files or found or shipped:
        return 1
    print("dvc.yaml, dvc.lock, reports, parameters and code belong together")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 where something is stale or could not be checked; which, is printed."""
    home = paths.project()
    given = sys.argv[1:] if arguments is None else arguments
    if {"-h", "--help"} & set(given):
        print(__doc__)
        return 0
    if unknown := [one for one in given if one not in ("--strict", "--numbers")]:
        print(f"unknown {' '.join(unknown)}: there are only --strict and --numbers", file=sys.stderr)
        return 2
    try:
        return max(together(home), strict(home, "--numbers" in given) if given else 0)
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
