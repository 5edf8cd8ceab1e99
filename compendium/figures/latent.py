"""Figures of the latent space: which dimension knows which attribute, and how the data lie in it.

All functions take arrays: z (n, d) codes, attributes (n, k). Points of scatters are rasterised, so that a
vector file stays small.
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from arvae.metrics import spearman_matrix
from compendium import labels
from compendium.figures import style

MOST = 2000  # points a scatter shows: more only hide one another


def information(
    matrix: np.ndarray, model: str, attributes: Sequence[str], dimensions: Sequence[int] | None = None
) -> Figure:
    """Mutual information of attributes (down) with latent dimensions (right): matrix (k, d), in nats.

    dimensions: the regularized dimension of each attribute, to be framed.
    """
    k, d = matrix.shape
    figure, axes = style.subplots(width=min(style.FULL_WIDTH, 1.9 + 0.3 * d), height=1.0 + 0.27 * k)
    names = [labels.plain(name) for name in attributes]
    bar = {"label": "mutual\ninformation (nats)"}
    sns.heatmap(matrix, ax=axes, cmap="Blues", vmin=0, yticklabels=names, cbar_kws=bar)
    axes.tick_params(length=0, labelrotation=0)
    axes.tick_params(axis="x", labelsize=10 if d <= 20 else 6.5)
    axes.set_title(labels.model_label(model))
    for i, dimension in enumerate(dimensions or ()):
        axes.add_patch(
            Rectangle((dimension, i), 1, 1, fill=False, ec=labels.MODEL_COLOURS["betavae1"], lw=1.8)
        )
    axes.set_xlabel("latent dimension" + (" (framed: regularized)" if dimensions else ""))
    return figure


def _some(n: int) -> np.ndarray:
    """Which of n points a scatter shows: evenly spaced, the same every time."""
    return np.linspace(0, n - 1, min(n, MOST)).round().astype(int)


def regularized(
    z: np.ndarray,
    attributes: np.ndarray,
    names: Sequence[str],
    dimensions: Sequence[int],
    model: str = "arvae",
) -> Figure:
    """Each attribute against its dimension: a panel an attribute, a point an example, Spearman's rho above.

    z (n, d), attributes (n, k), dimensions: k column numbers of z.
    """
    figure, panels = style.panels(len(names), 2 if len(names) == 4 else 3, 2.15)
    some = _some(len(z))
    rho = spearman_matrix(z, attributes, significance=1)
    for i, (axes, name, dimension) in enumerate(zip(panels, names, dimensions, strict=True)):
        axes.plot(z[some, dimension], attributes[some, i], ".", ms=2.5, alpha=0.25,
                  color=style.model_colour(model), mew=0, rasterized=True)  # fmt: skip
        axes.set_title(f"ρ = {labels.signed(rho[dimension, i], 2)}")
        axes.set(xlabel=_dimension(dimension), ylabel=labels.attribute_label(name).replace(" (", "\n("))
    return figure


def _dimension(number: int) -> str:
    return f"$z_{{{number}}}$"


def distribution(
    z: Mapping[str, np.ndarray], values: np.ndarray, attribute: str, dimensions: Mapping[str, tuple[int, int]]
) -> Figure:
    """The data over two latent dimensions, coloured by an attribute (n,), {model: z (n, d)} side by side.

    dimensions: {model: (right, up)}.
    """
    figure, panels = _square_panels(z, dimensions)
    low, high = np.quantile(values, (0.01, 0.99))
    for axes, (model, codes) in zip(panels, z.items(), strict=True):
        some, (right, up) = _some(len(codes)), dimensions[model]
        shown = axes.scatter(
            codes[some, right], codes[some, up], c=values[some], cmap=style.SEQUENTIAL,
            vmin=low, vmax=high, s=6, lw=0, alpha=0.8, rasterized=True,
        )  # fmt: skip
    figure.colorbar(shown, ax=panels, pad=0.02, label=labels.attribute_label(attribute))
    return figure


def _square_panels(
    models: Sequence[str], dimensions: Mapping[str, tuple[int, int]]
) -> tuple[Figure, list[Axes]]:
    n = len(models)
    width = style.FULL_WIDTH if n > 1 else 4.2
    figure, panels = style.subplots(1, n, width=width, height=(width - 0.9) / n + 0.5, squeeze=False)
    for axes, model in zip(panels[0], models, strict=True):
        right, up = dimensions[model]
        axes.set(xlabel=_dimension(right), ylabel=_dimension(up))
        axes.set_title(labels.model_label(model))
    return figure, list(panels[0])


def surface(
    grids: Mapping[str, np.ndarray],
    attribute: str,
    dimensions: Mapping[str, tuple[int, int]],
    values: np.ndarray,
    along: tuple[str, str] | None = None,
) -> Figure:
    """An attribute measured on what is decoded over a grid of two latent dimensions, {model: (p, p)}.

    Rows of a grid go up (row 0 at values[0] of the second dimension), columns right; not-a-number is left
    white (nothing to measure). Lines join points of equal attribute: with AR-VAE they should stand upright.
    along: what to write at the axes instead of the dimensions' numbers.
    """
    everything = np.concatenate([g[np.isfinite(g)] for g in grids.values()])
    if everything.size == 0:
        raise ValueError(f"the surfaces of {attribute} hold no number: nothing could be measured")
    low, high = np.quantile(everything, (0.01, 0.99))
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    figure, panels = _square_panels(grids, dimensions)
    step = (values[-1] - values[0]) / (len(values) - 1) / 2
    extent = (values[0] - step, values[-1] + step) * 2
    for axes, grid in zip(panels, grids.values(), strict=True):
        shown = axes.imshow(
            grid, origin="lower", extent=extent, cmap=style.SEQUENTIAL, vmin=low, vmax=high, aspect="auto"
        )
        if np.isfinite(grid).all() and np.ptp(grid) > 0:
            levels = np.linspace(low, high, 9)[1:-1]
            axes.contour(values, values, grid, levels=levels, colors="white", linewidths=0.8, linestyles="-")
        axes.grid(False)
        if along:
            axes.set(xlabel=along[0], ylabel=along[1])
    figure.colorbar(shown, ax=panels, pad=0.02, label=labels.attribute_label(attribute))
    return figure


def pair_plot(values: np.ndarray, names: Sequence[str]) -> Figure:
    """All pairs of the columns of `values` (n, k): density below, histograms, Spearman's rho above."""
    style.use()
    low, high = np.quantile(values, (0.002, 0.998), axis=0)
    frame = pd.DataFrame(
        np.clip(values, low, high), columns=[labels.plain(n).replace(" ", "\n") for n in names]
    )
    grid = sns.PairGrid(frame, height=style.FULL_WIDTH / len(names), despine=False)
    grid.map_diag(sns.histplot, bins=24, color=style.model_colour("arvae"), lw=0)
    grid.map_lower(sns.histplot, bins=36, cmap="Blues", rasterized=True)
    grid.map_upper(_correlation)
    for axes in grid.axes.flat:
        axes.grid(False)
        axes.tick_params(labelsize=7.5, length=2)
        axes.locator_params(nbins=2, steps=[1, 2, 4, 10])
    grid.axes[0, 0].set_yticks([])  # of the first row, which has no density
    plt.close(grid.figure)  # seaborn makes it with pyplot, from which a notebook would show it a second time
    return grid.figure


def _correlation(x: np.ndarray, y: np.ndarray, **_) -> None:
    rho = spearman_matrix(np.asarray(x)[:, None], np.asarray(y)[:, None], significance=1)[0, 0]
    axes = plt.gca()
    axes.patch.set_facecolor(matplotlib.colormaps[style.DIVERGING](0.5 + rho / 2))
    ink = "white" if abs(rho) > 0.65 else style.INK
    axes.text(0.5, 0.5, labels.signed(rho, 2), transform=axes.transAxes, ha="center", va="center", color=ink)
