"""The method in one picture, drawn from a real batch: how attribute values order a latent dimension.

Paper: Pati & Lerch 2020, section 3 and its schematic figure; the number under the picture is
`arvae.losses.attribute_regularization`, as in training.
"""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from arvae.losses import attribute_regularization
from arvae.report import labels
from arvae.report.figures import style
from arvae.report.figures.images import inked

WIDTH, HEIGHT = 7.2, 4.75  # inches
SIDE = 1.38  # of a matrix, inches
LEFTS, TOP, BOTTOM = (1.18, 3.24, 5.54), 2.92, 0.78  # where matrices stand, inches


def method(z: np.ndarray, attribute: np.ndarray, name: str, delta: float, examples: np.ndarray) -> Figure:
    """The regularization of one batch of m examples, from values to the loss.

    z, attribute: (m,), the sampled code of the regularized dimension and the attribute's values; the batch
    is shown in ascending order of the attribute. examples: (m, h, w) or measures (m, 24), at the left.
    """
    z, attribute = np.asarray(z, np.float64), np.asarray(attribute, np.float64)
    if z.ndim != 1 or z.shape != attribute.shape:
        raise ValueError(
            f"z {z.shape} and attribute {attribute.shape} must both be (m,): pass one column each"
        )
    order = np.argsort(attribute, kind="stable")
    z, attribute, (examples,) = z[order], attribute[order], inked(np.asarray(examples)[order])
    z_distance, a_distance = (np.subtract.outer(values, values) for values in (z, attribute))
    larger, squashed = np.sign(a_distance), np.tanh(delta * z_distance)
    loss = float(
        attribute_regularization(*(torch.from_numpy(v)[:, None] for v in (z, attribute)), delta=delta)
    )
    style.use()
    figure = Figure(figsize=(WIDTH, HEIGHT))
    label = labels.plain(name)
    _column(figure, TOP, attribute, "$a$", examples, "#555555")
    _column(figure, BOTTOM, z, "$z_r$", examples, style.model_colour("arvae"))
    above = _matrix(figure, 0, TOP, a_distance, "$D_a$", f"{label} differences", np.abs(a_distance).max())
    sign = _matrix(figure, 1, TOP, larger, r"$\mathrm{sgn}(D_a)$", "which is larger")
    below = _matrix(figure, 0, BOTTOM, z_distance, "$D_r$", "latent differences", np.abs(z_distance).max())
    tanh = rf"$\tanh(\delta D_r),\ \delta = {delta:g}$"
    tanh = _matrix(figure, 1, BOTTOM, squashed, tanh, "squashed to −1 … 1")
    middle, residual = (TOP + BOTTOM) / 2, r"$|\tanh(\delta D_r) - \mathrm{sgn}(D_a)|$"
    last = _matrix(figure, 2, middle, np.abs(squashed - larger), residual, "", 2, "Greys", 0)
    for start, end, bend in ((above, sign, 0), (below, tanh, 0), (sign, last, -0.25), (tanh, last, 0.25)):
        _arrow(figure, start, end, bend)
    centre = {"x": (LEFTS[2] + SIDE / 2) / WIDTH, "ha": "center", "va": "center"}
    result = rf"mean: $L_\mathrm{{AR}} = {loss:.2f}$"
    figure.text(
        **centre,
        y=(middle - 0.3) / HEIGHT,
        s=result,
        fontsize=12,
        weight="bold",
        color=style.model_ink("arvae"),
    )
    figure.text(**centre, y=(middle - 0.55) / HEIGHT, s="joins the loss with weight γ", fontsize=9)
    key = f"Rows and columns: {len(z)} examples of one batch, by {label}. Red: the row's value is the larger."
    figure.text(0.3 / WIDTH, 0.2 / HEIGHT, key, va="center", fontsize=9)
    return figure


def _matrix(figure, column, y, values, title, note, most=1.0, colours=style.DIVERGING, least=None) -> Axes:
    axes = figure.add_axes((LEFTS[column] / WIDTH, y / HEIGHT, SIDE / WIDTH, SIDE / HEIGHT))
    most = most or 1.0
    axes.imshow(
        values, cmap=colours, vmin=-most if least is None else least, vmax=most, interpolation="nearest"
    )
    style.bare(axes)
    axes.spines[:].set(visible=True, color="#999999", linewidth=0.6)
    axes.set_title(title, loc="center", fontsize=11, weight="normal", pad=4)
    axes.set_xlabel(note, fontsize=9, labelpad=3)
    return axes


def _column(figure, y, values, label, examples, colour) -> None:
    """The batch beside its matrix: a bar an example, pictures of some to the left."""
    m, start = len(values), min(values.min(), 0)
    axes = style.bare(figure.add_axes((0.62 / WIDTH, y / HEIGHT, 0.48 / WIDTH, SIDE / HEIGHT)))
    axes.barh(np.arange(m), values - start, left=start, height=0.8, color=colour)
    axes.set_ylim(m - 0.5, -0.5)
    axes.set_title(label, loc="center", fontsize=11, weight="normal", pad=4)
    shown = np.linspace(0, m - 1, min(m, 6)).round().astype(int)
    side = SIDE / len(shown)
    for k, i in enumerate(shown):
        place = (0.3 / WIDTH, (y + SIDE - (k + 1) * side) / HEIGHT, side * 0.94 / WIDTH, side * 0.94 / HEIGHT)
        style.bare(figure.add_axes(place)).imshow(examples[i], cmap="gray_r", vmin=0, vmax=1, aspect="auto")


def _arrow(figure: Figure, start: Axes, end: Axes, bend: float) -> None:
    """An arrow from the right edge of `start` to the left edge of `end`."""
    a, b = start.get_position(), end.get_position()
    level = -0.3 * np.sign(bend)
    head = (b.x0 - 0.008, (b.y0 + b.y1) / 2 + level * (b.y1 - b.y0))
    figure.add_artist(
        FancyArrowPatch(
            (a.x1 + 0.008, (a.y0 + a.y1) / 2), head, transform=figure.transFigure, arrowstyle="-|>",
            mutation_scale=13, color="#666666", lw=1.4, connectionstyle=f"arc3,rad={bend}", shrinkA=0,
            shrinkB=0,
        )
    )  # fmt: skip
