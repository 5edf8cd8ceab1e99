"""Traversals that move: an endless GIF, a row an item, a column an attribute, models side by side."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from arvae.files import write_bytes
from arvae.report import labels
from arvae.report.figures import images, style

GREYS = 14  # how many there are in all: fewer make a smaller file, or a larger picture in the same bytes
SHARPNESS = (122, 104, 88, 75, 64, 54, 46, 40)  # dots an inch, tried in turn
PAUSE = 110  # milliseconds a frame


def gif(
    frames: Mapping[str, np.ndarray],
    path: Path,
    columns: Sequence[str],
    rows: Sequence[str] = (),
    limit: int = 300_000,
) -> Path:
    """Write an endless GIF that runs every traversal over images.VALUES forth and back; return its path.

    frames: {model: (rows, columns, points, ...)}, images or measures as `images.inked` takes them. As
    sharp as `limit` bytes allow. Same frames, same bytes.
    """
    sheets = dict(zip(frames, images.inked(*frames.values()), strict=True))
    for sheet in sheets.values():
        if sheet.shape[1:3] != (len(columns), len(images.VALUES)):
            raise ValueError(f"frames {sheet.shape} for {len(columns)} columns, {len(images.VALUES)} points")
    for dots in SHARPNESS:
        data = _encoded(sheets, columns, rows, dots)
        if len(data) <= limit:
            write_bytes(path, data)
            return path
    raise ValueError(f"{path.name} has {len(data):,} bytes, over {limit:,}: show fewer items or attributes")


def _encoded(sheets: Mapping[str, np.ndarray], columns, rows, dots: int) -> bytes:
    n, k, points, h, w = next(iter(sheets.values())).shape
    width = min(style.FULL_WIDTH / len(sheets) - 0.2, 0.6 * k)
    height = width * n * h / (k * w) + 1.1
    figure, panels = style.subplots(1, len(sheets), len(sheets) * (width + 0.2), height, squeeze=False)
    figure.set_dpi(dots)
    canvas = FigureCanvasAgg(figure)
    # Not matplotlib's own PillowWriter: it dithers, each frame with a palette of its own, which flickers.
    pictures = []
    for t in [*range(points), *range(points - 2, 0, -1)]:
        for axes, (model, sheet) in zip(panels[0], sheets.items(), strict=True):
            axes.clear()
            names = [labels.plain(name) for name in columns]
            images.draw(axes, sheet[:, :, t], rows if axes is panels[0, 0] else (), names)
            axes.xaxis.tick_top()
            axes.set_xticks(axes.get_xticks(), names, rotation=30, ha="left", rotation_mode="anchor")
            axes.tick_params(axis="x", length=0, labelsize=8)
            axes.set_title(labels.model_label(model))
        figure.supxlabel(f"latent value {labels.signed(images.VALUES[t], 1, plus=True)}", fontsize=10)
        if not pictures:  # laid out once, so that nothing jumps
            figure.draw_without_rendering()
            figure.draw_without_rendering()  # again, as titles make room for the names only when drawn
            figure.set_layout_engine("none")
        canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")
        pictures.append(picture.point(lambda v: round(v / 255 * GREYS) * 255 // GREYS).convert("P"))
    buffer = io.BytesIO()
    first, *rest = pictures
    first.save(buffer, "gif", save_all=True, append_images=rest, duration=PAUSE, loop=0, optimize=True)
    return buffer.getvalue()
