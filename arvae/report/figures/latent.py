"""Figures of the latent space: which dimension knows which attribute, and how the data lie in it.

All functions take arrays: z (n, d) codes, attributes (n, k). Points of scatters are rasterised, so that a
vector file stays small.
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from scipy.stats import rankdata

from arvae.report.figures import style
from arvae.report.figures.rolls import reconstructions as rolls

__all__ = ["distribution", "heat_map", "pair_plot", "regularized", "rolls", "spearman", "surface"]

MOST = 2000  # points a scatter shows: more only hide one another


def spearman(z: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of every attribute with every dimension: (k, d); constants give 0."""
    a, b = (_standardised(rankdata(values, axis=0)) for values in (attributes, z))
    return a.T @ b / len(z)


def _standardised(values: np.ndarray) -> np.ndarray:
    spread = values.std(axis=0)
    return np.where(spread > 0, (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1), 0)


def heat_map(
    matrices: np.ndarray | Mapping[str, np.ndarray],
    attributes: Sequence[str],
    label: str = "|Spearman's ρ|",
    dimensions: Sequence[int] | None = None,
    top: float | None = None,
) -> Figure:
    """Attributes (down) against latent dimensions (right): one matrix (k, d) >= 0, or {model: matrix}.

    dimensions: the regularized dimension of each attribute, framed in the model that has it ("arvae" or
    the only one). top: the value of the darkest colour.
    """
    matrices = matrices if isinstance(matrices, Mapping) else {"": matrices}
    k, d = next(iter(matrices.values())).shape
    width = min(style.FULL_WIDTH, 1.9 + 0.3 * d)
    figure, panels = style.subplots(
        len(matrices),
        1,
        width=width,
        height=(0.55 + 0.27 * k) * len(matrices) + 0.45,
        squeeze=False,
        sharex=True,
    )
    top = top or max(float(np.nanmax(m)) for m in matrices.values())
    for axes, (model, matrix) in zip(panels[:, 0], matrices.items(), strict=True):
        shown = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=top, aspect="auto")
        axes.set_yticks(range(k), [style.plain(name) for name in attributes])
        axes.set_xticks(range(0, d, 1 if d <= 16 else 4))
        axes.grid(False)
        axes.tick_params(length=0)
        if model:
            axes.set_title(style.model_label(model), color=style.model_ink(model))
        if dimensions is not None and model in ("", "arvae"):
            for i, dimension in enumerate(dimensions):
                frame = Rectangle((dimension - 0.5, i - 0.5), 1, 1, fill=False, ec="#D55E00", lw=1.8)
                axes.add_patch(frame)
    panels[-1, 0].set_xlabel(
        "latent dimension" + (" (framed: regularized)" if dimensions is not None else "")
    )
    figure.colorbar(shown, ax=panels[:, 0].tolist(), pad=0.02, label=label)
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
    k = len(names)
    columns = 2 if k == 4 else min(3, k)
    rows = -(-k // columns)
    figure, panels = style.subplots(
        rows, columns, width=style.FULL_WIDTH, height=2.15 * rows + 0.2, squeeze=False
    )
    some = _some(len(z))
    for i, (axes, name, dimension) in enumerate(zip(panels.flat, names, dimensions, strict=False)):
        x, y = z[some, dimension], attributes[some, i]
        axes.plot(x, y, ".", ms=2.5, alpha=0.25, color=style.model_colour(model), mew=0, rasterized=True)
        rho = spearman(z[:, [dimension]], attributes[:, [i]])[0, 0]
        written = f"{rho:.2f}".replace("-", "\N{MINUS SIGN}")
        end = ":\n" if len(name) > 12 and columns > 2 else ": "  # long names would run into the next panel
        axes.set_title(f"{style.plain(name)}{end}ρ = {written}")
        axes.set(xlabel=f"z{_subscript(dimension)}", ylabel=style.attribute_label(name))
    for axes in list(panels.flat)[k:]:
        axes.set_axis_off()
    return figure


def _subscript(number: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(number))


def distribution(
    z: Mapping[str, np.ndarray],
    values: np.ndarray | Mapping[str, np.ndarray],
    attribute: str,
    dimensions: Mapping[str, tuple[int, int]],
) -> Figure:
    """The data over two latent dimensions, coloured by an attribute, {model: z (n, d)} side by side.

    values: the attribute (n,), or {model: such}; dimensions: {model: (right, up)}.
    """
    per_model = values if isinstance(values, Mapping) else dict.fromkeys(z, values)
    figure, panels = _square_panels(len(z))
    low, high = np.quantile(np.concatenate([per_model[m] for m in z]), (0.01, 0.99))
    for axes, (model, codes) in zip(panels, z.items(), strict=True):
        right, up = dimensions[model]
        some = _some(len(codes))
        shown = axes.scatter(
            codes[some, right], codes[some, up], c=per_model[model][some], cmap=style.SEQUENTIAL,
            vmin=low, vmax=high, s=6, lw=0, alpha=0.8, rasterized=True,
        )  # fmt: skip
        axes.set(xlabel=f"z{_subscript(right)}", ylabel=f"z{_subscript(up)}")
        axes.set_title(style.model_label(model), color=style.model_ink(model))
    figure.colorbar(shown, ax=panels, pad=0.02, label=style.attribute_label(attribute))
    return figure


def _square_panels(n: int) -> tuple[Figure, list[Axes]]:
    width = style.FULL_WIDTH if n > 1 else 4.2
    figure, panels = style.subplots(1, n, width=width, height=(width - 0.9) / n + 0.5, squeeze=False)
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
    figure, panels = _square_panels(len(grids))
    everything = np.concatenate([g[np.isfinite(g)] for g in grids.values()])
    if everything.size == 0:
        raise ValueError(f"the surfaces of {attribute} hold no number: nothing could be measured")
    low, high = np.quantile(everything, (0.01, 0.99))
    high = high if high > low else low + 1e-9
    for axes, (model, grid) in zip(panels, grids.items(), strict=True):
        right, up = dimensions[model]
        step = (values[-1] - values[0]) / (len(values) - 1) / 2
        extent = (values[0] - step, values[-1] + step) * 2
        shown = axes.imshow(
            grid, origin="lower", extent=extent, cmap=style.SEQUENTIAL, vmin=low, vmax=high, aspect="auto"
        )
        if np.isfinite(grid).all() and np.ptp(grid) > 0:
            levels = np.linspace(low, high, 9)[1:-1]
            axes.contour(values, values, grid, levels=levels, colors="white", linewidths=0.8, linestyles="-")
        axes.grid(False)
        named = along or (f"z{_subscript(right)}", f"z{_subscript(up)}")
        axes.set(xlabel=named[0], ylabel=named[1])
        axes.set_title(style.model_label(model), color=style.model_ink(model))
    figure.colorbar(shown, ax=panels, pad=0.02, label=style.attribute_label(attribute))
    return figure


def pair_plot(values: np.ndarray, names: Sequence[str], colour: str = "#0072B2", title: str = "") -> Figure:
    """All pairs of the columns of `values` (n, k): density below, histograms, Spearman's rho above."""
    k = len(names)
    figure, panels = style.subplots(
        k, k, width=style.FULL_WIDTH, height=style.FULL_WIDTH * 0.92, squeeze=False, sharex="col"
    )
    rho = spearman(values, values)
    map_ = matplotlib.colormaps["RdBu_r"]
    ranges = [np.quantile(column, (0.002, 0.998)) for column in values.T]
    ranges = [(low, high if high > low else low + 1) for low, high in ranges]
    for i, j in np.ndindex(k, k):
        axes = panels[i, j]
        axes.grid(False)
        axes.tick_params(labelsize=7.5, length=2)
        axes.xaxis.set_major_locator(MaxNLocator(2))
        if i == j:
            axes.hist(values[:, i], bins=24, range=ranges[i], color=colour, lw=0)
            axes.set_yticks([])
        elif i > j:
            axes.hist2d(values[:, j], values[:, i], bins=36, range=(ranges[j], ranges[i]), cmap="Blues",
                        cmin=1, rasterized=True)  # fmt: skip
        else:
            axes.patch.set_facecolor(map_(0.5 + rho[i, j] / 2))
            text = f"{rho[i, j]:.2f}".replace("-", "\N{MINUS SIGN}")
            ink = "white" if abs(rho[i, j]) > 0.65 else style.INK
            axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=ink)
            axes.spines[:].set_visible(False)
        if j > 0 or i == 0:
            axes.set_yticks([])
        if i == k - 1:
            axes.set_xlabel(style.plain(names[j]).replace(" ", "\n"), fontsize=9)
        else:
            axes.tick_params(axis="x", length=0, labelbottom=False)
        if j == 0:
            axes.set_ylabel(style.plain(names[i]).replace(" ", "\n"), fontsize=9)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure
