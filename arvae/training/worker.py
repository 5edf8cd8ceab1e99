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
import time
import traceback
import uuid
import warnings
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
        "run": dataclasses.asdict(run),
        "data": str(data.resolve()),
        "folder": str(folder.resolve()),
        "plan": dataclasses.asdict(plan),
        "key": key(setup, run, data, plan),
        "attempt": uuid.uuid4().hex,
    }
    return json.dumps(fields)


class Progress:
    """progress.json: replaced as a whole, so that a reader never sees half of it."""

    def __init__(self, folder: Path, attempt: str) -> None:
        self.path, self.fields = folder / "progress.json", {"attempt": attempt, "events": []}

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


def outcome(status: str, message: str = "", reused: bool = False, **history: Any) -> dict[str, Any]:
    """What became of a run: "finished" or "failed"; a failed one's history, as far as it came."""
    return {"status": status, "message": message, "reused": reused, **history}


def train_run(text: str) -> str:
    """Train the run of a `task` and give its `outcome` as JSON.

    The weights lie in final.safetensors of its folder. A run that diverges, or whose files cannot be
    written, has status "failed": the others are not concerned.
    """
    fields = json.loads(text)
    folder, plan = Path(fields["folder"]), Plan(**fields["plan"])
    progress = Progress(folder, fields["attempt"])
    before = torch.get_num_threads()
    torch.set_num_threads(plan.threads)
    try:
        with repeatable(plan), warnings.catch_warnings(), checkpoints.lock(folder, progress.log):
            # Of a GPU's operator that cannot repeat itself, for one.
            warnings.showwarning = lambda message, *_: progress.log(f"warning: {message}")
            return json.dumps(_train(fields, folder, plan, progress))
    except OSError as error:
        return json.dumps(outcome("failed", explained(error)))
    except Exception as error:
        traceback.print_exc()
        return json.dumps(outcome("failed", f"{type(error).__name__}: {error}"))
    finally:
        torch.set_num_threads(before)


def _train(fields: dict[str, Any], folder: Path, plan: Plan, progress: Progress) -> dict[str, Any]:
    for stray in folder.glob(".*.safetensors"):  # a kill left it half written
        stray.unlink(missing_ok=True)
    setup = Setup.model_validate_json(json.dumps(fields["setup"]))
    run = Run(**fields["run"])
    if key(setup, run, Path(fields["data"]), plan) != fields["key"]:
        return outcome(
            "failed",
            "code, data or libraries are not those this run began with: they were changed meanwhile, or are "
            "others on this machine; run it again, with the same everywhere",
        )
    if checkpoints.load_final(folder, progress.log) is not None:
        return outcome("finished", reused=True)
    trainer = Trainer(setup, run, Dataset.load(fields["data"], setup.dataset), plan, folder)
    trainer.resume(progress.log)
    try:
        trainer.go(progress.report, progress.log, setup.engine.checkpoint_seconds)
    except DivergedError as error:
        return outcome("failed", str(error), **trainer.history())
    record = trainer.record() | trainer.history()
    checkpoints.write_tensors(folder / checkpoints.FINAL, trainer.optimizer.weights(), record)
    checkpoints.clear_checkpoints(folder)
    return outcome("finished")


def main() -> None:
    """Read the task from standard input, train, write the outcome as the last line of standard output."""
    threading.Thread(target=_follow, args=(int(sys.argv[1]),), daemon=True).start()
    print(train_run(sys.stdin.read()))


def _follow(parent: int) -> None:
    """End when the parent does, however it ends: nobody would take the outcome."""
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(3)
