"""Pictures and sound of music models: traversals as engraved score, as piano roll, and to listen to.

A traversal moves one latent dimension of one measure's code over a range and decodes each point: one staff
(or row) an attribute, one measure a point. Paper: Pati & Lerch 2020, section 4.4 (5 points over -4 .. 4).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from IPython.display import HTML
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from arvae.datasets import added, catalogue
from arvae.files import atomic_write
from arvae.music import audio, engraving, midi
from arvae.music import coding as music
from arvae.report.figures import style
from arvae.report.figures.images import traverse

Decode = Callable[[np.ndarray], np.ndarray]
VALUES = np.linspace(-4, 4, 5)
TEMPO = 160  # quarter notes a minute: a measure takes a second and a half
RATE = 8_000  # samples a second


def decoder(model, vocabulary: music.Vocabulary | None = None, batch: int = 1024) -> Decode:
    """decode(z (m, d) float) -> measures int16 (m, 24) of a music model: its likeliest symbol a tick."""
    import torch

    vocabulary = vocabulary or music.Vocabulary()

    def decode(z: np.ndarray) -> np.ndarray:
        parts = torch.as_tensor(np.asarray(z), dtype=torch.float32).split(batch)
        with torch.no_grad():
            tokens = torch.cat([model.decode(part).argmax(-1) for part in parts])
        return vocabulary.decode(tokens.numpy())

    return decode


def traversals(
    decode: Decode, z: np.ndarray, dimensions: Mapping[str, int], values: np.ndarray = VALUES
) -> dict[str, np.ndarray]:
    """Attribute -> measures (p, 24): one code z (d,), that attribute's dimension set to each of p values."""
    code = np.asarray(z, np.float32)[None]
    return {name: traverse(decode, code, dimension, values)[0] for name, dimension in dimensions.items()}


def measured(measures: np.ndarray, name: str) -> np.ndarray:
    """The attribute `name` of measures (p, 24), as measured on them: float32 (p,). One of the four, or of
    your own (`arvae.datasets.own`)."""
    if name not in music.ATTRIBUTE_NAMES:
        if name in catalogue.own_attributes():
            return added.compute(name, measures)
        raise ValueError(
            f"{name!r} is no attribute of measures: use one of {', '.join(music.ATTRIBUTE_NAMES)}"
        )
    return music.attributes(measures)[:, music.ATTRIBUTE_NAMES.index(name)]


def curves(
    rows: Mapping[str, np.ndarray], names: Sequence[str], measure: Callable[[np.ndarray], np.ndarray]
) -> dict[str, np.ndarray]:
    """Attribute -> its values (p,) on its own traversal, for attributes that a data set measures itself.

    rows: attribute -> measures (p, 24); names: those of the columns that measure(measures) gives, (p, k).
    """
    return {name: measure(measures)[:, list(names).index(name)] for name, measures in rows.items()}


def score(
    rows: Mapping[str, np.ndarray],
    values: np.ndarray | None = VALUES,
    alt: str = "",
    curve: Mapping[str, np.ndarray] | None = None,
) -> str:
    """Traversals as engraved music (SVG text): a staff an attribute, a measure a point, its value above.

    rows: attribute -> measures (p, 24); values: the p points of the latent dimension, None for none.
    curve: row -> the attribute's values (p,), where rows are named otherwise (see `curves`).
    """
    names = list(rows)
    columns = [] if values is None else [f"z = {signed(value)}" for value in values]
    shown = curve or {name: measured(rows[name], name) for name in names}
    captions = [[signed(v, 2) for v in shown[name]] for name in names]
    described = alt or "Engraved traversals: " + "; ".join(
        f"{name} {captions[i][0]} to {captions[i][-1]}" for i, name in enumerate(names)
    )
    return engraving.engrave([rows[name] for name in names], names, columns, captions, described)


def samples(measures: np.ndarray, alt: str, captions: Sequence[str] = (), width: int = 150) -> str:
    """Measures (n, 24) as engraved music (SVG text), as many on a line as `width` staff spaces take.

    With captions (one a measure) they stay on one line.
    """
    if captions:
        return engraving.engrave(measures, captions=[captions], alt=alt)
    return engraving.engrave(measures, alt=alt, width=width)


def show(svg: str) -> HTML:
    """What a notebook cell shows of engraved music; on a narrow page it scrolls in a frame of its own."""
    widest = re.search(r"max-width:(\d+)px", svg)
    least = round(0.6 * int(widest.group(1))) if widest else 0
    inner = svg.replace("style='width:100%;", f"style='width:100%;min-width:{least}px;", 1)
    return HTML(f"<div class='score' tabindex='0' style='overflow-x:auto'>{inner}</div>")


def listen(
    rows: Mapping[str, np.ndarray],
    title: str = "",
    tempo: float = TEMPO,
    folder: Path | str | None = None,
    rate: int = RATE,
) -> HTML:
    """Audio players, one a traversal, each with its MIDI file: rows is name -> measures (p, 24).

    folder: where to keep sound and score as <name>.wav and <name>.mid too; the site links these. About 8 kB
    a second of music at the 8,000 samples a second that keep a page with many players small.
    """
    start = f"{title}: " if title else ""
    for name, measures in rows.items() if folder is not None else ():
        stem = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
        _write(Path(folder) / f"{stem}.wav", audio.wav(measures, tempo, rate, small=True))
        _write(Path(folder) / f"{stem}.mid", midi.encode(measures, tempo))
    players = (audio.player(measures, f"{start}{name}", tempo, rate) for name, measures in rows.items())
    return HTML("".join(players))


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def roll(
    rows: Mapping[str, np.ndarray],
    values: np.ndarray = VALUES,
    model: str = "arvae",
    width: float = style.FULL_WIDTH,
    curve: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Traversals as piano rolls: a row an attribute, measures from left to right, its curve at the right.

    rows: attribute -> measures (p, 24), decoded at the p `values` of its dimension. The curve is the
    attribute as measured on those measures, or curve[attribute] (p,) where given (see `curves`).
    """
    figure, axes = style.subplots(
        len(rows), 2, width, 0.5 + 1.35 * len(rows), squeeze=False, width_ratios=(4.2, 1), sharex="col"
    )
    colour = style.model_colour(model)
    for (left, right), (name, measures) in zip(axes, rows.items(), strict=True):
        _notes(left, measures, colour)
        left.set_title(style.plain(name))
        line = curve[name] if curve else measured(measures, name)
        right.plot(values, line, "o-", color=colour, clip_on=False, zorder=3)
        spread = max(float(np.ptp(line)), 0.1)
        right.set_ylim(line.min() - 0.15 * spread, line.max() + 0.15 * spread)
        right.yaxis.set_major_locator(MaxNLocator(3))
    axes[-1, 0].set_xticks(
        (np.arange(len(values)) + 0.5) * midi.MEASURE, [f"z = {signed(value)}" for value in values]
    )
    axes[-1, 1].set_xticks([values[0], 0, values[-1]], [signed(v) for v in (values[0], 0, values[-1])])
    axes[-1, 1].set_xlabel("z")
    axes[0, 1].set_title("measured", fontweight="normal")
    return figure


def _notes(axes, measures: np.ndarray, colour: str) -> None:
    """The notes of measures (p, 24) as bars: time from left to right, pitch upwards."""
    sounding = midi.notes(measures)
    gap = 0.6  # twelfths of a quarter note left white between notes, so that repeated ones can be told apart
    bars = [Rectangle((start, pitch - 0.5), max(end - start - gap, 0.5), 1) for pitch, start, end in sounding]
    axes.add_collection(PatchCollection(bars, facecolor=colour, edgecolor="none"))
    for bar in range(1, len(measures)):
        axes.axvline(bar * midi.MEASURE, color="#9a9a9a", linewidth=0.9, zorder=1)
    pitches = [pitch for pitch, _, _ in sounding] or [60, 72]
    middle, half = (min(pitches) + max(pitches)) / 2, max(max(pitches) - min(pitches), 10) / 2 + 1.5
    axes.set(xlim=(0, len(measures) * midi.MEASURE), ylim=(middle - half, middle + half))
    shown = [p for p in range(128) if p % 12 in (0, 7) and abs(p - middle) < half]
    axes.set_yticks(shown, [music.pitch_name(p) for p in shown])
    axes.grid(False, axis="x")
    axes.tick_params(axis="x", length=0)


def signed(value: float, decimals: int = 0) -> str:
    """A number with a real minus sign; no minus before a zero."""
    text = f"{value:.{decimals}f}" if decimals else f"{value:g}"
    return text.replace("-", "−") if float(text) else text.replace("-", "")
