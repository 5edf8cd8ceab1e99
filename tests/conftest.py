"""Fixtures shared by the tests."""

import contextlib
import fcntl
import fnmatch
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from arvae import paths
from arvae.files import read_json, sha256, write_json

ROOT = paths.root(__file__)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background: what is started here would
    signal.signal(signal.SIGINT, signal.default_int_handler)  # inherit it, and be deaf to Ctrl-C


def pytest_configure(config):
    """One thread, said before torch is imported: with a test process on each core, more wait for one another.

    The slow tests leave the number of threads as it is.
    """
    if config.option.markexpr == "not slow":
        os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)  # after tests are deselected
def pytest_collection_modifyitems(items):
    """The whole pipeline first, then files of many tests: so no test process is left alone with the longest.

    Processes take whole files, in this order (--no-loadscope-reorder).
    """
    tests = Counter(item.path for item in items)
    waits = {item.path for item in items if "smoke_run" in item.fixturenames}
    items.sort(key=lambda item: (item.path not in waits, -tests[item.path], str(item.path)))


@pytest.fixture(scope="session")
def smoke_copy(tmp_path_factory):
    """A git repository of its own with a copy of this working tree, no results, and scale: smoke."""
    return copy_project(tmp_path_factory.mktemp("smoke") / "project")


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """Such a copy after `dvc repro`, run once for all test processes.

    Beside it: its results, hashes.json, and what each stage read, reads.txt.
    """
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # the processes' common one
    place = place / "smoke-run"
    place.mkdir(exist_ok=True)
    with open(place / "lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (place / "hashes.json").exists():
            if (place / "project").exists():
                pytest.fail("`dvc repro` at smoke scale failed, see the test that ran it")
            project = copy_project(place / "project")
            watched = (f"PYTHONPATH={ROOT / 'tests' / 'reads'}", f"READS={place / 'reads.txt'}")
            run(project, "env", *watched, sys.executable, "-m", "dvc", "repro")
            write_json(place / "hashes.json", results(project) | pictures(project))
    return place / "project"


# What carries times: how long training took and how fast it was. All else must be the same in every run.
TIMED = ("reports/machine/*", "studies/reports/machine/*")
RESULTS = (
    "reports/**/*",
    "studies/reports/**/*",
    "data/prepared/**/*",
    "data/codes/*",
    "data/classifier/*",
    "data/models/**/*",
    "dvc.lock",
)


def results(project: Path, timed: bool = False) -> dict[str, str]:
    """SHA-256 of every file of results, by its path; those that carry times are left out."""
    paths = sorted({path for pattern in RESULTS for path in project.glob(pattern) if path.is_file()})
    named = {path.relative_to(project).as_posix(): path for path in paths}
    return {
        name: content(path) if path.name == "dvc.lock" else sha256(path)
        for name, path in named.items()
        if timed or not any(fnmatch.fnmatch(name, pattern) for pattern in TIMED)
    }


def content(lock: Path) -> str:
    """What a dvc.lock says: DVC writes stages that are new to it in whatever order it ran them."""
    return json.dumps(YAML(typ="safe").load(lock.read_text()), sort_keys=True)


def pictures(project: Path) -> dict[str, str]:
    """SHA-256 of every picture inside an executed notebook, by notebook, cell and output."""
    found = {}
    for path in sorted(project.glob("reports/notebooks/*.ipynb")):
        for number, cell in enumerate(read_json(path)["cells"]):
            for place, output in enumerate(cell.get("outputs", [])):
                for kind, content in output.get("data", {}).items():
                    if kind.startswith("image/"):
                        name = f"{path.stem}: cell {number}, output {place}, {kind}"
                        found[name] = hashlib.sha256("".join(content).encode()).hexdigest()
    return found


def copy_project(copy: Path) -> Path:
    """Copy this working tree to `copy`, as a git repository, without results and with scale: smoke."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (
            name.startswith(("reports/", "studies/reports/", "overnight/reports/"))
            or name.endswith("dvc.lock")
            or not (ROOT / name).is_file()
        ):
            continue
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    if (ROOT / "data" / "raw").is_dir():  # what was downloaded once need not be fetched again
        shutil.copytree(ROOT / "data" / "raw", copy / "data" / "raw")
    for name, scale in (("params.yaml", "laptop"), ("overnight/params.yaml", "overnight")):
        text = (copy / name).read_text()
        assert f"\nscale: {scale}" in text
        (copy / name).write_text(text.replace(f"\nscale: {scale}", "\nscale: smoke"))
    run(copy, "git", "init", "--quiet")
    run(copy, "git", "add", "--all")
    run(copy, "git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-qm", "copy")
    return copy


def mounted(folder: Path, *options: str) -> bool:
    """Mount something on a folder; False where that is not allowed (only root may, and not everywhere)."""
    if os.geteuid() or shutil.which("mount") is None:
        return False
    return not subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False).returncode


@pytest.fixture(scope="session")
def full_disk():
    """`with full_disk(folder, size)`: no more than `size` bytes fit into the (empty) folder.

    A file system of that size where it may be mounted; else no file may grow larger than that.
    """

    @contextlib.contextmanager
    def limited(folder: Path, size: int):
        if mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
            try:
                yield "tmpfs"
            finally:
                subprocess.run(["umount", "--lazy", str(folder)], check=True)
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield "limit"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture
def read_only():
    """`with read_only(folder)`: nothing can be written there, by root neither (a read-only mount)."""

    @contextlib.contextmanager
    def frozen(folder: Path):
        if not os.geteuid():
            if not mounted(folder, "--bind", str(folder)):
                pytest.skip("root may write anywhere, and a read-only mount is not allowed here")
            try:
                subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
                yield
            finally:
                subprocess.run(["umount", "--lazy", str(folder)], check=True)
            return
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)

    return frozen


def environment() -> dict[str, str]:
    """This process's environment with its python first on the path, and nothing that leads elsewhere.

    Coverage is not measured in there: a copy's files do not count, and tracing them takes minutes.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "DVC_STAGE") and not name.startswith("COVERAGE_")
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited["PATH"]])
    return inherited | {"PATH": path, "DVC_NO_ANALYTICS": "1"}


def run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` with this environment's python first on the path; its output is kept."""
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} failed\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done


def dvc_project(folder: Path) -> None:
    """What `dvc init --no-scm` leaves, without starting DVC for it."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = True\n")


def dvc(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run dvc in `folder`."""
    return run(folder, sys.executable, "-m", "dvc", *arguments, check=check)
