"""Numbers of all setups as tidy tables: ours, the published ones, how far they are apart.

Captions are filled from the reports' provenance: scale, seeds, device, epochs, data source.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arvae.metrics import statistics
from arvae.report import labels

Reports = Mapping[str, Mapping[str, Any]]
# Our scalar -> the published metric, and what to multiply by; the digits' only where content is a digit.
PUBLISHED_NAMES = {
    "interpretability": ("interpretability", 1),
    "mig": ("mig", 1),
    "modularity": ("modularity", 1),
    "sap": ("sap", 1),
    "scc": ("scc", 1),
    "reconstruction_accuracy": ("reconstruction_accuracy_percent", 100),
    "digit_accuracy_reconstructed": ("digit_accuracy_reconstructed_percent", 100),
    "digit_accuracy_interpolated": ("digit_accuracy_interpolated_percent", 100),
}
KEYS = ["metric", "dataset", "model"]
CONTROLLED = ("monotonicity", "range_covered", "selectivity")  # measured on the output


def least(metric: str) -> float:
    """Differences in a metric that never count, being smaller: 0.02 of a score, 0.5 of a percentage."""
    return 0.5 if metric.endswith("percent") else 0.02


def published(root: Path | str) -> pd.DataFrame:
    """The paper's results, a row a run: metric, dataset, model, point (0-9), value."""
    return pd.read_csv(Path(root) / "data" / "published" / "ar_vae_2020_metrics.csv")


def _reference(values: pd.DataFrame, dataset: str) -> float:
    """The published value to compare: run 0 on images, whose runs continued from one another, or the mean."""
    return float((values[values.point == 0] if dataset in labels.IMAGES else values).value.mean())


def scalars(reports: Reports, names: Sequence[str]) -> pd.DataFrame:
    """Any scalars of the reports, a row a run: metric, dataset, model, run, value."""
    rows = [
        (name, report["dataset"], report["model"], run, values[name])
        for report in reports.values()
        for run, values in report["runs"].items()
        for name in names
        if values.get(name) is not None
    ]
    return pd.DataFrame(rows, columns=[*KEYS, "run", "value"])


def runs(reports: Reports) -> pd.DataFrame:
    """Our results under the published names, a row a run: metric, dataset, model, run, value."""
    found = scalars(reports, list(PUBLISHED_NAMES))
    found = found[~found.metric.str.startswith("digit") | (found.dataset == "mnist")].reset_index(drop=True)
    factors = found.metric.map({ours: factor for ours, (_, factor) in PUBLISHED_NAMES.items()})
    names = {ours: theirs for ours, (theirs, _) in PUBLISHED_NAMES.items()}
    return found.assign(value=found.value * factors, metric=found.metric.map(names))


def beside_published(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """One row a published distribution: obtained (mean, sd, n), published, difference, tolerance, verdict.

    Where we have no such setup the row says "not run". See `statistics.compare`, `_reference`.
    """
    rows = []
    obtained = {key: group.value for key, group in ours.groupby(KEYS)}
    for key, group in theirs.groupby(KEYS, sort=False):
        metric, dataset, model = key
        row: dict[str, Any] = {
            "metric": metric, "data set": dataset, "model": model, "obtained": None, "sd": None, "runs": None,
            "published": _reference(group, dataset),
            "published by": "run 0" if dataset in labels.IMAGES else "mean of 10",
            "difference": None, "tolerance": None, "verdict": "not run",
        }  # fmt: skip
        if key in obtained:
            reference = group.sort_values("point").value
            one = statistics.compare(obtained[key], reference, dataset not in labels.IMAGES, least(metric))
            row |= {"obtained": one.obtained.mean, "sd": one.obtained.sd, "runs": one.obtained.n}
            row |= {name: getattr(one, name) for name in ("difference", "tolerance", "verdict")}
        rows.append(row)
    numbers = ["obtained", "sd", "runs", "difference", "tolerance"]
    return ordered(pd.DataFrame(rows).astype(dict.fromkeys(numbers, float)))


def spread(ours: pd.DataFrame, theirs: pd.DataFrame | None = None) -> pd.DataFrame:
    """Mean, standard deviation and 95 % confidence interval over seeds of every metric and setup.

    theirs: adds a column with the published value, NaN for what was not published.
    """
    rows = []
    for (metric, dataset, model), group in ours.groupby(KEYS, sort=False):
        one = statistics.summary(group.value)
        rows.append((metric, dataset, model, one.n, one.mean, one.sd, one.low, one.high))
    columns = ["metric", "data set", "model", "runs", "mean", "sd", "95 % low", "95 % high"]
    table = ordered(pd.DataFrame(rows, columns=columns))
    if theirs is None:
        return table
    reference = {key: _reference(group, key[1]) for key, group in theirs.groupby(KEYS)}
    keys = zip(table["metric"], table["data set"], table["model"], strict=True)
    return table.assign(published=[reference.get(key, np.nan) for key in keys])


def beside_baseline(ours: pd.DataFrame, model: str = "arvae", baseline: str = "betavae") -> pd.DataFrame:
    """`model` minus `baseline` for every metric and data set, with interval, effect size, and separation.

    separated: every run of the better model is better than every run of the other.
    """
    rows = []
    for (metric, dataset), group in ours.groupby(["metric", "dataset"], sort=False):
        a, b = (group[group.model == name].value.to_numpy() for name in (model, baseline))
        if len(a) and len(b):
            one, apart = statistics.difference(a, b), statistics.separated(a, b)
            rows.append(
                (metric, dataset, a.mean(), b.mean(), one.value, one.low, one.high, one.hedges_g, apart)
            )
    columns = ["difference", "95 % low", "95 % high", "Hedges g", "separated"]
    return ordered(pd.DataFrame(rows, columns=["metric", "data set", model, baseline, *columns]))


def per_attribute(reports: Reports, metric: str, regularized: bool = False) -> pd.DataFrame:
    """One metric attribute by attribute, a row a run: dataset, model, attribute, value.

    regularized: along the dimension that the loss regularized, where there is one, not the one the metric
    chooses. Metrics in CONTROLLED are measured on the output, along the dimension that is moved.
    """
    rows = []
    for report in reports.values():
        for values in report["runs"].values():
            details = values["details"]
            source = details["regularized"] if regularized else details
            if metric in CONTROLLED:
                source = details["controllability"]["fixed"]
            for attribute in report["attributes"]:
                value = (source or {"per_attribute": {}})["per_attribute"].get(attribute, {}).get(metric)
                if value is not None:
                    rows.append((report["dataset"], report["model"], attribute, value))
    return pd.DataFrame(rows, columns=["dataset", "model", "attribute", "value"])


def chance(reports: Reports) -> str:
    """What "separated" is worth with so many runs a setup, as a sentence."""
    n = min(len(report["runs"]) for report in reports.values())
    return (
        f"With {n} run{'' if n == 1 else 's'} a side, two models that do not differ are separated by chance "
        f"in {statistics.separated_by_chance(n, n):.0%} of all cases (either way): a single "
        "line is a hint, many lines that agree are more."
    )


def caption(what: str, reports: Reports) -> str:
    """`what` followed by all that decides how the numbers may be read: from the reports, never by hand."""
    if not reports:
        raise ValueError("no reports to describe: run `dvc repro evaluate`")
    first = next(iter(reports.values()))
    seeds = sorted({seed for report in reports.values() for seed in report["seeds"]})
    sources = {report["dataset"]: report["provenance"] for report in reports.values()}
    devices = sorted(
        {f"{r['provenance']['device']} in {r['provenance']['precision']}" for r in reports.values()}
    )
    lengths = "; ".join(
        f"{labels.dataset_label(dataset)}: {source['epochs']:g} epochs of {source['train_size']:,} examples "
        f"(source: {source['data_source']}), {source['test_codes']:,} test codes"
        for dataset, source in sources.items()
    )
    return (
        f"{what.rstrip('.')}. Scale {first['scale']}; {len(seeds)} independent seeds "
        f"({', '.join(map(str, seeds))}); trained on {' and '.join(devices)}. "
        f"{lengths}."
    )


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by metric as they come, then data set and model in the usual order."""
    orders = {"metric": (), "data set": labels.DATASETS, "model": labels.MODELS}
    keys = [key for key in orders if key in table]
    ranked = table[keys].apply(
        lambda column: column.map({n: i for i, n in enumerate(labels.in_order(column, orders[column.name]))})
    )
    return table.loc[ranked.sort_values(keys, kind="stable").index].reset_index(drop=True)
