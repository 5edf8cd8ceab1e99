"""The engine that trains members of a cell: independent seeds, resumable, reproducible to the bit.

cell = arvae.params.load().cell("mnist", "arvae")
results = train(cell, "data/prepared/mnist", members_of(cell), "data/checkpoints")
model = load_model("data/models/mnist-arvae", "seed0")
"""

from arvae.training.engine import load_model, train
from arvae.training.executors import WorkerDiedError
from arvae.training.loop import DivergedError
from arvae.training.members import Member, MemberResult, TrainingError, members_of

__all__ = [
    "DivergedError",
    "Member",
    "MemberResult",
    "TrainingError",
    "WorkerDiedError",
    "load_model",
    "members_of",
    "train",
]
