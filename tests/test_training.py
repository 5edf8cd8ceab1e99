"""The engine: resumable, reproducible to the bit, and one run's trouble is no other's."""

import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from arvae import params, paths, training
from arvae.datasets.contract import Dataset, PackedImages, Split
from arvae.fast import FlatAdam
from arvae.files import atomic_write
from arvae.params import Setup
from arvae.training import Run, checkpoints, loop
from arvae.training.precision import plan
from arvae.training.runs import IMPORTED, code_hash, key
from compendium.figures import metrics, style


def shapes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bright rectangles on 28 x 28, and their six attributes: enough of a data set to train on."""
    random = np.random.default_rng(seed)
    corner, size = random.integers(1, 12, (count, 2)), random.integers(4, 15, (count, 2))
    level = random.integers(100, 255, count)
    rows, columns = np.arange(28)[:, None], np.arange(28)[None, :]
    images = np.zeros((count, 28, 28), np.uint8)
    for index in range(count):
        (top, left), (height, width) = corner[index], size[index]
        inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
        images[index] = inside * level[index]
    attributes = [size.prod(1), size[:, 0], size[:, 1], corner[:, 0], corner[:, 1], level]
    return images, np.stack(attributes, axis=1).astype(np.float32)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = ("area", "length", "thickness", "slant", "width", "height")
    splits = [Split(*shapes(count, seed)) for seed, count in enumerate((200, 40, 40))]
    folder = tmp_path_factory.mktemp("prepared") / "mnist"
    Dataset("mnist", "images", *splits, names, ("px",) * 6).save(folder)
    return folder


def small(epochs: float = 4.0, **engine: Any) -> Setup:
    """The mnist AR-VAE with a small network and batches of 32: six steps an epoch."""
    setup = params.load().setup("mnist", "arvae")
    defaults = {"executor": "serial", "workers": 2, "threads": 1, "device": "cpu", "precision": "float32"}
    setup = setup.model_copy(
        update={
            "architecture": setup.architecture.model_copy(update={"channels": (4, 4, 2), "hidden": 16}),
            "batch_size": 32,
            "schedule": setup.schedule.model_copy(update={"epochs": epochs}),
            "engine": setup.engine.model_copy(update=defaults | engine),
        }
    )
    return Setup.model_validate(setup.model_dump())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run(setup: Setup, data: Path, where: Path, *runs: Run, **more: Any) -> list[training.RunResult]:
    lines: list[str] = []
    runs = runs or (Run("seed0", 0),)
    try:
        return training.train(
            setup, data, runs, where / "checkpoints", directory=where / "models", log=lines.append, **more
        )
    finally:
        (where / "log.txt").write_text("\n".join(lines), encoding="utf-8")


def said(where: Path) -> str:
    return (where / "log.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """seed0, trained alone and without interruption."""
    where = tmp_path_factory.mktemp("trained")
    run(small(), data, where)
    return where


@pytest.fixture(scope="module")
def long_trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The weights' hash of such a run of 240 steps."""
    where = tmp_path_factory.mktemp("long")
    run(small(40.0), data, where)
    return digest(where / "models" / "seed0.safetensors")


def test_training_learns_and_leaves_weights_and_history(trained: Path) -> None:
    rows = (trained / "models" / "seed0.csv").read_text().splitlines()
    header = rows[0].split(",")
    assert header[:6] == ["step", "epoch", "loss", "reconstruction", "kl", "regularization"]
    assert len(rows) - 1 == 24
    losses = [float(row.split(",")[2]) for row in rows[1:]]
    assert losses[-1] < losses[0]
    model = training.load_model(trained / "models", "seed0")
    assert not model.training
    mean, _ = model.encode(torch.zeros(2, 1, 28, 28))
    assert mean.dtype == torch.float32
    with pytest.raises(FileNotFoundError, match="there: seed0"):
        training.load_model(trained / "models", "seed7")


def test_a_run_does_not_depend_on_who_trains_beside_it(trained: Path, data: Path, tmp_path: Path) -> None:
    setup = small(executor="processes")
    results = run(setup, data, tmp_path, Run("seed0", 0), Run("flat", 0, {"gamma": 0.0}))
    assert [result.status for result in results] == ["finished"] * 2
    weights = [digest(tmp_path / "models" / f"{name}.safetensors") for name in ("seed0", "flat")]
    assert weights[0] == digest(trained / "models" / "seed0.safetensors")
    assert weights[0] != weights[1]


def test_finished_runs_are_reused_and_a_new_seed_trains_alone(data: Path, tmp_path: Path) -> None:
    run(small(1.0), data, tmp_path)
    before = digest(tmp_path / "models" / "seed0.safetensors")
    results = run(small(1.0), data, tmp_path, Run("seed0", 0), Run("seed1", 1))
    assert [result.reused for result in results] == [True, False]
    assert "reusing seed0: code, data and hyperparameters unchanged" in said(tmp_path)
    assert digest(tmp_path / "models" / "seed0.safetensors") == before


def test_a_hyperparameter_that_is_set_back_trains_nothing(data: Path, tmp_path: Path) -> None:
    """gamma 10, 1, 10: runs are found by their content, though the published weights were replaced."""
    weights = []
    for number, gamma in enumerate((10.0, 1.0, 10.0)):
        setup = small(1.0)
        hyperparameters = setup.hyperparameters.model_copy(update={"gamma": gamma})
        (result,) = run(setup.model_copy(update={"hyperparameters": hyperparameters}), data, tmp_path)
        assert result.reused == (number == 2)
        weights.append(digest(tmp_path / "models" / "seed0.safetensors"))
    assert weights[0] == weights[2] != weights[1]


PROGRAM = """
import sys
from pathlib import Path
from arvae import training
from arvae.params import Setup
from arvae.training import Run
setup = Setup.model_validate_json(Path(sys.argv[1]).read_text())
where = Path(sys.argv[3])
training.train(setup, sys.argv[2], [Run("seed0", 0)], where / "checkpoints", directory=where / "models")
"""


def start(setup: Setup, data: Path, where: Path) -> subprocess.Popen[bytes]:
    (where / "setup.json").write_text(setup.model_dump_json(), encoding="utf-8")
    (where / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, str(where / "program.py"), str(where / "setup.json"), str(data), str(where)]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def checkpoint_step(where: Path) -> int:
    folders = list((where / "checkpoints").glob("mnist-*"))
    return max((checkpoints._step(f / name) for f in folders for name in checkpoints.CHECKPOINTS), default=-1)


def test_killed_at_any_moment_it_ends_with_the_same_bytes(
    long_trained: str, data: Path, tmp_path: Path
) -> None:
    setup = small(40.0, executor="processes", checkpoint_seconds=0.05)
    process = start(setup, data, tmp_path)
    deadline = time.monotonic() + 300
    while checkpoint_step(tmp_path) < 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)  # the parent; its worker must notice and stop by itself
    process.wait()
    time.sleep(0.5)
    reached = checkpoint_step(tmp_path)
    time.sleep(0.5)
    assert checkpoint_step(tmp_path) == reached, "a worker lives on without its parent"
    assert 0 < reached < 240, "it was not killed on its way: the test shows nothing"
    run(small(40.0), data, tmp_path)
    assert "going on from step" in said(tmp_path), said(tmp_path)
    assert digest(tmp_path / "models" / "seed0.safetensors") == long_trained


KILLED = """
import os, signal, sys
from pathlib import Path
from arvae import training
from arvae.params import Setup
from arvae.training import checkpoints
where, data, moment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
save, replace, seen = checkpoints.save_file, os.replace, []

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def half(tensors, path, metadata):
    save(tensors, path, metadata=metadata)
    seen.append(path)
    if len(seen) == 3:
        content = Path(path).read_bytes()
        Path(path).write_bytes(content[: len(content) // 2])
        die()

def before_renaming(source, target):
    if Path(target).name == moment:
        seen.append(target)
        if len(seen) == 3 or moment == checkpoints.FINAL:
            die()
    replace(source, target)

if moment == "half written":
    checkpoints.save_file = half
elif moment == "not cleared":
    checkpoints.clear_checkpoints = die
else:
    os.replace = before_renaming
setup = Setup.model_validate_json((where / "setup.json").read_text())
training.train(setup, data, training.runs_of(setup)[:1], where / "checkpoints", directory=where / "models")
"""


@pytest.mark.parametrize(
    "moment", ["half written", *checkpoints.CHECKPOINTS, checkpoints.FINAL, "not cleared"]
)
def test_killed_while_it_writes_it_ends_with_the_same_bytes(
    trained: Path, data: Path, tmp_path: Path, moment: str
) -> None:
    """In the middle of a file, before it gets its name, before what is old is removed."""
    setup = small(checkpoint_seconds=0.001)
    (tmp_path / "setup.json").write_text(setup.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(data), moment]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = next((tmp_path / "checkpoints").iterdir())
    strays = {path.name for path in folder.glob(".*.safetensors")}
    left = {path.name for path in folder.glob("*.safetensors")} - strays
    assert left == set(checkpoints.CHECKPOINTS) | ({checkpoints.FINAL} if moment == "not cleared" else set())
    assert len(strays) == (moment != "not cleared")
    run(small(), data, tmp_path)
    assert ("reusing" if moment == "not cleared" else "going on from step") in said(tmp_path)
    weights = digest(tmp_path / "models" / "seed0.safetensors")
    assert weights == digest(trained / "models" / "seed0.safetensors")
    assert not list(folder.glob(".*.safetensors"))


def interrupted(setup: Setup, data: Path, where: Path, at: int) -> Path:
    """Train to step `at`, save, stop: what a kill leaves behind, made without waiting for one."""
    torch.set_num_threads(1)  # as many as the engine gives it: sums depend on it
    dataset, run, settled = Dataset.load(data), Run("seed0", 0), plan(setup.engine)
    folder = where / "checkpoints" / key(setup, run, data, settled)
    folder.mkdir(parents=True)
    one = loop.Trainer(setup, run, dataset, settled, folder)
    one.model.train()
    while one.step < at:
        one._one_step()
        if one.step % one.every == 0:
            one._row()
        if one.step in (at - 3, at):
            one.save()
    return folder


@pytest.mark.parametrize("damage", ["none", "flip", "cut", "empty", "both"])
def test_damaged_checkpoints_are_found_and_made_again(
    trained: Path, data: Path, tmp_path: Path, damage: str
) -> None:
    folder = interrupted(small(), data, tmp_path, at=10)
    newest = max(checkpoints.CHECKPOINTS, key=lambda name: checkpoints._step(folder / name))
    for name in checkpoints.CHECKPOINTS if damage == "both" else (newest,):
        content = bytearray((folder / name).read_bytes())
        if damage in ("flip", "both"):
            content[-100] ^= 1
        (folder / name).write_bytes({"cut": content[:-50], "empty": b""}.get(damage, bytes(content)))
    run(small(), data, tmp_path)
    expected = {"none": "from step 10", "both": "removed"}.get(damage, "from step 7")
    assert expected in said(tmp_path)
    assert ("checksum" in said(tmp_path) or "damaged" in said(tmp_path)) == (damage != "none")
    assert digest(tmp_path / "models" / "seed0.safetensors") == digest(
        trained / "models" / "seed0.safetensors"
    )


def test_damaged_final_weights_are_trained_again(trained: Path, data: Path, tmp_path: Path) -> None:
    run(small(), data, tmp_path)
    final = next((tmp_path / "checkpoints").glob("*/final.safetensors"))
    content = bytearray(final.read_bytes())
    content[-1] ^= 255
    final.write_bytes(bytes(content))
    (result,) = run(small(), data, tmp_path)
    assert not result.reused
    assert "checksum" in said(tmp_path)
    assert digest(tmp_path / "models" / "seed0.safetensors") == digest(
        trained / "models" / "seed0.safetensors"
    )
    (tmp_path / "models" / "seed0.safetensors").write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"seed0\.safetensors"):
        training.load_model(tmp_path / "models", "seed0")


def test_the_key_follows_hyperparameters_data_and_code_and_nothing_else(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, run = small(), Run("seed0", 0)
    settled = plan(setup.engine)
    base = key(setup, run, data, settled)
    same = small(workers=1, checkpoint_seconds=9.0, executor="processes")
    assert key(same, Run("other", 0), data, settled) == base
    different = [
        key(setup, Run("seed0", 1), data, settled),
        key(setup, Run("seed0", 0, {"delta": 2.0}), data, settled),
        key(small(5.0), run, data, settled),
        key(setup, run, data, dataclasses.replace(settled, threads=2)),
        key(setup, run, data, dataclasses.replace(settled, precision="bfloat16")),
    ]
    other = tmp_path / "mnist"
    dataset = Dataset.load(data)
    dataclasses.replace(dataset, train=Split(255 - dataset.train.x, dataset.train.attributes)).save(other)
    different.append(key(setup, run, other, settled))
    monkeypatch.setattr("arvae.training.runs.code_hash", lambda *_: "other code")
    different.append(key(setup, run, data, settled))
    assert len({base, *different}) == 8


def test_a_comment_changes_no_key_but_code_does(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    path = tmp_path / "training" / "loop.py"
    hashes = []
    for text in ("x = 1\n", '"""Doc."""\nx = 1  # why\n', '"""Other."""\n\nx = 1\n', "x = 2\n"):
        path.write_text(text, encoding="utf-8")
        hashes.append(code_hash("images", "vae", True, tmp_path))
    assert hashes[1] == hashes[2]
    assert hashes[3] not in hashes[:3]


def test_what_an_objective_imports_is_part_of_its_key_and_a_new_module_is_not(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "fast").mkdir()
    (tmp_path / "models" / "mine.py").write_text("from arvae.models.other import other\n")
    (tmp_path / "models" / "other.py").write_text("import arvae.models.net as net\n")
    (tmp_path / "fast" / "image.py").write_text("from arvae.fast.part import part\n")
    hashes = {}
    for text in ("x = 1\n", "x = 2\n"):
        for changed in ("models/net.py", "fast/part.py"):
            (tmp_path / changed).write_text(text)
            hashes[changed, text] = [
                code_hash("images", name, fast, tmp_path)
                for name, fast in (("mine", False), ("other", False), ("vae", False), ("vae", True))
            ]
    nothing, net, part = (
        hashes[which]
        for which in (("fast/part.py", "x = 1\n"), ("models/net.py", "x = 2\n"), ("fast/part.py", "x = 2\n"))
    )
    assert [one == other for one, other in zip(nothing, net, strict=True)] == [False, False, True, True]
    assert [one == other for one, other in zip(net, part, strict=True)] == [True, True, True, False]


def test_the_modules_that_decide_a_training_are_all_known() -> None:
    """What the loop imports, and what that imports, of losses, models, fast and the engine."""
    code = (
        "import sys, arvae.training.loop; print(*[name for name in sys.modules if name.startswith('arvae')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    home = paths.root(__file__)
    names = [name.replace(".", "/") for name in shown.split()]
    files = [f"{name}.py" if (home / f"{name}.py").is_file() else f"{name}/__init__.py" for name in names]
    parts = ("losses", "models", "fast", "training")
    decide = {
        name.removeprefix("arvae/") for name in files if name.startswith(tuple(f"arvae/{p}" for p in parts))
    }
    beside = {"training/__init__.py", "training/engine.py", "training/executors.py", "training/report.py"}
    assert decide - beside <= IMPORTED.keys()


EDITED = """
import sys
from pathlib import Path
from arvae import training
from arvae.params import Setup
from arvae.training.runs import code_hash
setup, before = Setup.model_validate_json(Path("setup.json").read_text()), code_hash("images", "vae", True)
losses = Path("arvae/losses.py")
losses.write_text(losses.read_text() + "EDITED = True\\n")  # as one does while runs wait for a free core
assert code_hash("images", "vae", True) == before != code_hash("images", "vae", True, Path("arvae"))
training.train(setup, sys.argv[1], training.runs_of(setup)[:1], "checkpoints", directory="models")
"""


def test_code_edited_while_runs_wait_is_not_filed_under_the_old_key(data: Path, tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.root(__file__) / "arvae", tmp_path / "arvae", ignore=ignore)
    shutil.copy(paths.root(__file__) / "params.yaml", tmp_path)
    (tmp_path / "setup.json").write_text(small(executor="processes").model_dump_json(), encoding="utf-8")
    edited = subprocess.run(
        [sys.executable, "-c", EDITED, str(data)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "code, data or libraries are not those this run began with" in edited.stderr
    assert not list(tmp_path.glob("checkpoints/*/*.safetensors"))


def test_any_executor_of_pythons_own_will_do(trained: Path, data: Path, tmp_path: Path) -> None:
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        results = run(small(), data, tmp_path, Run("seed0", 0), Run("seed1", 1), executor=pool)
    assert [result.status for result in results] == ["finished"] * 2
    weights = digest(tmp_path / "models" / "seed0.safetensors")
    assert weights == digest(trained / "models" / "seed0.safetensors")


def test_a_run_that_diverges_is_reported_and_the_others_go_on(data: Path, tmp_path: Path) -> None:
    setup = small(1.0)
    bad = Run("bad", 0, {"beta": 1e39})
    good, failed = run(setup, data, tmp_path, Run("seed0", 0), bad)
    assert (good.status, failed.status) == ("finished", "failed")
    assert failed.weights is None
    assert "learning rate" in failed.message
    assert "bad FAILED: diverged" in said(tmp_path)
    with pytest.raises(training.TrainingError, match="bad: diverged"):
        run(setup, data, tmp_path, bad)


@pytest.mark.parametrize("where", ["validation", "weights"])
def test_what_is_no_number_at_the_end_fails_its_run_alone(
    where: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step is watched by no later loss."""
    go = loop.Trainer.go

    def spoiled(run: loop.Trainer, *arguments: Any) -> None:
        go(run, *arguments)
        if run.run.seed and where == "weights":
            run.optimizer.master[3] = torch.nan
        elif run.run.seed:
            run.rows[-1]["validation_kl"] = float("inf")

    monkeypatch.setattr(loop.Trainer, "go", spoiled)
    for _ in range(2):  # the second time from what the first has left
        good, bad = run(small(1.0), data, tmp_path, Run("seed0", 0), Run("seed1", 1))
        assert (good.status, bad.status) == ("finished", "failed")
        assert bad.message.startswith("diverged") and "not a finite number" in bad.message
        assert bad.weights is None and not (tmp_path / "models" / "seed1.safetensors").exists()
        written = json.loads((tmp_path / "models" / "runs.json").read_text())
        assert written[1]["status"] == "failed" and bad.history is not None


class _Bare:
    """A future of a few methods only, as Dask's are."""

    def __init__(self, future: Any) -> None:
        self.done, self.result = future.done, future.result


def test_any_executor_will_do_also_one_that_tells_little(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.engine, "TELL_EVERY", 0.0)
    pool = concurrent.futures.ThreadPoolExecutor(1)

    class Executor:
        def submit(self, function: Any, text: str) -> _Bare:
            return _Bare(pool.submit(function, text))

    results = run(small(2.0), data, tmp_path, Run("seed0", 0), Run("seed1", 1), executor=Executor())
    pool.shutdown()
    assert [result.status for result in results] == ["finished"] * 2
    assert "1 waiting for a free core" in said(tmp_path)


def test_an_executor_that_is_broken_for_good_fails_its_runs_clearly(data: Path, tmp_path: Path) -> None:
    class Broken:
        def __init__(self) -> None:
            self.calls = 0

        def submit(self, function: Any, text: str) -> concurrent.futures.Future[str]:
            self.calls += 1
            if self.calls > 1:
                raise concurrent.futures.BrokenExecutor("the pool is gone")
            future: concurrent.futures.Future[str] = concurrent.futures.Future()
            future.set_exception(RuntimeError("the worker is gone"))
            return future

    with pytest.raises(training.TrainingError, match="the worker is gone; the pool is gone"):
        run(small(1.0), data, tmp_path, executor=Broken())


def test_two_callers_train_one_run_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two callers with a lock of their own each, as two processes have; threads start sooner. But the key is
    # made with ast, and two threads can break CPython 3.11's ("AST constructor recursion depth mismatch").
    one_at_a_time, its_key = threading.Lock(), training.engine.key

    def guarded(*given: Any) -> str:
        with one_at_a_time:
            return its_key(*given)

    monkeypatch.setattr(training.engine, "key", guarded)
    places = [tmp_path / "a", tmp_path / "b"]
    results: dict[Path, list[training.RunResult]] = {}
    setup = small(20.0)  # read here: it parses own.py, and CPython 3.11's ast is not for two threads at once

    def caller(where: Path) -> None:
        lines: list[str] = []
        runs = [Run("seed0", 0)]
        results[where] = training.train(
            setup, data, runs, tmp_path / "checkpoints", None, lines.append, where
        )
        where.joinpath("log.txt").write_text("\n".join(lines), encoding="utf-8")

    callers = [threading.Thread(target=caller, args=(where,)) for where in places]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(300)
    assert sorted(results[where][0].reused for where in places) == [False, True]
    assert "another process trains this run" in said(places[0]) + said(places[1])
    assert digest(places[0] / "seed0.safetensors") == digest(places[1] / "seed0.safetensors")


def test_a_worker_that_is_killed_is_started_again(data: Path, tmp_path: Path) -> None:
    setup = small(40.0, executor="processes", checkpoint_seconds=0.05)
    lines: list[str] = []

    class Killer(training.engine.executors.ProcessExecutor):
        killed = False

        def submit(self, function: Any, text: str) -> Any:
            future = super().submit(function, text)
            if not self.killed:
                while checkpoint_step(tmp_path) < 1:
                    time.sleep(0.02)
                self.killed = True
                for process in list(self.running):
                    process.kill()
            return future

    executor = Killer(1, 1)
    (result,) = training.train(
        setup,
        data,
        [Run("seed0", 0)],
        tmp_path / "checkpoints",
        executor,
        lines.append,
        tmp_path / "models",
    )
    executor.shutdown()
    assert result.status == "finished"
    assert any("signal 9" in line for line in lines)
    assert any("going on from step" in line for line in lines)


def test_a_full_disk_stops_no_training_and_fails_clearly_at_the_end(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(training.TrainingError, match="No space left"):
        run(small(1.0, checkpoint_seconds=0.001), data, tmp_path)
    assert "could not save a checkpoint" in said(tmp_path)
    (failed,) = json.loads((tmp_path / "models" / "runs.json").read_text(encoding="utf-8"))
    assert failed["status"] == "failed"
    monkeypatch.undo()
    (result,) = run(small(1.0), data, tmp_path)
    assert result.status == "finished"


def test_bfloat16_keeps_small_updates_in_float32() -> None:
    model = torch.nn.Linear(4, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    flat = FlatAdam(model, 1e-4, dtype=torch.bfloat16)
    for _ in range(10):
        flat.zero_grad()
        model(torch.ones(1, 4, dtype=torch.bfloat16)).sum().backward()
        flat.step()
    torch.testing.assert_close(flat.weights()["weight"], torch.full((1, 4), 0.999), atol=1e-6, rtol=0)
    assert model.weight.dtype == torch.bfloat16


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_only_gradients_longer_than_the_clip_are_scaled_down(precision: str) -> None:
    flat = FlatAdam(torch.nn.Linear(3, 2, bias=False), 1e-3, dtype=getattr(torch, precision))
    for given, clip, wanted in ((4.0, 2.0, 2.0), (4.0, None, 4.0), (1.0, 2.0, 1.0)):
        flat.gradient.zero_()
        flat.gradient[0] = given
        flat.step(clip)
        assert flat.master.grad.norm().item() == pytest.approx(wanted)
    flat.gradient[1] = torch.nan
    flat.step(2.0)
    assert flat.weights()["weight"].isnan().any()  # never hidden


def test_packed_images_come_out_as_they_went_in() -> None:
    images = np.random.default_rng(0).integers(0, 2, (70, 64, 64), dtype=np.uint8)
    attributes = np.random.default_rng(1).random((70, 5), dtype=np.float32)
    split = Split(PackedImages.pack(images), attributes)
    names = ("shape", "scale", "orientation", "x", "y")
    dataset = Dataset("dsprites", "images", split, split, split, names, ("",) * 5)
    source = loop.Source(dataset, split, params.load().setup("dsprites", "arvae"))
    x, a = source.take(torch.tensor([3, 69, 0]))
    np.testing.assert_array_equal(x[:, 0], images[[3, 69, 0]])
    np.testing.assert_array_equal(a, attributes[[3, 69, 0]])


def test_the_order_visits_every_example_once_an_epoch() -> None:
    order = loop.Order(100, 32, seed=3)
    epoch = torch.cat([order.batch(step) for step in range(3)])
    assert len(epoch.unique()) == 96
    assert not torch.equal(epoch[:32], order.batch(3))
    assert torch.equal(loop.Order(100, 32, seed=3).batch(4), order.batch(4))


def test_one_cycle_rises_and_falls_to_zero() -> None:
    schedule = params.load().scales["laptop"].training["mnist"]
    rates = [loop.learning_rate(step, 1000, schedule, 1e-4) for step in range(1000)]
    assert max(rates) == pytest.approx(schedule.peak, rel=1e-4)
    assert rates.index(max(rates)) == pytest.approx(1000 * schedule.warmup, abs=2)
    assert rates[-1] < 1e-4 * schedule.peak
    held = schedule.model_copy(update={"warmup": 0.1, "hold": 0.5})
    rates = [loop.learning_rate(step, 1000, held, 1e-4) for step in range(1000)]
    assert set(rates[100:600]) == {held.peak} and rates == sorted(rates[:600]) + sorted(rates[600:])[::-1]
    assert rates[800] == pytest.approx(held.peak / 2, rel=0.01) and rates[-1] < 1e-4 * held.peak
    constant = params.load().scales["paper"].training["mnist"]
    assert loop.learning_rate(7, 1000, constant, 1e-4) == 1e-4


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (lambda: [], "none"),
        (lambda: [Run("a", 0), Run("a", 1)], "twice"),
        (lambda: [Run("../a", 0)], "plain file name"),
        (lambda: [Run("a", -1)], "negative"),
        (lambda: [Run("a", 0, {"gamma": -1.0})], "gamma"),
        (lambda: [Run("a", 0, {"gama": 1.0})], "gama"),
    ],
)
def test_bad_runs_are_refused_before_anything_runs(
    runs: Any, message: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        training.train(small(), data, runs(), tmp_path, directory=tmp_path)


def test_a_dask_cluster_trains_runs_and_survives_a_worker(
    long_trained: str, data: Path, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed", reason="optional: pip install 'dask[distributed]'")
    setup = small(40.0, checkpoint_seconds=0.05)
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        worker_dashboard_address=None,
    ) as cluster:
        setup = Setup.model_validate(
            setup.model_dump()
            | {
                "engine": setup.engine.model_dump()
                | {"executor": "dask", "address": cluster.scheduler_address}
            }
        )
        pids = [worker.pid for worker in cluster.workers.values()]
        killer = threading.Thread(target=_kill_one_when_it_trains, args=(tmp_path, pids))
        killer.start()
        results = run(setup, data, tmp_path, Run("seed0", 0), Run("seed1", 1))
        killer.join()
    assert [result.status for result in results] == ["finished"] * 2
    assert "going on from step" in said(tmp_path)
    assert digest(tmp_path / "models" / "seed0.safetensors") == long_trained


def _kill_one_when_it_trains(where: Path, pids: list[int]) -> None:
    deadline = time.monotonic() + 300
    while len(list((where / "checkpoints").glob("*/checkpoint-*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)  # three: both runs have saved at least once
    os.kill(pids[0], signal.SIGKILL)


def test_dask_needs_an_address_and_the_package(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"engine\.address"):
        run(small(1.0, executor="dask"), data, tmp_path)


def test_missing_data_and_unknown_attributes_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dvc repro data@mnist"):
        run(small(), tmp_path / "nowhere", tmp_path)
    setup = small(1.0).model_copy(
        update={"attributes": ("area", "length", "thickness", "slant", "width", "tilt")}
    )
    with pytest.raises(
        training.TrainingError,
        match="'tilt' is not one of data set mnist's.* correct networks.mnist.attributes",
    ):
        run(setup, data, tmp_path)


def test_the_notebooks_curves_leave_out_a_run_that_diverged_at_once(trained: Path, tmp_path: Path) -> None:
    """One that has not reached the first row of its history has none."""
    book = json.loads((paths.root() / "notebooks" / "2_train.ipynb").read_text(encoding="utf-8"))
    (source,) = (
        "".join(cell["source"]) for cell in book["cells"] if "histories =" in "".join(cell["source"])
    )
    history = trained / "models" / "seed0.csv"
    results = [SimpleNamespace(name="seed0", history=history), SimpleNamespace(name="seed1", history=None)]
    names = {"results": results, "reports": tmp_path, "figures": tmp_path, "model": "arvae", "pd": pd}
    names |= {
        "label": "AR-VAE on MNIST",
        "by_order": True,
        "setup": small(),
        "atomic_write": atomic_write,
        "metrics": metrics,
        "style": style,
    }
    exec(source, names)
    assert list(pd.read_csv(tmp_path / "training" / "mnist-arvae.csv").run.unique()) == ["seed0"]
    assert (tmp_path / "curves.png").stat().st_size > 1000
