"""Sheets of small pictures: traversals, planes of two dimensions, reconstructions, models side by side.

All functions take what a model decodes as it comes: images (..., h, w), uint8 0..255, bool, or float 0..1, or
measures (..., 24), drawn as piano rolls. `arvae.trained.TrainedModel` makes the traversals and planes.
Paper: Pati & Lerch 2020, section 4.4 (traversals over -4 .. 4, 10 points).
"""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arvae.report import labels
from arvae.report.figures import style

VALUES = np.linspace(-4, 4, 10)
GREYS = 20  # between paper and ink: as good to the eye as all, and half the bytes
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


def montage(frames: np.ndarray, gap: int = 2, fill: float = np.nan) -> np.ndarray:
    """Pictures (rows, columns, h, w) as one (rows * h + gaps, columns * w + gaps), `fill` between them."""
    rows, columns, h, w = frames.shape
    padded = np.pad(frames, ((0, 0), (0, 0), (0, gap), (0, gap)), constant_values=fill)
    return padded.swapaxes(1, 2).reshape(rows * (h + gap), columns * (w + gap))[
        : -gap or None, : -gap or None
    ]


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
    # The gaps get a light grey, as paper under cards.
    palette = matplotlib.colormaps["gray_r"].with_extremes(bad="#dfe3e8")
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


def _ticks(values: np.ndarray, every: bool) -> list[str]:
    """Values as short labels, or those of the two ends alone."""
    names = [labels.signed(value, 1, plus=True) for value in values]
    return names if every else [names[0], *[""] * (len(names) - 2), names[-1]]


def _sheets(frames: Mapping[str, np.ndarray], width: float, beside: float, around: float):
    """A figure with a panel a model, high enough for its pictures: figure, axes, pictures.

    Inches: width of the whole, beside: for words at the left of a panel, around: for those above and below.
    """
    sheets = inked(*frames.values())
    rows, columns, h, w = sheets[0].shape
    height = (width / len(sheets) - beside) * rows * h / (columns * w) + around
    figure, axes = style.subplots(1, len(sheets), width, height, squeeze=False)
    return figure, axes[0], sheets


def traversals(
    frames: Mapping[str, np.ndarray],
    rows: Sequence[str],
    values: np.ndarray = VALUES,
    along: str = "value of the latent dimension",
) -> Figure:
    """Traversals, a row an item or an attribute: {title: (rows, points, h, w)}, titles side by side.

    A title that is a model's name is written as the paper does, in its colour. values (points,): what was
    turned was set to; along: what that was.
    """
    one = len(frames) == 1
    width, beside = (6.0, 1.1) if one else (style.FULL_WIDTH, 0.35)
    figure, panels, sheets = _sheets(frames, width, beside, 0.85)
    for axes, title, sheet in zip(panels, frames, sheets, strict=True):
        draw(
            axes, sheet, [labels.plain(row) for row in rows] if axes is panels[0] else (), _ticks(values, one)
        )
        model = title.partition(",")[0]
        axes.set_title(title.replace(model, labels.model_label(model), 1), color=style.model_ink(model))
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
    figure, panels, sheets = _sheets(frames, style.FULL_WIDTH, 0.6, 0.75)
    names = _ticks(values, False)
    for axes, model, sheet in zip(panels, frames, sheets, strict=True):
        across, upwards = dimensions[model]
        draw(axes, sheet, names[::-1], names, f"{labels.plain(right)} → (dimension {across})")
        axes.set_ylabel(f"{labels.plain(up)} → (dimension {upwards})")
        axes.set_title(labels.model_label(model), color=style.model_ink(model))
    return figure


def reconstructions(originals: np.ndarray, decoded: Mapping[str, np.ndarray]) -> Figure:
    """Originals above what each model makes of them, {model: (n, ...)}: two lines of them.

    originals: (n, ...); of measures the share of right symbols is written too.
    """
    columns = min(len(originals), 10 if originals.ndim == 3 else 4)
    n = min(len(originals) // columns, 2) * columns
    originals, decoded = originals[:n], {model: x[:n] for model, x in decoded.items()}
    sheets = dict(zip(("original", *decoded), inked(originals, *decoded.values()), strict=True))
    lines = [sheet[i : i + columns] for i in range(0, n, columns) for sheet in sheets.values()]
    kinds = list(sheets) * (n // columns)
    figure, (axes,), (sheet,) = _sheets({"": np.stack(lines)}, 6.5, 1.2, 0.5)
    draw(axes, sheet, [labels.model_label(kind) for kind in kinds])
    for label, kind in zip(axes.get_yticklabels(), kinds, strict=True):
        label.set_color(style.model_ink(kind))
    axes.set_title("Reconstructions beside originals")
    if originals.ndim == 2:
        shares = (f"{labels.model_label(m)} {np.mean(x == originals):.1%}" for m, x in decoded.items())
        axes.set_xlabel(f"symbols right in these measures: {', '.join(shares)}")
    return figure
