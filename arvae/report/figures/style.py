"""The one look of all figures, and files whose bytes depend on the figure alone."""

import io
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from IPython.display import Image as Shown
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from arvae.files import atomic_write
from arvae.report.labels import MODEL_COLOURS

DIVERGING, SEQUENTIAL, INK, GREY = "RdBu_r", "viridis", "#222222", MODEL_COLOURS["published"]
FULL_WIDTH, HALF_WIDTH = 7.0, 3.4  # inches
LIMIT = 500_000  # bytes a committed figure may have


def use() -> None:
    """Set the style for all figures drawn from here on (the functions of this package do so)."""
    with resources.as_file(resources.files("arvae") / "templates" / "arvae.mplstyle") as path:
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


def model_ink(name: str) -> str:
    """A model's colour dark enough to write with on white (a contrast of 4.5 and more)."""
    rgb = np.array(to_rgb(MODEL_COLOURS.get(name, INK)))
    while _luminance(rgb) > 0.18:
        rgb = rgb * 0.95
    return to_hex(rgb)


def _luminance(rgb: np.ndarray) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.1)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


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


def save(figure: Figure, path: Path | str, vector: str | None = None) -> Path:
    """Write `figure` as PNG to `path`, with vector="pdf" also that; return the PNG's path.

    The bytes depend on the figure alone: no date, no version. A PNG over 500 kB is
    a ValueError; a vector file over that is left out and said so.
    """
    path = Path(path)
    if path.suffix != ".png":  # not with_suffix: "gamma-0.1" has none
        path = path.with_name(f"{path.name}.png")
    if vector not in (None, "pdf"):
        raise ValueError(f"vector={vector!r} is no vector format: use 'pdf' or None")
    png = shrink(_rendered(figure, "png", {"Software": None}))
    if len(png) > LIMIT:
        raise ValueError(
            f"{path.name} has {len(png):,} bytes, more than {LIMIT:,}: draw fewer points or a smaller figure"
        )
    _write(path, png)
    if vector:
        drawn = _rendered(figure, vector, dict.fromkeys(("CreationDate", "Producer", "Creator")))
        if len(drawn) > LIMIT:
            print(f"{path.stem}.{vector} left out: {len(drawn):,} bytes")
        else:
            _write(path.with_suffix(f".{vector}"), drawn)
    return path


def _rendered(figure: Figure, form: str, metadata: dict[str, None]) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def show(figure: Figure, path: Path | str, alt: str, vector: str | None = None) -> Shown:
    """Save `figure` (see `save`) and return what a notebook cell shows: the saved PNG, `alt` as its text.

    vector="pdf" keeps that beside it: for the figures that papers take, as reports/ has its limit.
    """
    return picture(save(figure, path, vector), alt)


def picture(path: Path | str, alt: str) -> Shown:
    """A PNG or GIF file as a notebook cell shows it, with `alt`, which must say what is to be seen."""
    if not alt.strip():
        raise ValueError(f"the picture {path} has no alt text: say in a sentence what is to be seen on it")
    path = Path(path)
    most, zoom = (900, 0.66) if path.suffix == ".png" else (860, 1.3)  # PNG: 150 dots an inch at about 100
    with Image.open(path) as image:
        width = min(most, round(image.width * zoom))
    return Shown(data=path.read_bytes(), format=path.suffix[1:], alt=alt, width=width)
