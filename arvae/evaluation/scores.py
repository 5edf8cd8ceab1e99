"""Scores of runs: the metrics of sampled codes and the share that is reconstructed.

`evaluate_setup` looks closely (traversals, content), `study` lightly: seconds a run instead of a minute, for
the hyperparameter study. The encoder's *sampled* codes are evaluated, as published, with a generator of fixed
seed. Networks run in the precision the engine chooses for training (images) or float32 (music).
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arvae import metrics
from arvae.datasets import examples
from arvae.datasets.contract import Dataset
from arvae.evaluation import content, control
from arvae.evaluation.control import Traversals
from arvae.evaluation.judge import DigitClassifier
from arvae.files import read_json
from arvae.metrics.density import observed_range, occupancy
from arvae.params import EvaluationSizes, Setup
from arvae.progress import Progress
from arvae.trained import TrainedModel, as_shown, draw, same
from arvae.training import load_model

SEED = 0  # of the choice of items, of the sampled codes and of the random codes of the density ratio
DENSITY_SAMPLES = 4  # random codes of the density ratio, for each traversed item
STUDY = (*metrics.METRICS, "interpretability_regularized", "reconstruction_accuracy_percent")
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
        name = path.parent.name
        raise EvaluationError(f"no trained setup at {directory}: run `dvc repro train@{name}`")
    return read_json(path)


def encoded(setup: Setup, dataset: Dataset, items: Items, directory: Path | str, run: str) -> Codes:
    """Encode the items with a run of `directory` and score the codes. EvaluationError where one is not
    finite."""
    model = TrainedModel.of(setup, run, load_model(directory, run), dataset).prepared()
    mean, std = model.encode(items.x, items.attributes)
    z = draw(mean, std, SEED)
    if not np.isfinite(z).all():
        raise EvaluationError(f"{setup.name} {run}: its codes are not finite: train it again")
    names = model.attribute_names
    latent = {name: r for name, r in model.regularized.items() if r < setup.latent_dim}
    scores = metrics.evaluate(z[:, : setup.latent_dim], items.attributes, names, latent or None)
    information = np.array([scores["mutual_information"][name] for name in names]).T
    return Codes(model.fitted(z, items.attributes, information), z, mean, scores)


def evaluate_setup(
    setup: Setup,
    dataset: Dataset,
    items: Items,
    directory: Path | str,
    sizes: EvaluationSizes,
    judge: DigitClassifier | None = None,
    log: Log | None = None,
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
        codes = encoded(setup, dataset, items, directory, run["name"])
        evaluated.append(_evaluate(codes, items, sizes, judge, run))
        progress.update(1, f"{run['name']} done")
    progress.close()
    return evaluated


def _evaluate(
    codes: Codes, items: Items, sizes: EvaluationSizes, judge: DigitClassifier | None, run: dict[str, Any]
) -> RunEvaluation:
    model, z, names = codes.model, codes.z, codes.model.attribute_names
    reconstructions, points, count = model.decode(z), sizes.traversal_points, sizes.traversal_items
    columns = [model.dimension_of(name) for name in names]
    ends, (low, high) = np.array([model.range_of(name) for name in names]), observed_range(z)
    fixed = control.traverse(model, z[:count], np.linspace(*ends.T, points, axis=1))
    few = z[: -(-count // 2)]
    observed = control.traverse(model, few, np.linspace(low[columns], high[columns], points, axis=1))
    random = np.random.default_rng(SEED)
    density = control.latent_density_ratio(
        model, low, high, items.attributes, random, DENSITY_SAMPLES * count
    )
    filled = (occupancy(z[:, [r]], *end, points).item() for r, end in zip(columns, ends, strict=True))
    details = {
        "controllability": {
            "fixed": control.summarise(fixed, items.attributes),
            "observed": control.summarise(observed, items.attributes),
        },
        "content": content.preserved(items, reconstructions, fixed, judge),
        "latent_density_ratio": density,
        "occupancy": dict(zip(names, filled, strict=True)),
    }
    accuracy = float(same(items.x, reconstructions).mean())
    result = _scalars(codes.scores, details, accuracy)
    result |= {"seed": run["seed"], "details": codes.scores | details}
    return RunEvaluation(**vars(codes), reconstructions=reconstructions, traversals=fixed, result=result)


def _scalars(scores: dict[str, Any], details: dict[str, Any], accuracy: float) -> dict[str, float | None]:
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
    along = scores["regularized"] or {}
    return flat | {f"{metric}_regularized": along[metric] for metric in metrics.METRICS if metric in along}


def study(
    setup: Setup, dataset: Dataset, items: Items, directory: Path | str, log: Log | None = None
) -> pd.DataFrame:
    """A row a run of `directory` (data/models/<setup>), in the order of its runs.json.

    Columns: run, seed, the hyperparameters it overrides (beta, gamma, delta first), status, message, steps,
    and STUDY: the metrics of sampled codes, interpretability along the regularized dimensions, and
    the share of pixels or symbols reconstructed, in percent. A run that failed in training, or whose codes
    are not finite, has status "failed", says why, and NaN for every value.
    """
    runs = runs_in(directory)
    progress = Progress(len(runs), f"measure {setup.name}", "runs", log=log)
    rows = []
    for run in runs:
        first = [name for name in ("beta", "gamma", "delta") if name in run["overrides"]]
        row = {"run": run["name"], "seed": run["seed"]}
        row |= {name: run["overrides"][name] for name in (*first, *run["overrides"])}
        row |= {name: run[name] for name in ("status", "message", "steps")}
        if run["status"] == "finished":
            try:
                codes = encoded(setup.replace(**run["overrides"]), dataset, items, directory, run["name"])
                row |= _light(codes, items)
            except EvaluationError as error:
                row |= {"status": "failed", "message": str(error)}
        rows.append(row)
        progress.update(1, f"{run['name']} {row['status']}")
    progress.close()
    columns = [name for row in rows for name in row if name not in STUDY]
    return pd.DataFrame(rows).reindex(columns=[*dict.fromkeys(columns), *STUDY])


def _light(codes: Codes, items: Items) -> dict[str, Any]:
    row = {metric: codes.scores[metric] for metric in metrics.METRICS}
    if codes.scores["regularized"] is not None:
        row["interpretability_regularized"] = codes.scores["regularized"]["interpretability"]
    accuracy = same(items.x, codes.model.decode(codes.z)).mean()
    return row | {"reconstruction_accuracy_percent": 100 * float(accuracy)}
