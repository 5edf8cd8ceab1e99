"""The two tables that README and the front pages show, small enough to read at a glance."""

from collections.abc import Sequence

import pandas as pd

from arvae.report import labels
from arvae.report.tables.scores import spread

MAIN = ("interpretability", "scc", "sap", "mig", "modularity", "reconstruction_accuracy_percent")
STUDIES = (
    "interpretability", "reconstruction_accuracy_percent", "monotonicity_either_way", "range_covered",
    "content_traversed",
)  # fmt: skip


def main(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """AR-VAE and beta-VAE, here and published: a row a data set and metric, means as text (Markdown)."""
    models = ("arvae", "betavae")
    table = _means(ours, MAIN, models, ", here")
    published = spread(ours, theirs).set_index(["data set", "metric", "model"]).published.unstack("model")
    for model in models:
        values = [published.loc[key, model] for key in table.index]
        column = f"{labels.model_label(model)}, published"
        table[column] = [_number(v, metric) for v, (_, metric) in zip(values, table.index, strict=True)]
    return _named(table)


def studies(ours: pd.DataFrame) -> pd.DataFrame:
    """All models side by side: a row a data set and metric, means as text (Markdown)."""
    return _named(_means(ours, STUDIES, labels.in_order(ours.model, labels.MODELS)))


def _means(
    ours: pd.DataFrame, metrics: Sequence[str], models: Sequence[str], after: str = ""
) -> pd.DataFrame:
    """Means by data set and metric, a column a model; bold: all runs lie above all runs of the others."""
    rows = {}
    for dataset in labels.in_order(ours.dataset, labels.DATASETS):
        for metric in metrics:
            here = ours[(ours.dataset == dataset) & (ours.metric == metric)]
            values = {model: here[here.model == model].value.tolist() for model in models}
            if not any(values.values()):
                continue
            row = {}
            for model, runs in values.items():
                rest = [value for other, found in values.items() if other != model for value in found]
                best = bool(runs and rest) and min(runs) > max(rest)
                text = _number(sum(runs) / len(runs), metric) if runs else "–"
                row[labels.model_label(model) + after] = f"**{text}**" if best else text
            rows[dataset, metric] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def _number(value: float, metric: str) -> str:
    return "–" if pd.isna(value) else labels.signed(value, 1 if metric.endswith("percent") else 2)


def _named(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename_axis(["data set", "metric"]).reset_index()
