"""The one look of all figures: colours, names with units, files whose bytes depend on the figure alone."""

import io
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
import numpy as np
from IPython.display import Image as Shown
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from arvae.files import atomic_write

# Okabe and Ito's palette, told apart by colour-blind readers: warm for the baselines, blue for AR-VAE.
MODEL_COLOURS = {
    "betavae": "#E69F00",
    "betavae1": "#D55E00",
    "arvae": "#0072B2",
    "fader": "#CC79A7",
    "glsr": "#009E73",
    "published": "#4D4D4D",
}
MODEL_LABELS = {
    "betavae": "β-VAE",
    "betavae1": "β-VAE (β = 1)",
    "arvae": "AR-VAE",
    "fader": "Fader network",
    "glsr": "GLSR-VAE",
    "published": "published",
}
DATASET_LABELS = {
    "dsprites": "dSprites",
    "mnist": "MNIST",
    "bach": "Bach chorales",
    "folk": "Folk tunes",
    "folk-own": "Folk tunes, own attributes",
}
ATTRIBUTE_LABELS = {
    "shape": "shape (class)",
    "scale": "scale (ratio)",
    "orientation": "orientation (rad)",
    "x": "x (0–1)",
    "y": "y (0–1)",
    "area": "area (px²)",
    "length": "length (px)",
    "thickness": "thickness (px)",
    "slant": "slant (rad)",
    "width": "width (px)",
    "height": "height (px)",
    "rhythmic complexity": "rhythmic complexity (0–1)",
    "pitch range": "pitch range (/26 st)",
    "note density": "note density (onsets/tick)",
    "contour": "contour (/26 st)",
}
# Two attributes of each data set that a picture of two dimensions shows best.
TELLING = {
    "dsprites": ("x", "y"),
    "mnist": ("slant", "thickness"),
    "bach": ("note density", "contour"),
    "folk": ("note density", "contour"),
}
METRIC_LABELS = {
    "interpretability": "Interpretability",
    "mig": "MIG",
    "modularity": "Modularity",
    "sap": "SAP",
    "scc": "SCC",
    "dmig": "DMIG",
    "reconstruction_accuracy_percent": "Reconstruction accuracy (%)",
    "digit_accuracy_reconstructed_percent": "Digit accuracy, reconstructed (%)",
    "digit_accuracy_interpolated_percent": "Digit accuracy, traversed (%)",
}
DIVERGING, SEQUENTIAL, INK = "RdBu_r", "viridis", "#222222"
FULL_WIDTH, HALF_WIDTH = 7.0, 3.4  # inches
LIMIT = 500_000  # bytes a committed figure may have


def use() -> None:
    """Set the style for all figures drawn from here on (every function of `arvae.report.figures` does so itself)."""
    sheet = resources.files("arvae") / "templates" / "arvae.mplstyle"
    with resources.as_file(sheet) as path:
        matplotlib.style.use(path)


def subplots(rows: int = 1, columns: int = 1, width: float = FULL_WIDTH, height: float = 3.0, **more: Any):
    """A figure in the project's style, `width` x `height` inches, and its axes; like `plt.subplots`.

    The figure is not known to pyplot: it needs no closing and a notebook does not show it twice.
    """
    use()
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **more)


def plain(name: str) -> str:
    """A name as people write it: `pitch_range` -> `pitch range`."""
    return name.replace("_", " ")


def attribute_label(name: str, unit: str | None = None) -> str:
    """An attribute with its unit; a data set of your own gives the unit itself."""
    name = plain(name)
    return f"{name} ({unit})" if unit else ATTRIBUTE_LABELS.get(name, name)


def model_label(name: str) -> str:
    """A model's name as the paper writes it."""
    return MODEL_LABELS.get(name, plain(name))


def dataset_label(name: str) -> str:
    """A data set's name as people write it."""
    return DATASET_LABELS.get(name, plain(name))


def telling(dataset: str, names: Sequence[str]) -> tuple[str, str]:
    """The two attributes to show over a plane, right and up; of a data set of your own the first two.

    A data set with one attribute gives that twice.
    """
    chosen = TELLING.get(dataset, ())
    if not chosen or not set(chosen) <= set(names):
        chosen = (names[0], names[min(1, len(names) - 1)])
    return chosen[0], chosen[1]


def metric_label(name: str) -> str:
    """A metric's name as the paper writes it."""
    for ending, words in (
        ("_regularized", "along the tied dimension"),
        ("_observed", "in the observed range"),
    ):
        if name.endswith(ending):
            return f"{metric_label(name.removesuffix(ending))} {words}"
    return METRIC_LABELS.get(name, plain(name))


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
    """Write `figure` as PNG to `path`, with `vector` "svg" or "pdf" also that; return the PNG's path.

    The bytes depend on the figure alone: no date, no version, fixed salt for ids. A PNG over 500 kB is
    a ValueError; a vector file over that is left out and said so.
    """
    path = Path(path)
    if path.suffix != ".png":  # not with_suffix: "gamma-0.1" has none
        path = path.with_name(f"{path.name}.png")
    if vector not in (None, "svg", "pdf"):
        raise ValueError(f"vector={vector!r} is no vector format: use 'svg', 'pdf' or None")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    png = shrink(buffer.getvalue())
    if len(png) > LIMIT:
        raise ValueError(
            f"{path.name} has {len(png):,} bytes, more than {LIMIT:,}: draw fewer points or a smaller figure"
        )
    with atomic_write(path) as temporary:
        temporary.write_bytes(png)
    if vector:
        date = (
            {"Date": None} if vector == "svg" else {"CreationDate": None, "Producer": None, "Creator": None}
        )
        buffer = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "arvae"}):
            figure.savefig(buffer, format=vector, metadata=date)
        if len(buffer.getvalue()) > LIMIT:
            print(f"{path.stem}.{vector} left out: {len(buffer.getvalue()):,} bytes")
        else:
            with atomic_write(path.with_suffix(f".{vector}")) as temporary:
                temporary.write_bytes(buffer.getvalue())
    return path


def show(figure: Figure, path: Path | str, alt: str, vector: str | None = None) -> Shown:
    """Save `figure` (see `save`) and return what a notebook cell shows: the saved PNG, `alt` as its text.

    vector="pdf" (or "svg") keeps that beside it: for the figures that papers take, as reports/ has its limit.
    """
    return picture(save(figure, path, vector), alt)


def picture(path: Path | str, alt: str) -> Shown:
    """A PNG or GIF file as a notebook cell shows it, with `alt`, which must say what is to be seen."""
    if not alt.strip():
        raise ValueError(f"the picture {path} has no alt text: say in a sentence what is to be seen on it")
    path = Path(path)
    width = None
    if path.suffix == ".png":
        with Image.open(path) as image:
            width = min(900, round(image.width * 0.66))  # 150 dots an inch shown at about 100
    elif path.suffix == ".gif":
        with Image.open(path) as image:
            width = min(860, round(image.width * 1.3))  # small files, shown a little larger
    return Shown(data=path.read_bytes(), format=path.suffix[1:], alt=alt, width=width)
