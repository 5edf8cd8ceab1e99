"""AR-VAE beside all its baselines: beta-VAE, beta-VAE at AR-VAE's own beta, Fader networks, GLSR-VAE.

What a number means differs between them. A Fader network takes the attributes out of its code and gives them
to the decoder: metrics on its codes measure what was left in, and low is what it aims at. GLSR-VAE can tie
only attributes that are differentiable functions of the output (`models.glsr.EXPRESSIBLE`).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from arvae.models.glsr import EXPRESSIBLE
from arvae.report import tables
from arvae.report.figures import style

MODELS = ("betavae", "betavae1", "arvae", "fader", "glsr")
CONTROL = ("monotonicity", "range_covered", "selectivity", "content_reconstructed", "content_traversed")
PERCENT = "reconstruction_accuracy_percent"
EITHER = "monotonicity_either_way"
SPLIT = (
    *("interpretability", "mig", "modularity", "sap", "scc", PERCENT),
    *(theirs for theirs, _ in tables.DIGIT_NAMES.values()),
    *(EITHER, "selectivity"),
)
ON_CODES = ("interpretability", "mig", "sap", "scc")


def scores(reports: tables.Reports) -> pd.DataFrame:
    """All runs of all models, a row a run: the published metrics, DMIG, CONTROL, and EITHER."""
    parts = [tables.runs(reports), tables.scalars(reports, ["dmig", *CONTROL, EITHER])]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def spread(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation and interval of every metric, data set and model, and the published value.

    The published value is run 0 on images and the mean of the ten runs on music (`tables.beside_published`);
    NaN for what was not published.
    """
    table = tables.spread(ours)
    reference = {
        key: float(
            group.sort_values("point").value.iloc[0] if key[1] in tables.IMAGES else group.value.mean()
        )
        for key, group in theirs.groupby(["metric", "dataset", "model"])
    }
    keys = zip(table["metric"], table["data set"], table["model"], strict=True)
    return table.assign(published=[reference.get(key, np.nan) for key in keys])


def side_by_side(spread: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """One data set, a row a metric, a column a model: "mean ± sd [published]" as text.

    Where content is digits, it is given as digit accuracy only, under its published name.
    """
    here = spread[spread["data set"] == dataset]
    if here.metric.str.startswith("digit").any():
        here = here[~here.metric.str.startswith("content")]
    models = [name for name in MODELS if (here.model == name).any()]
    rows = []
    for metric, group in here.groupby("metric", sort=False):
        digits = 1 if metric.endswith("percent") else 3
        by_model = group.set_index("model")
        setups = {m: _setup(by_model.loc[m], digits) if m in by_model.index else "–" for m in models}
        rows.append({"metric": metric} | setups)
    return pd.DataFrame(rows, columns=["metric", *models])


def _setup(row: pd.Series, digits: int) -> str:
    sd = "" if row.sd is None or np.isnan(row.sd) else f" ± {row.sd:.{digits}f}"
    reference = "" if np.isnan(row.published) else f" [{row.published:.{digits}f}]"
    return f"{row['mean']:.{digits}f}{sd}{reference}".replace("-", "\N{MINUS SIGN}")


def decomposition(ours: pd.DataFrame) -> pd.DataFrame:
    """What AR-VAE gains over the published baseline, split at the fair one: by a smaller beta, by L_AR.

    A row a metric of SPLIT and image data set: the means of the three models; difference = by beta + by
    regularization. "share of beta": by beta / difference, NaN where the models' runs overlap or the
    difference is below `tables.least`, that is, where there is nothing to share out. "separated": every run
    of AR-VAE lies on the same side of every run of the fair baseline.
    """
    rows = []
    for (metric, dataset), group in ours[ours.metric.isin(SPLIT)].groupby(["metric", "dataset"], sort=False):
        values = {name: group[group.model == name].value.to_numpy() for name in MODELS[:3]}
        if any(len(one) == 0 for one in values.values()):
            continue
        a, b, c = (values[name].mean() for name in MODELS[:3])
        told = _separated(values["arvae"], values["betavae"]) and abs(c - a) > tables.least(metric)
        share = (b - a) / (c - a) if told else np.nan
        apart = _separated(values["arvae"], values["betavae1"])
        rows.append((metric, dataset, a, b, c, c - a, b - a, c - b, share, apart))
    columns = ["metric", "data set", *MODELS[:3], "difference", "by β", "by regularization", "share of β"]
    return tables._ordered(pd.DataFrame(rows, columns=[*columns, "separated"]))


def _separated(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(a.min() > b.max() or a.max() < b.min())


def told(split: pd.DataFrame) -> str:
    """The decomposition in words, a line a metric that has something to share out."""
    lines = []
    for row in split.itertuples(index=False):
        metric, dataset, share = row[0], style.dataset_label(row[1]), row[8]
        if np.isnan(share):
            continue
        points = metric.endswith("percent")
        total, beta, order = (signed(value, points) for value in (row[5], row[6], row[7]))
        if 0 <= share <= 1:
            what = (
                f"{share:.0%} of it from the smaller β ({beta}), the rest from the regularization ({order})"
            )
        elif share < 0:
            what = f"the smaller β alone goes the other way ({beta}), the regularization gives {order}"
        else:
            what = f"the smaller β alone gives as much or more ({beta}), the regularization {order}"
        lines.append(f"- {dataset}, {style.metric_label(metric)}: {total} in all, {what}.")
    return "\n".join(lines) or "No difference between AR-VAE and β-VAE here is larger than the seeds' spread."


def share_told(split: pd.DataFrame) -> str:
    """The answer in a sentence a data set: how much of the gain on codes the smaller beta explains."""
    lines = []
    for dataset, group in split[split.metric.isin(ON_CODES)].groupby("data set", sort=False):
        shares, label = group["share of β"].dropna(), style.dataset_label(dataset)
        if shares.empty:
            lines.append(f"{label}: no metric on codes differs by more than the seeds do.")
            continue
        gain = (
            f"**{label}: of AR-VAE's gain in {len(shares)} of {len(ON_CODES)} metrics on codes, the smaller β"
        )
        if shares.max() <= 0:
            lines.append(
                f"{gain} explains nothing (alone it lowers them); all of it is the regularization's.**"
            )
            continue
        span = (
            f"{_percent(shares.min())} to {_percent(shares.max())}, {_percent(shares.median())} in the median"
        )
        lines.append(f"{gain} explains {span}; the rest is the regularization's.**")
    return "\n\n".join(lines)


def _percent(value: float) -> str:
    return f"{value:.0%}".replace("-", "\N{MINUS SIGN}")


def signed(value: float, points: bool) -> str:
    """A difference with its sign, of a score or in percentage points."""
    value = round(value, 1 if points else 3) + 0.0  # no minus before a zero
    text = f"{value:+.1f} points" if points else f"{value:+.3f}"
    return text.replace("-", "\N{MINUS SIGN}")


def along_dimensions(reports: tables.Reports, metric: str) -> pd.DataFrame:
    """A metric of each tied attribute along the dimension it is tied to: dataset, model, attribute, value.

    A row a run and attribute; models that tie no dimension have none.
    """
    rows = []
    for report in reports.values():
        for run in report["runs"].values():
            tied = (run["details"]["regularized"] or {}).get("per_attribute", {})
            for name in report["attributes"]:
                value = tied.get(name, {}).get(metric)
                if value is not None:
                    rows.append((report["dataset"], report["model"], name, value))
    return pd.DataFrame(rows, columns=["dataset", "model", "attribute", "value"])


def expressible(
    reports: tables.Reports, metrics: Sequence[str], datasets: Sequence[str] = ("bach", "folk")
) -> pd.DataFrame:
    """Music only, attribute by attribute: metric, data set, attribute, tied by GLSR, and a column a model.

    Means over runs; each attribute's dimension is chosen by mutual information (metrics on codes) or is
    the one that is turned (measures on the output).
    """
    here = {name: report for name, report in reports.items() if report["dataset"] in datasets}
    frames = [tables.per_attribute(here, metric).assign(metric=metric) for metric in metrics]
    long = pd.concat(frames, ignore_index=True)
    if long.empty:
        return pd.DataFrame(columns=["metric", "data set", "attribute", "GLSR ties it"])
    wide = _a_column_a_model(long)
    wide.insert(3, "GLSR ties it", [bool(name in EXPRESSIBLE) for name in wide.attribute])
    return wide


def tied(reports: tables.Reports, metrics: Sequence[str]) -> pd.DataFrame:
    """Music, along the dimensions the attributes are tied to: as `expressible`, means over runs."""
    here = {name: report for name, report in reports.items() if report["dataset"] not in tables.IMAGES}
    frames = [along_dimensions(here, metric).assign(metric=metric) for metric in metrics]
    return _a_column_a_model(pd.concat(frames, ignore_index=True))


def _a_column_a_model(long: pd.DataFrame) -> pd.DataFrame:
    """Means over runs, rows in the order in which attributes come, a column a model."""
    keys = ["metric", "dataset", "attribute"]
    models = [name for name in MODELS if (long.model == name).any()]
    means = long.groupby([*keys, "model"]).value.mean().unstack("model")
    order = pd.MultiIndex.from_frame(long[keys].drop_duplicates())
    wide = means.reindex(order)[models].reset_index().rename(columns={"dataset": "data set"})
    wide.columns.name = None
    return tables._ordered(wide)
