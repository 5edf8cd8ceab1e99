"""What a training's report shows: configuration, what became of the members, a look at what one learned."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from arvae.datasets.contract import Dataset, Split
from arvae.params import Cell
from arvae.progress import clock
from arvae.training.batches import Source, some
from arvae.training.members import MemberResult
from arvae.training.precision import plan


def configuration(cell: Cell, data: Dataset) -> pd.DataFrame:
    """All that decides the weights of a cell's members, one line a knob, in words."""
    knobs, schedule = cell.knobs, cell.schedule
    tied = ", ".join(f"{name} → z{d}" for name, d in zip(cell.attributes, cell.dimensions, strict=True))
    rate = f"{knobs.learning_rate:g}, constant"
    if schedule.schedule == "one-cycle":
        rate = (
            f"one cycle: up to {schedule.peak:g} in the first {schedule.warmup:.0%} of the steps, then to 0"
        )
    settled, sizes = plan(cell.engine), cell.architecture.model_dump()
    lines = {
        "data": f"{data.name}, {len(data.train):,} training examples",
        "scale": cell.scale,
        "loss": f"{knobs.objective}: beta {knobs.beta:g}, gamma {knobs.gamma:g}, delta {knobs.delta:g}, "
        f"capacity {knobs.capacity:g}",
        "attributes and their dimensions": tied if knobs.gamma else f"none regularized (watched: {tied})",
        "regularized": _REGULARIZED[knobs.regularize] if knobs.objective == "vae" and knobs.gamma else None,
        "largest norm of a gradient": None if knobs.clip is None else f"{knobs.clip:g}",
        "latent dimensions": f"{cell.latent_dim}",
        "batch, epochs": f"{cell.batch_size}, {schedule.epochs:g}",
        "Adam's learning rate": rate,
        "seeds": ", ".join(map(str, cell.seeds)),
        "network": ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in sizes.items()),
        "arithmetic": f"{settled.precision} on {settled.device}, float32 weights",
    }
    lines = {name: value for name, value in lines.items() if value is not None}
    return pd.DataFrame({"value": lines.values()}, index=pd.Index(lines.keys(), name="knob"))


_REGULARIZED = {"sample": "sampled codes", "mean": "means of the codes"}  # the knob `regularize`


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def summary(results: Sequence[MemberResult]) -> pd.DataFrame:
    """What became of each member: status, steps, time, throughput, its last validation values."""
    rows = []
    for result in results:
        last = {name: value for name, value in result.last.items() if name.startswith("validation_")}
        rows.append(
            {
                "member": result.name,
                "status": result.status if not result.message else f"{result.status}: {result.message}",
                "steps": f"{result.steps:,}",
                "time (min:s)": clock(result.seconds),
                "examples a second": f"{result.examples_per_second:,.0f}",
                **{name.replace("_", " "): f"{value:.3f}" for name, value in last.items()},
            }
        )
    return pd.DataFrame(rows).set_index("member")


@dataclasses.dataclass(frozen=True)
class Look:
    """Some examples, their attributes (n, k), sampled codes z (n, d) and reconstructions from the mean code.

    Images: x and reconstruction (n, h, w) in 0..1; music: both coded measures (n, 24).
    """

    x: np.ndarray
    attributes: np.ndarray
    z: np.ndarray
    reconstruction: np.ndarray


@torch.no_grad()
def look(
    model: nn.Module, data: Dataset, split: Split, cell: Cell, n: int, generator: torch.Generator
) -> Look:
    """Encode and reconstruct n examples of a split (`batches.some`) with a trained model."""
    x, attributes = Source(data, split, cell).take(some(len(split), n))
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
    logits = model.decode(model.complete(mean, attributes) if hasattr(model, "complete") else mean)
    if cell.kind == "images":
        return Look(x[:, 0].numpy(), attributes.numpy(), z.numpy(), logits.sigmoid()[:, 0].numpy())
    decode = data.vocabulary.decode
    return Look(decode(x.numpy()), attributes.numpy(), z.numpy(), decode(logits.argmax(-1).numpy()))
