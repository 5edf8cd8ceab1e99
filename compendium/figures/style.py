"""The one look of all figures, and files whose bytes depend on the figure alone."""

import io
import textwrap
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from IPython.display import Image as Shown
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from arvae.files import write_bytes
from compendium.labels import MODEL_COLOURS

DIVERGING, SEQUENTIAL, INK, GREY = "RdBu_r", "viridis", "#222222", MODEL_COLOURS["published"]
FULL_WIDTH = 7.0  # inches
LIMIT = 500_000  # bytes a committed figure may have


def use() -> None:
    """Set the style for all figures drawn from here on (the functions of this package do so)."""
    with resources.as_file(resources.files("compendium") / "templates" / "arvae.mplstyle") as path:
        matplotlib.style.use(path)


def subplots(rows: int = 1, columns: int = 1, width: float = FULL_WIDTH, height: float = 3.0, **more: Any):
    """A figure in the project's style, `width` x `height` inches, and its axes; like `plt.subplots`.

    The figure is not known to pyplot: it needs no closing and a notebook does not show it twice.
    """
    use()
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **more)


def panels(count: int, columns: int, height: float, **more: Any) -> tuple[Figure, list[Axes]]:
    """A full-width figure of `count` panels in rows of `columns`, each `height` inches high."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, axes = subplots(rows, columns, height=0.4 + height * rows, squeeze=False, **more)
    for spare in axes.flat[count:]:
        spare.set_axis_off()
    return figure, list(axes.flat[:count])


def model_colour(name: str) -> str:
    """The one colour of a model; a model of your own gets black."""
    return MODEL_COLOURS.get(name, "#000000")


def wrap(titles: Sequence[Text]) -> None:
    """Break titles wider than their panels, as laid out so far, into as few lines as fit, about as long."""
    titles[0].get_figure().draw_without_rendering()
    for title in titles:
        words, lines = title.get_text(), 1
        while title.get_window_extent().width > title.axes.bbox.width and lines < len(words.split()):
            lines += 1
            width = next(n for n in range(1, len(words) + 1) if len(textwrap.wrap(words, n)) <= lines)
            title.set_text(textwrap.fill(words, width))


def bare(axes: Axes) -> Axes:
    """Take ticks, grid and frame off axes that hold a picture."""
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return axes


def shrink(png: bytes) -> bytes:
    """The same picture with a palette of 256 colours where that is smaller and not visibly different."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    colours = image.getcolors(256)
    # Exact where the picture has at most 256 colours; else the nearest of the 256 commonest, not dithered.
    reduced = image.quantize(256 if colours is None else len(colours), Image.Quantize.MEDIANCUT, dither=0)
    error = np.abs(np.asarray(image, np.int16) - np.asarray(reduced.convert("RGB"), np.int16))
    if error.mean() > 1.0 or np.quantile(error, 0.999) > 24:
        return png
    buffer = io.BytesIO()
    reduced.save(buffer, "png", optimize=True)
    return min(png, buffer.getvalue(), key=len)


def save(figure: Figure, path: Path, pdf: bool = False) -> Path:
    """Write `figure` to `path`.png, on request also as PDF; return the PNG's path.

    The bytes depend on the figure alone: no date, no version. A PNG over LIMIT is a ValueError; a PDF over
    it is left out and said so.
    """
    picture, vector = (path.with_name(f"{path.name.removesuffix('.png')}.{end}") for end in ("png", "pdf"))
    png = shrink(_rendered(figure, "png", "Software"))
    if len(png) > LIMIT:
        raise ValueError(
            f"{picture.name} has {len(png):,} bytes, over {LIMIT:,}: draw fewer points or a smaller figure"
        )
    write_bytes(picture, png)
    if pdf:
        drawn = _rendered(figure, "pdf", "CreationDate", "Producer", "Creator")
        if len(drawn) > LIMIT:
            print(f"{vector.name} left out: {len(drawn):,} bytes")
        else:
            write_bytes(vector, drawn)
    return picture


def _rendered(figure: Figure, form: str, *unsaid: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, metadata=dict.fromkeys(unsaid))
    return buffer.getvalue()


class Captioned:
    """A figure, table, score or sound as a notebook cell shows it, and below it its caption.

    caption: Markdown, one to three sentences: what is shown, and what to conclude from it (numbers computed
    where one is stated). The site puts it into the figure and writes the number before it ("Figure 3",
    "Table 2"), which is also the figure's own link; a figure without a caption gets its alt text. Usage:
    `style.show(figure, path, alt, caption=...)`, `style.Captioned(typeset.html(table), ...)`,
    `style.Captioned(music.show(svg), ...)`.
    """

    def __init__(self, shown: Any, caption: str) -> None:
        self.shown, self.caption = shown, caption

    def _ipython_display_(self) -> None:
        display(self.shown, Markdown(self.caption, metadata={"caption": True}))


def show(figure: Figure, path: Path, alt: str, pdf: bool = False, caption: str = "") -> Shown | Captioned:
    """Save `figure` (see `save`); what a notebook cell shows of it (see `picture`)."""
    return picture(save(figure, path, pdf), alt, caption)


def picture(path: Path, alt: str, caption: str = "") -> Shown | Captioned:
    """A PNG or GIF file as a notebook cell shows it; `alt` must say what is to be seen (see Captioned)."""
    if not alt.strip():
        raise ValueError(f"the picture {path} has no alt text: say in a sentence what is to be seen on it")
    most, zoom = (900, 0.66) if path.suffix == ".png" else (860, 1.3)  # PNG: 150 dots an inch at about 100
    with Image.open(path) as image:
        width = min(most, round(image.width * zoom))
    shown = Shown(data=path.read_bytes(), format=path.suffix[1:], alt=alt, width=width)
    return Captioned(shown, caption) if caption else shown
