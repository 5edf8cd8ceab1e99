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

from arvae.datasets.contract import Dataset, Split
from arvae.files import atomic_write
from arvae.metrics import spearman_matrix
from arvae.report import labels
from arvae.report.figures import images, style

FEW = 40  # an attribute with at most so many values is drawn as bars, one a value
COLUMNS = 14  # of a sheet of images


def show_samples(dataset: Dataset, folder: Path, seed: int = 0) -> Any:
    """Training examples chosen at random, for a notebook cell to show; also samples.* in `folder`."""
    generator = np.random.default_rng(seed)
    alt = f"Examples of {labels.dataset_label(dataset.name)} chosen at random from the training split"
    count = min(4 * COLUMNS if dataset.kind == "images" else 16, len(dataset.train))
    index = generator.choice(len(dataset.train), count, replace=False)
    if dataset.kind == "images":
        whole = index[: len(index) // COLUMNS * COLUMNS] if len(index) > COLUMNS else index
        return style.show(samples(pictures(dataset.train, whole)), folder / "samples", alt)
    from arvae.music import engraving  # here, so that reports on images need no engraver

    return _show_score(engraving.engrave(dataset.train.x[index], alt=alt, width=150), folder / "samples.svg")


def show_ordered(dataset: Dataset, folder: Path) -> Any:
    """Test examples with little to much of each attribute, for a cell to show; also ordered.* in `folder`."""
    names = [labels.plain(name) for name in dataset.attribute_names]
    alt = f"A row of examples for each of {', '.join(names)}: from little of it (left) to much"
    split, kinds = dataset.test, range(len(names))
    if dataset.kind == "images":
        rows = [pictures(split, evenly_ranked(split.attributes, k, 12)) for k in kinds]
        return style.show(ordered(np.stack(rows), names), folder / "ordered", alt)
    from arvae.music import engraving

    chosen = [evenly_ranked(split.attributes, k, 6) for k in kinds]
    captions = [[f"{split.attributes[i, k]:.2f}" for i in index] for k, index in enumerate(chosen)]
    staves = [split.x[index] for index in chosen]
    return _show_score(
        engraving.engrave(staves, labels=names, captions=captions, alt=alt), folder / "ordered.svg"
    )


def _show_score(svg: str, path: Path) -> Any:
    from arvae.report.figures import music

    with atomic_write(path) as temporary:
        temporary.write_text(svg, encoding="utf-8")
    return music.show(svg)


def pictures(split: Split, index: np.ndarray) -> np.ndarray:
    """Images (m, h, w) of a split at `index` (m,), as float32 between 0 and 1."""
    packed = not isinstance(split.x, np.ndarray)  # packed images are zeros and ones
    return split.x[index].astype(np.float32) / (1 if packed else 255)


def samples(frames: np.ndarray) -> Figure:
    """A sheet of images (n, h, w), COLUMNS in a row."""
    columns = min(COLUMNS, len(frames))
    frames = frames.reshape(-1, columns, *frames.shape[1:])
    figure, axes = style.subplots(height=style.FULL_WIDTH * len(frames) / columns + 0.1)
    images.draw(axes, frames)
    return figure


def ordered(frames: np.ndarray, names: Sequence[str]) -> Figure:
    """A row of images an attribute, from little of it to much of it: frames (k, steps, h, w)."""
    rows, columns, h, w = frames.shape
    figure, axes = style.subplots(height=(style.FULL_WIDTH - 1.2) * rows * h / (columns * w) + 0.4)
    images.draw(
        axes, frames, names, (), "from little of the attribute to much, the others as they are on average"
    )
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
        axes.set(xlabel=labels.attribute_label(name, unit), yticks=[])
    panels[0].legend(loc="best", handlelength=1.2)
    return figure


def _edges(values: np.ndarray) -> np.ndarray:
    """Edges of a histogram: a bar a value where there are few; numpy's "auto" would leave gaps among them."""
    distinct = np.unique(values)
    if 1 < len(distinct) <= FEW:
        gap = np.diff(distinct).min()
        if (distinct[-1] - distinct[0]) / gap < 200:
            return np.append(distinct - gap / 2, distinct[-1] + gap / 2)
    low, high = np.quantile(values, [0.001, 0.999])
    return np.linspace(low, high, 41) if low < high else np.array([low - 0.5, low + 0.5])


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
