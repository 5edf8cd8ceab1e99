"""The two tables that README and the front pages show, small enough to read at a glance."""

import pandas as pd

from compendium import labels
from compendium.tables import statistics
from compendium.tables.scores import Reports, least, with_bounds

MAIN = ("interpretability", "scc", "sap", "mig", "modularity", "reconstruction_accuracy_percent")
STUDIES = (
    "interpretability", "reconstruction_accuracy_percent", "monotonicity_either_way", "range_covered",
    "content_traversed",
)  # fmt: skip


def main(
    ours: pd.DataFrame, theirs: pd.DataFrame, reports: Reports, shorter: pd.DataFrame | None = None
) -> pd.DataFrame:
    """AR-VAE and beta-VAE here, AR-VAE published: a row a data set and metric, as text (Markdown).

    shorter: runs of shorter trainings, in a column "AR-VAE, laptop". "verdict": AR-VAE here
    beside the range of the ten published runs, in the words of `statistics`. "floor–ceiling": see
    `scores.with_bounds`.
    """
    rows = {}
    keys = ours[["metric", "dataset"]].drop_duplicates().rename(columns={"dataset": "data set"})
    bounds = with_bounds(keys, reports).set_index(["data set", "metric"])
    for dataset in labels.in_order(ours.dataset, labels.DATASETS):
        for metric in MAIN:
            here = {name: _values(ours, metric, dataset, name) for name in ("arvae", "betavae")}
            paper = _values(theirs, metric, dataset, "arvae")
            if not here["arvae"]:
                continue
            short = {}
            if shorter is not None:
                short = {"AR-VAE, laptop": _shown(_values(shorter, metric, dataset, "arvae"), metric)}
            rows[dataset, metric] = {
                "runs": str(len(here["arvae"])),
                "β-VAE": _shown(here["betavae"], metric),
                **short,
                "AR-VAE": _shown(here["arvae"], metric),
                "published": _range(min(paper), max(paper), metric),
                "verdict": statistics.beside_range(here["arvae"], paper, least(metric)),
                "floor–ceiling": _range(*bounds.loc[(dataset, metric), ["floor", "ceiling"]], metric),
            }
    return _named(pd.DataFrame.from_dict(rows, orient="index"))


def studies(ours: pd.DataFrame) -> pd.DataFrame:
    """All models, one below another: a row a data set and model, a column a metric, as text (Markdown)."""
    rows = []
    for dataset in labels.in_order(ours.dataset, labels.DATASETS):
        for model in labels.in_order(ours[ours.dataset == dataset].model, labels.MODELS):
            found = {metric: _values(ours, metric, dataset, model) for metric in STUDIES}
            about = {"data set": dataset, "model": model, "runs": max(map(len, found.values()))}
            rows.append(about | {labels.metric_label(key): _shown(v, key) for key, v in found.items()})
    return pd.DataFrame(rows)


def _values(table: pd.DataFrame, metric: str, dataset: str, model: str) -> list[float]:
    here = (table.metric == metric) & (table.dataset == dataset) & (table.model == model)
    return table[here].value.tolist()


def _shown(values: list[float], metric: str) -> str:
    """The runs themselves while they are few, else their mean and its interval."""
    if not values:
        return "–"
    one = statistics.summary(values)
    if one.low is None:
        return ", ".join(_number(value, metric) for value in values)
    return f"{_number(one.mean, metric)} ({_range(one.low, one.high, metric)})"


def _range(low: float, high: float, metric: str) -> str:
    """Low to high; an end that is not known is left out."""
    if pd.isna(low) or pd.isna(high):
        known = [f"{sign} {_number(end, metric)}" for sign, end in (("≥", low), ("≤", high)) if pd.notna(end)]
        return "".join(known) or "–"
    return f"{_number(low, metric)}–{_number(high, metric)}"


def _number(value: float, metric: str) -> str:
    return labels.signed(value, 1 if metric.endswith("percent") else 2)


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename_axis(["data set", "metric"]).reset_index()
