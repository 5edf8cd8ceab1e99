"""The gamma-delta study: our settings beside the published ones, and which way each hyperparameter moves what.

Ours: a row a setting, columns gamma, delta, status, message and the values, as `evaluation.study`
gives them. Published: columns gamma, delta and the two values that the paper shows for its 35 settings.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from arvae.datasets.contract import Dataset
from arvae.evaluation import records
from arvae.params import Setup
from arvae.report import tables
from arvae.report.figures import style
from arvae.training.precision import plan

VALUES = ("interpretability", "reconstruction_accuracy_percent")
KNOBS = {"gamma": "γ", "delta": "δ"}
CLEAR = 0.5  # a mean rank correlation from which a value "rises" or "falls" with a hyperparameter
BASELINE = (0.40, 94.5)  # where the published figure marks the beta-VAE: interpretability, accuracy


def published(root: Path | str) -> pd.DataFrame:
    """The paper's 35 settings on MNIST at beta 1: gamma, delta, and VALUES."""
    return pd.read_csv(Path(root) / "data" / "published" / "ar_vae_2020_hyperparameters_mnist.csv")


def caption(what: str, setup: Setup, data: Dataset, codes: int) -> str:
    """`what` followed by all that decides how the study's numbers may be read."""
    settled, label = plan(setup.engine), style.dataset_label(setup.dataset)
    return (
        f"{what}. {label} at beta {setup.hyperparameters.beta:g}, scale {setup.scale}; one run a setting, seed "
        f"{setup.seeds[0]}, {setup.schedule.epochs:g} epochs of {len(data.train):,} examples (source: "
        f"{data.provenance.get('source', 'unknown')}), {codes:,} test codes; {settled.device} in "
        f"{settled.precision}, {records.processor()}."
    )


def varied(setup: Setup, settings: Mapping[str, Mapping[str, float]]) -> str:
    """What a grid keeps and what it varies, in words."""
    values = {
        hyperparameter: sorted({one[hyperparameter] for one in settings.values()}) for hyperparameter in KNOBS
    }
    lists = " x ".join(
        f"{hyperparameter} {', '.join(f'{value:g}' for value in found)}"
        for hyperparameter, found in values.items()
    )
    return f"{setup.hyperparameters.objective}: beta {setup.hyperparameters.beta:g}, {lists}: {len(settings)} settings"


def same_settings(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """The published settings that were run here too."""
    ran = pd.MultiIndex.from_frame(ours[["gamma", "delta"]])
    return theirs[pd.MultiIndex.from_frame(theirs[["gamma", "delta"]]).isin(ran)].reset_index(drop=True)


def finished(ours: pd.DataFrame) -> pd.DataFrame:
    """The settings that trained to their end."""
    return ours[ours.status == "finished"].reset_index(drop=True)


def failures(ours: pd.DataFrame) -> str:
    """Which settings failed and why, as text; says so when none did."""
    lost = ours[ours.status != "finished"]
    if lost.empty:
        return f"All {len(ours)} settings trained to their end."
    lines = [f"- γ = {row.gamma:g}, δ = {row.delta:g}: {row.message}" for row in lost.itertuples()]
    return f"{len(lost)} of {len(ours)} settings failed and are left out of what follows:\n\n" + "\n".join(
        lines
    )


def beside_published(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """One row a value and a setting, run here or published: obtained, published, difference, verdict.

    verdict: "as published" within `tables.least`, "above", "below"; "failed", "not run", "not published".
    One run a setting stands on either side: the tolerance is the least one, no spread is known.
    """
    keys = ["gamma", "delta"]
    status = ours.set_index(keys).status
    sides = [table.set_index(keys)[list(VALUES)] for table in (ours, theirs)]
    settings = sorted(set(sides[0].index) | set(sides[1].index))
    rows = []
    for value in VALUES:
        least = tables.least(value)
        for setting in settings:
            obtained, reference = (float(side[value].get(setting, np.nan)) for side in sides)
            gap = obtained - reference
            if setting not in status.index:
                verdict = "not run"
            elif status[setting] != "finished":
                verdict = "failed"
            elif np.isnan(reference):
                verdict = "not published"
            else:
                verdict = "as published" if abs(gap) <= least else "above" if gap > 0 else "below"
            rows.append((value, *setting, obtained, reference, gap, verdict))
    columns = ["metric", "gamma", "delta", "obtained", "published", "difference", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def trend(table: pd.DataFrame, hyperparameter: str, value: str) -> dict[str, float | int | str]:
    """How `value` moves as `hyperparameter` is raised and the other hyperparameter is kept.

    rank correlation: Spearman's rho along each curve of one value of the other hyperparameter, averaged over curves of
    at least three settings; at lowest, at highest: means over the settings at the hyperparameter's ends; direction:
    "rises" or "falls" where the mean correlation is at least CLEAR, "no clear trend", or "too few settings".
    """
    table = table.dropna(subset=[value])
    other = next(name for name in KNOBS if name != hyperparameter)
    curves = [curve.sort_values(hyperparameter) for _, curve in table.groupby(other)]
    correlations = [
        _rank_correlation(curve[hyperparameter], curve[value]) for curve in curves if len(curve) >= 3
    ]
    mean = float(np.mean(correlations)) if correlations else np.nan
    means = table.groupby(hyperparameter)[value].mean()
    direction = "too few settings"
    if correlations:
        direction = "rises" if mean >= CLEAR else "falls" if mean <= -CLEAR else "no clear trend"
    return {
        "direction": direction,
        "rank correlation": mean,
        "curves": len(correlations),
        "at lowest": float(means.iloc[0]) if len(means) else np.nan,
        "at highest": float(means.iloc[-1]) if len(means) else np.nan,
    }


def _rank_correlation(x: pd.Series, y: pd.Series) -> float:
    return 0.0 if y.nunique() == 1 else float(stats.spearmanr(x, y).statistic)


def trends(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """`trend` of both hyperparameters on both values: ours, the published of the same settings, all published."""
    ours = finished(ours)
    same = same_settings(theirs, ours)
    parts = {"ours": ours, "published, same settings": same, "published, all": theirs}
    return pd.DataFrame(
        [
            {
                "raised": KNOBS[hyperparameter],
                "metric": value,
                "of": what,
                **trend(table, hyperparameter, value),
            }
            for hyperparameter in KNOBS
            for value in VALUES
            for what, table in parts.items()
        ]
    )


def told(trends: pd.DataFrame) -> str:
    """The trends in words, a line each, and whether the published settings move the same way."""
    lines = []
    for (raised, metric), group in trends.groupby(["raised", "metric"], sort=False):
        rows = group.set_index("of")
        ours, theirs = rows.loc["ours"], rows.loc["published, same settings"]
        if theirs.direction == "too few settings":
            theirs = rows.loc["published, all"]
        digits = 1 if metric.endswith("percent") else 2
        line = (
            f"- **More {raised}**: {style.metric_label(metric)[0].lower()}{style.metric_label(metric)[1:]} "
            f"{_moves(ours, digits)}; published: {_moves(theirs, digits)}"
        )
        if "too few settings" not in (ours.direction, theirs.direction):
            same = ours.direction == theirs.direction
            line += ": the same." if same else ": **not the same**."
        else:
            line += "."
        lines.append(line)
    return "\n".join(lines)


def _moves(one: pd.Series, digits: int) -> str:
    if one.direction == "too few settings":
        return "cannot be told from so few settings"
    what = one.direction if one.direction != "no clear trend" else "shows no clear trend"
    rho = f"{one['rank correlation']:+.2f}".replace("-", "\N{MINUS SIGN}")
    ends = f"{one['at lowest']:.{digits}f} to {one['at highest']:.{digits}f}"
    return f"{what} ({ends}; mean rank correlation {rho}, curves: {one.curves})"


def best(ours: pd.DataFrame) -> str:
    """The setting with the highest interpretability, and what it costs, in words."""
    table = finished(ours)
    top, sharp = (table.loc[table[value].idxmax()] for value in VALUES)
    cost = sharp[VALUES[1]] - top[VALUES[1]]
    return (
        f"Most interpretable: γ = {top.gamma:g}, δ = {top.delta:g} ({top[VALUES[0]]:.2f}, "
        f"{top[VALUES[1]]:.1f} % of pixels right). The best reconstruction, γ = {sharp.gamma:g}, "
        f"δ = {sharp.delta:g}, has {cost:.1f} points more and an interpretability of {sharp[VALUES[0]]:.2f}."
    )
