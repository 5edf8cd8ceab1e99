"""Traversals that move: an endless GIF, a row an item, a column an attribute, models beside or below."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from arvae.files import write_bytes
from compendium import labels
from compendium.figures import images, style

GREYS = 14  # how many there are in all: fewer make a smaller file, or a larger picture in the same bytes
SHARPNESS = (122, 104, 88, 75, 64, 54, 46, 40)  # dots an inch, tried in turn
PAUSE = 120  # milliseconds a frame
MOST = 12  # rows in all that models may have one below the other, and all be seen at once
VALUES = np.linspace(-4, 4, 9)  # with 0 among them, where the picture begins


def gif(
    frames: Mapping[str, np.ndarray],
    path: Path,
    columns: Sequence[str] | Mapping[str, Sequence[str]],
    rows: Sequence[str] = (),
    limit: int = 300_000,
) -> Path:
    """Write an endless GIF that runs every traversal over VALUES, from 0 forth and back; return its path.

    Beside it lies its `strip`: the frames below each other, for a page that stops and turns them. frames:
    {model: (rows, columns, points, ...)}, images or measures as `images.inked` takes them; columns: their
    names, {model: names} where models differ in them. Models stand side by side; more than two one below
    the other, which has room for larger pictures, where that makes at most MOST rows. As sharp as `limit`
    bytes allow. Same frames, same bytes.
    """
    sheets = dict(zip(frames, images.inked(*frames.values()), strict=True))
    if not isinstance(columns, Mapping):
        columns = dict.fromkeys(frames, columns)
    for model, sheet in sheets.items():
        if sheet.shape[1:3] != (len(columns[model]), len(VALUES)):
            raise ValueError(f"frames {sheet.shape} for {len(columns[model])} columns, {len(VALUES)} points")
    for dots in SHARPNESS:
        pictures = _pictures(sheets, columns, rows, dots)
        last = len(pictures) - 1
        data = _encoded([pictures[last - abs(last - (t + last // 2) % (2 * last))] for t in range(2 * last)])
        if len(data) <= limit:
            write_bytes(path, data)
            write_bytes(path.with_name(strip(path.name)), _stacked(pictures))
            return path
    raise ValueError(f"{path.name} has {len(data):,} bytes, over {limit:,}: show fewer items or attributes")


def strip(name: str) -> str:
    """The file with the frames of a moving picture, by the name of its GIF."""
    return name.replace(".gif", "-frames.png")


def frames_of(path: Path) -> int:
    """How many frames the strip beside a GIF has; 0 where `path` is none or there is no strip."""
    if path.suffix != ".gif" or not (beside := path.with_name(strip(path.name))).is_file():
        return 0
    with Image.open(path) as one, Image.open(beside) as all_of_them:
        return all_of_them.height // one.height


def _encoded(pictures: Sequence[Image.Image]) -> bytes:
    buffer = io.BytesIO()
    first, *rest = pictures
    first.save(buffer, "gif", save_all=True, append_images=rest, duration=PAUSE, loop=0, optimize=True)
    return buffer.getvalue()


def _stacked(pictures: Sequence[Image.Image]) -> bytes:
    buffer = io.BytesIO()
    sheet = np.concatenate([np.asarray(picture.convert("L")) for picture in pictures])
    Image.fromarray(sheet).quantize(GREYS + 1, dither=0).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def _pictures(sheets: Mapping[str, np.ndarray], columns, rows, dots: int) -> list[Image.Image]:
    """The frames in the order of VALUES, each a page of all sheets, in GREYS + 1 greys."""
    n, _, points, h, w = next(iter(sheets.values())).shape
    counts = [sheet.shape[1] for sheet in sheets.values()]
    below = len(sheets) > 2 and n * len(sheets) <= MOST
    across, down = (1, len(sheets)) if below else (len(sheets), 1)
    wide, between = max(counts) if below else sum(counts), 0.9 if below else 0.2 * len(sheets)
    cell = min((style.FULL_WIDTH - between) / wide, 0.6)
    figure, panels = style.subplots(
        down,
        across,
        cell * wide + between,
        down * (cell * n * h / w + 0.8) + 0.3,
        squeeze=False,
        width_ratios=None if below else counts,
    )
    figure.set_dpi(dots)
    canvas = FigureCanvasAgg(figure)
    # Not matplotlib's own PillowWriter: it dithers, each frame with a palette of its own, which flickers.
    pictures = []
    for t in range(points):
        for axes, (model, sheet) in zip(panels.flat, sheets.items(), strict=True):
            axes.clear()
            axes.set_anchor("W" if below else "C")  # one column below the other
            names = [textwrap.fill(labels.plain(name), images.ROW) for name in columns[model]]
            images.draw(axes, sheet[:, :, t], rows if below or axes is panels[0, 0] else (), names)
            axes.xaxis.tick_top()
            axes.set_xticks(axes.get_xticks(), names, rotation=30, ha="left", rotation_mode="anchor")
            axes.tick_params(axis="x", length=0, labelsize=8)
            axes.set_title(labels.model_label(model))
        figure.supxlabel(f"latent value {labels.signed(VALUES[t], 1, plus=True)}", fontsize=10)
        if not pictures:  # laid out once, so that nothing jumps
            figure.draw_without_rendering()
            figure.draw_without_rendering()  # again, as titles make room for the names only when drawn
            figure.set_layout_engine("none")
        canvas.draw()
        picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")
        pictures.append(picture.point(lambda v: round(v / 255 * GREYS) * 255 // GREYS).convert("P"))
    return pictures
