"""Traversals that move: an endless GIF, a row an item, a column an attribute, models side by side."""

import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from arvae.files import atomic_write
from arvae.report.figures import style
from arvae.report.figures.images import VALUES

PAPER, INK, MUTED, RULE = 255, 34, 110, 205  # greys
GREYS = 14  # how many there are in all: fewer make a smaller file, or a larger picture in the same bytes


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)


def _letters(canvas: ImageDraw.ImageDraw, x: float, y: float, text: str, anchor: str, size=13, ink=INK):
    canvas.text((x, y), text, fill=ink, font=_font(size), anchor=anchor)


def gif(
    frames: np.ndarray | Mapping[str, np.ndarray],
    path: Path | str,
    columns: Sequence[str],
    rows: Sequence[str] = (),
    values: np.ndarray = VALUES,
    milliseconds: int = 110,
    height: int = 460,
    width: int = 860,
    limit: int | None = None,
) -> Path:
    """Write an endless GIF that runs every cell's traversal back and forth; return its path.

    frames: (rows, columns, points, h, w) in 0..1, or {model: such} to set models side by side.
    The cells take about `height` by `width` pixels at most, less where the file would exceed `limit` bytes
    (None: what a figure may have, 500 kB). Same frames, same bytes.
    """
    limit = limit or style.LIMIT
    groups = dict(frames) if isinstance(frames, Mapping) else {"": np.asarray(frames)}
    n, k, p, h, w = next(iter(groups.values())).shape
    if len(columns) != k or len(rows) not in (0, n) or len(values) != p:
        raise ValueError(
            f"frames are {(n, k, p, h, w)}: {len(columns)} columns, {len(rows)} rows, {len(values)}"
        )
    zoom = min(height / (n * h), width / (len(groups) * k * w))
    while True:
        data = _encode(groups, columns, rows, values, milliseconds, zoom)
        if len(data) <= limit or zoom < 0.5:
            break
        zoom *= 0.92
    if len(data) > style.LIMIT:
        raise ValueError(
            f"{Path(path).name} has {len(data):,} bytes, more than {style.LIMIT:,}: show fewer cells"
        )
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


@dataclass(frozen=True)
class _Layout:
    """Where things stand, in pixels."""

    cell: tuple[int, int]  # width, height of a drawn picture
    step: tuple[int, int]  # from one cell to the next
    left: int
    top: int
    panel: int  # from one model to the next
    size: tuple[int, int]  # of the whole
    lift: int  # by which every second column's name stands higher


def _layout(groups: Mapping[str, np.ndarray], columns: Sequence[str], rows: Sequence[str], zoom: float):
    n, k, _, h, w = next(iter(groups.values())).shape
    cell = (round(w * zoom), round(h * zoom))
    step = (max(cell[0], 34) + 4, cell[1] + 4)
    left = 12 + max((round(_font(13).getlength(name)) for name in rows), default=-6)
    # Names wider than a cell stand on two lines in turn.
    lift = 15 if max(_font(12).getlength(style.plain(name)) for name in columns) > step[0] - 4 else 0
    top = 24 + lift + (0 if "" in groups else 22)
    panel = k * step[0] + 14
    return _Layout(
        cell, step, left, top, panel, (left + len(groups) * panel - 8, top + n * step[1] + 26), lift
    )


def _encode(groups, columns, rows, values, milliseconds, zoom) -> bytes:
    place = _layout(groups, columns, rows, zoom)
    points = len(values)
    paper = Image.new("L", place.size, PAPER)
    _words(ImageDraw.Draw(paper), place, list(groups), columns, rows)
    pictures = []
    for t in [*range(points), *range(points - 2, 0, -1)]:
        picture = paper.copy()
        for g, frames in enumerate(groups.values()):
            _cells(picture, place, frames[:, :, t], place.left + g * place.panel)
        _slider(ImageDraw.Draw(picture), place.size, values, t)
        # The same greys in every frame: no dithering and no palette that flickers.
        pictures.append(picture.point(lambda v: round(v / 255 * GREYS) * 255 // GREYS).convert("P"))
    buffer = io.BytesIO()
    first, *rest = pictures
    first.save(buffer, "gif", save_all=True, append_images=rest, duration=milliseconds, loop=0, optimize=True)
    return buffer.getvalue()


def _words(canvas: ImageDraw.ImageDraw, place: _Layout, models, columns, rows) -> None:
    for i, name in enumerate(rows):
        _letters(canvas, place.left - 6, place.top + i * place.step[1] + place.cell[1] / 2, name, "rm")
    for g, model in enumerate(models):
        x = place.left + g * place.panel
        if model:
            _letters(canvas, x + (place.panel - 14) / 2, 13, style.model_label(model), "mm", 15)
        for j, name in enumerate(columns):
            y = place.top - 11 - place.lift * ((j + 1) % 2)
            _letters(canvas, x + (j + 0.5) * place.step[0] - 2, y, style.plain(name), "mm", 12)


def _cells(picture: Image.Image, place: _Layout, frames: np.ndarray, left: int) -> None:
    canvas = ImageDraw.Draw(picture)
    width, height = place.cell
    inset = (place.step[0] - 4 - width) // 2
    for i, j in np.ndindex(frames.shape[:2]):
        grey = np.rint((1 - np.clip(frames[i, j], 0, 1)) * 255).astype(np.uint8)
        x, y = left + j * place.step[0] + inset, place.top + i * place.step[1]
        picture.paste(Image.fromarray(grey).resize(place.cell, Image.Resampling.BICUBIC), (x, y))
        canvas.rectangle((x - 1, y - 1, x + width, y + height), outline=RULE)


def _slider(canvas: ImageDraw.ImageDraw, size: tuple[int, int], values: np.ndarray, t: int) -> None:
    """The line at the foot on which a dot shows where the latent value stands."""
    width, height = size
    y, a, b = height - 13, width / 2 - 60, width / 2 + 60
    _letters(canvas, a - 10, y, f"{values[0]:.0f}".replace("-", "\N{MINUS SIGN}"), "rm", 12, MUTED)
    _letters(canvas, b + 10, y, f"{values[-1]:+.0f}", "lm", 12, MUTED)
    canvas.line((a, y, b, y), fill=RULE, width=2)
    x = a + (b - a) * (values[t] - values[0]) / (values[-1] - values[0])
    canvas.ellipse((x - 5, y - 5, x + 5, y + 5), fill=INK)
