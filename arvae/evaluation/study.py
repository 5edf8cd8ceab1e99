"""A light look at many runs: what the hyperparameter study measures of each of its settings.

The metrics on codes and the reconstruction, no traversals: seconds a run instead of a minute.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arvae import evaluation, metrics
from arvae.datasets.contract import Dataset
from arvae.evaluation import Items, outputs
from arvae.params import Setup
from arvae.progress import Progress
from arvae.training import load_model

VALUES = (*metrics.METRICS, "interpretability_regularized", "reconstruction_accuracy_percent")

_ORDER = {"beta": 0, "gamma": 1, "delta": 2}  # of the columns; any other hyperparameter comes after these


def measure(
    setup: Setup,
    dataset: Dataset,
    items: Items,
    directory: Path | str,
    log: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """A row a run of `directory` (data/models/<setup>), in the order of its runs.json.

    Columns: run, seed, the hyperparameters it overrides (gamma, delta, ...), status, message, steps, seconds, and
    VALUES: the metrics of sampled codes, interpretability along the regularized dimensions, and the share of
    pixels or symbols reconstructed, in percent. A run that failed in training, or whose codes are not
    finite, has status "failed", says why, and NaN for every value.
    """
    runs = evaluation.runs_in(directory)
    progress = Progress(len(runs), f"measure {setup.name}", "runs", log=log)
    rows = []
    for run in runs:
        hyperparameters = sorted(
            run["overrides"].items(), key=lambda hyperparameter: _ORDER.get(hyperparameter[0], 9)
        )
        row = {"run": run["name"], "seed": run["seed"], **dict(hyperparameters)}
        row |= {name: run[name] for name in ("status", "message", "steps", "seconds")}
        if run["status"] == "finished":
            row |= _measure_member(setup.replace(**run["overrides"]), dataset, items, directory, run)
        rows.append(row)
        progress.update(1, f"{run['name']} {row['status']}")
    progress.close()
    return pd.DataFrame(rows).reindex(columns=[*dict.fromkeys([*_columns(rows), *VALUES])])


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    return [name for row in rows for name in row if name not in VALUES]


def _measure_member(
    setup: Setup, dataset: Dataset, items: Items, directory: Path | str, run: dict[str, Any]
) -> dict[str, Any]:
    model = evaluation.prepare(load_model(directory, run["name"]), setup)
    z, _ = evaluation.encode(model, dataset, setup, items.index)
    if not np.isfinite(z).all():
        return {"status": "failed", "message": "its codes are not finite"}
    names = dataset.attribute_names
    tied = evaluation.regularized_dimensions(setup)
    scores = metrics.evaluate(z, items.attributes, names, tied or None)
    best = [scores["per_attribute"][name]["dimension"] for name in names]
    codes = evaluation.handles(model, z, items, setup, names, best).codes
    decoded = outputs.decode(model, codes, dataset.vocabulary)
    row = {metric: scores[metric] for metric in metrics.METRICS}
    if scores["regularized"] is not None:
        row["interpretability_regularized"] = scores["regularized"]["interpretability"]
    accuracy = evaluation.reconstruction_accuracy(dataset.kind, items.x, decoded)
    return row | {"reconstruction_accuracy_percent": 100 * accuracy}
