"""A light look at many members: what the hyperparameter study measures of each of its settings.

The metrics on codes and the reconstruction, no traversals: seconds a member instead of a minute.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arvae import evaluation, metrics
from arvae.datasets.contract import Dataset
from arvae.evaluation import Items, outputs
from arvae.params import Cell
from arvae.progress import Progress
from arvae.training import load_model

VALUES = (*metrics.METRICS, "interpretability_regularized", "reconstruction_accuracy_percent")

_ORDER = {"beta": 0, "gamma": 1, "delta": 2}  # of the columns; any other knob comes after these


def measure(
    cell: Cell,
    dataset: Dataset,
    items: Items,
    directory: Path | str,
    log: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """A row a member of `directory` (data/models/<cell>), in the order of its members.json.

    Columns: member, seed, the knobs it overrides (gamma, delta, ...), status, message, steps, seconds, and
    VALUES: the metrics of sampled codes, interpretability along the regularized dimensions, and the share of
    pixels or symbols reconstructed, in percent. A member that failed in training, or whose codes are not
    finite, has status "failed", says why, and NaN for every value.
    """
    members = evaluation.members_in(directory)
    progress = Progress(len(members), f"measure {cell.name}", "members", log=log)
    rows = []
    for member in members:
        knobs = sorted(member["overrides"].items(), key=lambda knob: _ORDER.get(knob[0], 9))
        row = {"member": member["name"], "seed": member["seed"], **dict(knobs)}
        row |= {name: member[name] for name in ("status", "message", "steps", "seconds")}
        if member["status"] == "finished":
            row |= _measure_member(cell.replace(**member["overrides"]), dataset, items, directory, member)
        rows.append(row)
        progress.update(1, f"{member['name']} {row['status']}")
    progress.close()
    return pd.DataFrame(rows).reindex(columns=[*dict.fromkeys([*_columns(rows), *VALUES])])


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    return [name for row in rows for name in row if name not in VALUES]


def _measure_member(
    cell: Cell, dataset: Dataset, items: Items, directory: Path | str, member: dict[str, Any]
) -> dict[str, Any]:
    model = evaluation.prepare(load_model(directory, member["name"]), cell)
    z, _ = evaluation.encode(model, dataset, cell, items.index)
    if not np.isfinite(z).all():
        return {"status": "failed", "message": "its codes are not finite"}
    names = dataset.attribute_names
    tied = evaluation.regularized_dimensions(cell)
    scores = metrics.evaluate(z, items.attributes, names, tied or None)
    best = [scores["per_attribute"][name]["dimension"] for name in names]
    codes = evaluation.handles(model, z, items, cell, names, best).codes
    decoded = outputs.decode(model, codes, dataset.vocabulary)
    row = {metric: scores[metric] for metric in metrics.METRICS}
    if scores["regularized"] is not None:
        row["interpretability_regularized"] = scores["regularized"]["interpretability"]
    accuracy = evaluation.reconstruction_accuracy(dataset.kind, items.x, decoded)
    return row | {"reconstruction_accuracy_percent": 100 * accuracy}
