"""Figures of a data set: examples, attributes to the eye, distributions, correlations.

All functions take a `Dataset` or its arrays, whatever the data set is; nothing here knows one by name.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from scipy.stats import rankdata

from arvae.datasets import examples
from arvae.datasets.contract import Dataset, Split
from arvae.datasets.partial import LABELLED
from arvae.files import write_text
from arvae.metrics import spearman_matrix
from compendium import labels
from compendium.figures import images, style

FEW = 40  # an attribute with at most so many values is drawn as bars, one a value
UNRELATED = 0.05  # rank correlation below which two attributes are called unrelated
COLUMNS = 14  # of a sheet of images


def show_samples(dataset: Dataset, folder: Path, seed: int = 0) -> Any:
    """Training examples chosen at random, for a notebook cell to show; also samples.* in `folder`."""
    alt = f"Examples of {labels.dataset_label(dataset.name)} chosen at random from the training split"
    caption = (
        f"Examples of {labels.dataset_label(dataset.name)}, drawn at random from "
        f"{len(dataset.train):,} {LABELLED if LABELLED in dataset.provenance else 'training examples'}."
    )
    images_shown = dataset.kind == "images"
    rows, columns = (4, COLUMNS) if images_shown else (1, 16)
    count = min(rows * columns, len(dataset.train))
    index = np.random.default_rng(seed).choice(len(dataset.train), count, replace=False)
    if images_shown:
        columns = min(columns, count)
        grid = index[: count // columns * columns].reshape(-1, columns)
        return style.show(_sheet(dataset.train, grid), folder / "samples", alt, caption=caption)
    score = _show_score(dataset.train.x[index], folder / "samples.svg", alt=alt, width=150)
    return style.Captioned(score, caption)


def show_ordered(dataset: Dataset, folder: Path) -> Any:
    """Test examples with little to much of each attribute, for a cell to show; also ordered.* in `folder`."""
    names = [labels.plain(name) for name in dataset.attribute_names]
    alt = f"One row of examples for each of {', '.join(names)}: from low (left) to high"
    split, steps = dataset.test, 12 if dataset.kind == "images" else 6
    grid = np.stack([evenly_ranked(split.attributes, k, steps) for k in range(len(names))])
    caption = (
        f"One row for each attribute of {labels.dataset_label(dataset.name)}, from low to high; of "
        "the test examples with that value, the one whose other attributes are closest to their "
        "medians. A good model's traversals should look like this."
    )
    if dataset.kind == "images":
        return style.show(_sheet(split, grid, names), folder / "ordered", alt, caption=caption)
    captions = [[f"{split.attributes[i, k]:.2f}" for i in row] for k, row in enumerate(grid)]
    staves = [split.x[row] for row in grid]
    score = _show_score(staves, folder / "ordered.svg", labels=names, captions=captions, alt=alt)
    return style.Captioned(score, f"{caption} Values are printed above each measure.")


def _show_score(measures: Any, path: Path, **words: Any) -> Any:
    from compendium.figures import engraving, music  # here: reports on images need no engraver

    svg = engraving.engrave(measures, **words)
    write_text(path, svg)
    return music.show(svg)


def _sheet(split: Split, grid: np.ndarray, names: Sequence[str] = ()) -> Figure:
    """Images of a split at `grid` (rows, columns), a name beside each row."""
    pictures = examples(split, grid.ravel())
    pictures = pictures.reshape(*grid.shape, *pictures.shape[1:])
    (rows, columns), (h, w) = grid.shape, pictures.shape[2:]
    room = style.FULL_WIDTH - (1.2 if names else 0)
    figure, axes = style.subplots(height=room * rows * h / (columns * w) + 0.2)
    images.draw(axes, pictures, names)
    return figure


def evenly_ranked(attributes: np.ndarray, k: int, steps: int) -> np.ndarray:
    """Indices (steps,) of examples evenly spread by rank of attribute `k`, all else as average as can be had.

    attributes: (n, m). Of the examples about as high in attribute k, the one whose other attributes lie
    nearest to their medians is taken; outliers at both ends are left out.
    """
    ranks = rankdata(attributes, axis=0) / len(attributes)
    others = ((np.delete(ranks, k, axis=1) - 0.5) ** 2).sum(axis=1)
    targets = np.interp(np.linspace(0.01, 0.99, steps), [0, 1], [ranks[:, k].min(), ranks[:, k].max()])
    return np.array([np.argmin(others + (20 * (ranks[:, k] - target)) ** 2) for target in targets])


def distributions(dataset: Dataset) -> Figure:
    """A histogram of each attribute: filled the training split, outlined the test split, as densities."""
    names = dataset.attribute_names
    figure, panels = style.panels(len(names), 3 if len(names) in (3, 5, 6) else 4, 1.55)
    for k, (axes, name, unit) in enumerate(zip(panels, names, dataset.attribute_units, strict=True)):
        train, test = dataset.train.attributes[:, k], dataset.test.attributes[:, k]
        edges = _edges(np.concatenate([train, test]))
        axes.hist(train, edges, density=True, color=style.model_colour("arvae"), alpha=0.45, label="train")
        axes.hist(test, edges, density=True, histtype="step", color=style.INK, linewidth=1, label="test")
        (shown,) = labels.attribute_names([name], dataset.provenance)
        label = labels.attribute_label(shown, unit if shown == name else "")
        axes.set(xlabel=label.replace(" (", "\n("), yticks=[])
    panels[0].legend(loc="best", handlelength=1.2)
    return figure


def _edges(values: np.ndarray) -> np.ndarray:
    """Edges of a histogram: a bar a value where there are few; 40 bars would leave gaps among them."""
    distinct = np.unique(np.round(values, 6))  # not a bar for each rounding of a value
    if 1 < len(distinct) <= FEW:
        between = (distinct[1:] + distinct[:-1]) / 2
        return np.concatenate([[2 * distinct[0] - between[0]], between, [2 * distinct[-1] - between[-1]]])
    return np.histogram_bin_edges(values, 40, np.quantile(values, [0.001, 0.999]))


def shared(dataset: Dataset) -> str:
    """Of which attribute the examples share values most, in a sentence for a caption."""
    counts = [np.unique(column, return_counts=True)[1] for column in dataset.train.attributes.T]
    shares = [float(((count / count.sum()) ** 2).sum()) for count in counts]  # of pairs with equal values
    most = int(np.argmax(shares))
    return (
        f"Equal values are most common in {labels.plain(dataset.attribute_names[most])}: "
        f"{100 * shares[most]:.1f} % of all pairs of training examples share one of its "
        f"{len(counts[most]):,} values."
    )


def closest(attributes: np.ndarray, names: Sequence[str]) -> str:
    """Which two attributes (n, k) depend on one another most, in a sentence for a caption."""
    if len(names) < 2:
        return ""
    rho = np.tril(spearman_matrix(attributes, attributes, significance=1), -1)
    i, j = np.unravel_index(np.nanargmax(np.abs(rho)), rho.shape)
    if abs(rho[i, j]) < UNRELATED:
        return f"No two attributes are related: no correlation exceeds {UNRELATED} in size."
    return (
        f"The most closely related attributes are {labels.plain(names[j])} and {labels.plain(names[i])} "
        f"({labels.signed(rho[i, j], 2)}): to change one without the other is to leave the data's usual "
        "combinations."
    )


def correlations(attributes: np.ndarray, names: Sequence[str]) -> Figure:
    """Heat map of Spearman's rank correlations between attributes (n, k), each pair once."""
    rho, k = spearman_matrix(attributes, attributes, significance=1)[1:, :-1], len(names)
    figure, axes = style.subplots(width=1.6 + 0.75 * k, height=0.9 + 0.42 * k)
    plain = [labels.plain(name) for name in names]
    sns.heatmap(
        rho, mask=np.triu(np.ones_like(rho, bool), 1), vmin=-1, vmax=1, cmap=style.DIVERGING, ax=axes,
        annot=np.vectorize(lambda value: labels.signed(value, 2))(rho) if rho.size else None, fmt="",
        annot_kws={"fontsize": 9}, cbar_kws={"label": "Spearman's ρ"}, yticklabels=plain[1:],
    )  # fmt: skip
    axes.tick_params(length=0, labelrotation=0)
    axes.set_xticks(axes.get_xticks(), plain[:-1], rotation=25, ha="right", rotation_mode="anchor")
    return figure
