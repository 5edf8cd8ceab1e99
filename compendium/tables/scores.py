"""Numbers of all setups as tidy tables: ours, the published ones, how far they are apart.

Captions are filled from the reports' provenance: scale, seeds, device, epochs, data source.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arvae import paths
from compendium import labels
from compendium.tables import statistics

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
    "content_reconstructed_relative": ("digit_accuracy_reconstructed_relative_percent", 100),
    "content_traversed_relative": ("digit_accuracy_interpolated_relative_percent", 100),
}
JUDGE = 96.15  # percent of test digits that the paper's classifier reads right (section 4.4.2)
KEYS = ["metric", "dataset", "model"]
CONTROLLED = (
    "monotonicity",
    "monotonicity_either_way",
    "range_covered",
    "selectivity",
)  # measured on the output


def least(metric: str) -> float:
    """What counts as no difference, fixed beforehand: 0.02 of a score, 0.5 of a percentage."""
    return 0.5 if metric.endswith("percent") else 0.02


def published(root: Path | str) -> pd.DataFrame:
    """The paper's results, a row a run: metric, dataset, model, point (0-9), value.

    Digits read right are given once more relative to what the paper's classifier reads right of originals.
    """
    found = pd.read_csv(paths.project(root) / "data" / "published" / "ar_vae_2020_metrics.csv")
    digits = found[found.metric.str.startswith("digit")]
    relative = digits.metric.str.replace("_percent", "_relative_percent")
    return pd.concat(
        [found, digits.assign(metric=relative, value=100 * digits.value / JUDGE)], ignore_index=True
    )


def _reference(values: pd.DataFrame, dataset: str) -> float:
    """The published value by itself: run 0 on images, whose runs continued from one another, or the mean."""
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


def regularized(reports: Reports, names: Sequence[str]) -> pd.DataFrame:
    """`scalars` along the regularized dimension, where any run's differs from what `names` themselves are."""
    chosen, along = (scalars(reports, [f"{name}{end}" for name in names]) for end in ("", "_regularized"))
    keys = [*KEYS, "run"]
    both = along.assign(metric=along.metric.str.removesuffix("_regularized")).merge(chosen, "left", keys)
    differs = (both.value_x != both.value_y).groupby([both[key] for key in KEYS]).transform("any")
    return along[differs.to_numpy(bool)]


def runs(reports: Reports) -> pd.DataFrame:
    """Our results under the published names, a row a run: metric, dataset, model, run, value."""
    found = scalars(reports, list(PUBLISHED_NAMES))
    digits = found.metric.str.startswith(("digit", "content"))
    found = found[~digits | (found.dataset == "mnist")].reset_index(drop=True)
    factors = found.metric.map({ours: factor for ours, (_, factor) in PUBLISHED_NAMES.items()})
    names = {ours: theirs for ours, (theirs, _) in PUBLISHED_NAMES.items()}
    return found.assign(value=found.value * factors, metric=found.metric.map(names))


def fair(reports: Reports, dataset: str) -> str:
    """The model that lacks AR-VAE's regularization and nothing else (gamma 0, equal beta); "" if not run."""
    ours = reports[f"{dataset}-arvae"]["provenance"]
    return next(
        (
            report["model"]
            for report in reports.values()
            if report["dataset"] == dataset
            and report["provenance"].get("objective", "vae") == "vae"
            and report["model"] != "direction"
            and report["provenance"].get("gamma") == 0
            and report["provenance"]["beta"] == ours["beta"]
        ),
        "",
    )


def each(values: Sequence[float], metric: str = "", plus: bool = False) -> str:
    """The runs themselves, as text, where they are too few for anything else."""
    if len(values) >= statistics.FEW:
        return ""
    return ", ".join(labels.signed(value, 1 if metric.endswith("percent") else 3, plus) for value in values)


def _mean(one: statistics.Summary) -> float:
    """NaN where the runs are too few to be averaged: they are shown themselves (`each`)."""
    return one.mean if one.n >= statistics.FEW else np.nan


def beside_published(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """One row a published distribution: our runs, the range of the published ones, how far our mean or, of
    few runs, the farthest is outside of it (0: it is not), the margin, a verdict.

    Where we have no such setup the row says "not run". See `statistics.beside_range`, `_reference`.
    """
    rows = []
    obtained = {key: group.value.tolist() for key, group in ours.groupby(KEYS)}
    for key, group in theirs.groupby(KEYS, sort=False):
        metric, dataset, model = key
        runs = obtained.get(key, [])
        one = statistics.summary(runs) if runs else statistics.Summary(0, np.nan)
        found = statistics.beside_range(runs, group.value, least(metric)) if runs else "not run"
        low, high = group.value.min(), group.value.max()
        shown = [one.mean] if one.n >= statistics.FEW else runs
        outside = max((min(x - low, 0) + max(x - high, 0) for x in shown), key=abs, default=np.nan)
        rows.append(
            (metric, dataset, model, one.n, _mean(one), each(runs, metric), one.low, one.high,
             _reference(group, dataset), low, high, outside, least(metric), found)
        )  # fmt: skip
    columns = ["metric", "data set", "model", "runs", "obtained", "each run", "95 % low", "95 % high",
               "published", "published low", "published high", "outside by", "margin", "verdict"]  # fmt: skip
    numbers = dict.fromkeys(["obtained", "95 % low", "95 % high", "outside by"], float)
    return ordered(pd.DataFrame(rows, columns=columns).astype(numbers))


def spread(ours: pd.DataFrame, theirs: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every metric and setup: runs, mean, and from three runs on standard deviation and 95 % interval, else
    the runs themselves.

    theirs: adds a column with the published value, NaN for what was not published.
    """
    rows = []
    for (metric, dataset, model), group in ours.groupby(KEYS, sort=False):
        one = statistics.summary(group.value)
        text = each(group.value.tolist(), metric)
        rows.append((metric, dataset, model, one.n, _mean(one), text, one.sd, one.low, one.high))
    columns = ["metric", "data set", "model", "runs", "mean", "each run", "sd", "95 % low", "95 % high"]
    numbers = dict.fromkeys(["mean", "sd", "95 % low", "95 % high"], float)
    table = ordered(pd.DataFrame(rows, columns=columns).astype(numbers))
    if theirs is None:
        return table
    reference = {key: _reference(group, key[1]) for key, group in theirs.groupby(KEYS)}
    keys = zip(table["metric"], table["data set"], table["model"], strict=True)
    return table.assign(published=[reference.get(key, np.nan) for key in keys])


def compact(table: pd.DataFrame, names: bool = False) -> pd.DataFrame:
    """A `spread` as a page shows it: without columns that are empty or say what others do, and, of one setup,
    without its `names`."""
    kept = table.drop(columns=["sd"] if names else ["data set", "model", "sd"])
    kept["each run"] = kept["each run"].replace("", np.nan)
    return kept.dropna(axis="columns", how="all")


def content_curves(reports: Reports) -> pd.DataFrame:
    """Content kept against range covered, a row a point: dataset, model, run, range_covered, content."""
    rows = [
        {"dataset": report["dataset"], "model": report["model"], "run": run, **point}
        for report in reports.values()
        for run, values in report["runs"].items()
        for point in values["details"].get("content_curve", [])
    ]
    return pd.DataFrame(rows, columns=["dataset", "model", "run", "range_covered", "content"])


def content_at_equal_range(
    ours: Mapping[str, Any], theirs: Mapping[str, Any]
) -> tuple[float, float, float] | None:
    """What two runs keep of the content where both cover as much of the attributes' range, the widest that
    both reach, and that range; None where the curve of one begins beyond it."""
    curves = [
        sorted(
            (point["range_covered"], point["content"]) for point in run["details"].get("content_curve", [])
        )
        for run in (ours, theirs)
    ]
    if not all(curves):
        return None
    common = min(curve[-1][0] for curve in curves)
    if common < max(curve[0][0] for curve in curves):
        return None
    mine, other = (float(np.interp(common, *zip(*curve, strict=True))) for curve in curves)
    return mine, other, common


def contents(reports: Reports, dataset: str, model: str) -> list[tuple[float, float]]:
    """What AR-VAE and a model keep, see `content_at_equal_range`, of each seed that both have."""
    ours, theirs = (reports.get(f"{dataset}-{name}", {"runs": {}})["runs"] for name in ("arvae", model))
    found = [content_at_equal_range(ours[run], theirs[run]) for run in ours if run in theirs]
    return [both[:2] for both in found if both]


def differences(ours: pd.DataFrame, metric: str, dataset: str, model: str, other: str) -> list[float]:
    """`model` minus `other`, a value for each run (seed) that both have."""
    here = ours[(ours.metric == metric) & (ours.dataset == dataset)]
    sides = (here[here.model == name].set_index("run").value.to_dict() for name in (model, other))
    return statistics.paired(*sides)


def beside_baseline(ours: pd.DataFrame, model: str = "arvae", baseline: str = "betavae") -> pd.DataFrame:
    """`model` minus `baseline` for every metric and data set, run by run of the same seed."""
    rows = []
    for (metric, dataset), group in ours.groupby(["metric", "dataset"], sort=False):
        gaps = differences(ours, metric, dataset, model, baseline)
        if gaps:
            one, runs = statistics.summary(gaps), group.groupby("model").value.apply(list)
            sides = [each(runs[name], metric) or float(np.mean(runs[name])) for name in (model, baseline)]
            rows.append(
                (metric, dataset, len(gaps), *sides, _mean(one),
                 each(gaps, metric, plus=True), one.low, one.high, statistics.direction(gaps))
            )  # fmt: skip
    columns = ["difference", "each difference", "95 % low", "95 % high", "it is"]
    numbers = dict.fromkeys(["difference", "95 % low", "95 % high"], float)
    table = pd.DataFrame(rows, columns=["metric", "data set", "runs", model, baseline, *columns])
    return ordered(table.astype(numbers))


def bounds(reports: Reports, side: str) -> dict[tuple[str, str], float]:
    """Metric (by our name and the published one) and data set -> what nothing at all scores (side "floor") or
    exact codes do ("ceiling"), see `arvae.evaluation.bounds`."""
    return {
        (written, report["dataset"]): value * factor
        for report in reports.values()
        for name, value in (report.get("bounds") or {}).get(side, {}).items()
        if value is not None
        for written, factor in ((name, 1), PUBLISHED_NAMES.get(name, (name, 1)))
    }


def with_bounds(table: pd.DataFrame, reports: Reports) -> pd.DataFrame:
    """A table of metrics with the two columns of `bounds` more, NaN where a report has none."""
    for side in ("floor", "ceiling"):
        found = bounds(reports, side)
        keys = zip(table["metric"], table["data set"], strict=True)
        table = table.assign(**{side: [found.get(key, np.nan) for key in keys]})
    return table


def with_items(table: pd.DataFrame, reports: Reports) -> pd.DataFrame:
    """A table of metrics with a column more: what test items themselves score, where outputs are scored as if
    they were examples (see `evaluation.realism`); NaN for other metrics."""
    found = {
        (name, report["dataset"]): value
        for report in reports.values()
        for name, value in next(iter(report["runs"].values()))["details"]["realism"]["test items"].items()
    }
    keys = zip(table["metric"].str.removesuffix("_observed"), table["data set"], strict=True)
    return table.assign(**{"test items": [found.get(key, np.nan) for key in keys]})


def without(reports: Reports, dataset: str, attribute: str, names: Sequence[str]) -> pd.DataFrame:
    """Scores of a data set's runs as means over all attributes and over all but one, a row a run: see
    `scalars`, the second as "<metric>, without <attribute>"."""
    rows = []
    for report in reports.values():
        for run, values in report["runs"].items() if report["dataset"] == dataset else ():
            for name in names:
                by = {key: one[name] for key, one in values["details"]["per_attribute"].items()}
                rest = float(np.mean([value for key, value in by.items() if key != attribute]))
                both = {name: values[name], f"{name}, without {attribute}": rest}
                rows += [(metric, dataset, report["model"], run, value) for metric, value in both.items()]
    return pd.DataFrame(rows, columns=[*KEYS, "run", "value"])


def per_attribute(reports: Reports, metric: str) -> pd.DataFrame:
    """One metric attribute by attribute, a row a run: dataset, model, attribute, value.

    Along the dimension that the metric chooses; those in CONTROLLED are measured on the output, along the one
    that is moved.
    """
    rows = []
    for report in reports.values():
        for values in report["runs"].values():
            source = values["details"]
            if metric in CONTROLLED:
                source = source["controllability"]["fixed"]
            for attribute in report["attributes"]:
                value = (source or {"per_attribute": {}})["per_attribute"].get(attribute, {}).get(metric)
                if value is not None:
                    rows.append((report["dataset"], report["model"], attribute, value))
    return pd.DataFrame(rows, columns=["dataset", "model", "attribute", "value"])


def counts(reports: Reports) -> str:
    """How many runs there are, as text; models are named where their seeds differ: "dSprites 1 run (seed 0),
    MNIST 2 runs of AR-VAE (seeds 0, 1) and 1 of the others (seed 0)".
    """
    models: dict[str, dict[tuple[int, ...], list[str]]] = {}
    for report in reports.values():
        alike = models.setdefault(report["dataset"], {}).setdefault(tuple(sorted(report["seeds"])), [])
        alike.append(labels.model_label(report["model"]))
    told = []
    for dataset in labels.in_order(models, labels.DATASETS):
        groups = sorted(models[dataset].items(), key=lambda group: -len(group[0]))
        parts = []
        for seeds, names in groups:
            plural = "s" if len(seeds) > 1 else ""
            runs = "" if parts else f" run{plural}"
            whose = " / ".join(names) if not parts or len(names) == 1 else "the others"
            of = f" of {whose}" if len(groups) > 1 else ""
            parts.append(f"{len(seeds)}{runs}{of} (seed{plural} {', '.join(map(str, seeds))})")
        told.append(f"{labels.dataset_label(dataset)} {' and '.join(parts)}")
    return ", ".join(told)


def few(reports: Reports) -> str:
    """What the number of runs allows to say, as a sentence."""
    least_runs = min(len(report["runs"]) for report in reports.values())
    told = f"Runs per setup: {counts(reports)}."
    if least_runs >= statistics.FEW:
        return f"{told} Intervals are 95 % bootstrap intervals; p is exact, over all data sets."
    return (
        f"{told} Where there are fewer than {statistics.FEW} there is no interval and no claim is said to "
        "hold: only the runs are shown, and whether they all point in the same direction."
    )


def caption(what: str, reports: Reports) -> str:
    """`what` followed by all that decides how the numbers may be read: from the reports, never by hand."""
    if not reports:
        raise ValueError("no reports to describe: run `dvc repro evaluate`")
    first = next(iter(reports.values()))
    sources = {report["dataset"]: report["provenance"] for report in reports.values()}
    devices = sorted(
        {f"{r['provenance']['device']} in {r['provenance']['precision']}" for r in reports.values()}
    )
    lengths = "; ".join(
        f"{labels.dataset_label(dataset)}: {labels.epochs(source['epochs'])} of {source['train_size']:,} "
        f"examples (source: {source['data_source']}), {source['test_codes']:,} test codes"
        for dataset, source in sources.items()
    )
    return (
        f"{what.rstrip('.')}. Scale {first['scale']}; {counts(reports)}; trained on {' and '.join(devices)}. "
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
