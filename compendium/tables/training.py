"""Tables on the page of a training: its configuration, and the outcome of its runs."""

from collections.abc import Sequence

import pandas as pd

from arvae.datasets.contract import Dataset
from arvae.models.glsr import EXPRESSIBLE
from arvae.params import Setup
from arvae.training import RunResult
from arvae.training.precision import plan

_REGULARIZED = {"sample": "sampled codes", "mean": "means of the codes"}  # the hyperparameter `regularize`


def configuration(setup: Setup, data: Dataset) -> pd.DataFrame:
    """All that decides the weights of a setup's runs, one line a hyperparameter, in words."""
    loss, schedule, settled = setup.hyperparameters, setup.schedule, plan(setup.engine)
    known = EXPRESSIBLE if loss.objective == "glsr" else setup.attributes  # what the loss can regularize
    pairs = ", ".join(
        f"{name} → z{d}" for name, d in zip(setup.attributes, setup.dimensions, strict=True) if name in known
    )
    where = pairs if loss.gamma else f"none (monitored: {pairs})"
    if loss.objective in ("fader", "cvae"):
        where = f"none: the decoder is given {', '.join(setup.attributes)}"
    rate = f"{loss.learning_rate:g}, constant"
    if schedule.schedule == "one-cycle":
        rising = f"up to {schedule.peak:g} in the first {schedule.warmup:.0%} of the steps"
        held = f", held for {schedule.hold:.0%}" if schedule.hold else ""
        rate = f"one cycle: {rising}{held}, then to 0"
    terms = ", ".join(f"{name} {getattr(loss, name):g}" for name in ("beta", "gamma", "delta", "capacity"))
    sizes = {
        name.replace("_", " "): " ".join(map(str, size)) if isinstance(size, tuple | list) else size
        for name, size in setup.architecture.model_dump().items()
    }
    lines = {
        "data": f"{data.name}, {len(data.train):,} training examples",
        "scale": setup.scale,
        "loss": f"{loss.objective}: {terms}",
        "attributes → dimensions": where,
    }
    if loss.objective in ("vae", "value", "regression") and loss.gamma:
        lines["regularized"] = _REGULARIZED[loss.regularize]
    if loss.clip is not None:
        lines["gradient clipping (norm)"] = f"{loss.clip:g}"
    lines |= {
        "latent dimensions": f"{setup.latent_dim}",
        "batch, epochs": f"{setup.batch_size}, {schedule.epochs:g}",
        "Adam's learning rate": rate,
        "seeds": ", ".join(map(str, setup.seeds)),
        "network": ", ".join(f"{name} {size}" for name, size in sizes.items()),
        "arithmetic": f"{settled.precision} on {settled.device}, float32 weights",
    }
    return pd.DataFrame({"value": lines.values()}, index=pd.Index(lines.keys(), name="hyperparameter"))


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
