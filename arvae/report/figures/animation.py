"""Traversals that move: an endless GIF, a row an item, a column an attribute, models side by side."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from arvae.files import atomic_write
from arvae.report import labels
from arvae.report.figures import images, style

GREYS = 14  # how many there are in all: fewer make a smaller file, or a larger picture in the same bytes
SHARPEST, COARSEST = 122, 40  # dots an inch


def gif(
    frames: Mapping[str, np.ndarray],
    path: Path | str,
    columns: Sequence[str],
    rows: Sequence[str] = (),
    values: np.ndarray = images.VALUES,
    milliseconds: int = 110,
    limit: int | None = None,
) -> Path:
    """Write an endless GIF that runs every traversal forth and back; return its path.

    frames: {model: (rows, columns, points, ...)}, images or measures as `images.inked` takes them. As
    sharp as `limit` bytes allow (None: what a figure may have). Same frames, same bytes.
    """
    limit = limit or style.LIMIT
    sheets = dict(zip(frames, images.inked(*frames.values()), strict=True))
    for sheet in sheets.values():
        if sheet.shape[1:3] != (len(columns), len(values)) or len(rows) not in (0, len(sheet)):
            raise ValueError(
                f"frames are {sheet.shape}: {len(columns)} columns, {len(rows)} rows, {len(values)} points"
            )
    dots, data = float(SHARPEST), _encoded(sheets, columns, rows, values, milliseconds, SHARPEST)
    while len(data) > limit and dots > COARSEST:
        dots *= max(0.6, min(0.92, (limit / len(data)) ** 0.6))
        data = _encoded(sheets, columns, rows, values, milliseconds, dots)
    if len(data) > style.LIMIT:
        name = Path(path).name
        raise ValueError(
            f"{name} has {len(data):,} bytes, more than {style.LIMIT:,}: show fewer items or attributes"
        )
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def _encoded(sheets, columns, rows, values, milliseconds, dots) -> bytes:
    n, k, _, h, w = next(iter(sheets.values())).shape
    width = min(style.FULL_WIDTH / len(sheets) - 0.2, 0.6 * k)
    whole = len(sheets) * (width + 0.2)
    figure, panels = style.subplots(1, len(sheets), whole, width * n * h / (k * w) + 1.1, squeeze=False)
    figure.set_dpi(dots)
    canvas = FigureCanvasAgg(figure)
    there = range(len(values))
    # Not matplotlib's own PillowWriter: it dithers, each frame with a palette of its own, which flickers.
    pictures = []
    for t in [*there, *there[-2:0:-1]]:
        for axes, (model, sheet) in zip(panels[0], sheets.items(), strict=True):
            axes.clear()
            images.draw(
                axes, sheet[:, :, t], rows if axes is panels[0, 0] else (), [labels.plain(c) for c in columns]
            )
            axes.tick_params(
                axis="x", bottom=False, labelbottom=False, labeltop=True, labelrotation=30, labelsize=8
            )
            for label in axes.get_xticklabels():
                label.set(ha="left", rotation_mode="anchor")
            axes.set_title(labels.model_label(model))
        figure.supxlabel(f"latent value {labels.signed(values[t], 1, plus=True)}", fontsize=10)
        canvas.draw()
        figure.set_layout_engine("none")  # as in the first frame: nothing jumps
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")
        pictures.append(picture.point(lambda v: round(v / 255 * GREYS) * 255 // GREYS).convert("P"))
    buffer = io.BytesIO()
    first, *rest = pictures
    first.save(buffer, "gif", save_all=True, append_images=rest, duration=milliseconds, loop=0, optimize=True)
    return buffer.getvalue()
