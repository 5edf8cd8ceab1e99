"""How long a stage took, when, where and by which commit: reports/machine/<notebook>.json, in no result.

Everything else that a run leaves in reports/ and dvc.lock is the same in every run on the same kind of
processor, so that `git status` after `dvc repro` shows these files only (`make check ARGS=--strict`).
"""

import contextlib
import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from arvae.files import read_json, write_json

FOLDER = "machine"


def describe() -> dict[str, Any]:
    """Where this runs: processor, cores it may use, system, versions of Python and torch, the GPU if any."""
    found = {"name": processor(), "cores": cores(), "system": f"{platform.system()} {platform.machine()}"}
    found |= {"python": platform.python_version(), "torch": metadata.version("torch")}
    return found | {"gpu": gpu()} if Path("/proc/driver/nvidia").exists() else found


def gpu() -> str | None:
    """The name of the GPU that torch computes on; None where it sees none."""
    import torch  # a second, which a stage need not spend where there is no such thing

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name as the system gives it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def write(home: Path, notebook: Path, seconds: float, log: Sequence[str]) -> None:
    """Record a stage beside the reports that `notebook`, executed, belongs to; of any other, nothing.

    log: what its cells tagged `log` printed, line by line.
    """
    reports = next((folder for folder in notebook.resolve().parents if folder.name == "reports"), None)
    if reports is None or not reports.is_relative_to(home.resolve()):
        return
    commit = None
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # no git, or no commit
        command = ["git", "rev-parse", "HEAD"]
        commit = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True).stdout.strip()
    record = {
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "machine": describe(),
        "commit": commit,
        "log": list(log),
    }
    write_json(reports / FOLDER / f"{notebook.stem}.json", record)


def read(reports: Path) -> dict[str, dict[str, Any]]:
    """What `write` left, by the notebook's name."""
    return {path.stem: read_json(path) for path in sorted((reports / FOLDER).glob("*.json"))}
