"""The two tables that README and the front pages show, small enough to read at a glance."""

import pandas as pd

from compendium import labels
from compendium.tables import statistics
from compendium.tables.scores import Reports, differences, least, with_bounds

MAIN = ("interpretability", "scc", "sap", "mig", "modularity", "reconstruction_accuracy_percent")
STUDIES = (
    "interpretability", "reconstruction_accuracy_percent", "monotonicity_either_way", "range_covered",
    "content_traversed",
)  # fmt: skip


def main(ours: pd.DataFrame, theirs: pd.DataFrame, reports: Reports) -> pd.DataFrame:
    """AR-VAE and beta-VAE here, AR-VAE published: a row a data set and metric, as text (Markdown).

    "AR-VAE is": beside beta-VAE of the same seeds; "ours is": AR-VAE here beside the range of the published
    ten runs: words of `statistics`. "possible": floor and ceiling, see `scores.with_bounds`.
    """
    rows = {}
    keys = ours[["metric", "dataset"]].drop_duplicates().rename(columns={"dataset": "data set"})
    bounds = with_bounds(keys, reports).set_index(["data set", "metric"])
    for dataset in labels.in_order(ours.dataset, labels.DATASETS):
        for metric in MAIN:
            here = {name: _values(ours, metric, dataset, name) for name in ("arvae", "betavae")}
            paper = _values(theirs, metric, dataset, "arvae")
            gaps = differences(ours, metric, dataset, "arvae", "betavae")
            if not here["arvae"]:
                continue
            rows[dataset, metric] = {
                "runs": str(len(here["arvae"])),
                "AR-VAE": _shown(here["arvae"], metric),
                "β-VAE": _shown(here["betavae"], metric),
                "AR-VAE is": statistics.direction(gaps) if gaps else "–",
                "AR-VAE, published": _range(min(paper), max(paper), metric),
                "possible": _range(*bounds.loc[(dataset, metric), ["floor", "ceiling"]], metric),
                "ours is": statistics.beside_range(here["arvae"], paper, least(metric)),
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
    return "–" if pd.isna(low) and pd.isna(high) else f"{_number(low, metric)}–{_number(high, metric)}"


def _number(value: float, metric: str) -> str:
    return "–" if pd.isna(value) else labels.signed(value, 1 if metric.endswith("percent") else 2)


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename_axis(["data set", "metric"]).reset_index()
