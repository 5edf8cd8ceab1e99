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

from torch import nn

from arvae import fast, machine, models, paths
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
_FIRST = ("step", "epoch", "loss", "reconstruction", "kl", "regularization")
# What differs between two equal runs: told in the log, kept in the checkpoint, in nothing that is published.
_TIMES = ("seconds", "examples_per_second", "reused")


@dataclasses.dataclass
class _Job:
    """What is trained once, for one run or several that differ in name only, and how it fares."""

    runs: list[Run]
    folder: Path
    attempt: str = ""
    future: Any = None
    seen: dict[str, Any] = dataclasses.field(default_factory=dict)
    told: int = 0
    deaths: int = 0
    step_at_death: int = -1
    outcome: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return " = ".join(run.name for run in self.runs)


def train(
    setup: Setup,
    dataset_directory: Path | str,
    runs: Iterable[Run],
    checkpoint_root: Path | str,
    executor: Any = None,
    log: Callable[[str], None] = print,
    directory: Path | str | None = None,
) -> list[RunResult]:
    """Train runs of a setup; those trained before with the same code, data and hyperparameters are reused.

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
        command = paths.remedy("data", data, setup.dataset)
        raise DataError(f"no prepared data set in {data}: make it with {command}")
    directory = Path(directory) if directory is not None else paths.root() / "data" / "models" / setup.name
    training = _Training(setup, data, plan(setup.engine), log)
    jobs: dict[str, _Job] = {}
    for run in runs:
        name = key(setup, run, data, training.plan)
        jobs.setdefault(name, _Job([], root / name)).runs.append(run)
    training.go(list(jobs.values()), executor)
    by_name = {run.name: job for job in jobs.values() for run in job.runs}
    results = [training.publish(run, by_name[run.name], directory) for run in runs]
    write_json(directory / "runs.json", [_as_json(result) for result in results])
    failed = [result for result in results if result.status != "finished"]
    reasons = "\n".join(f"  - {result.name}: {result.message}" for result in failed)
    if len(failed) == len(results):
        raise TrainingError(f"setup {setup.name}: no run could be trained\n{reasons}")
    if not all(result.message.startswith("diverged") for result in failed):
        raise TrainingError(
            f"setup {setup.name}: {len(failed)} of {len(results)} runs could not be trained; run it again, "
            f"the others are kept\n{reasons}"
        )
    return results


class _Training:
    """A call of `train`: sends jobs off, tells how they fare, publishes what they leave."""

    def __init__(self, setup: Setup, data: Path, plan: Plan, log: Callable[[str], None]) -> None:
        self.setup, self.data, self.plan, self._log = setup, data, plan, log
        self.runner: Any = None

    def log(self, line: str) -> None:
        self._log(f"{self.setup.name}{line}")

    def go(self, jobs: list[_Job], executor: Any) -> None:
        """Have every job that is not finished yet trained."""
        todo = [job for job in jobs if not self._finished(job)]
        if not todo:
            return
        opened = contextlib.nullcontext(executor)
        if executor is None:
            opened = executors.opened(self.setup.engine, self.plan.device, len(todo))
        with opened as self.runner:
            try:
                for job in todo:
                    self._send(job)
                self._watch(todo)
            finally:
                for job in todo:
                    if hasattr(job.future, "cancel"):
                        job.future.cancel()

    def _finished(self, job: _Job) -> bool:
        found = checkpoints.load_final(job.folder, self._log)
        if found is None:
            return False
        job.outcome = worker.outcome("finished", reused=True)
        self.log(f": reusing {job.name}: code, data and hyperparameters unchanged; it was trained so:")
        rows = found[1]["rows"]
        count = min(8, len(rows))  # evenly spread, the last one among them
        for row in (rows[(index + 1) * len(rows) // count - 1] for index in range(count)):
            self.log(
                f" [{clock(row['seconds'])}] {job.name} step {row['step']:,}, "
                f"loss {row['loss']:.4g}, validation accuracy {row['validation_accuracy']:.3f}"
            )
        return True

    def _send(self, job: _Job) -> None:
        text = worker.task(self.setup, job.runs[0], self.data, job.folder, self.plan)
        job.attempt, job.told = json.loads(text)["attempt"], 0
        job.future = self.runner.submit(worker.train_run, text)

    def _watch(self, jobs: list[_Job]) -> None:
        """Wait for all jobs, tell how they fare, send those whose worker died again."""
        began = last = time.monotonic()
        said = ""
        while any(job.outcome is None for job in jobs):
            time.sleep(0.2)
            for job in jobs:
                self._look(job)
                if job.outcome is None and job.future.done():
                    self._collect(job)
            now = time.monotonic()
            if now - last >= max(TELL_EVERY, min(0.15 * (now - began), 60.0)):
                last = now
                line = _state(jobs)
                if line != said:  # nothing new to say of runs that wait
                    self.log(f" [{clock(now - began)}] {line}")
                said = line

    def _look(self, job: _Job) -> None:
        """Read the job's progress.json; pass on what its worker has logged since."""
        try:
            fields = json.loads((job.folder / "progress.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if fields["attempt"] != job.attempt:
            return
        job.seen = fields
        if len(fields["events"]) < job.told:  # the executor itself began the task again
            job.told = 0
        for line in fields["events"][job.told :]:
            self.log(f": {job.name}: {line}")
        job.told = len(fields["events"])

    def _collect(self, job: _Job) -> None:
        """Take the outcome; where the worker is gone without one, send the job again, within reason."""
        try:
            outcome = json.loads(job.future.result())
        except (KeyboardInterrupt, concurrent.futures.CancelledError):
            raise
        except Exception as error:  # whatever the executor reports when a worker is gone
            self._look(job)
            step = job.seen.get("step", 0)
            job.deaths = job.deaths + 1 if step <= job.step_at_death else 1
            job.step_at_death = max(step, job.step_at_death)
            if job.deaths < ATTEMPTS and getattr(error, "errno", None) not in BARRED:
                self.log(f": {job.name}: {error}; started again from its last checkpoint")
                try:
                    return self._send(job)
                except Exception as refusal:  # an executor that is broken for good
                    error = RuntimeError(f"{error}; {refusal}")
            outcome = worker.outcome("failed", explained(error))
        self._look(job)
        job.outcome = outcome
        if outcome["status"] == "failed":
            # `batches` looks for the key among the data sets'; which attributes, is said with the networks.
            outcome["message"] = outcome["message"].replace("correct datasets.", "correct networks.")
            self.log(f": {job.name} FAILED: {outcome['message']}")

    def publish(self, run: Run, job: _Job, directory: Path) -> RunResult:
        """Copy a run's outcome to the setup's directory: weights (free of times) and history."""
        outcome = {"rows": [], "steps": 0, "seconds": 0.0} | job.outcome
        weights = directory / f"{run.name}.safetensors"
        if outcome["status"] == "finished":
            outcome |= self._copy(run, job, weights)
        if outcome["status"] == "failed":
            weights.unlink(missing_ok=True)  # an older one would pass for this one
        rows = outcome["rows"]
        history = _write_history(directory / f"{run.name}.csv", rows)
        if rows:
            rate = rows[-1]["examples_per_second"]
            took = f"{outcome['steps']:,} steps in {clock(outcome['seconds'])}, {rate:,.0f} examples a second"
            self.log(f": {run.name}: {took}")
        return RunResult(
            **dataclasses.asdict(run),
            **{name: outcome[name] for name in ("status", "message", "reused", "steps", "seconds")},
            examples_per_second=rows[-1]["examples_per_second"] if rows else 0.0,
            precision=self.plan.precision,
            device=f"cuda ({machine.gpu()})" if self.plan.device == "cuda" else self.plan.device,
            last=rows[-1] if rows else {},
            weights=weights if outcome["status"] == "finished" else None,
            history=history,
        )

    def _copy(self, run: Run, job: _Job, weights: Path) -> dict[str, Any]:
        """Copy a finished run's weights, if they are sound; what that changes of its outcome."""
        found = checkpoints.load_final(job.folder, self._log)
        if found is None:
            return {"status": "failed", "message": "its weights were damaged on the way: run again"}
        tensors, record = found
        history = {name: record.pop(name) for name in ("rows", "steps", "seconds")}
        wrong = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
        wrong += [name for name, value in history["rows"][-1].items() if not math.isfinite(value)]
        if wrong:
            more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            message = f"diverged: {wrong[0]}{more} is not a finite number at the end: {SMALLER}"
            self.log(f": {run.name} FAILED: {message}")
            return history | {"status": "failed", "message": message}
        setup = self.setup
        record["setup"] |= {"name": setup.name, "model": setup.model, "scale": setup.scale}
        checkpoints.write_tensors(weights, tensors, record | {"run": hyperparameters(setup, run)})
        return history


def _state(jobs: list[_Job]) -> str:
    """How all jobs fare, in a line: those in training one by one, the others counted."""
    lines, counted = [], collections.Counter()
    for job in jobs:
        seen = job.seen
        if job.outcome is not None:
            counted[job.outcome["status"]] += 1
        elif seen.get("step"):
            lines.append(
                f"{job.name} {100 * seen['step'] / seen['steps']:.0f} %, loss {seen['loss']:.4g}, "
                f"{seen['rate']:,.0f}/s, {clock(seen['left'])} left"
            )
        else:
            running = getattr(job.future, "running", lambda: False)  # Dask's futures do not tell
            counted["reading the data" if running() else "waiting for a free core"] += 1
    return " | ".join([*lines, *(f"{count} {what}" for what, count in counted.items())])


def _write_history(path: Path, rows: list[dict[str, float]]) -> Path | None:
    if not rows:
        path.unlink(missing_ok=True)
        return None
    columns = list(dict.fromkeys([*_FIRST, *(name for row in rows for name in row if name not in _TIMES)]))
    with atomic_write(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _as_json(result: RunResult) -> dict[str, Any]:
    fields = {name: value for name, value in dataclasses.asdict(result).items() if name not in _TIMES}
    last = {name: value for name, value in result.last.items() if name not in _TIMES}
    last = {name: value if math.isfinite(value) else None for name, value in last.items()}
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
