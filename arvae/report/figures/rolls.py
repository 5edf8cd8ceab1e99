"""Measures as small pictures (piano rolls), for figures in which pictures stand side by side.

The full-size piano roll with the attribute's curve, and the engraved score, are in `arvae.report.figures.music`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from arvae.report.figures import images, style

ONSET, HELD = 1.0, 0.5  # ink
COLUMNS, ROWS = 3, 3  # pixels a tick and a semitone


def span(measures: np.ndarray, least: int = 12) -> tuple[int, int]:
    """The lowest and highest pitch of measures (n, 24), spread to at least `least` semitones."""
    pitches = measures[measures >= 0]
    low, high = (int(pitches.min()), int(pitches.max())) if pitches.size else (66, 66)
    missing = max(0, least - (high - low))
    return low - missing // 2 - 1, high + (missing + 1) // 2 + 1


def pictures(measures: np.ndarray, pitches: tuple[int, int] | None = None) -> np.ndarray:
    """Piano rolls of measures (n, ticks), coded as in `arvae.music.coding` (-1 continues a note).

    Returns (n, 3 * rows, 3 * ticks) in 0..1, high pitches on top; pitches: the lowest and highest row.
    """
    measures = np.asarray(measures)
    low, high = pitches or span(measures)
    n, ticks = measures.shape
    rolls = np.zeros((n, high - low + 1, COLUMNS * ticks), np.float32)
    sounding = np.full(n, -1)
    for tick in range(ticks):
        code = measures[:, tick]
        sounding = np.where(code >= 0, code, np.where(code == -1, sounding, -1))
        inside = np.flatnonzero((sounding >= low) & (sounding <= high))
        rows = high - sounding[inside]
        rolls[inside, rows, COLUMNS * tick : COLUMNS * (tick + 1)] = HELD
        struck = inside[code[inside] >= 0]
        rolls[struck, high - sounding[struck], COLUMNS * tick : COLUMNS * (tick + 1)] = HELD
        rolls[struck, high - sounding[struck], COLUMNS * tick] = ONSET
    return np.repeat(rolls, ROWS, axis=1)


def reconstructions(
    originals: np.ndarray, decoded: Mapping[str, np.ndarray], columns: int = 4, accuracy: bool = True
) -> Figure:
    """Measures (n, 24) above what each model makes of them, {model: (n, 24)}; its share of right ticks."""
    both = np.concatenate([originals, *decoded.values()])
    pitches = span(both)
    drawn = {model: pictures(measures, pitches) for model, measures in decoded.items()}
    figure = images.reconstructions(pictures(originals, pitches), drawn, columns)
    if accuracy:
        shares = [
            f"{style.model_label(model)} {100 * np.mean(measures == originals):.1f} %"
            for model, measures in decoded.items()
        ]
        figure.axes[0].set_xlabel("symbols right in these measures: " + ", ".join(shares))
    return figure


def overview(
    strips: Mapping[str, Mapping[str, np.ndarray]], labels: Sequence[str] = ("less", "more")
) -> Figure:
    """One picture of the whole project: traversals of some attributes of every data set.

    strips: {data set: {attribute: frames (points, h, w) in 0..1}}; measures as `pictures`. The frames of a
    data set have one size.
    """
    columns = 2 if len(strips) > 1 else 1
    sheets = [(name, np.stack(list(rows.values())), list(rows)) for name, rows in strips.items()]
    pairs = [sheets[i : i + columns] for i in range(0, len(sheets), columns)]
    wide = style.FULL_WIDTH / columns - 1.0
    heights = [
        max(wide * s.shape[0] * s.shape[2] / (s.shape[1] * s.shape[3]) for _, s, _ in p) + 0.5 for p in pairs
    ]
    figure, panels = style.subplots(
        len(pairs), columns, width=style.FULL_WIDTH, height=sum(heights), squeeze=False,
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    for axes in panels.flat[len(sheets) :]:
        axes.set_axis_off()
    for axes, (name, sheet, attributes) in zip(panels.flat, sheets, strict=False):
        ends = [labels[0], *[""] * (sheet.shape[1] - 2), labels[1]]
        names = [style.plain(a).replace(" ", "\n") for a in attributes]
        images.draw(axes, sheet, names, ends)
        axes.set_title(style.dataset_label(name))
    return figure
