"""The process that trains one run: `python -m arvae.training`, its task as JSON on standard input.

Task and outcome are JSON texts, so any executor can carry them, a cluster's too. What the worker is doing
stands in progress.json in the run's folder.
"""

import contextlib
import dataclasses
import json
import os
import sys
import threading
import traceback
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from arvae.datasets.contract import Dataset
from arvae.files import explained
from arvae.params import Setup
from arvae.training import checkpoints
from arvae.training.loop import DivergedError, Trainer
from arvae.training.precision import Plan, repeatable
from arvae.training.runs import Run, key


def task(setup: Setup, run: Run, data: Path, folder: Path, plan: Plan) -> str:
    """All that a worker needs, as JSON."""
    fields = {
        "setup": setup.model_dump(mode="json"),
        "run": {"name": run.name, "seed": run.seed, "overrides": run.overrides},
        "data": str(data.resolve()),
        "folder": str(folder.resolve()),
        "plan": dataclasses.asdict(plan),
        "key": key(setup, run, data, plan),
        "attempt": uuid.uuid4().hex,
    }
    return json.dumps(fields)


class Progress:
    """progress.json: replaced as a whole, so that a reader never sees half of it."""

    def __init__(self, folder: Path, run: str) -> None:
        self.path, self.fields = folder / "progress.json", {"attempt": run, "events": []}

    def report(self, values: dict[str, Any]) -> None:
        """Write the newest values; a full disk is no reason to stop training."""
        self.fields |= values
        temporary = self.path.with_name(f".progress.{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(self.fields), encoding="utf-8")
            os.replace(temporary, self.path)

    def log(self, line: str) -> None:
        """Add a line for the person who watches."""
        self.report({"events": [*self.fields["events"], line]})


def train_run(text: str) -> str:
    """Train the run of a `task` and give its outcome as JSON: {"status", "message", "reused"}.

    The weights lie in final.safetensors of its folder. A run that diverges, or whose files cannot be
    written, has status "failed": the others are not concerned.
    """
    fields = json.loads(text)
    folder, plan = Path(fields["folder"]), Plan(**fields["plan"])
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(folder, fields["attempt"])
    before = torch.get_num_threads()
    torch.set_num_threads(plan.threads)
    try:
        with repeatable(plan), _warnings_to(progress.log), checkpoints.lock(folder, progress.log):
            return _train(fields, folder, plan, progress)
    except OSError as error:
        return _failed(explained(error))
    except Exception as error:
        traceback.print_exc()
        return _failed(f"{type(error).__name__}: {error}")
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _warnings_to(log: checkpoints.Log) -> Iterator[None]:
    """What torch warns of, a GPU's operator that cannot repeat itself for one, is told."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: log(f"warning: {message}")
        yield


def _failed(message: str) -> str:
    return json.dumps({"status": "failed", "message": message, "reused": False})


def _train(fields: dict[str, Any], folder: Path, plan: Plan, progress: Progress) -> str:
    for stray in folder.glob(".*.safetensors"):  # a kill left it half written
        stray.unlink(missing_ok=True)
    setup = Setup.model_validate_json(json.dumps(fields["setup"]))
    run = Run(**fields["run"])
    if key(setup, run, Path(fields["data"]), plan) != fields["key"]:
        return _failed(
            "code, data or libraries are not those this run began with: they were changed meanwhile, or are "
            "others on this machine; run it again, with the same everywhere"
        )
    if checkpoints.load_final(folder, progress.log) is not None:
        return json.dumps({"status": "finished", "message": "", "reused": True})
    trainer = Trainer(setup, run, Dataset.load(fields["data"], setup.dataset), plan, folder)
    trainer.resume(progress.log)
    outcome = {"status": "finished", "message": "", "reused": False}
    try:
        trainer.go(progress.report, progress.log, setup.engine.checkpoint_seconds)
    except DivergedError as error:
        outcome = {"status": "failed", "message": str(error), "reused": False}
    history = {"rows": trainer.rows, "steps": trainer.step, "seconds": trainer.seconds}
    if outcome["status"] == "finished":
        checkpoints.write_tensors(
            folder / checkpoints.FINAL, trainer.optimizer.weights(), trainer.record() | history
        )
        checkpoints.clear_checkpoints(folder)
    return json.dumps(outcome | ({} if outcome["status"] == "finished" else history))


def main() -> int:
    """Read the task from standard input, train, write the outcome to the path in the task.

    Standard input stays open as long as the parent lives: when it ends, however it ends, so does this.
    """
    text = sys.stdin.readline()
    threading.Thread(target=_follow_parent, daemon=True).start()
    outcome = train_run(text)
    fields = json.loads(text)
    path = Path(fields["folder"]) / f"outcome-{fields['attempt']}.json"
    temporary = path.with_suffix(".part")
    temporary.write_text(outcome, encoding="utf-8")
    os.replace(temporary, path)
    return 0


def _follow_parent() -> None:
    sys.stdin.read()
    os._exit(3)
