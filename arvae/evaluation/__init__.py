"""Evaluating a setup: encode the test split, decode it again, measure.

items = pick(dataset, sizes.codes)
runs = evaluate_setup(setup, dataset, items, "data/models/mnist-arvae", params.evaluation, judge)
arvae.evaluation.records.write(setup, dataset, items, runs, root)

The encoder's *sampled* codes are evaluated, as published, with a generator of fixed seed. Networks run in the
precision the engine chooses for training (images) or float32 (music).
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from arvae import metrics
from arvae.datasets.contract import Dataset
from arvae.evaluation import content, controllability, outputs
from arvae.evaluation.controllability import Traversals
from arvae.evaluation.judge import DigitClassifier
from arvae.files import read_json
from arvae.metrics.density import observed_range, occupancy
from arvae.models.glsr import EXPRESSIBLE
from arvae.models.vae import sample
from arvae.params import EvaluationSizes, Setup
from arvae.progress import Progress
from arvae.training import load_model
from arvae.training.batches import Source
from arvae.training.precision import plan

SEED = 0  # of the choice of items, of the sampled codes and of the random codes of the density ratio
DENSITY_SAMPLES = 4  # random codes of the density ratio, for each traversed item


class EvaluationError(ValueError):
    """A setup cannot be evaluated; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Items:
    """The test items evaluated, in random order: their place in the split, examples, attributes, extras."""

    index: np.ndarray  # int (n,)
    x: np.ndarray  # as `arvae.evaluation.outputs.decode` gives them: uint8 (n, h, w) 0..255, or int16 (n, 24)
    attributes: np.ndarray  # float32 (n, k)
    extra: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class RunEvaluation:
    """One run: codes (n, d), reconstructions as `Items.x`, traversals over -4..4, and all its numbers."""

    name: str
    model: nn.Module
    z: np.ndarray
    mean: np.ndarray
    handles: "Handles"
    reconstructions: np.ndarray
    traversals: Traversals
    result: dict[str, Any]


def pick(dataset: Dataset, codes: int, seed: int = SEED) -> Items:
    """At most `codes` items of the test split, in an order that depends on `seed` alone."""
    test = dataset.test
    index = np.random.default_rng(seed).permutation(len(test))[:codes]
    x = np.asarray(test.x[index])
    if dataset.kind == "images" and x.max(initial=0) <= 1:
        x = x.astype(np.uint8) * 255
    return Items(index, x, test.attributes[index], {key: value[index] for key, value in test.extra.items()})


def regularized_dimensions(setup: Setup) -> dict[str, int]:
    """Attribute -> latent dimension, for the attributes that the setup's loss regularizes (none: empty)."""
    if (
        setup.hyperparameters.gamma == 0 or setup.hyperparameters.objective == "fader"
    ):  # whose gamma weighs the adversary
        return {}
    pairs = dict(zip(setup.attributes, setup.dimensions, strict=True))
    if setup.hyperparameters.objective == "glsr":  # which can tie only what is differentiable
        return {name: dimension for name, dimension in pairs.items() if name in EXPRESSIBLE}
    return pairs


def encode(
    model: nn.Module, dataset: Dataset, setup: Setup, index: np.ndarray, seed: int = SEED
) -> tuple[np.ndarray, np.ndarray]:
    """Sampled codes and means, float32 (n, d) each, of the test items at `index`."""
    source = Source(dataset, dataset.test, setup, str(next(model.parameters()).device))
    batch = outputs.IMAGE_BATCH if dataset.kind == "images" else outputs.MUSIC_BATCH
    with torch.inference_mode():
        parts = [model.encode(source.take(part)[0]) for part in torch.from_numpy(index).split(batch)]
        mean, log_std = (torch.cat(side).float().cpu() for side in zip(*parts, strict=True))
        z = sample(mean, log_std, torch.Generator().manual_seed(seed))
    return z.numpy(), mean.numpy()


def reconstruction_accuracy(kind: str, originals: np.ndarray, reconstructions: np.ndarray) -> float:
    """Share of pixels on the right side of 0.5 (images), or of symbols right (music): 0 to 1."""
    if kind == "images":
        return float(((originals >= outputs.SEEN) == (reconstructions >= outputs.SEEN)).mean())
    return float((originals == reconstructions).mean())


def evaluate_setup(
    setup: Setup,
    dataset: Dataset,
    items: Items,
    directory: Path | str,
    sizes: EvaluationSizes,
    judge: DigitClassifier | None = None,
    log: Callable[[str], None] | None = None,
) -> list[RunEvaluation]:
    """Evaluate every finished run in `directory` (data/models/<setup>), in the order of its runs.json.

    judge: the digit classifier, for data with digits as labels. log: takes progress lines.

    Raises:
        EvaluationError: no run is there, or one has codes that are not finite.
    """
    finished = [run for run in runs_in(directory) if run["status"] == "finished"]
    if not finished:
        raise EvaluationError(f"no finished run in {directory}: run `dvc repro train@{setup.name}`")
    progress = Progress(len(finished), f"evaluate {setup.name}", "runs", log=log)
    evaluated = []
    for run in finished:
        evaluated.append(_evaluate_run(setup, dataset, items, directory, sizes, judge, run))
        progress.update(1, f"{run['name']} done")
    progress.close()
    return evaluated


def runs_in(directory: Path | str) -> list[dict[str, Any]]:
    """The training's own account of its runs (runs.json): name, seed, status, steps, ..."""
    path = Path(directory) / "runs.json"
    if not path.is_file():
        raise EvaluationError(
            f"no trained setup at {directory}: run `dvc repro train@{Path(directory).name}`"
        )
    return read_json(path)


def prepare(model: nn.Module, setup: Setup) -> nn.Module:
    """The model on the engine's device: images in the precision of training, music in float32."""
    settled = plan(setup.engine)
    model = model.to(settled.device)
    for parameter in model.parameters():  # buffers, such as a range of attributes, stay in float32
        parameter.data = parameter.data.to(settled.dtype if setup.kind == "images" else torch.float32)
    return model


@dataclasses.dataclass(frozen=True)
class Handles:
    """What is turned to edit: codes as the decoder takes them (n, c), and per attribute a column and a range.

    A VAE has the regularized dimension, or where there is none the one that knows most of the attribute,
    over -4..4. A Fader network has an input for each attribute, over 0..1.
    """

    codes: np.ndarray
    columns: tuple[int, ...]
    low: np.ndarray  # (k,)
    high: np.ndarray


def handles(
    model: nn.Module, z: np.ndarray, items: Items, setup: Setup, names: tuple[str, ...], best: Sequence[int]
) -> Handles:
    """The handles of a trained model; best: the dimension that knows most of each attribute."""
    tied = regularized_dimensions(setup)
    low, high = (np.full(len(names), end) for end in (controllability.LOW, controllability.HIGH))
    if hasattr(model, "complete"):
        values = items.attributes[:, [names.index(name) for name in setup.attributes]]
        device = next(model.parameters()).device
        given = model.complete(*(torch.from_numpy(part).to(device) for part in (z, values)))
        z, own = given.cpu().numpy(), z.shape[1]
        tied = {name: own + i for i, name in enumerate(setup.attributes)}
        inputs = [name in tied for name in names]
        low, high = np.where(inputs, 0.0, low), np.where(inputs, 1.0, high)
    columns = tuple(tied.get(name, dimension) for name, dimension in zip(names, best, strict=True))
    return Handles(z, columns, low, high)


def _evaluate_run(
    setup: Setup,
    dataset: Dataset,
    items: Items,
    directory: Path | str,
    sizes: EvaluationSizes,
    judge: DigitClassifier | None,
    run: dict[str, Any],
) -> RunEvaluation:
    names, points, vocabulary = dataset.attribute_names, sizes.traversal_points, dataset.vocabulary
    model = prepare(load_model(directory, run["name"]), setup)
    z, mean = encode(model, dataset, setup, items.index)
    if not np.isfinite(z).all():
        raise EvaluationError(f"{setup.name} {run['name']}: its codes are not finite: train it again")
    scores = metrics.evaluate(z, items.attributes, names, regularized_dimensions(setup) or None)
    best = [scores["per_attribute"][name]["dimension"] for name in names]
    turned = handles(model, z, items, setup, names, best)
    reconstructions = outputs.decode(model, turned.codes, vocabulary)

    columns = list(turned.columns)
    low, high = observed_range(turned.codes)
    ranges = {
        "fixed": np.linspace(turned.low, turned.high, points, axis=1),
        "observed": np.linspace(low[columns], high[columns], points, axis=1),
    }
    items_of = {"fixed": sizes.traversal_items, "observed": -(-sizes.traversal_items // 2)}
    measure = outputs.measurer(dataset)
    moved = {
        key: controllability.traverse(
            model, turned.codes[: items_of[key]], names, turned.columns, values, measure, vocabulary
        )
        for key, values in ranges.items()
    }
    density = None
    if measure is not None and not getattr(model, "deterministic", False):
        density = controllability.latent_density_ratio(
            model, low, high, turned.columns, items.attributes, measure,
            np.random.default_rng(SEED), DENSITY_SAMPLES * sizes.traversal_items, vocabulary,
        )  # fmt: skip
    filled = [
        occupancy(turned.codes[:, [r]], turned.low[i], turned.high[i], points)[0]
        for i, r in enumerate(columns)
    ]
    details = {
        "controllability": {
            key: controllability.summarise(one, items.attributes) for key, one in moved.items()
        },
        "content": preserved(dataset, items, reconstructions, moved["fixed"], judge),
        "latent_density_ratio": density,
        "occupancy": {name: float(filled[i]) for i, name in enumerate(names)},
        "observed_range": {
            name: [float(low[r]), float(high[r])] for name, r in zip(names, columns, strict=True)
        },
        "steps": run["steps"],
    }
    accuracy = reconstruction_accuracy(dataset.kind, items.x, reconstructions)
    result = _flat(scores, details, accuracy) | {"seed": run["seed"], "details": scores | details}
    return RunEvaluation(run["name"], model, z, mean, turned, reconstructions, moved["fixed"], result)


def preserved(
    dataset: Dataset,
    items: Items,
    reconstructions: np.ndarray,
    traversals: Traversals,
    judge: DigitClassifier | None,
) -> dict[str, Any] | None:
    """Content preservation in the sense that fits the data (see content.py); None where none does."""
    n = traversals.outputs.shape[1]
    if dataset.kind == "music":
        return content.melodies(items.x, reconstructions, traversals)
    if judge is not None and "label" in items.extra:
        labels = items.extra["label"]
        return content.digits(judge, items.x, reconstructions, labels, traversals, labels[:n])
    if "factors" in items.extra and "shape" in dataset.attribute_names:
        return content.shapes(items.x, reconstructions, items.extra["factors"][:, 0], traversals)
    return None


def _flat(scores: dict[str, Any], details: dict[str, Any], accuracy: float) -> dict[str, float | None]:
    """The scalars of a run, and the metrics along the regularized dimensions where there are any."""
    flat: dict[str, float | None] = {metric: scores[metric] for metric in metrics.METRICS}
    flat["reconstruction_accuracy"] = accuracy
    fixed, observed = (details["controllability"][key] or {} for key in ("fixed", "observed"))
    steered = ("monotonicity", "monotonicity_either_way", "range_covered", "selectivity")
    flat |= {name: fixed.get(name) for name in steered}
    flat |= {f"{name}_observed": observed.get(name) for name in ("monotonicity_either_way", "range_covered")}
    kept = details["content"] or {}
    flat |= {f"content_{when}": kept.get(when) for when in ("reconstructed", "traversed")}
    if kept.get("what") == "digit":  # under the names the paper's figure has
        flat["digit_accuracy_reconstructed"] = kept["reconstructed"]
        flat["digit_accuracy_interpolated"] = kept["traversed"]
    flat["latent_density_ratio"] = details["latent_density_ratio"]
    for metric in metrics.METRICS:
        if scores["regularized"] is not None and metric in scores["regularized"]:
            flat[f"{metric}_regularized"] = scores["regularized"][metric]
    return flat
