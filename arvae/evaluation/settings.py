"""Every setting of a study measured lightly: seconds a run in place of a minute."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arvae import metrics
from arvae.datasets.contract import Dataset
from arvae.evaluation import control
from arvae.evaluation.scores import Codes, EvaluationError, Items, Log, encoded, runs_in
from arvae.params import Setup
from arvae.progress import Progress
from arvae.trained import same

CONTROL = ("monotonicity_either_way", "range_covered", "selectivity")
STUDY = (*metrics.METRICS, "interpretability_regularized", "reconstruction_accuracy_percent", *CONTROL)
TRAVERSED, POINTS = 16, 10  # items, and points of each traversal, that CONTROL is measured on


def study(
    setup: Setup, dataset: Dataset, items: Items, directory: Path | str, log: Log | None = None
) -> pd.DataFrame:
    """A row a run of `directory` (data/models/<setup>), in the order of its runs.json.

    Columns: run, seed, the hyperparameters it overrides (beta, gamma, delta first), status, message, steps,
    and STUDY, CONTROL over the fixed range. A run that failed in training, or whose codes are not finite, has
    status "failed", says why, and NaN for every value.
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
                row |= _measured(codes, items)
            except EvaluationError as error:
                row |= {"status": "failed", "message": str(error)}
        rows.append(row)
        progress.update(1, f"{run['name']} {row['status']}")
    progress.close()
    columns = [name for row in rows for name in row if name not in STUDY]
    return pd.DataFrame(rows).reindex(columns=[*dict.fromkeys(columns), *STUDY])


def _measured(codes: Codes, items: Items) -> dict[str, Any]:
    row = {metric: codes.scores[metric] for metric in metrics.METRICS}
    if codes.scores["regularized"] is not None:
        row["interpretability_regularized"] = codes.scores["regularized"]["interpretability"]
    model, accuracy = codes.model, same(items.x, codes.model.decode(codes.z)).mean()
    values = np.linspace(*control.ends(model).T, POINTS, axis=1)
    steered = control.summarise(control.traverse(model, codes.z[:TRAVERSED], values), items.attributes) or {}
    row |= {name: steered.get(name, np.nan) for name in CONTROL}
    return row | {"reconstruction_accuracy_percent": 100 * float(accuracy)}
