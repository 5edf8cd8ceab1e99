"""AR-VAE beside all its baselines: beta-VAE, beta-VAE at AR-VAE's own beta, Fader networks, GLSR-VAE.

What a number means differs between them. A Fader network takes the attributes out of its code and gives them
to the decoder: metrics on its codes measure what was left in, and low is what it aims at. GLSR-VAE can tie
only attributes that are differentiable functions of the output (`objectives_glsr.EXPRESSIBLE`).
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from arvae import tables
from arvae.figures import style
from arvae.objectives_glsr import EXPRESSIBLE
from arvae.tables import claims, statistics
from arvae.tables.claims import Claim, Outcome

MODELS = ("betavae", "betavae1", "arvae", "fader", "glsr")
CONTROL = ("monotonicity", "range_covered", "selectivity", "content_reconstructed", "content_traversed")
PERCENT = "reconstruction_accuracy_percent"
CHEAP = 0.5  # percentage points of reconstruction that count as no loss


def scores(reports: tables.Reports) -> pd.DataFrame:
    """All runs of all models, a row a member: the published metrics, DMIG, and CONTROL."""
    return pd.concat([tables.runs(reports), tables.scalars(reports, ["dmig", *CONTROL])], ignore_index=True)


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
    """One data set, a row a metric, a column a model: "mean ± sd [published]" as text."""
    here = spread[spread["data set"] == dataset]
    models = [name for name in MODELS if (here.model == name).any()]
    rows = []
    for metric, group in here.groupby("metric", sort=False):
        digits = 1 if metric.endswith("percent") else 3
        by_model = group.set_index("model")
        cells = {m: _cell(by_model.loc[m], digits) if m in by_model.index else "–" for m in models}
        rows.append({"metric": metric} | cells)
    return pd.DataFrame(rows, columns=["metric", *models])


def _cell(row: pd.Series, digits: int) -> str:
    sd = "" if row.sd is None or np.isnan(row.sd) else f" ± {row.sd:.{digits}f}"
    reference = "" if np.isnan(row.published) else f" [{row.published:.{digits}f}]"
    return f"{row['mean']:.{digits}f}{sd}{reference}".replace("-", "\N{MINUS SIGN}")


def decomposition(ours: pd.DataFrame) -> pd.DataFrame:
    """What AR-VAE gains over the published baseline, split at the fair one: by a smaller beta, by L_AR.

    A row a metric and image data set: the means of the three models; difference = by beta + by L_AR.
    "share of beta": by beta / difference, NaN where the models' runs overlap or the difference is below
    `tables.LEAST`, that is, where there is nothing to share out. "L_AR separated": every run of AR-VAE lies
    on the same side of every run of the fair baseline.
    """
    rows = []
    for (metric, dataset), group in ours.groupby(["metric", "dataset"], sort=False):
        values = {name: group[group.model == name].value.to_numpy() for name in MODELS[:3]}
        if any(len(one) == 0 for one in values.values()):
            continue
        a, b, c = (values[name].mean() for name in MODELS[:3])
        told = (
            _separated(values["arvae"], values["betavae"])
            and abs(c - a) > tables.LEAST[metric.endswith("percent")]
        )
        share = (b - a) / (c - a) if told else np.nan
        apart = _separated(values["arvae"], values["betavae1"])
        rows.append((metric, dataset, a, b, c, c - a, b - a, c - b, share, apart))
    columns = ["metric", "data set", *MODELS[:3], "difference", "by β", "by L_AR", "share of β"]
    return tables._ordered(pd.DataFrame(rows, columns=[*columns, "L_AR separated"]))


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
        total, beta, order = (_signed(value, points) for value in (row[5], row[6], row[7]))
        if 0 <= share <= 1:
            what = (
                f"{share:.0%} of it from the smaller β ({beta}), the rest from the regularization ({order})"
            )
        elif share < 0:
            what = f"the smaller β alone goes the other way ({beta}), the regularization gives {order}"
        else:
            what = f"the smaller β alone gives more ({beta}), the regularization takes {order}"
        lines.append(f"- {dataset}, {style.metric_label(metric)}: {total} in all, {what}.")
    return "\n".join(lines) or "No difference between AR-VAE and β-VAE here is larger than the seeds' spread."


def _signed(value: float, points: bool) -> str:
    text = f"{value:+.1f} points" if points else f"{value:+.3f}"
    return text.replace("-", "\N{MINUS SIGN}")


def along_dimensions(reports: tables.Reports, metric: str) -> pd.DataFrame:
    """A metric of each tied attribute along the dimension it is tied to: dataset, model, attribute, value.

    A row a member and attribute; models that tie no dimension have none.
    """
    rows = []
    for report in reports.values():
        for member in report["members"].values():
            tied = (member["details"]["regularized"] or {}).get("per_attribute", {})
            for name, values in tied.items():
                if values.get(metric) is not None:
                    rows.append((report["dataset"], report["model"], name, values[metric]))
    return pd.DataFrame(rows, columns=["dataset", "model", "attribute", "value"])


def expressible(
    reports: tables.Reports, metrics: Sequence[str], datasets: Sequence[str] = ("bach", "folk")
) -> pd.DataFrame:
    """Music only, attribute by attribute: metric, data set, attribute, tied by GLSR, and a column a model.

    Means over members; each attribute's dimension is chosen by mutual information (metrics on codes) or is
    the one that is turned (measures on the output).
    """
    here = {name: report for name, report in reports.items() if report["dataset"] in datasets}
    frames = [tables.per_attribute(here, metric).assign(metric=metric) for metric in metrics]
    long = pd.concat(frames, ignore_index=True)
    models = [name for name in MODELS if (long.model == name).any()]
    if long.empty:
        return pd.DataFrame(columns=["metric", "data set", "attribute", "GLSR ties it"])
    wide = long.groupby(["metric", "dataset", "attribute", "model"], sort=False).value.mean().unstack("model")
    wide = wide[models].reset_index().rename(columns={"dataset": "data set"})
    wide.columns.name = None
    wide.insert(3, "GLSR ties it", [bool(name in EXPRESSIBLE) for name in wide.attribute])
    return tables._ordered(wide)


# ------------------------------------------------------------------ claims


def _attribute_means(reports: tables.Reports, cell: str, metric: str, tied: bool) -> list[float]:
    """The mean over GLSR's tied (or its other) attributes of a metric, a value a member."""
    found = []
    for name, member in reports.get(cell, {}).get("members", {}).items():
        one = {cell: reports[cell] | {"members": {name: member}}}
        rows = tables.per_attribute(one, metric)
        values = rows[rows.attribute.isin(list(EXPRESSIBLE)) == tied].value
        if len(values):
            found.append(float(values.mean()))
    return found


def _higher_on(metric: str, tied: bool) -> Callable[[tables.Reports], list[Outcome]]:
    """A test that AR-VAE has the higher `metric` than GLSR-VAE on the attributes GLSR ties, or the rest."""

    def test(reports: tables.Reports) -> list[Outcome]:
        outcomes = []
        for dataset in ("bach", "folk"):
            a, b = (_attribute_means(reports, f"{dataset}-{m}", metric, tied) for m in ("arvae", "glsr"))
            if a and b:
                gap = statistics.difference(a, b).value
                text = f"{np.mean(a):.3f} and {np.mean(b):.3f}".replace("-", "\N{MINUS SIGN}")
                outcomes.append(Outcome(dataset, gap > 0, min(a) > max(b), text))
        return outcomes

    return test


def _costs_little(reports: tables.Reports) -> list[Outcome]:
    """Does AR-VAE reconstruct at most CHEAP points worse than the beta-VAE of equal beta?"""
    outcomes = []
    for dataset in tables.IMAGES:
        a, b = (
            [100 * value for value in claims.runs_of(reports, dataset, model, "reconstruction_accuracy")]
            for model in ("arvae", "betavae1")
        )
        if a and b:
            gap = statistics.difference(a, b).value
            outcomes.append(Outcome(dataset, gap >= -CHEAP, min(a) - max(b) >= -CHEAP, _signed(gap, True)))
    return outcomes


def _blind(reports: tables.Reports) -> list[Outcome]:
    """Does a Fader network's code tell less about the attributes than the beta-VAE's (interpretability)?"""
    return claims.higher("interpretability", tables.IMAGES, better="betavae1", worse="fader")(reports)


_FADER, _GLSR, _FAIR = "Fader network", "GLSR-VAE", "equal β"
CLAIMS = (
    Claim(
        "At equal β AR-VAE is more interpretable than β-VAE",
        _FAIR,
        claims.higher("interpretability", tables.IMAGES, worse="betavae1"),
        2,
    ),
    Claim(
        "At equal β AR-VAE has the higher Spearman correlation (SCC)",
        _FAIR,
        claims.higher("scc", tables.IMAGES, worse="betavae1"),
        2,
    ),
    Claim(
        "A smaller β alone, without regularization, reconstructs better (points of pixels)",
        _FAIR,
        claims.higher("reconstruction_accuracy", tables.IMAGES, "betavae1", "betavae", 100, 2),
        2,
    ),
    Claim(
        f"At equal β the regularization costs at most {CHEAP} points of reconstruction",
        _FAIR,
        _costs_little,
        2,
    ),
    Claim("The Fader network's code hides the attributes better than β-VAE's (β = 1)", _FADER, _blind, 2),
    Claim(
        "AR-VAE's dimensions steer continuous attributes more monotonically than a Fader network's inputs",
        _FADER,
        claims.higher("monotonicity", tables.IMAGES, worse="fader"),
        2,
    ),
    Claim(
        "AR-VAE's dimensions reach more of the attributes' range than a Fader network's inputs",
        _FADER,
        claims.higher("range_covered", tables.IMAGES, worse="fader"),
        2,
    ),
    Claim(
        "AR-VAE's dimensions move other attributes less than a Fader network's inputs (selectivity)",
        _FADER,
        claims.higher("selectivity", tables.IMAGES, worse="fader"),
        2,
    ),
    Claim(
        "AR-VAE keeps the digit along traversals better than a Fader network (points of digits read right)",
        _FADER,
        claims.higher("content_traversed", ("mnist",), worse="fader", factor=100, digits=1),
        1,
    ),
    Claim(
        "On the two attributes GLSR-VAE can tie, AR-VAE's codes have the higher SCC (means)",
        _GLSR,
        _higher_on("scc", True),
        2,
    ),
    Claim(
        "On the two attributes GLSR-VAE can tie, AR-VAE steers the output more monotonically (means)",
        _GLSR,
        _higher_on("monotonicity", True),
        2,
    ),
    Claim(
        "Attributes that cannot be differentiated, pitch range and contour, AR-VAE alone can tie: higher SCC "
        "(means)",
        _GLSR,
        _higher_on("scc", False),
        2,
    ),
)
