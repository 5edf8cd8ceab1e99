"""The method in one picture, drawn from a real batch: how attribute values order a latent dimension.

Paper: Pati & Lerch 2020, section 3 and its schematic figure; arvae.losses.attribute_regularization computes
the same for training.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from arvae.report.figures import style

WIDTH, HEIGHT = 7.2, 4.75  # inches
SIDE = 1.38  # of a matrix, inches


def regularization_matrices(z: np.ndarray, attribute: np.ndarray, delta: float) -> dict[str, np.ndarray]:
    """The (m, m) matrices between a dimension z (m,) and an attribute (m,), in the order of the formula.

    Returns a_distance (a_i - a_j), a_sign, z_distance, z_tanh (tanh(delta * (z_i - z_j))) and residual, the
    absolute difference of z_tanh and a_sign, whose mean over all pairs is the loss L_AR.
    """
    z, attribute = np.asarray(z, np.float64), np.asarray(attribute, np.float64)
    if z.ndim != 1 or z.shape != attribute.shape:
        raise ValueError(
            f"z {z.shape} and attribute {attribute.shape} must both be (m,): pass one column each"
        )
    a_distance = attribute[:, None] - attribute[None]
    z_distance = z[:, None] - z[None]
    a_sign, z_tanh = np.sign(a_distance), np.tanh(delta * z_distance)
    return {
        "a_distance": a_distance, "a_sign": a_sign, "z_distance": z_distance, "z_tanh": z_tanh,
        "residual": np.abs(z_tanh - a_sign),
    }  # fmt: skip


def method(
    z: np.ndarray,
    attribute: np.ndarray,
    name: str,
    delta: float = 1.0,
    images: np.ndarray | None = None,
    title: str = "",
) -> Figure:
    """The regularization of one batch of m examples, from values to the loss.

    z, attribute: (m,), the sampled code of the regularized dimension and the attribute's values; the batch
    is shown in ascending order of the attribute. images: (m, h, w) in 0..1, drawn along the left.
    """
    order = np.argsort(attribute, kind="stable")
    z, attribute = np.asarray(z)[order], np.asarray(attribute)[order]
    images = None if images is None else np.asarray(images)[order]
    parts = regularization_matrices(z, attribute, delta)
    style.use()
    figure = Figure(figsize=(WIDTH, HEIGHT))
    across = [1.18, 3.24, 5.54]  # left edges of the columns, inches
    top, bottom = 2.92, 0.78
    blue = {"cmap": style.DIVERGING}
    a_low, z_low = np.abs(parts["a_distance"]).max() or 1.0, np.abs(parts["z_distance"]).max() or 1.0
    middle = (top + bottom) / 2
    label = style.plain(name)
    one = _matrix(figure, across[0], top, parts["a_distance"], "$D_a$", f"{label} differences", a_low, blue)
    two = _matrix(figure, across[1], top, parts["a_sign"], r"$\mathrm{sgn}(D_a)$", "which is larger", 1, blue)
    three = _matrix(
        figure, across[0], bottom, parts["z_distance"], "$D_r$", "latent differences", z_low, blue
    )
    squashed = rf"$\tanh(\delta D_r),\ \delta = {delta:g}$"
    four = _matrix(figure, across[1], bottom, parts["z_tanh"], squashed, "squashed to −1 … 1", 1, blue)
    loss = parts["residual"].mean()
    residual = r"$|\tanh(\delta D_r) - \mathrm{sgn}(D_a)|$"
    five = _matrix(
        figure,
        across[2],
        middle,
        parts["residual"],
        residual,
        "",
        None,
        {"cmap": "Greys", "vmin": 0, "vmax": 2},
    )
    figure.text(
        (across[2] + SIDE / 2) / WIDTH, (middle - 0.3) / HEIGHT, rf"mean: $L_\mathrm{{AR}} = {loss:.2f}$",
        ha="center", va="center", fontsize=12, weight="bold", color=style.model_ink("arvae"),
    )  # fmt: skip
    figure.text(
        (across[2] + SIDE / 2) / WIDTH, (middle - 0.55) / HEIGHT, "joins the loss with weight γ",
        ha="center", va="center", fontsize=9,
    )  # fmt: skip
    key = f"Rows and columns: {len(z)} examples of one batch, by {label}. Red: the row's value is the larger."
    figure.text(0.3 / WIDTH, 0.2 / HEIGHT, key, va="center", fontsize=9)
    _column(figure, top, attribute, "$a$", images, "#555555")
    _column(figure, bottom, z, "$z_r$", images, style.model_colour("arvae"))
    _arrow(figure, one, two)
    _arrow(figure, three, four)
    _arrow(figure, two, five, bend=-0.25)
    _arrow(figure, four, five, bend=0.25)
    if title:
        figure.text(0.01, 0.985, title, va="top", weight="bold", fontsize=11)
    return figure


def _matrix(figure: Figure, x: float, y: float, values, title: str, note: str, limit, colours: dict) -> Axes:
    axes = figure.add_axes((x / WIDTH, y / HEIGHT, SIDE / WIDTH, SIDE / HEIGHT))
    bounds = {} if limit is None else {"vmin": -limit, "vmax": limit}
    axes.imshow(values, interpolation="nearest", **colours, **bounds)
    style.bare(axes)
    axes.spines[:].set(visible=True, color="#999999", linewidth=0.6)
    axes.set_title(title, loc="center", fontsize=11, weight="normal", pad=4)
    if note:
        axes.set_xlabel(note, fontsize=9, labelpad=3)
    return axes


def _column(figure: Figure, y: float, values: np.ndarray, label: str, images, colour: str) -> None:
    """The batch beside its matrix: a bar an example, its picture to the left where there is one."""
    m = len(values)
    axes = figure.add_axes((0.62 / WIDTH, y / HEIGHT, 0.48 / WIDTH, SIDE / HEIGHT))
    axes.barh(
        np.arange(m), values - min(values.min(), 0), left=min(values.min(), 0), height=0.8, color=colour
    )
    axes.set(ylim=(m - 0.5, -0.5), xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_title(label, loc="center", fontsize=11, weight="normal", pad=4)
    if images is None:
        return
    shown = np.linspace(0, m - 1, min(m, 6)).round().astype(int)
    side = SIDE / len(shown)
    for k, i in enumerate(shown):
        place = (0.3 / WIDTH, (y + SIDE - (k + 1) * side) / HEIGHT, side * 0.94 / WIDTH, side * 0.94 / HEIGHT)
        style.bare(figure.add_axes(place)).imshow(images[i], cmap="gray_r", vmin=0, vmax=1)


def _arrow(figure: Figure, start: Axes, end: Axes, bend: float = 0.0) -> None:
    """An arrow from the right edge of `start` to the left edge of `end`."""
    a, b = start.get_position(), end.get_position()
    level = 0.0 if not bend else (0.3 if bend < 0 else -0.3)
    tail = (a.x1 + 0.008, (a.y0 + a.y1) / 2)
    head = (b.x0 - 0.008, (b.y0 + b.y1) / 2 + level * (b.y1 - b.y0))
    arrow = FancyArrowPatch(
        tail, head, transform=figure.transFigure, arrowstyle="-|>", mutation_scale=13, color="#666666",
        lw=1.4, connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0,
    )  # fmt: skip
    figure.add_artist(arrow)
