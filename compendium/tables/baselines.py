"""AR-VAE beside all its baselines: what it buys over each, and what it costs.

What a number means differs between them. Decoders of Fader networks and conditional VAEs are given the
attributes: metrics on their codes measure what was left in, and low is what a Fader network aims at. GLSR-VAE
can regularize only attributes that are differentiable functions of the output.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from compendium import labels
from compendium.tables import statistics
from compendium.tables.claims import Outcome, content_gaps, values
from compendium.tables.scores import Reports, runs, scalars

EITHER = "monotonicity_either_way"
CONTROL = ("monotonicity", "range_covered", "selectivity", "content_reconstructed", "content_traversed")
# Column of `trade`: the scalar, and what makes of AR-VAE's difference one that is better when positive.
BUYS = {
    "interpretability": ("interpretability", 1),
    "SCC": ("scc", 1),
    "targets reached": ("target_hit", 1),
    "monotonicity": (EITHER, 1),
    "others kept": ("side_change_beyond_observed", -1),
    "reconstruction (points)": ("reconstruction_accuracy", 100),
    "content kept at equal range (points)": ("content_curve", 1),
}


def scores(reports: Reports) -> pd.DataFrame:
    """All runs of all models, a row a run: the published metrics, DMIG, CONTROL, and EITHER."""
    parts = [runs(reports), scalars(reports, ["dmig", *CONTROL, EITHER])]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def side_by_side(spread: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """One data set of `tables.spread`, a row a metric, a column a model, as text: "mean ± sd (runs)
    [published]", or with fewer than three runs the runs.

    Where content is digits, it is given as digit accuracy only, under its published name.
    """
    here = spread[spread["data set"] == dataset]
    if here.metric.str.startswith("digit").any():
        here = here[~here.metric.str.startswith("content")]
    written = here.assign(text=[_written(row) for _, row in here.iterrows()])
    wide = written.pivot_table(index="metric", columns="model", values="text", aggfunc="first", sort=False)
    wide.columns.name = None
    return wide[labels.in_order(written.model, labels.MODELS)].fillna("–").reset_index()


def _written(row: pd.Series) -> str:
    digits = 1 if row.metric.endswith("percent") else 3
    reference = "" if np.isnan(row.published) else f" [{row.published:.{digits}f}]"
    if row["each run"]:
        return row["each run"] + reference
    return f"{labels.signed(row['mean'], digits)} ± {row.sd:.{digits}f} ({row.runs}){reference}"


def trade(reports: Reports, tried: Mapping[str, int]) -> pd.DataFrame:
    """What AR-VAE buys over each baseline, and what it costs: a row a data set and baseline, as text.

    runs: seeds that both have. All columns of BUYS are AR-VAE minus the baseline, run by run, or from three
    runs on their mean with its interval, with the sign that makes + better; "–": not measured in one of the
    two. GLSR-VAE has a second row, of the attributes that it regularizes. tried: how many settings of its
    weights were tried, by setup.
    """
    rows = []
    for dataset in labels.in_order((one["dataset"] for one in reports.values()), labels.DATASETS):
        here = [one["model"] for one in reports.values() if one["dataset"] == dataset]
        for model in labels.in_order(here, labels.MODELS) if "arvae" in here else ():
            for on in ("all", "shared") if model == "glsr" else ("all",) if model != "arvae" else ():
                gaps = {column: _gaps(reports, dataset, model, *of, on) for column, of in BUYS.items()}
                row = {
                    "data set": dataset,
                    "baseline": labels.model_label(model)
                    + (", its own attributes" if on == "shared" else ""),
                    "runs": max(map(len, gaps.values())),
                    "weights tried": tried.get(f"{dataset}-{model}", 1),
                }
                for column, found in gaps.items():
                    digits = 1 if "points" in column else 2
                    row[column] = Outcome(found, found, digits).text if found else "–"
                rows.append(row)
    return pd.DataFrame(rows)


def _gaps(reports: Reports, dataset: str, model: str, metric: str, factor: float, on: str) -> list[float]:
    if metric == "content_curve":
        return content_gaps(reports, dataset, model) if on == "all" else []
    sides = (values(reports, dataset, name, metric, on) for name in ("arvae", model))
    return [factor * gap for gap in statistics.paired(*sides)]
