"""What a page says of how its results arose: scale, seeds and code; and the page of times and machines."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arvae import machine
from arvae.files import read_json
from arvae.progress import clock

# What decides results: the last commit that touched one of these made them.
CODE = ("arvae", "notebooks", "params.yaml", "requirements.lock")


def commit(home: Path) -> str:
    """The last commit that touched the code, its day, and whether the code was changed since.

    The same code gives the same words, however often the site is built.
    """

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=home, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        last = git("log", "-1", "--format=%h of %cs", "--abbrev=10", "--", *CODE)
        changed = git("status", "--porcelain", "--untracked-files=all", "--", *CODE)
        if last:
            return f"commit {last}" + (" and changes since" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        pass  # no git, or no repository
    return "code without a commit"


def metrics(reports: Path) -> dict[str, dict[str, Any]]:
    """The metrics files of all setups, by name: those that hold runs."""
    found = {path.stem: read_json(path) for path in sorted((reports / "metrics").glob("*.json"))}
    return {name: setup for name, setup in found.items() if isinstance(setup, dict) and setup.get("runs")}


def made_by(metrics: Mapping[str, Mapping[str, Any]], page: str, code: str) -> dict[str, str]:
    """What a page says of itself: from the metrics files of the setups that it is about, else of all."""
    about = [setup for name, setup in metrics.items() if _concerns(page, name)] or list(metrics.values())

    def all_of(key: str) -> str:
        found = dict.fromkeys(_words(one[key]) for one in about if one.get(key) not in (None, "", [], {}))
        return "; ".join(found) or "not recorded"

    return {"scale": all_of("scale"), "seeds": all_of("seeds"), "made by the code of": code}


def _concerns(page: str, setup: str) -> bool:
    """Is a page about a setup? train-mnist-arvae: about that one; data-mnist: about all of its data set."""
    stage, _, rest = page.partition("-")
    return rest == setup or (stage in ("data", "comparison") and setup.rpartition("-")[0] == rest)


def _words(value: Any) -> str:
    """A scale, a list of seeds, ... in one line."""
    return ", ".join(map(_words, value)) if isinstance(value, (list, tuple)) else str(value)


def machines(reports: Path) -> list[dict[str, str]]:
    """How long every stage took when it last ran, when, where, and by which commit: a row each."""
    return [
        {
            "stage": name,
            "took": clock(record["seconds"]),
            "finished": record["finished"],
            "commit": (record["commit"] or "none")[:10],
            "machine": f"{(on := record['machine'])['name']}, {on['cores']} cores",
            "Python": on["python"],
            "PyTorch": on["torch"],
        }
        for name, record in machine.read(reports).items()
    ]
