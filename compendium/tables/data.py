"""What a report says of a data set: what it is, its sizes and attributes, what their correlations do to the
metrics, where it comes from.

All functions take a `Dataset` or its arrays, whatever the data set is; nothing here knows one by name.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from arvae.datasets.added import NOTED
from arvae.datasets.catalogue import MUSIC, Facts, data_sets
from arvae.datasets.contract import SPLITS, Dataset
from arvae.datasets.partial import LABELLED, LEFT_OUT, said
from compendium import labels

SHOWN = ("mig", "dmig", "sap", "scc")  # metrics that correlated attributes lower, and one they do not
MOST = 20  # entries of a list that a provenance record repeats in full


def describe(dataset: Dataset) -> str:
    """A paragraph on the data set, and what of it training does not see; for one of your own, what its
    provenance says it is."""
    facts, known = _facts(dataset), dataset.provenance
    title = known.get("title", "a data set of your own")
    text = f"**{dataset.name}**: {title}." if facts is None else facts.about.strip()
    if noted := known.get(NOTED):
        text += f"\n\nAdded to its attributes: *{'*, *'.join(noted)}*, computed by functions in "
        text += "`arvae/datasets/own.py`."
    if region := known.get(LEFT_OUT):
        share = known["shares left out"]["train"]
        text += (
            f"\n\nExamples with {said(region)} are withheld from training, {share:.1%} of the training split."
        )
    if labelled := known.get(LABELLED):
        text += (
            f"\n\nThe attributes of {labelled:,} of its {len(dataset.train):,} training examples are known."
        )
    return text


def meanings(dataset: Dataset) -> dict[str, str]:
    """What each attribute is, in one line; those of own.py by the docstrings of their functions."""
    facts, noted = _facts(dataset), dataset.provenance.get(NOTED, {})
    known = facts.attributes if facts else MUSIC if dataset.kind == "music" else {}
    return {name: says for name, (_, says) in known.items()} | {name: meaning(noted[name]) for name in noted}


def _facts(dataset: Dataset) -> Facts | None:
    return data_sets().get(dataset.provenance.get("like", dataset.name))


def meaning(text: str) -> str:
    """What an attribute is, in one line: the first paragraph of its function's docstring, no full stop."""
    first = " ".join(text.split("\n\n")[0].split()).rstrip(".")
    return first[:1].lower() + first[1:]


def sizes(dataset: Dataset) -> pd.DataFrame:
    """How many examples each split has, and what one example is."""
    form = " x ".join(str(side) for side in dataset.train.x.shape[1:])
    what = "pixels" if dataset.kind == "images" else "ticks"
    rows = [{"split": part, "examples": f"{len(dataset.split(part)):,}"} for part in SPLITS]
    return pd.DataFrame(rows).assign(**{"an example is": f"{form} {what}"}).set_index("split")


def attribute_table(dataset: Dataset) -> pd.DataFrame:
    """Meaning, unit, range, median and number of distinct values of each attribute in the training split."""
    known = meanings(dataset)
    rows = {
        labels.plain(name): {
            "meaning": known.get(name, ""),
            "unit": unit,
            "least": f"{column.min():.3g}",
            "median": f"{np.median(column):.3g}",
            "greatest": f"{column.max():.3g}",
            "distinct values": f"{len(np.unique(column)):,}",
        }
        for name, unit, column in zip(
            dataset.attribute_names, dataset.attribute_units, dataset.train.attributes.T, strict=True
        )
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("attribute")


def oracle(attributes: np.ndarray, noise: float, generator: np.random.Generator) -> np.ndarray:
    """The code of a model that orders every attribute (n, k) along a dimension of its own: float64 (n, k).

    Each dimension has the normal distribution that a VAE wants, in the attribute's order, and Gaussian
    noise of deviation `noise` on it; 0.3 leaves a rank correlation of about 0.95.
    """
    order = norm.ppf((rankdata(attributes, axis=0) - 0.5) / len(attributes))
    return order + noise * generator.normal(size=attributes.shape)


def oracle_scores(exact: Mapping[str, Any], noisy: Mapping[str, Any]) -> pd.DataFrame:
    """Metrics of two oracle codes side by side; arguments as `arvae.metrics.evaluate` returns them."""
    parts = {}
    for title, result in (("exact code", exact), ("code with noise", noisy)):
        rows = pd.DataFrame({**result["per_attribute"], "mean": result}).T[list(SHOWN)]
        parts[title] = rows.rename(index=labels.plain, columns=labels.metric_label)
    return pd.concat(parts, axis=1).astype(float).round(3)


def record(dataset: Dataset) -> dict[str, Any]:
    """What reports/provenance keeps: provenance, splits and attributes; long lists only counted."""
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "attributes": dict(zip(dataset.attribute_names, dataset.attribute_units, strict=True)),
        "examples": {part: len(dataset.split(part)) for part in SPLITS},
        "provenance": _short(dict(dataset.provenance)),
    }


def left_out(dataset: Dataset) -> pd.DataFrame | None:
    """Why tunes were left out, how many, with examples; None for data sets that leave nothing out."""
    reasons = dataset.provenance.get("tunes left out")
    if not reasons:
        return None
    rows = [
        {"reason": reason, "tunes": f"{entry['tunes']:,}", "for example": "; ".join(entry["examples"][:MOST])}
        for reason, entry in reasons.items()
    ]
    return pd.DataFrame(rows).set_index("reason")


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _short(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return f"{len(value):,} entries, listed in the manifest" if len(value) > MOST else list(value)
    return value


def provenance(dataset: Dataset) -> pd.DataFrame:
    """The provenance record as a table, nested entries by their path (`left_out` is a table of its own)."""
    shown = {key: value for key, value in dataset.provenance.items() if key != "tunes left out"}
    if NOTED in shown:
        shown[NOTED] = {name: meaning(text) for name, text in shown[NOTED].items()}
    flat = pd.json_normalize(_short(shown), sep=" › ").iloc[0]
    return (
        flat[flat.map(lambda value: value is not None)]
        .map(_written)
        .rename("value")
        .rename_axis("what")
        .to_frame()
    )


def _written(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join("no bound" if item is None else str(item) for item in value)
    return (
        f"{value:,}" if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else str(value)
    )
