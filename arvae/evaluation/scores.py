"""Scores of runs: the metrics of sampled codes and the share that is reconstructed.

`evaluate_setup` looks closely (traversals, content); `settings.study`, for studies of hyperparameters,
lightly. The encoder's *sampled* codes are evaluated, as published, with a generator of fixed seed. Networks
run in the precision the engine chooses for training (images) or float32 (music).
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from arvae import metrics, paths
from arvae.datasets import catalogue, examples, sprites
from arvae.datasets.contract import Dataset
from arvae.evaluation import content, control, reconstruction, targets
from arvae.evaluation.control import Traversals
from arvae.evaluation.judge import DigitClassifier
from arvae.evaluation.realism import Realism
from arvae.files import read_json
from arvae.metrics import CODES
from arvae.metrics.density import observed_range, occupancy
from arvae.metrics.factors import circular_correlation
from arvae.params import EvaluationSizes, Setup
from arvae.progress import Progress
from arvae.trained import TrainedModel, as_shown, draw
from arvae.training import load_model

SEED = 0  # of the choice of items, of the sampled codes and of the random codes of the density ratio
DENSITY_SAMPLES = 4  # random codes of the density ratio, for each traversed item
Log = Callable[[str], None]


class EvaluationError(ValueError):
    """A setup cannot be evaluated; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Items:
    """The test items evaluated, in random order: their place in the split, examples, attributes, extras."""

    index: np.ndarray  # int (n,)
    x: np.ndarray  # as a model decodes: uint8 (n, h, w) 0..255, or int16 (n, 24)
    attributes: np.ndarray  # float32 (n, k)
    extra: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Codes:
    """A run's codes of the items, sampled and means, float32 (n, d) each, and the metrics of the samples."""

    model: TrainedModel
    z: np.ndarray
    mean: np.ndarray
    scores: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class RunEvaluation(Codes):
    """A run looked at closely: reconstructions as `Items.x`, traversals over -4..4, and all its numbers."""

    reconstructions: np.ndarray
    traversals: Traversals
    result: dict[str, Any]


def pick(dataset: Dataset, codes: int) -> Items:
    """At most `codes` items of the test split, in an order fixed by SEED."""
    test = dataset.test
    index = np.random.default_rng(SEED).permutation(len(test))[:codes]
    extra = {key: value[index] for key, value in test.extra.items()}
    return Items(index, as_shown(examples(test, index)), test.attributes[index], extra)


def runs_in(directory: Path | str) -> list[dict[str, Any]]:
    """The training's own account of its runs (runs.json): name, seed, status, steps, ..."""
    path = Path(directory) / "runs.json"
    if not path.is_file():
        raise EvaluationError(f"no trained setup at {directory}: run {paths.remedy('train', directory)}")
    return read_json(path)


def encoded(setup: Setup, dataset: Dataset, items: Items, directory: Path | str, run: str) -> Codes:
    """Encode the items with a run of `directory` and score the codes. EvaluationError where one is not
    finite."""
    model = TrainedModel.of(setup, run, load_model(directory, run), dataset).prepared()
    mean, std = model.encode(items.x, items.attributes)
    z = draw(mean, std, SEED)
    if not np.isfinite(z).all():
        raise EvaluationError(f"{setup.name} {run}: its codes are not finite: train it again")
    return scored(model, z, mean, items)


def scored(model: TrainedModel, z: np.ndarray, mean: np.ndarray, items: Items) -> Codes:
    """The items' codes z and their means (n, d), scored, the model fitted to them."""
    scores = _scored(model, z, items.attributes)
    information = np.array([scores["mutual_information"][name] for name in model.attribute_names]).T
    return Codes(model.fitted(z, items.attributes, information), z, mean, scores)


Encode = Callable[[Setup, Dataset, Items, Path | str, str], Codes]


def _scored(model: TrainedModel, z: np.ndarray, attributes: np.ndarray) -> dict[str, Any]:
    """`metrics.evaluate` of the latent dimensions of z (n, d), of at most CODES codes."""
    d = model.setup.latent_dim
    latent = {name: r for name, r in model.regularized.items() if r < d}
    return metrics.evaluate(z[:CODES, :d], attributes[:CODES], model.attribute_names, latent or None)


def evaluate_setup(
    setup: Setup,
    dataset: Dataset,
    items: Items,
    directory: Path | str,
    sizes: EvaluationSizes,
    judge: DigitClassifier | None = None,
    log: Log | None = None,
    encode: Encode = encoded,
) -> list[RunEvaluation]:
    """Evaluate every finished run in `directory` (data/models/<setup>), in the order of its runs.json.

    judge: the digit classifier, for data with digits as labels. encode: or that of `compendium.directions`.
    EvaluationError where no run is there, or one has codes that are not finite.
    """
    finished = [run for run in runs_in(directory) if run["status"] == "finished"]
    if not finished:
        raise EvaluationError(f"no finished run in {directory}: run {paths.remedy('train', directory)}")
    progress = Progress(len(finished), f"evaluate {setup.name}", "runs", log=log)
    realism, evaluated = Realism(dataset, items, judge), []
    for run in finished:
        codes = encode(setup, dataset, items, directory, run["name"])
        evaluated.append(_evaluate(codes, items, sizes, realism, run["seed"]))
        progress.update(1, f"{run['name']} done")
    progress.close()
    return evaluated


def _evaluate(
    codes: Codes, items: Items, sizes: EvaluationSizes, realism: Realism, seed: int
) -> RunEvaluation:
    model, z, names, judge = codes.model, codes.z, codes.model.attribute_names, realism.judge
    reconstructions, points, count = model.decode(z), sizes.traversal_points, sizes.traversal_items
    columns, (low, high) = [model.dimension_of(name) for name in names], observed_range(z)
    ends = control.ends(model)
    fixed = control.traverse(model, z[:count], np.linspace(*ends.T, points, axis=1))
    few = -(-count // 2)
    observed = control.traverse(model, z[:few], np.linspace(low[columns], high[columns], points, axis=1))
    random, turned = np.random.default_rng(SEED), {"fixed": fixed, "observed": observed}
    decoded = control.random_outputs(model, low, high, random, DENSITY_SAMPLES * count)
    inside = control.within_data(model, decoded, items.attributes)
    plausible = None if inside is None else inside & realism.plausible(decoded)
    filled = (occupancy(z[:, [r]], *end, points).item() for r, end in zip(columns, ends, strict=True))
    kept = content.along(items, reconstructions, observed, judge)
    known = realism.corpus.contains(items.x) if realism.corpus else None
    details = {
        "controllability": {key: control.summarise(one, items.attributes) for key, one in turned.items()},
        "content": content.preserved(items, reconstructions, fixed, judge),
        "content_observed": {name: float(values.mean()) for name, values in kept.items()},
        "content_curve": content.curve(kept, observed, control.data_range(items.attributes)),
        "latent_density_ratio": None if inside is None else float(inside.mean()),
        "latent_density_plausible": None if plausible is None else float(plausible.mean()),
        "occupancy": dict(zip(names, filled, strict=True)),
        "reconstruction": reconstruction.scores(items.x, reconstructions, known),
        "targets": targets.reached(model, z, items.attributes, few),
        "side_change": {key: targets.side_change(one, items.attributes) for key, one in turned.items()},
        "realism": {key: realism.along(one) for key, one in turned.items()}
        | {"test items": {name: float(values.mean()) for name, values in realism.usual.items()}},
        "grouped": _grouped(codes, items.attributes),
    }
    result = _scalars(codes.scores, details) | {"seed": seed, "details": codes.scores | details}
    return RunEvaluation(**vars(codes), reconstructions=reconstructions, traversals=fixed, result=result)


def _grouped(codes: Codes, attributes: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Metrics of whole codes and of groups, and of a sprite's orientation as an angle: of "sampled" codes,
    and of their "mean", of which there are METRICS too."""
    model, d, some = codes.model, codes.model.setup.latent_dim, attributes[:CODES]
    kinds, found = catalogue.kinds(model.attribute_names), {}
    for name, z in (("sampled", codes.z), ("mean", codes.mean)):
        z = z[:CODES, :d]
        found[name] = metrics.grouped(z, some, kinds)
        if "circular" in kinds:
            found[name]["orientation_circular"] = circular(z, some[:, 0], some[:, kinds.index("circular")])
    scores = _scored(model, codes.mean, attributes)
    found["mean"] |= {metric: scores[metric] for metric in metrics.METRICS}
    return found


def circular(z: np.ndarray, shape: np.ndarray, angle: np.ndarray) -> float:
    """The largest circular correlation of a dimension with an orientation, over shapes, up to symmetry."""
    of_shape = [(shape == i, order) for i, order in enumerate(sprites.ORDERS) if (shape == i).any()]
    return max(
        float(np.mean([circular_correlation(column[rows], angle[rows], order) for rows, order in of_shape]))
        for column in z.T
    )


def _scalars(scores: dict[str, Any], details: dict[str, Any]) -> dict[str, float | None]:
    """The scalars of a run, and the metrics along the regularized dimensions where there are any."""
    flat: dict[str, float | None] = {metric: scores[metric] for metric in metrics.METRICS}
    flat |= details["grouped"]["sampled"] | details["reconstruction"]
    fixed, observed = (details["controllability"][key] or {} for key in ("fixed", "observed"))
    either = ("monotonicity_either_way", "monotonicity_gamma_either_way", "range_covered", "smoothness")
    steered = ("monotonicity", "monotonicity_gamma", *either, "selectivity")
    flat |= {name: fixed.get(name) for name in steered}
    flat |= {f"{name}_observed": observed.get(name) for name in either}
    aim = details["targets"] or {}
    flat |= {
        "target_hit": aim.get("hit"),
        "target_hit_floor": aim.get("floor"),
        "target_error": aim.get("error"),
    }
    for ending, place in (("", "fixed"), ("_observed", "observed")):
        side = details["side_change"][place] or {}
        flat |= {f"side_change{ending}": side.get("moved"), f"side_change_beyond{ending}": side.get("beyond")}
    kept = details["content"] or {}
    for when in ("reconstructed", "traversed"):
        flat[f"content_{when}"] = share = kept.get(when)
        if share is not None and 0 < kept["original"] < 1:  # of what is read right of the originals
            flat[f"content_{when}_relative"] = share / kept["original"]
    if kept.get("what") == "digit":  # under the names the paper's figure has
        flat["digit_accuracy_reconstructed"] = kept["reconstructed"]
        flat["digit_accuracy_interpolated"] = kept["traversed"]
    flat |= {name: details[name] for name in ("latent_density_ratio", "latent_density_plausible")}
    for ending, place in (("", "fixed"), ("_observed", "observed")):
        found = details["realism"][place]
        flat |= {f"{name}{ending}": value for name, value in found.items() if name != "per_attribute"}
    along = scores["regularized"] or {}
    return flat | {f"{metric}_regularized": along[metric] for metric in metrics.METRICS if metric in along}
