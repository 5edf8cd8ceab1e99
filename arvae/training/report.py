"""What the page of a training shows: configuration, outcome of the runs, a look at what one learned."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from arvae.datasets.contract import Dataset, Split
from arvae.params import Setup
from arvae.training.batches import Source, some
from arvae.training.precision import plan
from arvae.training.runs import RunResult


def configuration(setup: Setup, data: Dataset) -> pd.DataFrame:
    """All that decides the weights of a setup's runs, one line a hyperparameter, in words."""
    hyperparameters, schedule = setup.hyperparameters, setup.schedule
    pairs = ", ".join(f"{name} → z{d}" for name, d in zip(setup.attributes, setup.dimensions, strict=True))
    rate = f"{hyperparameters.learning_rate:g}, constant"
    if schedule.schedule == "one-cycle":
        rate = (
            f"one cycle: up to {schedule.peak:g} in the first {schedule.warmup:.0%} of the steps, then to 0"
        )
    settled, sizes = plan(setup.engine), setup.architecture.model_dump()
    lines = {
        "data": f"{data.name}, {len(data.train):,} training examples",
        "scale": setup.scale,
        "loss": f"{hyperparameters.objective}: beta {hyperparameters.beta:g}, "
        f"gamma {hyperparameters.gamma:g}, delta {hyperparameters.delta:g}, "
        f"capacity {hyperparameters.capacity:g}",
        "attributes → dimensions": pairs if hyperparameters.gamma else f"none (watched: {pairs})",
        "regularized": _REGULARIZED[hyperparameters.regularize]
        if hyperparameters.objective == "vae" and hyperparameters.gamma
        else None,
        "largest norm of a gradient": None if hyperparameters.clip is None else f"{hyperparameters.clip:g}",
        "latent dimensions": f"{setup.latent_dim}",
        "batch, epochs": f"{setup.batch_size}, {schedule.epochs:g}",
        "Adam's learning rate": rate,
        "seeds": ", ".join(map(str, setup.seeds)),
        "network": ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in sizes.items()),
        "arithmetic": f"{settled.precision} on {settled.device}, float32 weights",
    }
    lines = {name: value for name, value in lines.items() if value is not None}
    return pd.DataFrame({"value": lines.values()}, index=pd.Index(lines.keys(), name="hyperparameter"))


_REGULARIZED = {"sample": "sampled codes", "mean": "means of the codes"}  # the hyperparameter `regularize`


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def summary(results: Sequence[RunResult]) -> pd.DataFrame:
    """What became of each run: status, steps, its last validation values; no times, which differ."""
    rows = []
    for result in results:
        last = {name: value for name, value in result.last.items() if name.startswith("validation_")}
        rows.append(
            {
                "run": result.name,
                "status": result.status if not result.message else f"{result.status}: {result.message}",
                "steps": f"{result.steps:,}",
                **{name.replace("_", " "): f"{value:.3f}" for name, value in last.items()},
            }
        )
    return pd.DataFrame(rows).set_index("run")


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
    model: nn.Module, data: Dataset, split: Split, setup: Setup, n: int, generator: torch.Generator
) -> Look:
    """Encode and reconstruct n examples of a split (`batches.some`) with a trained model."""
    x, attributes = Source(data, split, setup).take(some(len(split), n))
    mean, log_std = model.encode(x)
    z = mean + log_std.exp() * torch.randn(mean.shape, generator=generator)
    logits = model.decode(model.complete(mean, attributes) if hasattr(model, "complete") else mean)
    if setup.kind == "images":
        return Look(x[:, 0].numpy(), attributes.numpy(), z.numpy(), logits.sigmoid()[:, 0].numpy())
    decode = data.vocabulary.decode
    return Look(decode(x.numpy()), attributes.numpy(), z.numpy(), decode(logits.argmax(-1).numpy()))
