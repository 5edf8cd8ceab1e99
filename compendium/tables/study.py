"""The gamma-delta study: our settings beside the published ones, and which way hyperparameters move what.

Ours: a row a setting, columns gamma, delta, status, message and the values, as `measure` gives them (seconds
a run in place of an evaluation's minute). Published: columns gamma, delta and the two values that the paper
shows for its 35 settings.
"""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arvae import metrics, paths
from arvae.datasets.contract import Dataset
from arvae.evaluation import control
from arvae.evaluation.scores import Codes, EvaluationError, Items, Log, encoded, runs_in
from arvae.params import Setup
from arvae.progress import Progress
from arvae.trained import same
from arvae.training.precision import plan
from compendium import labels
from compendium.tables import statistics
from compendium.tables.scores import least

VALUES = ("interpretability", "reconstruction_accuracy_percent")
OUTPUT = "monotonicity_either_way"  # what a setting does to the output, not to the codes
TRIED = (
    "interpretability", "scc", OUTPUT, "range_covered", "selectivity",
    "reconstruction_accuracy_percent",
)  # fmt: skip
GREEK = {"gamma": "γ", "delta": "δ"}
BASELINE = (0.40, 94.5)  # where the published figure marks the beta-VAE: interpretability, accuracy
CONTROL = ("monotonicity_either_way", "range_covered", "selectivity")
MEASURED = (*metrics.METRICS, "interpretability_regularized", "reconstruction_accuracy_percent", *CONTROL)
TRAVERSED, POINTS = 16, 10  # items, and points of each traversal, that CONTROL is measured on


def measure(
    setup: Setup, dataset: Dataset, items: Items, directory: Path | str, log: Log | None = None
) -> pd.DataFrame:
    """A row a run of `directory` (data/models/<setup>), in the order of its runs.json.

    Columns: run, seed, the hyperparameters it overrides (beta, gamma, delta first), status, message, steps,
    and MEASURED, CONTROL over the fixed range. A run that failed in training, or whose codes are not finite,
    has status "failed", says why, and NaN for every value.
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
    columns = [name for row in rows for name in row if name not in MEASURED]
    return pd.DataFrame(rows).reindex(columns=[*dict.fromkeys(columns), *MEASURED])


def _measured(codes: Codes, items: Items) -> dict[str, Any]:
    row = {metric: codes.scores[metric] for metric in metrics.METRICS}
    if codes.scores["regularized"] is not None:
        row["interpretability_regularized"] = codes.scores["regularized"]["interpretability"]
    model, accuracy = codes.model, same(items.x, codes.model.decode(codes.z)).mean()
    values = np.linspace(*control.ends(model).T, POINTS, axis=1)
    steered = control.summarise(control.traverse(model, codes.z[:TRAVERSED], values), items.attributes) or {}
    row |= {name: steered.get(name, np.nan) for name in CONTROL}
    return row | {"reconstruction_accuracy_percent": 100 * float(accuracy)}


def published(root: Path | str) -> pd.DataFrame:
    """The paper's 35 settings on MNIST at beta 1: gamma, delta, and VALUES."""
    return pd.read_csv(paths.project(root) / "data" / "published" / "ar_vae_2020_hyperparameters_mnist.csv")


def caption(what: str, setup: Setup, data: Dataset, codes: int, varied: Container[str] = ()) -> str:
    """`what` followed by all that decides how the study's numbers may be read; varied: names of what was."""
    settled = plan(setup.engine)
    beta = "" if "beta" in varied else f" at beta {setup.hyperparameters.beta:g}"
    return (
        f"{what}. {labels.dataset_label(setup.dataset)}{beta}, scale "
        f"{setup.scale}; one run a setting, seed {setup.seeds[0]}, {labels.epochs(setup.schedule.epochs)} of "
        f"{len(data.train):,} examples (source: {data.provenance.get('source', 'unknown')}), {codes:,} test "
        f"codes; {settled.device} in {settled.precision}."
    )


def varied(setup: Setup, settings: Mapping[str, Mapping[str, float]]) -> str:
    """What a grid keeps and what it varies, in words."""
    lists = " x ".join(
        f"{name} {', '.join(f'{value:g}' for value in sorted({one[name] for one in settings.values()}))}"
        for name in GREEK
    )
    kept = setup.hyperparameters
    return f"{kept.objective}: beta {kept.beta:g}, {lists}: {len(settings)} settings"


def tried(ours: pd.DataFrame, setup: Setup) -> pd.DataFrame:
    """The record of a tuning, from `measure`: a row a setting of the setup's loss.

    setting: the hyperparameters that were set, as text; used: whether they are those of params.yaml; status:
    why it failed, where it did; then TRIED.
    """
    varied = [name for name in ("beta", "gamma", "delta") if name in ours]
    kept = setup.hyperparameters
    name = f"{labels.model_label(setup.model)}, {labels.dataset_label(setup.dataset)}"
    return pd.DataFrame(
        {
            "tuned": name,
            "setting": [", ".join(f"{name} {row[name]:g}" for name in varied) for _, row in ours.iterrows()],
            "used": [all(row[name] == getattr(kept, name) for name in varied) for _, row in ours.iterrows()],
            "status": ours.status.where(ours.message == "", ours.message),
        }
    ).join(ours[list(TRIED)].astype(float))


def same_settings(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """The published settings that were run here too."""
    return theirs.merge(ours[list(GREEK)].astype(float), on=list(GREEK))


def finished(ours: pd.DataFrame) -> pd.DataFrame:
    """The settings that trained to their end."""
    return ours[ours.status == "finished"].reset_index(drop=True)


def failures(ours: pd.DataFrame) -> str:
    """Which settings failed and why, as text; says so when none did."""
    lost = ours[ours.status != "finished"]
    if lost.empty:
        return f"All {len(ours)} settings finished training."
    lines = "\n".join(f"- γ = {row.gamma:g}, δ = {row.delta:g}: {row.message}" for row in lost.itertuples())
    return f"{len(lost)} of {len(ours)} settings failed and are excluded below:\n\n{lines}"


def beside_published(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """One row a value and a setting, run here or published: obtained, published, difference, verdict.

    verdict: see `statistics.beside_range`, with the margin `tables.least`; "failed", "not run", "not
    published". One run a setting stands on either side, so the published range is one value.
    """
    ours = ours.astype(dict.fromkeys(GREEK, float))
    both = theirs.merge(ours, "outer", list(GREEK), suffixes=(" published", " obtained"), sort=True)
    rows = []
    for value in VALUES:
        for _, row in both.iterrows():
            obtained, reference = row[f"{value} obtained"], row[f"{value} published"]
            gap = obtained - reference
            if row.status != "finished":
                verdict = "failed" if isinstance(row.status, str) else "not run"
            elif np.isnan(reference):
                verdict = "not published"
            else:
                verdict = statistics.beside_range([obtained], [reference], least(value))
            rows.append((value, row.gamma, row.delta, obtained, reference, gap, verdict))
    columns = ["metric", *GREEK, "obtained", "published", "difference", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def trend(table: pd.DataFrame, hyperparameter: str, value: str) -> dict[str, float | int | str]:
    """How `value` moves as `hyperparameter` is raised and the other hyperparameter is kept.

    rank correlation: Spearman's rho along each curve of one value of the other hyperparameter, averaged over
    curves of at least three settings (0 where the value never changes); at lowest, at highest: means over the
    settings at the hyperparameter's ends; trend: "rises" or "falls" where the mean correlation reaches
    `statistics.CLEAR`, "no clear trend", or "too few settings".
    """
    table = table.dropna(subset=[value])
    other = next(name for name in GREEK if name != hyperparameter)
    curves = [curve for _, curve in table.groupby(other) if len(curve) >= 3]
    correlations = [
        curve[hyperparameter].corr(curve[value], "spearman") if curve[value].nunique() > 1 else 0.0
        for curve in curves
    ]
    mean = float(np.mean(correlations)) if correlations else np.nan
    clear = statistics.CLEAR
    word = "rises" if mean >= clear else "falls" if mean <= -clear else "no clear trend"
    means = table.groupby(hyperparameter)[value].mean().tolist() or [np.nan]
    return {
        "trend": word if correlations else "too few settings",
        "rank correlation": mean,
        "curves": len(correlations),
        "at lowest": means[0],
        "at highest": means[-1],
    }


def trends(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """`trend` of both hyperparameters on both values (ours, published at the same settings, all published),
    and on OUTPUT (ours)."""
    ours = finished(ours)
    parts = {"ours": ours, "published, same settings": same_settings(theirs, ours), "published, all": theirs}
    return pd.DataFrame(
        [
            {"raised": greek, "metric": value, "of": what, **trend(table, hyperparameter, value)}
            for hyperparameter, greek in GREEK.items()
            for value in (*VALUES, OUTPUT)
            for what, table in parts.items()
            if value in table
        ]
    )
