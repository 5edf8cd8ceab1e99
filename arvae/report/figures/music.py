"""Pictures and sound of measures: as engraved score, as piano roll, and to listen to.

A traversal (`TrainedModel.traverse`) moves one latent dimension of one measure's code over a range and
decodes each point: one staff (or row) an attribute, one measure a point. Paper: Pati & Lerch 2020, section
4.4 (5 points over -4 .. 4).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from arvae.files import atomic_write
from arvae.music import audio, coding, engraving, midi
from arvae.report import labels
from arvae.report.figures import style

VALUES = np.linspace(-4, 4, 5)
TEMPO = 160  # quarter notes a minute: a measure takes a second and a half
RATE = 8_000  # samples a second


def curves(
    rows: Mapping[str, np.ndarray], names: Sequence[str], measure: Callable[[np.ndarray], np.ndarray]
) -> dict[str, np.ndarray]:
    """Attribute -> its values (p,) on its own traversal. rows: attribute -> measures (p, 24); names: of the
    columns that measure(measures) gives, (p, k)."""
    return {name: measure(measures)[:, list(names).index(name)] for name, measures in rows.items()}


def score(
    rows: Mapping[str, np.ndarray], curves: Mapping[str, np.ndarray], values: np.ndarray = VALUES
) -> str:
    """Traversals as engraved music (SVG text): a staff an attribute, a measure a point, its value above.

    rows: name -> measures (p, 24); curves: name -> the attribute as measured on them (p,); values: the p
    points of the latent dimension.
    """
    names = list(rows)
    captions = [[labels.signed(v, 2) for v in curves[name]] for name in names]
    described = "; ".join(
        f"{name} {line[0]} to {line[-1]}" for name, line in zip(names, captions, strict=True)
    )
    columns = [f"z = {labels.signed(value)}" for value in values]
    return engraving.engrave(
        [rows[name] for name in names], names, columns, captions, f"Engraved traversals: {described}"
    )


def show(svg: str) -> HTML:
    """What a notebook cell shows of engraved music; on a narrow page it scrolls in a frame of its own."""
    widest = re.search(r"max-width:(\d+)px", svg)
    least = round(0.6 * int(widest.group(1))) if widest else 0
    inner = svg.replace("style='width:100%;", f"style='width:100%;min-width:{least}px;", 1)
    return HTML(f"<div class='score' tabindex='0' style='overflow-x:auto'>{inner}</div>")


def listen(rows: Mapping[str, np.ndarray], title: str = "", folder: Path | str | None = None) -> HTML:
    """Audio players, one a traversal, each with its MIDI file: rows is name -> measures (p, 24).

    folder: where to keep sound and score as <name>.wav and <name>.mid too; the site links these. About 8 kB
    a second of music at the 8,000 samples a second that keep a page with many players small.
    """
    start = f"{title}: " if title else ""
    for name, measures in rows.items() if folder is not None else ():
        stem = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
        _write(Path(folder) / f"{stem}.wav", audio.wav(measures, TEMPO, RATE, small=True))
        _write(Path(folder) / f"{stem}.mid", midi.encode(measures, TEMPO))
    players = (audio.player(measures, f"{start}{name}", TEMPO, RATE) for name, measures in rows.items())
    return HTML("".join(players))


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def roll(
    rows: Mapping[str, np.ndarray],
    curves: Mapping[str, np.ndarray],
    values: np.ndarray = VALUES,
    model: str = "arvae",
) -> Figure:
    """Traversals as piano rolls: a row an attribute, measures from left to right, its curve at the right.

    rows: attribute -> measures (p, 24), decoded at the p `values` of its dimension; curves: attribute -> its
    values (p,) as measured on those measures.
    """
    figure, axes = style.subplots(
        len(rows), 2, height=0.5 + 1.35 * len(rows), squeeze=False, width_ratios=(4.2, 1), sharex="col"
    )
    colour = style.model_colour(model)
    for (left, right), (name, measures) in zip(axes, rows.items(), strict=True):
        notes(left, measures, colour)
        left.set_title(labels.plain(name))
        line = curves[name]
        right.plot(values, line, "o-", color=colour, clip_on=False, zorder=3)
        spread = max(float(np.ptp(line)), 0.1)
        right.set_ylim(line.min() - 0.15 * spread, line.max() + 0.15 * spread)
        right.yaxis.set_major_locator(MaxNLocator(3))
    axes[-1, 0].set_xticks(
        (np.arange(len(values)) + 0.5) * midi.MEASURE, [f"z = {labels.signed(value)}" for value in values]
    )
    ends = (values[0], 0, values[-1])
    axes[-1, 1].set_xticks(ends, [labels.signed(value) for value in ends])
    axes[-1, 1].set_xlabel("z")
    axes[0, 1].set_title("measured", fontweight="normal")
    return figure


def notes(axes: Axes, measures: np.ndarray, colour: str, pitches: tuple[int, int] | None = None) -> None:
    """Draw measures (p, 24) as bars: time from left to right, pitch upwards, at least over `pitches`."""
    sounding = midi.notes(measures)
    gap = 0.6  # twelfths of a quarter note left white between notes, so that repeated ones can be told apart
    bars = [Rectangle((start, pitch - 0.5), max(end - start - gap, 0.5), 1) for pitch, start, end in sounding]
    axes.add_collection(PatchCollection(bars, facecolor=colour, edgecolor="none"))
    for bar in range(1, len(measures)):
        axes.axvline(bar * midi.MEASURE, color="#9a9a9a", linewidth=0.9, zorder=1)
    drawn = pitches or [pitch for pitch, _, _ in sounding] or [60, 72]
    middle, half = (min(drawn) + max(drawn)) / 2, max(max(drawn) - min(drawn), 10) / 2 + 1.5
    axes.set(xlim=(0, len(measures) * midi.MEASURE), ylim=(middle - half, middle + half))
    shown = [p for p in range(128) if p % 12 in (0, 7) and abs(p - middle) < half]
    axes.set_yticks(shown, [coding.pitch_name(p) for p in shown])
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)
