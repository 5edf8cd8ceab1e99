"""Pictures of image models: grids of traversals, reconstructions, two models side by side.

A traversal moves one latent dimension over a range and decodes each point. `traverse` and `plane` do that
with any function decode(z (m, d)) -> (m, h, w) in 0..1; the drawing functions, and
`arvae.report.figures.animation`, take the arrays they return.
Paper: Pati & Lerch 2020, section 4.4 (traversals over -4 .. 4, 10 points).
"""

from collections.abc import Callable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arvae.report.figures import style

Decode = Callable[[np.ndarray], np.ndarray]
VALUES = np.linspace(-4, 4, 10)
GREYS = 20  # between paper and ink


def decoder(model, batch: int = 256) -> Decode:
    """decode(z (m, d) float) -> (m, h, w) float32 in 0..1 of an image model (an nn.Module in eval mode)."""
    import torch

    def decode(z: np.ndarray) -> np.ndarray:
        parts = torch.as_tensor(np.asarray(z), dtype=torch.float32).split(batch)
        with torch.no_grad():
            return torch.cat([model.decode(part).sigmoid()[:, 0] for part in parts]).float().numpy()

    return decode


def traverse(decode: Decode, z: np.ndarray, dimension: int, values: np.ndarray = VALUES) -> np.ndarray:
    """Decode z (n, d) with column `dimension` set to each of the p `values`: (n, p, h, w)."""
    z = np.asarray(z, np.float32)
    if z.ndim != 2 or not 0 <= dimension < z.shape[1]:
        raise ValueError(f"dimension {dimension} of z {z.shape}: z must be (n, d) and 0 <= dimension < d")
    codes = np.repeat(z[:, None], len(values), axis=1)  # (n, p, d)
    codes[:, :, dimension] = values
    frames = decode(codes.reshape(-1, z.shape[1]))
    return frames.reshape(len(z), len(values), *frames.shape[1:])


def plane(decode: Decode, z: np.ndarray, down: int, right: int, values: np.ndarray = VALUES) -> np.ndarray:
    """Decode one code z (d,) over a grid of two dimensions: (p, p, h, w), `down` falls from the top row."""
    rows = np.repeat(np.asarray(z, np.float32)[None], len(values), axis=0)
    rows[:, down] = values[::-1]  # the largest value on top, as on the axes of a plot
    return traverse(decode, rows, right, values)


def montage(frames: np.ndarray, gap: int = 2, fill: float = np.nan) -> np.ndarray:
    """Pictures (rows, columns, h, w) as one (rows * h + gaps, columns * w + gaps), `fill` between them."""
    rows, columns, h, w = frames.shape
    sheet = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap), fill, np.float32)
    for i, j in np.ndindex(rows, columns):
        sheet[i * (h + gap) : i * (h + gap) + h, j * (w + gap) : j * (w + gap) + w] = frames[i, j]
    return sheet


def draw(
    axes: Axes,
    frames: np.ndarray,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    column_label: str = "",
    row_label: str = "",
) -> None:
    """Draw pictures (rows, columns, h, w), 0 = paper and 1 = ink, on `axes` and name rows and columns."""
    h, w = frames.shape[2:]
    gap = max(1, round(min(h, w) / 16))
    # The gaps get a light grey, as paper under cards.
    palette = matplotlib.colormaps["gray_r"].with_extremes(bad="#dfe3e8")
    # Twenty greys in all: as good to the eye, and half the bytes.
    sheet = np.ma.masked_invalid(np.rint(montage(frames, gap) * GREYS) / GREYS)
    # Small pictures show their pixels, which also keeps the file small; larger ones are smoothed.
    smooth = "nearest" if max(h, w) <= 40 else "auto"
    axes.imshow(sheet, cmap=palette, vmin=0, vmax=1, interpolation=smooth, aspect="equal")
    style.bare(axes)
    axes.tick_params(length=0, pad=3)
    if len(rows):
        axes.set_yticks(np.arange(len(rows)) * (h + gap) + (h - 1) / 2, rows)
    if len(columns):
        axes.set_xticks(np.arange(len(columns)) * (w + gap) + (w - 1) / 2, columns)
    axes.set(xlabel=column_label, ylabel=row_label)


def ticks(values: np.ndarray, most: int = 10) -> list[str]:
    """Values as short labels; of many, only the ends and the middle."""
    keep = range(len(values)) if len(values) <= most else (0, len(values) // 2, len(values) - 1)
    return [f"{v:+.1f}".replace("-", "\N{MINUS SIGN}") if i in keep else "" for i, v in enumerate(values)]


def _height(frames: np.ndarray, width: float, around: float) -> float:
    """Inches a sheet needs when `width` inches are left for the pictures and `around` for words."""
    rows, columns, h, w = frames.shape
    return width * rows * h / (columns * w) + around


def traversal_grid(
    frames: np.ndarray,
    attribute: str,
    rows: Sequence[str],
    values: np.ndarray = VALUES,
    row_label: str = "",
    width: float = 6.0,
    along: str = "value of the latent dimension",
) -> Figure:
    """One attribute, several items: frames (items, points, h, w) as `traverse` gives, a row an item."""
    figure, axes = style.subplots(width=width, height=_height(frames, width - 0.9, 0.8))
    draw(axes, frames, rows, ticks(values), along, row_label)
    axes.set_title(f"Traversal of {style.plain(attribute)}")
    return figure


def attribute_grid(
    frames: Mapping[str, np.ndarray],
    values: np.ndarray = VALUES,
    title: str = "",
    width: float = 6.0,
    along: str = "value of the attribute's latent dimension",
) -> Figure:
    """One item, all attributes: {attribute: frames (points, h, w)}, a row an attribute.

    values: what was turned was set to, for all attributes alike; along: what that was.
    """
    sheet = np.stack(list(frames.values()))
    figure, axes = style.subplots(width=width, height=_height(sheet, width - 1.2, 0.8))
    names = [style.plain(name) for name in frames]
    draw(axes, sheet, names, ticks(values), along)
    axes.set_title(title or "Traversals of every attribute")
    return figure


def comparison(
    frames: Mapping[str, np.ndarray],
    attribute: str,
    rows: Sequence[str],
    values: np.ndarray = VALUES,
    row_label: str = "",
    dimensions: Mapping[str, int] | None = None,
) -> Figure:
    """Models side by side on one attribute: {model: frames (items, points, h, w)}, a row an item.

    attribute "": the rows are attributes of one item, each along its own dimension.
    """
    first = next(iter(frames.values()))
    wide = style.FULL_WIDTH
    height = _height(first, (wide - 0.6) / len(frames) - 0.1, 0.85)
    figure, panels = style.subplots(1, len(frames), width=wide, height=height, squeeze=False)
    for axes, (model, sheet) in zip(panels[0], frames.items(), strict=True):
        left = axes is panels[0][0]
        where = f", dimension {dimensions[model]}" if dimensions else ""
        draw(axes, sheet, rows if left else (), _ends(values), "", row_label if left else "")
        axes.set_title(f"{style.model_label(model)}{where}", color=style.model_ink(model))
    start = f"traversal of {style.plain(attribute)}: " if attribute else ""
    figure.supxlabel(f"{start}value of the latent dimension", fontsize=10)
    return figure


def _ends(values: np.ndarray) -> list[str]:
    names = ticks(values, most=len(values))
    return [name if i in (0, len(values) - 1) else "" for i, name in enumerate(names)]


def plane_grid(frames: np.ndarray, down: str, right: str, values: np.ndarray = VALUES, width: float = 5.2):
    """Two attributes at once: frames (p, p, h, w) as `plane` gives; both axes show latent values."""
    figure, axes = style.subplots(width=width, height=_height(frames, width - 0.8, 0.8))
    names = ticks(values)
    draw(axes, frames, names[::-1], names, f"latent dimension of {style.plain(right)}")
    axes.set(ylabel=f"latent dimension of {style.plain(down)}")
    axes.set_title(f"{style.plain(down)} × {style.plain(right)}")
    return figure


def planes(
    frames: Mapping[str, np.ndarray],
    right: str,
    up: str,
    values: np.ndarray,
    dimensions: Mapping[str, tuple[int, int]],
) -> Figure:
    """Two attributes at once, models side by side: {model: frames (p, p, h, w) as `plane` gives}.

    dimensions: {model: (right, up)}.
    """
    first = next(iter(frames.values()))
    wide = style.FULL_WIDTH / len(frames)
    height = _height(first, wide - 0.6, 0.75)
    figure, panels = style.subplots(1, len(frames), height=height, squeeze=False)
    for axes, (model, sheet) in zip(panels[0], frames.items(), strict=True):
        r, u = dimensions[model]
        names = _ends(values)
        draw(axes, sheet, names[::-1], names, f"{style.plain(right)} → (dimension {r})")
        axes.set_ylabel(f"{style.plain(up)} → (dimension {u})")
        axes.set_title(style.model_label(model), color=style.model_ink(model))
    return figure


def reconstructions(originals: np.ndarray, decoded: Mapping[str, np.ndarray], columns: int = 10) -> Figure:
    """Originals (n, h, w) in 0..1 above what each model makes of them, {model: (n, h, w)}."""
    n = len(originals) // columns * columns
    if n == 0:
        raise ValueError(f"{len(originals)} originals fill no line of {columns}: give more or fewer columns")
    kinds = {"original": originals, **decoded}
    lines = [pictures[i : i + columns] for i in range(0, n, columns) for pictures in kinds.values()]
    sheet = np.stack(lines).astype(np.float32)
    figure, axes = style.subplots(width=6.5, height=_height(sheet, 5.3, 0.5))
    names = ["original", *(style.model_label(name) for name in decoded)]
    draw(axes, sheet, names * (n // columns))
    for label, kind in zip(axes.get_yticklabels(), list(kinds) * (n // columns), strict=True):
        label.set_color(style.model_ink(kind))
    axes.set_title("Reconstructions beside originals")
    return figure
