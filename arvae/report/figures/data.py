"""Figures and tables of a data set: examples, attributes to the eye, distributions, correlations.

All functions take a `Dataset` or its arrays, whatever the data set is; nothing here knows one by name.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import norm, rankdata

from arvae.datasets.added import NOTED, meaning
from arvae.datasets.contract import SPLITS, Dataset, Split
from arvae.files import atomic_write
from arvae.report.figures import images, style

SHOWN = ("mig", "dmig", "sap", "scc")  # metrics that correlated attributes lower, and one they do not
FEW = 40  # an attribute with at most so many values is drawn as bars, one a value
MOST = 20  # entries of a list that a provenance record repeats in full


def sizes(dataset: Dataset) -> pd.DataFrame:
    """How many examples each split has, and what one example is."""
    form = " x ".join(str(side) for side in dataset.train.x.shape[1:])
    what = "pixels" if dataset.kind == "images" else "ticks"
    rows = [{"split": part, "examples": f"{len(dataset.split(part)):,}"} for part in SPLITS]
    return pd.DataFrame(rows).assign(**{"an example is": f"{form} {what}"}).set_index("split")


def attribute_table(dataset: Dataset, meanings: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Meaning, unit, range, median and number of distinct values of each attribute in the training split."""
    meanings = meanings or {}
    rows = [
        {
            "attribute": style.plain(name),
            "what it is": meanings.get(name, ""),
            "unit": unit,
            "least": f"{column.min():.3g}",
            "median": f"{np.median(column):.3g}",
            "greatest": f"{column.max():.3g}",
            "distinct values": f"{len(np.unique(column)):,}",
        }
        for name, unit, column in zip(
            dataset.attribute_names, dataset.attribute_units, dataset.train.attributes.T, strict=True
        )
    ]
    table = pd.DataFrame(rows).set_index("attribute")
    return table if meanings else table.drop(columns="what it is")


def show_samples(dataset: Dataset, folder: Path, seed: int = 0) -> Any:
    """Training examples chosen at random, for a notebook cell to show; also samples.* in `folder`."""
    generator = np.random.default_rng(seed)
    chosen = f"of {style.dataset_label(dataset.name)} chosen at random from the training split"
    if dataset.kind == "images":
        return style.show(
            samples(dataset.train, generator), folder / "samples", f"A sheet of images {chosen}"
        )
    index = generator.choice(len(dataset.train), min(16, len(dataset.train)), replace=False)
    from arvae.report.figures import music  # here, so that reports on images need not load music21

    return _show_score(music.samples(dataset.train.x[index], f"Measures {chosen}"), folder / "samples.svg")


def show_ladders(dataset: Dataset, folder: Path) -> Any:
    """Test examples with little to much of each attribute, for a cell to show; also ladders.*."""
    names = ", ".join(style.plain(name) for name in dataset.attribute_names)
    if dataset.kind == "images":
        alt = f"A row of images for each of {names}: from little of it at the left to much at the right"
        return style.show(ladders(dataset), folder / "ladders", alt)
    return _show_score(measure_ladders(dataset), folder / "ladders.svg")


def _show_score(svg: str, path: Path) -> Any:
    with atomic_write(path) as temporary:
        temporary.write_text(svg, encoding="utf-8")
    from arvae.report.figures import music

    return music.show(svg)


def samples(split: Split, generator: np.random.Generator, rows: int = 4, columns: int = 14) -> Figure:
    """Images of a split chosen at random; fewer rows where there are fewer."""
    rows = max(1, min(rows, len(split) // columns))
    chosen = generator.choice(len(split), min(rows * columns, len(split)), replace=False)
    frames = pictures(split, chosen).reshape(rows, -1, *split.x.shape[1:])
    figure, axes = style.subplots(height=style.FULL_WIDTH * rows / frames.shape[1] + 0.1)
    images.draw(axes, frames)
    return figure


def ladders(dataset: Dataset, steps: int = 12) -> Figure:
    """For each attribute a row of test images, from little of it to much of it (see `rungs`)."""
    split = dataset.test
    count = len(dataset.attribute_names)
    frames = np.stack([pictures(split, rungs(split.attributes, k, steps)) for k in range(count)])
    h, w = frames.shape[2:]
    figure, axes = style.subplots(height=(style.FULL_WIDTH - 1.2) * len(frames) * h / (steps * w) + 0.4)
    images.draw(axes, frames, [style.plain(name) for name in dataset.attribute_names])
    axes.set_xlabel("from little of the attribute to much, the others as they are on average")
    return figure


def pictures(split: Split, index: np.ndarray) -> np.ndarray:
    """Images (m, h, w) of a split at `index` (m,), as float32 between 0 and 1."""
    chosen = split.x[index]
    packed = not isinstance(split.x, np.ndarray)  # packed images are zeros and ones
    return chosen.astype(np.float32) / (1 if packed else 255)


def rungs(attributes: np.ndarray, k: int, steps: int) -> np.ndarray:
    """Indices (steps,) of examples evenly spread by rank of attribute `k`, all else as average as can be had.

    attributes: (n, m). Of the examples about as high in attribute k, the one whose other attributes lie
    nearest to their medians is taken; outliers at both ends are left out.
    """
    ranks = rankdata(attributes, axis=0) / len(attributes)
    others = ((np.delete(ranks, k, axis=1) - 0.5) ** 2).sum(axis=1)
    targets = np.interp(np.linspace(0.01, 0.99, steps), [0, 1], [ranks[:, k].min(), ranks[:, k].max()])
    return np.array([np.argmin(others + (20 * (ranks[:, k] - target)) ** 2) for target in targets])


def measure_ladders(dataset: Dataset, steps: int = 6) -> str:
    """For each attribute a staff of test measures, from little of it to much of it (see `rungs`), as SVG."""
    from arvae.music.engraving import engrave

    split = dataset.test
    chosen = [rungs(split.attributes, k, steps) for k in range(len(dataset.attribute_names))]
    return engrave(
        [split.x[index] for index in chosen],
        labels=[style.plain(name) for name in dataset.attribute_names],
        captions=[[f"{split.attributes[i, k]:.2f}" for i in index] for k, index in enumerate(chosen)],
        alt="For each attribute a line of measures, from little of it to much of it",
    )


def distributions(dataset: Dataset) -> Figure:
    """A histogram of each attribute: filled the training split, outlined the test split, as densities."""
    names = dataset.attribute_names
    columns = min(3 if len(names) in (3, 5, 6) else 4, len(names))
    lines = -(-len(names) // columns)
    figure, panels = style.subplots(lines, columns, height=0.3 + 1.55 * lines, squeeze=False)
    for axes, name, k in zip(panels.flat, names, range(len(names)), strict=False):
        train, test = dataset.train.attributes[:, k], dataset.test.attributes[:, k]
        edges = _edges(np.concatenate([train, test]))
        axes.hist(train, edges, density=True, color=style.MODEL_COLOURS["arvae"], alpha=0.45, label="train")
        axes.hist(test, edges, density=True, histtype="step", color=style.INK, linewidth=1, label="test")
        unit = None if name in style.ATTRIBUTE_LABELS else dataset.attribute_units[k]
        axes.set(xlabel=style.attribute_label(name, unit), yticks=[])
    for axes in panels.flat[len(names) :]:
        axes.set_visible(False)
    panels.flat[0].legend(loc="best", handlelength=1.2)
    return figure


def _edges(values: np.ndarray) -> np.ndarray:
    distinct = np.unique(values)
    if 1 < len(distinct) <= FEW:
        gap = np.diff(distinct).min()
        if (distinct[-1] - distinct[0]) / gap < 200:
            return np.append(distinct - gap / 2, distinct[-1] + gap / 2)
    low, high = np.quantile(values, [0.001, 0.999])
    return np.linspace(low, high, 41) if low < high else np.array([low - 0.5, low + 0.5])


def correlation(attributes: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of every attribute with every other: (n, k) -> (k, k); constants give 0."""
    ranks = rankdata(attributes, axis=0)
    ranks -= ranks.mean(axis=0)
    spread = np.linalg.norm(ranks, axis=0)
    ranks /= np.where(spread > 0, spread, 1)
    return ranks.T @ ranks


def correlations(attributes: np.ndarray, names: Sequence[str]) -> Figure:
    """Heat map of `correlation`, each pair once, with its numbers."""
    rho = correlation(attributes)
    k = len(names)
    shown = np.ma.masked_where(np.triu(np.ones((k, k), bool)), rho)[1:, :-1]
    figure, axes = style.subplots(width=1.6 + 0.75 * k, height=0.9 + 0.42 * k)
    picture = axes.imshow(shown, cmap=style.DIVERGING, vmin=-1, vmax=1, aspect="auto")
    style.bare(axes)
    for i, j in zip(*np.tril_indices(k - 1), strict=True):
        value = rho[i + 1, j]
        colour = "white" if abs(value) > 0.6 else style.INK
        text = f"{round(value, 2) + 0:.2f}".replace("-", "\N{MINUS SIGN}")  # + 0: no "-0.00"
        axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=9)
    plain = [style.plain(name) for name in names]
    axes.set_xticks(range(k - 1), plain[:-1], rotation=25, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(k - 1), plain[1:])
    axes.tick_params(length=0)
    figure.colorbar(picture, ax=axes, label="Spearman's ρ", pad=0.02)
    return figure


def oracle(attributes: np.ndarray, noise: float, generator: np.random.Generator) -> np.ndarray:
    """The code of a model that orders every attribute (n, k) along a dimension of its own: float64 (n, k).

    Each dimension has the normal distribution that a VAE wants, in the attribute's order, and Gaussian
    noise of deviation `noise` on it; 0.3 leaves a rank correlation of about 0.95.
    """
    order = norm.ppf((rankdata(attributes, axis=0) - 0.5) / len(attributes))
    return order + noise * generator.normal(size=attributes.shape)


def ceiling(exact: Mapping[str, Any], noisy: Mapping[str, Any]) -> pd.DataFrame:
    """Metrics of two oracle codes side by side; arguments as `arvae.metrics.evaluate` returns them."""
    parts = {}
    for title, result in (("exact code", exact), ("code with noise", noisy)):
        rows = {style.plain(name): values for name, values in result["per_attribute"].items()} | {
            "mean": result
        }
        parts[title] = pd.DataFrame(
            {style.metric_label(m): {name: values[m] for name, values in rows.items()} for m in SHOWN}
        )
    return pd.concat(parts, axis=1).astype(float).round(3)


def reading(dataset: Dataset, scores: Mapping[str, Any]) -> str:
    """What the correlations mean for MIG here, in words (Markdown); `scores`: those of the noisy oracle."""
    names = [style.plain(name) for name in dataset.attribute_names]
    if len(names) < 2:
        return "There is one attribute only, so no other can close its gap."
    rho = np.tril(correlation(dataset.test.attributes), -1)
    i, j = np.unravel_index(np.abs(rho).argmax(), rho.shape)
    gaps = {style.plain(name): one["mig"] for name, one in scores["per_attribute"].items()}
    low, high = min(gaps, key=gaps.get), max(gaps, key=gaps.get)
    value = f"{rho[i, j]:.2f}".replace("-", "\N{MINUS SIGN}")
    if abs(rho[i, j]) < 0.05:
        first = (
            f"No two attributes correlate (the strongest pair, {names[j]} and {names[i]}, has ρ = {value})"
        )
    else:
        first = f"The strongest correlation is between **{names[j]}** and **{names[i]}** (ρ = {value})"
    return (
        f"{first}. With that noise, a code that orders everything right has a MIG of **{scores['mig']:.2f}** "
        f"in the mean, from {gaps[low]:.2f} ({low}) to {gaps[high]:.2f} ({high}): models of this data set "
        "are to be measured by these numbers rather than by 1. They are no ceiling: less noise gives more."
    )


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
    rows: list[tuple[str, str]] = []

    def add(path: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                add(f"{path} › {key}" if path else str(key), inner)
        elif isinstance(value, (list, tuple)):
            rows.append((path, ", ".join(str(item) for item in value)))
        elif value is not None:
            rows.append((path, f"{value:,}" if isinstance(value, int) else str(value)))

    shown = {key: value for key, value in dataset.provenance.items() if key != "tunes left out"}
    if NOTED in shown:
        shown[NOTED] = {name: meaning(text) for name, text in shown[NOTED].items()}
    add("", _short(shown))
    return pd.DataFrame(rows, columns=["what", "value"]).set_index("what")
