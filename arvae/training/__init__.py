"""The engine that trains runs of a setup: independent seeds, resumable, reproducible to the bit.

setup = arvae.params.load().setup("mnist", "arvae")
results = train(setup, "data/prepared/mnist", runs_of(setup), "data/checkpoints")
model = load_model("data/models/mnist-arvae", "seed0")
"""

from arvae.training.engine import load_model, train
from arvae.training.executors import WorkerDiedError
from arvae.training.loop import DivergedError
from arvae.training.runs import Run, RunResult, TrainingError, runs_of

__all__ = [
    "DivergedError",
    "Run",
    "RunResult",
    "TrainingError",
    "WorkerDiedError",
    "load_model",
    "runs_of",
    "train",
]
