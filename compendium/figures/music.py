"""Pictures and sound of measures: as engraved score, as piano roll, and to listen to.

A traversal (`TrainedModel.traverse`) moves one latent dimension of one measure's code over VALUES and decodes
each of the p points: one staff (or row) an attribute, one measure a point. Paper: Pati & Lerch 2020, section
4.4. Here `rows` are attribute -> measures (p, 24), `curves` attribute -> its values (p,) measured on those;
where one dimension is turned for several attributes (see `once`), a row has their names and curves (a, p).
"""

import base64
import html
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from arvae.files import write_bytes
from arvae.music import audio, coding, notation, write_midi
from compendium import labels
from compendium.figures import engraving, style

VALUES = np.linspace(-4, 4, 5)
TEMPO = 160  # quarter notes a minute: a measure takes a second and a half
_ROW = "display:flex;flex-wrap:wrap;align-items:center;gap:0.3em 0.8em;margin:0.4em 0"


def curves(
    rows: Mapping[str, np.ndarray], names: Sequence[str], measure: Callable[[np.ndarray], np.ndarray]
) -> dict[str, np.ndarray]:
    """The curves of traversals; names: of the columns (p, k) that measure(measures) gives."""
    return {name: measure(measures)[:, list(names).index(name)] for name, measures in rows.items()}


def once(
    rows: Mapping[str, np.ndarray], curves: Mapping[str, np.ndarray], dimensions: Mapping[str, int]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Rows and curves in which each dimension stands once, with all attributes that it is turned for."""
    groups = labels.sharing(dimensions)
    return (
        {label: rows[names[0]] for label, names in groups.items()},
        {label: np.stack([curves[name] for name in names]) for label, names in groups.items()},
    )


def score(rows: Mapping[str, np.ndarray], curves: Mapping[str, np.ndarray]) -> str:
    """Traversals as engraved music (SVG text): a staff an attribute, a measure a point, its value above.

    An attribute that cannot be measured there (NaN) is "–".
    """
    captions = [
        [
            ", ".join("–" if np.isnan(value) else labels.signed(value, 2) for value in point)
            for point in np.atleast_2d(curves[name]).T
        ]
        for name in rows
    ]
    ends = "; ".join(f"{name} {line[0]} to {line[-1]}" for name, line in zip(rows, captions, strict=True))
    columns = [f"z = {labels.signed(value)}" for value in VALUES]
    return engraving.engrave(
        list(rows.values()), list(rows), columns, captions, f"Engraved traversals: {ends}"
    )


def show(svg: str) -> HTML:
    """What a notebook cell shows of engraved music; on a narrow page it scrolls in a frame of its own."""
    widest = re.search(r"max-width:(\d+)px", svg)
    least = round(0.6 * int(widest.group(1))) if widest else 0
    inner = svg.replace("style='width:100%;", f"style='width:100%;min-width:{least}px;", 1)
    return HTML(f"<div class='score' tabindex='0' style='overflow-x:auto'>{inner}</div>")


def player(measures: np.ndarray, label: str, tempo: float = 100) -> str:
    """HTML of an audio player for measures (n, 24), with a link to them as a MIDI file; needs nothing else.

    label: what it plays, for the eye and for screen readers.
    """
    name = html.escape(label, quote=True)
    sound = base64.b64encode(audio.encode(measures, tempo)).decode()
    score = base64.b64encode(write_midi.encode(measures, tempo)).decode()
    file = re.sub(r"\W+", "-", label).strip("-") or "melody"
    return (
        f'<div class="player" style="{_ROW}"><span style="min-width:12em">{name}</span> '
        f'<audio controls style="height:2.2em" preload="metadata" aria-label="{name}" '
        f'src="data:audio/mpeg;base64,{sound}"></audio> '
        f'<a download="{file}.mid" href="data:audio/midi;base64,{score}">MIDI</a></div>'
    )


def listen(rows: Mapping[str, np.ndarray], title: str = "", folder: Path | None = None) -> HTML:
    """Audio players, one a traversal, each with its MIDI file.

    folder: where to keep sound and score as <name>.mp3 and <name>.mid too; the site links these.
    """
    players = []
    for name, measures in rows.items():
        players.append(player(measures, f"{title}: {name}" if title else name, TEMPO))
        if folder is not None:
            stem = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
            write_bytes(folder / f"{stem}.mp3", audio.encode(measures, TEMPO))
            write_bytes(folder / f"{stem}.mid", write_midi.encode(measures, TEMPO))
    return HTML("".join(players))


def roll(rows: Mapping[str, np.ndarray], curves: Mapping[str, np.ndarray], model: str = "arvae") -> Figure:
    """Traversals as piano rolls: a row an attribute, measures from left to right, its curve at the right.

    Curves of several attributes are told apart by their lines: solid, dashed, dotted, dash-dotted.
    """
    figure, axes = style.subplots(
        len(rows), 2, height=0.5 + 1.35 * len(rows), squeeze=False, width_ratios=(4.2, 1), sharex="col"
    )
    colour = style.model_colour(model)
    for (left, right), (name, measures) in zip(axes, rows.items(), strict=True):
        _notes(left, measures, colour)
        left.set_title(labels.plain(name))
        for curve, line in zip(np.atleast_2d(curves[name]), cycle(("-", "--", ":", "-.")), strict=False):
            right.plot(VALUES, curve, line, marker="o", color=colour, clip_on=False, zorder=3)
        right.yaxis.set_major_locator(MaxNLocator(3))
    words = [labels.signed(value) for value in VALUES]
    axes[-1, 0].set_xticks(
        (np.arange(len(VALUES)) + 0.5) * notation.MEASURE, [f"z = {word}" for word in words]
    )
    axes[-1, 1].set_xticks(VALUES[::2], words[::2])
    axes[-1, 1].set_xlabel("z")
    axes[0, 1].set_title("measured", fontweight="normal")
    return figure


def _notes(axes: Axes, measures: np.ndarray, colour: str) -> None:
    """Draw measures (p, 24) as bars: time from left to right, pitch upwards."""
    gap = 0.6  # twelfths of a quarter note left white between notes, so that repeated ones can be told apart
    pitches, starts, ends = np.array(notation.notes(measures) or [(66, 0, 0)]).T
    axes.barh(pitches, np.maximum(ends - starts - gap, 0.5), 1, starts, color=colour)
    for bar in range(1, len(measures)):
        axes.axvline(bar * notation.MEASURE, color="#9a9a9a", linewidth=0.9, zorder=1)
    low, high = pitches.min(), pitches.max()
    for bar in range(len(measures)):
        begin, end = bar * notation.MEASURE, (bar + 1) * notation.MEASURE
        if not ((starts < end) & (ends > begin)).any():
            axes.text(
                (begin + end) / 2, (low + high) / 2, "empty", ha="center", va="center", color=style.GREY
            )
    room = max(0, 10 - (high - low)) / 2 + 1.5
    axes.set(xlim=(0, len(measures) * notation.MEASURE), ylim=(low - room, high + room))
    shown = [p for p in range(128) if p % 12 in (0, 7) and low - room < p < high + room]
    axes.set_yticks(shown, [coding.pitch_name(p) for p in shown])
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)
