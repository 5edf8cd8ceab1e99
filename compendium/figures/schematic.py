"""The method in one picture, drawn from a real batch: how attribute values order a latent dimension.

Paper: Pati & Lerch 2020, section 3 and its schematic figure; the number under the picture is
`arvae.losses.attribute_regularization`, as in training.
"""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from arvae.losses import attribute_regularization
from compendium import labels
from compendium.figures import images, style

PLACES = [["examples", "a", "Da", "sign", "loss"], ["examples below", "z", "Dr", "tanh", "loss"]]
PICTURES = 6  # of the batch, beside its values


def method(z: np.ndarray, attribute: np.ndarray, name: str, delta: float, examples: np.ndarray) -> Figure:
    """The regularization of one batch of m examples, from values to the loss.

    z, attribute: (m,), the sampled code of the regularized dimension and the attribute's values; the batch
    is shown in ascending order of the attribute. examples: (m, h, w) or measures (m, 24), at the left.
    """
    z, attribute = np.asarray(z, np.float64), np.asarray(attribute, np.float64)
    if z.ndim != 1 or z.shape != attribute.shape:
        raise ValueError(f"z {z.shape} and attribute {attribute.shape} must be (m,): pass one column each")
    order = np.argsort(attribute, kind="stable")
    z, attribute, examples = z[order], attribute[order], np.asarray(examples)[order]
    of_z, of_a = (np.subtract.outer(values, values) for values in (z, attribute))
    larger, squashed = np.sign(of_a), np.tanh(delta * of_z)
    loss = attribute_regularization(torch.from_numpy(z[:, None]), torch.from_numpy(attribute[:, None]), delta)
    style.use()
    figure = Figure(figsize=(7.4, 4.4), layout="constrained")
    axes = figure.subplot_mosaic(PLACES, width_ratios=(0.2, 0.35, 1, 1, 1))
    label = labels.plain(name)
    some = np.linspace(0, len(z) - 1, min(len(z), PICTURES)).round().astype(int)
    for row, values, title, colour in ((0, attribute, "$a$", "#555555"), (1, z, "$z_r$", "#0072B2")):
        images.draw(axes[PLACES[row][0]], examples[some, None])
        bars = style.bare(axes[PLACES[row][1]])
        bars.barh(
            np.arange(len(values)), values - min(values.min(), 0), 0.8, min(values.min(), 0), color=colour
        )
        bars.set_ylim(len(values) - 0.5, -0.5)
        bars.set_title(title, loc="center")
    _matrix(axes["Da"], of_a, "$D_a$", f"{label} differences")
    _matrix(axes["sign"], larger, r"$\mathrm{sgn}(D_a)$", "which is larger")
    _matrix(axes["Dr"], of_z, "$D_r$", "latent differences")
    _matrix(axes["tanh"], squashed, rf"$\tanh(\delta D_r),\ \delta = {delta:g}$", "squashed to −1 … 1")
    residual = r"$|\tanh(\delta D_r) - \mathrm{sgn}(D_a)|$"
    result = rf"mean: $L_\mathrm{{AR}} = {float(loss):.2f}$" + "\nadded to the loss with weight γ"
    _matrix(axes["loss"], np.abs(squashed - larger), residual, result, "Greys", (0, 2))
    for start, end, height in (
        ("Da", "sign", 0.5),
        ("Dr", "tanh", 0.5),
        ("sign", "loss", 0.8),
        ("tanh", "loss", 0.2),
    ):
        arrow = ConnectionPatch(
            (1.02, 0.5), (-0.02, height), "axes fraction", "axes fraction",
            axesA=axes[start], axesB=axes[end], arrowstyle="-|>", mutation_scale=13, color="#666666", lw=1.4,
        )  # fmt: skip
        arrow.set_in_layout(False)
        figure.add_artist(arrow)
    figure.supxlabel(
        f"Rows and columns: {len(z)} examples of one batch, by {label}. Red: the row has the larger value.",
        fontsize=9,
    )
    return figure


def _matrix(axes: Axes, values, title, note, colours=style.DIVERGING, limits=None) -> None:
    most = np.abs(values).max() or 1.0
    low, high = limits or (-most, most)
    style.bare(axes).imshow(values, cmap=colours, vmin=low, vmax=high)
    axes.spines[:].set(
        visible=True, color=style.GREY, linewidth=0.5
    )  # a loss of zero is a blank matrix, not a missing one
    axes.set_title(title, loc="center", weight="normal")
    axes.set_xlabel(note, fontsize=9)
