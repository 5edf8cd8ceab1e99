"""Fixtures shared by the tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arvae import paths

ROOT = paths.root(__file__)


@pytest.fixture(scope="session")
def smoke_copy(tmp_path_factory):
    """A git repository of its own with a copy of this working tree, no results, and scale: smoke."""
    copy = tmp_path_factory.mktemp("smoke") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if name.startswith(("reports/", "dvc.lock")) or not (ROOT / name).is_file():
            continue
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    if (ROOT / "data" / "raw").is_dir():  # what was downloaded once need not be fetched again
        shutil.copytree(ROOT / "data" / "raw", copy / "data" / "raw")
    text = (copy / "params.yaml").read_text()
    assert "\nscale: laptop" in text
    (copy / "params.yaml").write_text(text.replace("\nscale: laptop", "\nscale: smoke"))
    run(copy, "git", "init", "--quiet")
    run(copy, "git", "add", "--all")
    run(copy, "git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-qm", "copy")
    return copy


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` with this environment's python first on the path; its output is kept."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} failed\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done


def dvc(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run dvc in `folder`."""
    return run(folder, sys.executable, "-m", "dvc", *arguments, check=check)
