"""Training a setup: all its runs, wherever they run, with their weights and histories as the outcome."""

import collections
import concurrent.futures
import contextlib
import csv
import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from arvae import fast, models, paths
from arvae.datasets.contract import DataError
from arvae.files import BARRED, atomic_write, explained, write_json
from arvae.params import Setup
from arvae.progress import clock
from arvae.training import checkpoints, executors, worker
from arvae.training.loop import SMALLER
from arvae.training.precision import Plan, plan
from arvae.training.runs import Run, RunResult, TrainingError, check_runs, hyperparameters, key, setup_from

TELL_EVERY = 5.0  # seconds between lines at first; later 15 % of the time so far, a minute at most
ATTEMPTS = 3  # deaths of a run's worker in a row, without a step gained, before it is given up
_FIRST = ("step", "epoch", "seconds", "loss", "reconstruction", "kl", "regularization")


@dataclasses.dataclass
class _Job:
    """A run on its way: its folder, the task sent off, and how it fares."""

    runs: list[Run]
    folder: Path
    text: str = ""
    future: Any = None
    seen: dict[str, Any] = dataclasses.field(default_factory=dict)
    told: int = 0
    deaths: int = 0
    step_at_death: int = -1
    outcome: dict[str, Any] | None = None


def train(
    setup: Setup,
    dataset_directory: Path | str,
    runs: Iterable[Run],
    checkpoint_root: Path | str,
    executor: Any = None,
    log: Callable[[str], None] = print,
    directory: Path | str | None = None,
) -> list[RunResult]:
    """Train runs of a setup; those trained before with the same code, data and
    hyperparameters are reused.

    Args:
        setup: data set, model, loss and schedule.
        dataset_directory: the prepared data set.
        runs: which runs; `runs_of(setup)` for one a seed.
        checkpoint_root: where checkpoints and finished weights are kept, by content.
        executor: anything with `submit(function, text) -> Future`; None: what setup.engine asks for.
        log: told one line every five seconds, in a long run every minute, and about everything unusual.
        directory: where <run>.safetensors, <run>.csv and runs.json go; None: data/models/<setup>.

    Returns:
        One result a run, in order. One that diverged has status "failed" and says why; it has a history
        but no weights, and does not stop the others.

    Raises:
        TrainingError: when no run could be trained, or one for another reason than divergence (killed, disk
            full): half a setup must not pass for done. The others are kept, and reused the next time.
        ValueError: for bad runs, setups or data.
    """
    runs, data, root = check_runs(runs, setup), Path(dataset_directory), Path(checkpoint_root)
    if not (data / "manifest.json").is_file():
        raise DataError(f"no prepared data set in {data}: make it with `dvc repro data@{setup.dataset}`")
    directory = Path(directory) if directory is not None else paths.root() / "data" / "models" / setup.name
    settled = plan(setup.engine)
    jobs: dict[str, _Job] = {}
    for run in runs:
        name = key(setup, run, data, settled)
        jobs.setdefault(name, _Job([], root / name)).runs.append(run)
    todo = [job for job in jobs.values() if not _finished(job, setup, log)]
    opened = contextlib.nullcontext(executor)
    if executor is None and todo:
        opened = executors.opened(setup.engine, settled.device, len(todo))
    with opened as runner:
        try:
            for job in todo:
                _send(job, setup, data, settled, runner)
            _watch(todo, setup, data, settled, runner, log)
        finally:
            for job in todo:
                if job.future is not None and hasattr(job.future, "cancel"):
                    job.future.cancel()
    by_name = {run.name: (run, job) for job in jobs.values() for run in job.runs}
    results = [_publish(setup, *by_name[run.name], directory, settled, log) for run in runs]
    write_json(directory / "runs.json", [_as_json(result) for result in results])
    failed = [result for result in results if result.status != "finished"]
    if len(failed) == len(results) or not all(r.message.startswith("diverged") for r in failed):
        reasons = "\n".join(f"  - {result.name}: {result.message}" for result in failed)
        if len(failed) == len(results):
            raise TrainingError(f"setup {setup.name}: no run could be trained\n{reasons}")
        raise TrainingError(
            f"setup {setup.name}: {len(failed)} of {len(results)} runs could not be trained; run it again, "
            f"the others are kept\n{reasons}"
        )
    return results


def _finished(job: _Job, setup: Setup, log: Callable[[str], None]) -> bool:
    found = checkpoints.load_final(job.folder, log)
    if found is None:
        return False
    job.outcome = {"status": "finished", "message": "", "reused": True}
    log(f"{setup.name}: reusing {_names(job)}: code, data and hyperparameters unchanged; it was trained so:")
    for row in _some(found[1]["rows"]):
        log(
            f"{setup.name} [{clock(row['seconds'])}] {_names(job)} step {row['step']:,}, "
            f"loss {row['loss']:.4g}, validation accuracy {row['validation_accuracy']:.3f}"
        )
    return True


def _some(rows: list[dict[str, float]], count: int = 8) -> list[dict[str, float]]:
    """Rows of a history, evenly spread, the last one among them."""
    count = min(count, len(rows))
    return (
        [rows[(index + 1) * len(rows) // count - 1] for index in range(count)] if len(rows) > count else rows
    )


def _names(job: _Job) -> str:
    return " = ".join(run.name for run in job.runs)


def _send(job: _Job, setup: Setup, data: Path, settled: Plan, runner: Any) -> None:
    job.text = worker.task(setup, job.runs[0], data, job.folder, settled)
    job.told = 0
    job.future = runner.submit(worker.train_run, job.text)


def _watch(
    jobs: list[_Job], setup: Setup, data: Path, settled: Plan, runner: Any, log: Callable[[str], None]
) -> None:
    """Wait for all jobs, tell how they fare, send those whose worker died again."""
    began = last = time.monotonic()
    said = ""
    while any(job.outcome is None for job in jobs):
        time.sleep(0.2)
        for job in jobs:
            _look(job, setup, log)
            if job.outcome is None and job.future.done():
                _collect(job, setup, data, settled, runner, log)
        now = time.monotonic()
        if now - last >= max(TELL_EVERY, min(0.15 * (now - began), 60.0)):
            last = now
            line = _all(jobs)
            if line != said:  # nothing new to say of runs that wait
                log(f"{setup.name} [{clock(now - began)}] {line}")
            said = line


def _look(job: _Job, setup: Setup, log: Callable[[str], None]) -> None:
    try:
        fields = json.loads((job.folder / "progress.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if fields.get("attempt") != json.loads(job.text)["attempt"]:
        return
    job.seen = fields
    if len(fields["events"]) < job.told:  # the executor itself began the task again
        job.told = 0
    for line in fields["events"][job.told :]:
        log(f"{setup.name}: {_names(job)}: {line}")
    job.told = len(fields["events"])


def _collect(
    job: _Job, setup: Setup, data: Path, settled: Plan, runner: Any, log: Callable[[str], None]
) -> None:
    try:
        job.outcome = json.loads(job.future.result())
    except (KeyboardInterrupt, concurrent.futures.CancelledError):
        raise
    except Exception as error:  # whatever the executor reports when a worker is gone
        _look(job, setup, log)
        step = job.seen.get("step", 0)
        job.deaths = job.deaths + 1 if step <= job.step_at_death else 1
        job.step_at_death = max(step, job.step_at_death)
        barred = getattr(error, "errno", None) in BARRED
        if job.deaths >= ATTEMPTS or barred:
            job.outcome = {"status": "failed", "message": explained(error), "reused": False}
        else:
            log(f"{setup.name}: {_names(job)}: {error}; started again from its last checkpoint")
            try:
                _send(job, setup, data, settled, runner)
            except Exception as refusal:  # an executor that is broken for good
                job.outcome = {"status": "failed", "message": f"{error}; {refusal}", "reused": False}
    if job.outcome is not None:
        _look(job, setup, log)
        if job.outcome["status"] == "failed":
            log(f"{setup.name}: {_names(job)} FAILED: {job.outcome['message']}")


def _all(jobs: list[_Job]) -> str:
    """How all runs fare, in a line: those in training one by one, the others counted."""
    lines, counted = [], collections.Counter()
    for job in jobs:
        seen = job.seen
        if job.outcome is not None:
            counted[job.outcome["status"]] += 1
        elif seen.get("step"):
            lines.append(
                f"{_names(job)} {100 * seen['step'] / seen['steps']:.0f} %, loss {seen['loss']:.4g}, "
                f"{seen['rate']:,.0f}/s, {clock(seen['left'])} left"
            )
        else:
            running = getattr(job.future, "running", lambda: False)  # Dask's futures do not tell
            counted["reading the data" if running() else "waiting for a free core"] += 1
    return " | ".join([*lines, *(f"{count} {what}" for what, count in counted.items())])


def _publish(
    setup: Setup, run: Run, job: _Job, directory: Path, settled: Plan, log: Callable[[str], None]
) -> RunResult:
    """Copy a run's outcome to the setup's directory: weights (free of times) and history."""
    outcome, weights = dict(job.outcome or {}), None
    found = checkpoints.load_final(job.folder, log) if outcome["status"] == "finished" else None
    if outcome["status"] == "finished" and found is None:
        outcome = outcome | {"status": "failed", "message": "its weights were damaged on the way: run again"}
    target = directory / f"{run.name}.safetensors"
    if found is not None:
        tensors, record = found
        outcome |= {name: record.pop(name) for name in ("rows", "steps", "seconds")}
        if wrong := _not_numbers(tensors, outcome["rows"]):
            found, message = None, f"diverged: {wrong} at the end: {SMALLER}"
            outcome |= {"status": "failed", "message": message}
            log(f"{setup.name}: {run.name} FAILED: {message}")
    if found is not None:
        record["setup"] |= {"name": setup.name, "model": setup.model, "scale": setup.scale}
        checkpoints.write_tensors(target, tensors, record | {"run": hyperparameters(setup, run)})
        weights = target
    else:
        target.unlink(missing_ok=True)  # an older one would pass for this one
    rows, seconds, steps = (outcome.get(name) or empty for name, empty in _EMPTY)
    history = _write_history(directory / f"{run.name}.csv", rows)
    return RunResult(
        name=run.name,
        seed=run.seed,
        overrides=dict(run.overrides),
        status=outcome["status"],
        message=outcome["message"],
        reused=bool(outcome["reused"]),
        steps=steps,
        seconds=seconds,
        examples_per_second=rows[-1]["examples_per_second"] if rows else 0.0,
        precision=settled.precision,
        device=settled.device,
        last=rows[-1] if rows else {},
        weights=weights,
        history=history,
    )


_EMPTY: tuple[tuple[str, Any], ...] = (("rows", []), ("seconds", 0.0), ("steps", 0))


def _not_numbers(tensors: dict[str, Tensor], rows: list[dict[str, float]]) -> str:
    """What is NaN or infinite in weights, or in the last row of a history; "" where nothing is."""
    last = rows[-1] if rows else {}
    names = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    names += [name for name, value in last.items() if not math.isfinite(value)]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more} is not a finite number" if names else ""


def _write_history(path: Path, rows: list[dict[str, float]]) -> Path | None:
    if not rows:
        path.unlink(missing_ok=True)
        return None
    columns = list(dict.fromkeys([*_FIRST, *(name for row in rows for name in row)]))
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _as_json(result: RunResult) -> dict[str, Any]:
    fields = dataclasses.asdict(result)
    last = {name: value if math.isfinite(value) else None for name, value in result.last.items()}
    fields |= {"last": last}  # JSON has no NaN
    return fields | {name: fields[name] and Path(fields[name]).name for name in ("weights", "history")}


def load_model(directory: Path | str, run: str) -> nn.Module:
    """The trained network of a run, float32, on the CPU, in eval mode, with the twins of `arvae.fast`.

    Args:
        directory: where `train` put its weights (data/models/<setup>).
        run: its name, e.g. "seed0".

    Raises:
        FileNotFoundError: where there is no such run; ValueError: for a damaged file.
    """
    path = Path(directory) / f"{run}.safetensors"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in Path(directory).glob("*.safetensors"))) or "none"
        raise FileNotFoundError(f"no trained run {run!r} in {directory} (there: {there}): train it first")
    tensors, record = checkpoints.read_tensors(path)
    model = models.build(setup_from(record["setup"]), **record["build"])
    model.load_state_dict(tensors)
    return fast.use(model).eval()
