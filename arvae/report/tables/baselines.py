"""AR-VAE beside all its baselines: beta-VAE, beta-VAE at AR-VAE's own beta, Fader networks, GLSR-VAE.

What a number means differs between them. A Fader network takes the attributes out of its code and gives them
to the decoder: metrics on its codes measure what was left in, and low is what it aims at. GLSR-VAE can
regularize only attributes that are differentiable functions of the output.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from arvae.metrics import statistics
from arvae.report import labels
from arvae.report.tables.claims import glsr_attributes
from arvae.report.tables.scores import (
    PUBLISHED_NAMES,
    Reports,
    differences,
    least,
    ordered,
    per_attribute,
    runs,
    scalars,
)

EITHER = "monotonicity_either_way"
CONTROL = ("monotonicity", "range_covered", "selectivity", "content_reconstructed", "content_traversed")
ON_CODES = ("interpretability", "mig", "sap", "scc")
SPLIT = (*(theirs for theirs, _ in PUBLISHED_NAMES.values()), EITHER, "selectivity")
THREE = labels.MODELS[:3]  # beta-VAE, beta-VAE at AR-VAE's beta, AR-VAE


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
    return _columns(written, ["metric"], "text").fillna("–").reset_index()


def _written(row: pd.Series) -> str:
    digits = 1 if row.metric.endswith("percent") else 3
    reference = "" if np.isnan(row.published) else f" [{row.published:.{digits}f}]"
    if row["each run"]:
        return row["each run"] + reference
    return f"{labels.signed(row['mean'], digits)} ± {row.sd:.{digits}f} ({row.runs}){reference}"


def _columns(table: pd.DataFrame, keys: list[str], value: str) -> pd.DataFrame:
    """`value` by `keys`, as they come, a column a model in the usual order."""
    wide = table.pivot_table(index=keys, columns="model", values=value, aggfunc="first", sort=False)
    wide.columns.name = None
    return wide[labels.in_order(table.model, labels.MODELS)]


def decomposition(ours: pd.DataFrame) -> pd.DataFrame:
    """What AR-VAE gains over the published baseline, split at the fair one: by a smaller beta, by L_AR.

    A row a metric of SPLIT and image data set: the means of the three models; difference = by beta + by
    regularization. "share of beta": by beta / difference, NaN where there is nothing to share out: the two
    work against each other, or the difference is below `tables.least` or not of one sign in every run.
    "regularization is": see `statistics.direction`.
    """
    rows = []
    for (metric, dataset), group in ours[ours.metric.isin(SPLIT)].groupby(["metric", "dataset"], sort=False):
        means = group.groupby("model").value.mean()
        theirs, fair, mine = THREE
        gaps, by_term = (differences(ours, metric, dataset, mine, other) for other in (theirs, fair))
        if not set(THREE) <= set(means.index) or not gaps or not by_term:
            continue
        gain = means[mine] - means[theirs]
        by_beta = means[fair] - means[theirs]
        clear = statistics.direction(gaps) != "mixed" and abs(gain) > least(metric)
        shared = clear and by_beta * gain >= 0 and abs(by_beta) <= abs(gain)
        rows.append(
            (metric, dataset, len(by_term), *means[list(THREE)], gain, by_beta, means[mine] - means[fair],
             by_beta / gain if shared else np.nan, statistics.direction(by_term))
        )  # fmt: skip
    columns = ["difference", "by β", "by regularization", "share of β", "regularization is"]
    return ordered(pd.DataFrame(rows, columns=["metric", "data set", "runs", *THREE, *columns]))


def musical(reports: Reports, metrics: Sequence[str], regularized: bool = False) -> pd.DataFrame:
    """Music only, attribute by attribute: whether GLSR-VAE regularizes it, and a column a model.

    Means over runs; see `tables.per_attribute` for the dimension.
    """
    here = {name: report for name, report in reports.items() if report["dataset"] in labels.MUSIC}
    frames = [per_attribute(here, metric, regularized).assign(metric=metric) for metric in metrics]
    long = pd.concat(frames, ignore_index=True).rename(columns={"dataset": "data set"})
    keys = ["metric", "data set", "attribute"]
    means = long.groupby([*keys, "model"], sort=False, as_index=False).value.mean()
    wide = _columns(means, keys, "value").reset_index()
    shared = {dataset: glsr_attributes(reports, dataset) for dataset in labels.MUSIC}
    pairs = zip(wide["data set"], wide.attribute, strict=True)
    wide.insert(3, "GLSR regularizes it", [attribute in shared[dataset] for dataset, attribute in pairs])
    return ordered(wide)
