"""Sheets of small pictures: traversals, planes of two dimensions, reconstructions, models side by side.

All functions take what a model decodes as it comes: images (..., h, w), uint8 0..255, bool, or float 0..1, or
measures (..., 24), drawn as piano rolls. `arvae.trained.TrainedModel` makes the traversals and planes.
Paper: Pati & Lerch 2020, section 4.4 (traversals over -4 .. 4, 10 points).
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from skimage.util import montage

from compendium import labels
from compendium.figures import style

VALUES = np.linspace(-4, 4, 10)
GREYS = 20  # between paper and ink: as good to the eye as all, and half the bytes
ROW = 16  # characters in a line of a row's name
FAINT = 0.1  # of ink: a picture that has no more is written to be empty
ONSET, HELD = 1.0, 0.5  # ink of a piano roll
PIXELS = 3  # of a piano roll, a tick wide and a semitone high


def inked(*arrays: np.ndarray) -> list[np.ndarray]:
    """Images or measures as float32 (..., h, w), 0 = paper, 1 = ink; all measures over the same pitches."""
    arrays = tuple(np.asarray(array) for array in arrays)
    if arrays[0].dtype == np.int16:
        pitches = span(np.concatenate([array.ravel() for array in arrays]))
        return [piano_rolls(array, pitches) for array in arrays]
    return [array.astype(np.float32) / (255 if array.dtype == np.uint8 else 1) for array in arrays]


def span(measures: np.ndarray, least: int = 12) -> tuple[int, int]:
    """The lowest and highest pitch of measures, spread to at least `least` semitones."""
    pitches = measures[measures >= 0]
    low, high = (int(pitches.min()), int(pitches.max())) if pitches.size else (66, 66)
    missing = max(0, least - (high - low))
    return low - missing // 2 - 1, high + (missing + 1) // 2 + 1


def piano_rolls(measures: np.ndarray, pitches: tuple[int, int]) -> np.ndarray:
    """Measures (..., ticks), coded as in `arvae.music.coding` (-1 continues), as (..., 3 * rows, 3 * ticks).

    0..1, high pitches on top; pitches: the lowest and highest row.
    """
    flat = measures.reshape(-1, measures.shape[-1])
    rolls = np.zeros((len(flat), pitches[1] - pitches[0] + 1, PIXELS * flat.shape[1]), np.float32)
    sounding = np.full(len(flat), -1)
    for tick, code in enumerate(flat.T):
        sounding = np.where(code >= 0, code, np.where(code == -1, sounding, -1))
        inside = np.flatnonzero((sounding >= pitches[0]) & (sounding <= pitches[1]))
        left = PIXELS * tick
        rolls[inside, pitches[1] - sounding[inside], left : left + PIXELS] = HELD
        struck = inside[code[inside] >= 0]
        rolls[struck, pitches[1] - sounding[struck], left] = ONSET
    rolls = np.repeat(rolls, PIXELS, axis=1)
    return rolls.reshape(*measures.shape[:-1], *rolls.shape[1:])


def draw(
    axes: Axes,
    frames: np.ndarray,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    column_label: str = "",
    row_label: str = "",
) -> None:
    """Draw pictures (rows, columns, h, w) or measures (rows, columns, 24) and name rows and columns."""
    (frames,) = inked(frames)
    h, w = frames.shape[2:]
    gap = max(1, round(min(h, w) / 16))
    shown = np.rint(frames * GREYS) / GREYS
    # The gaps, and a rim, get a light grey, as paper under cards.
    sheet = montage(np.concatenate(shown), fill=0.12, grid_shape=frames.shape[:2], padding_width=gap)
    # Small pictures show their pixels, which also keeps the file small; larger ones are smoothed.
    axes.imshow(sheet, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest" if max(h, w) <= 40 else "auto")
    style.bare(axes)
    axes.tick_params(length=0, pad=3)
    for row, column in zip(*np.nonzero(frames.max(axis=(2, 3)) < FAINT), strict=True):
        middle = (gap + column * (w + gap) + w / 2, gap + row * (h + gap) + h / 2)
        axes.annotate("empty", middle, ha="center", va="center", fontsize=6, color=style.GREY)
    if len(rows):
        axes.set_yticks(gap + np.arange(len(rows)) * (h + gap) + (h - 1) / 2, rows)
    if len(columns):
        axes.set_xticks(gap + np.arange(len(columns)) * (w + gap) + (w - 1) / 2, columns)
    axes.set(xlabel=column_label, ylabel=row_label)


def _ends(values: np.ndarray) -> list[str]:
    """Labels of a traversal's points: the first and the last alone, which always have room."""
    first, last = (labels.signed(values[end], 1, plus=True) for end in (0, -1))
    return [first, *[""] * (len(values) - 2), last]


def _sheets(
    frames: Mapping[str, np.ndarray], width: float = style.FULL_WIDTH, words: float = 0.0, below: bool = False
):
    """A figure `width` inches wide with a panel a model, high enough: figure, axes, pictures.

    words: inches for names at the left of each panel; else for those of the first alone. below: one panel
    below the other instead of side by side.
    """
    sheets = inked(*frames.values())
    rows, (columns, h, w) = max(map(len, sheets)), sheets[0].shape[1:]
    if below:
        counts = list(map(len, sheets))
        height = (width - (words or 1.1)) * sum(counts) * h / (columns * w) + 0.6 * len(sheets) + 0.4
        figure, axes = style.subplots(len(sheets), 1, width, height, squeeze=False, height_ratios=counts)
        return figure, axes[:, 0], sheets
    words = words or (0.6 if len(sheets) > 1 else 1.1)
    height = (width / len(sheets) - words) * rows * h / (columns * w) + 0.95
    figure, axes = style.subplots(1, len(sheets), width, height, squeeze=False)
    return figure, axes[0], sheets


def traversals(
    frames: Mapping[str, np.ndarray],
    rows: Sequence[str] | Mapping[str, Sequence[str]],
    values: np.ndarray = VALUES,
    along: str = "value of the latent dimension",
) -> Figure:
    """Traversals, a row an item or an attribute: {title: (rows, points, h, w)}, titles side by side; more
    than two with rows of their own, one below the other.

    A title that begins with a model's name is written as the paper does. rows: names, written once; where
    the titles have rows of their own, {title: names}. values (points,): what was turned was set to; along:
    what that was.
    """
    own = isinstance(rows, Mapping)
    below = own and len(frames) > 2
    width = 6.0 if below or len(frames) == 1 else style.FULL_WIDTH
    figure, panels, sheets = _sheets(frames, width, 1.1 if own else 0.0, below)
    for axes, title, sheet in zip(panels, frames, sheets, strict=True):
        names = rows[title] if own else rows if axes is panels[0] else ()
        draw(axes, sheet, [textwrap.fill(labels.plain(name), ROW) for name in names], _ends(values))
        axes.set_anchor("N")
        model = title.partition(",")[0]
        written = title.replace(model, labels.model_label(model), 1)
        axes.set_title(written.replace(", ", "\n") if len(frames) > 2 else written)
    figure.supxlabel(along, fontsize=10)
    return figure


def planes(
    frames: Mapping[str, np.ndarray],
    right: str,
    up: str,
    values: np.ndarray,
    dimensions: Mapping[str, tuple[int, int]],
) -> Figure:
    """Two attributes at once, models side by side: {model: (p, p, h, w)}, the largest value of `up` in row 0.

    dimensions: {model: (right, up)}.
    """
    figure, panels, sheets = _sheets(frames)
    names = _ends(values)
    for axes, model, sheet in zip(panels, frames, sheets, strict=True):
        across, upwards = (
            f"{labels.plain(name)} → (dimension {dimension})"
            for name, dimension in zip((right, up), dimensions[model], strict=True)
        )
        draw(axes, sheet, names[::-1], names, across, upwards)
        axes.set_title(labels.model_label(model))
    return figure


def reconstructions(originals: np.ndarray, decoded: Mapping[str, np.ndarray]) -> Figure:
    """Originals above what each model makes of them, {model: (n, ...)}: two lines of them.

    originals: (n, ...); of measures the share of right symbols is written too.
    """
    columns = min(len(originals), 10 if originals.ndim == 3 else 4)
    n = min(len(originals) // columns, 2) * columns
    sheets = inked(originals[:n], *(x[:n] for x in decoded.values()))
    lines = [sheet[i : i + columns] for i in range(0, n, columns) for sheet in sheets]
    kinds = ["original", *map(labels.model_label, decoded)] * (n // columns)
    figure, (axes,), (sheet,) = _sheets({"": np.stack(lines)}, 6.5)
    draw(axes, sheet, kinds)
    axes.set_title("Reconstructions beside originals")
    if originals.ndim == 2:
        shares = (
            f"{labels.model_label(m)} {np.mean(x[:n] == originals[:n]):.1%}" for m, x in decoded.items()
        )
        axes.set_xlabel(f"symbols right in these measures: {', '.join(shares)}")
    return figure
