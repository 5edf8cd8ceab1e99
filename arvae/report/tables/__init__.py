"""Tables: obtained beside published, AR-VAE beside its baseline, claims with verdicts.

Each table is a data frame built from the reports that `evaluation.records` wrote and the published values;
`typeset.write` gives it the three forms. Captions are filled from the reports' provenance: scale,
seeds, device, epochs, data source.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arvae.report.figures import style
from arvae.report.tables import statistics

Reports = Mapping[str, Mapping[str, Any]]
#: Our scalar -> the published metric, and what to multiply by.
PUBLISHED_NAMES = {
    "interpretability": ("interpretability", 1),
    "mig": ("mig", 1),
    "modularity": ("modularity", 1),
    "sap": ("sap", 1),
    "scc": ("scc", 1),
    "reconstruction_accuracy": ("reconstruction_accuracy_percent", 100),
}
DIGIT_NAMES = {
    "digit_accuracy_reconstructed": ("digit_accuracy_reconstructed_percent", 100),
    "digit_accuracy_interpolated": ("digit_accuracy_interpolated_percent", 100),
}
IMAGES = ("dsprites", "mnist")  # whose published runs are not independent
ORDER = ("dsprites", "mnist", "bach", "folk")


def least(metric: str) -> float:
    """Differences in a metric that never count, being smaller: 0.02 of a score, 0.5 of a percentage."""
    return 0.5 if metric.endswith("percent") else 0.02


def published(root: Path | str) -> pd.DataFrame:
    """The paper's results, a row a run: metric, dataset, model, point (0-9), value."""
    return pd.read_csv(Path(root) / "data" / "published" / "ar_vae_2020_metrics.csv")


def runs(reports: Reports) -> pd.DataFrame:
    """Our results under the published names, a row a run: metric, dataset, model, run, value."""
    rows = []
    for report in reports.values():
        names = PUBLISHED_NAMES | (DIGIT_NAMES if report["dataset"] == "mnist" else {})
        for run, values in report["runs"].items():
            for ours, (theirs, factor) in names.items():
                if values.get(ours) is not None:
                    rows.append((theirs, report["dataset"], report["model"], run, factor * values[ours]))
    return pd.DataFrame(rows, columns=["metric", "dataset", "model", "run", "value"])


def scalars(reports: Reports, names: Sequence[str]) -> pd.DataFrame:
    """Any scalars of the reports, a row a run: metric, dataset, model, run, value."""
    rows = [
        (name, report["dataset"], report["model"], run, values[name])
        for report in reports.values()
        for run, values in report["runs"].items()
        for name in names
        if values.get(name) is not None
    ]
    return pd.DataFrame(rows, columns=["metric", "dataset", "model", "run", "value"])


def beside_published(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """One row a published distribution: obtained (mean, sd, n), published, difference, tolerance, verdict.

    The reference is the published run 0 on images, whose ten runs continued from one another, and the mean of
    the ten on music. Where we have no such setup the row says "not run". See `statistics.compare`.
    """
    rows = []
    for (metric, dataset, model), group in theirs.groupby(["metric", "dataset", "model"], sort=False):
        values = ours[(ours.metric == metric) & (ours.dataset == dataset) & (ours.model == model)].value
        row: dict[str, Any] = {"metric": metric, "data set": dataset, "model": model}
        reference = group.sort_values("point").value.to_numpy()
        row["published by"] = "run 0" if dataset in IMAGES else "mean of 10"
        if values.empty:
            reported = float(reference[0] if dataset in IMAGES else reference.mean())
            rows.append(row | {"published": reported, "verdict": "not run"})
            continue
        one = statistics.compare(values, reference, dataset not in IMAGES, least(metric))
        rows.append(
            row
            | {
                "obtained": one.obtained.mean,
                "sd": one.obtained.sd,
                "runs": one.obtained.n,
                "published": one.published,
                "difference": one.difference,
                "tolerance": one.tolerance,
                "verdict": one.verdict,
            }
        )
    columns = ["metric", "data set", "model", "obtained", "sd", "runs", "published", "published by"]
    table = pd.DataFrame(rows, columns=[*columns, "difference", "tolerance", "verdict"])
    return _ordered(table)


def spread(ours: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation and 95 % confidence interval over seeds of every metric and setup."""
    rows = []
    for (metric, dataset, model), group in ours.groupby(["metric", "dataset", "model"], sort=False):
        one = statistics.summary(group.value)
        rows.append((metric, dataset, model, one.n, one.mean, one.sd, one.low, one.high))
    columns = ["metric", "data set", "model", "runs", "mean", "sd", "95 % low", "95 % high"]
    return _ordered(pd.DataFrame(rows, columns=columns))


def beside_baseline(ours: pd.DataFrame, model: str = "arvae", baseline: str = "betavae") -> pd.DataFrame:
    """`model` minus `baseline` for every metric and data set, with interval, effect size, and separation.

    separated: every run of the better model is better than every run of the other.
    """
    rows = []
    for (metric, dataset), group in ours.groupby(["metric", "dataset"], sort=False):
        a, b = (group[group.model == name].value.to_numpy() for name in (model, baseline))
        if len(a) == 0 or len(b) == 0:
            continue
        one = statistics.difference(a, b)
        separated = a.min() > b.max() or a.max() < b.min()
        rows.append(
            (metric, dataset, a.mean(), b.mean(), one.value, one.low, one.high, one.hedges_g, bool(separated))
        )
    columns = [
        "metric",
        "data set",
        model,
        baseline,
        "difference",
        "95 % low",
        "95 % high",
        "Hedges g",
        "separated",
    ]
    return _ordered(pd.DataFrame(rows, columns=columns))


def per_attribute(reports: Reports, metric: str) -> pd.DataFrame:
    """One metric attribute by attribute, a row a run: dataset, model, attribute, value."""
    rows = []
    for report in reports.values():
        for values in report["runs"].values():
            details = values["details"]
            source = details["per_attribute"]
            if metric in ("monotonicity", "range_covered", "selectivity"):
                measured = details["controllability"]["fixed"]
                source = measured["per_attribute"] if measured else {}
            for attribute in report["attributes"]:
                value = source.get(attribute, {}).get(metric)
                if value is not None:
                    rows.append((report["dataset"], report["model"], attribute, value))
    return pd.DataFrame(rows, columns=["dataset", "model", "attribute", "value"])


def control(report: Mapping[str, Any]) -> pd.DataFrame:
    """One setup's controllability, a row an attribute, means over runs; empty where none was measured.

    Monotonicity and range covered over the fixed and the observed range, the rest over the fixed one;
    occupied: share of the fixed range in which test codes lie.
    """
    frames = []
    for run in report["runs"].values():
        details = run["details"]
        fixed, observed = (details["controllability"][key] for key in ("fixed", "observed"))
        if fixed is None:
            continue
        rows = {
            name: {
                "dimension": one["dimension"],
                "monotonicity": one["monotonicity"],
                "range covered": one["range_covered"],
                "selectivity": one["selectivity"],
                "monotonicity, observed": observed["per_attribute"][name]["monotonicity"],
                "range covered, observed": observed["per_attribute"][name]["range_covered"],
                "occupied": details["occupancy"][name],
                "measurable": one["measurable"],
            }
            for name, one in ((name, fixed["per_attribute"][name]) for name in report["attributes"])
        }
        frames.append(pd.DataFrame(rows).T)
    if not frames:
        return pd.DataFrame()
    mean = sum(frames) / len(frames)
    if any(not frame["dimension"].equals(frames[0]["dimension"]) for frame in frames):
        mean = mean.drop(columns="dimension")  # each run has its own
    else:
        mean["dimension"] = mean["dimension"].astype(int)
    return mean.rename_axis("attribute")


def content(report: Mapping[str, Any], by: str = "per_attribute") -> pd.DataFrame:
    """What one setup keeps, means over runs: "per_attribute" edited, or "per_class" of the content."""
    found = [run["details"]["content"] for run in report["runs"].values()]
    if any(one is None or not one[by] for one in found):
        return pd.DataFrame()
    single = not isinstance(next(iter(found[0][by].values())), dict)
    frames = [pd.DataFrame({one["what"]: one[by]} if single else one[by], dtype=float) for one in found]
    mean = sum(frames) / len(frames) if single else (sum(frames) / len(frames)).T
    if by == "per_class":
        return mean.rename_axis("class")
    return mean.reindex([name for name in report["attributes"] if name in mean.index]).rename_axis("edited")


def change_matrix(report: Mapping[str, Any], which: str = "change", traversal: str = "fixed") -> pd.DataFrame:
    """Mean over runs of what each attribute (column) does while another (row) is edited; empty if unknown.

    which: "change" (share of the data's range) or "monotonicity_matrix" (Spearman's rho).
    """
    found = [m["details"]["controllability"][traversal] for m in report["runs"].values()]
    names = report["attributes"]
    matrices = [one[which] for one in found if one is not None]
    values = np.mean(matrices, axis=0) if matrices else np.empty((0, len(names)))
    return pd.DataFrame(values, index=names[: len(values)], columns=names)


def luck(reports: Reports) -> str:
    """What "separated" is worth with so many runs a setup, as a sentence."""
    runs = min(len(report["runs"]) for report in reports.values())
    share = statistics.luck(runs, runs)
    return (
        f"With {runs} run{'' if runs == 1 else 's'} a side, two models that do not differ are separated by "
        f"luck in {share:.0%} of the cases (the one or the other way): a single line is a hint, many lines "
        "that agree are more."
    )


def caption(what: str, reports: Reports) -> str:
    """`what` followed by all that decides how the numbers may be read: from the reports, never by hand."""
    if not reports:
        raise ValueError("no reports to describe: run `dvc repro evaluate`")
    first = next(iter(reports.values()))
    seeds = sorted({seed for report in reports.values() for seed in report["seeds"]})
    devices = sorted(
        {f"{r['provenance']['device']} in {r['provenance']['precision']}" for r in reports.values()}
    )
    lengths: dict[str, str] = {}
    for report in reports.values():
        source = report["provenance"]
        lengths[report["dataset"]] = (
            f"{style.dataset_label(report['dataset'])}: {source['epochs']:g} epochs of "
            f"{source['train_size']:,} examples (source: {source['data_source']}), "
            f"{source['test_codes']:,} test codes"
        )
    trained = f"trained on {' and '.join(devices)}, {first['machine']['name']}"
    runs_of = f"{len(seeds)} independent seeds ({', '.join(map(str, seeds))})"
    return f"{what.rstrip('.')}. Scale {first['scale']}; {runs_of}; {trained}. {'; '.join(lengths.values())}."


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Rows by metric as they come, then data set and model in the usual order."""
    metrics = {name: i for i, name in enumerate(dict.fromkeys(table["metric"]))}
    datasets = {name: i for i, name in enumerate([*ORDER, *sorted(set(table["data set"]) - set(ORDER))])}
    keys = pd.DataFrame({"m": table["metric"].map(metrics), "d": table["data set"].map(datasets)})
    order = keys.sort_values(["m", "d"], kind="stable").index
    return table.loc[order].reset_index(drop=True)
