"""What a page says of how its results arose: scale, seeds, code and machine."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from arvae.files import read_json
from arvae.report.labels import plain

# What decides results: the last commit that touched one of these made them.
CODE = ("arvae", "notebooks", "params.yaml", "requirements.lock")
PROGRAMS = {"python": "Python", "torch": "PyTorch"}


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

    about_code = {"made by the code of": code, "on": all_of("machine")}
    return {"scale": all_of("scale"), "seeds": all_of("seeds"), **about_code}


def _concerns(page: str, setup: str) -> bool:
    """Is a page about a setup? train-mnist-arvae: about that one; data-mnist: about all of its data set."""
    stage, _, rest = page.partition("-")
    return rest == setup or (stage in ("data", "comparison") and setup.rpartition("-")[0] == rest)


def _words(value: Any) -> str:
    """A machine, a list of seeds, ... in one line."""
    if isinstance(value, Mapping):
        about = {key: text for key, text in value.items() if key not in ("cores", "name")}
        cores = [f"{value['cores']} core{'' if value['cores'] == 1 else 's'}"] if "cores" in value else []
        named = [str(value["name"])] if "name" in value else []
        return ", ".join(
            [*cores, *named, *(f"{PROGRAMS.get(k, plain(k))} {_words(v)}" for k, v in about.items())]
        )
    return ", ".join(map(_words, value)) if isinstance(value, (list, tuple)) else str(value)
