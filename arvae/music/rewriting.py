"""Which bars of a file have other notes, once measures of it are edited, and what they hold.

`patch_abc`, `patch_musicxml` and `patch_midi` put them into the file a melody was read from: only bars that
lie in a changed measure are written anew. Of those, chord symbols, directions and bar lines stay too, and
lyrics as far as there are notes for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from arvae.music import notation
from arvae.music.grid import layout
from arvae.music.notation import MEASURE, Glyph
from arvae.music.score import Part

Pace = tuple[float, float | None] | None  # the tempo that a file is to have, and the one it has


class UnkeptError(ValueError):
    """A change that the file as it is written cannot take up."""


@dataclass(frozen=True)
class Rewritten:
    """A bar with other notes: where in its measure it starts, in twelfths of a quarter note, and its glyphs,
    at their places in the measure, as they sound."""

    start: int
    glyphs: Sequence[Glyph]


def rewritten(part: Part, before: np.ndarray, after: np.ndarray) -> dict[int, Rewritten]:
    """The bars of a part that reach into measures (n, 24) which changed, by their index.

    A bar that is shorter than its measure (a pick-up) becomes longer where notes were added beside it.
    UnkeptError where a bar would be left without notes and rests.
    """
    changed = set(np.flatnonzero((before != after).any(axis=1)).tolist())
    laid = layout(part)
    cuts: dict[int, set[int]] = {}
    for _, *edges in laid:
        for edge in edges:
            cuts.setdefault(edge // MEASURE, set()).add(edge % MEASURE)
    rows = enumerate(notation.notate(after, cuts))
    glyphs = [replace(one, start=one.start + index * MEASURE) for index, row in rows for one in row]
    onsets = np.array([glyph.start for glyph in glyphs if glyph.symbol >= 0 and not glyph.tied_before])
    ends = [0, *(end for *_, end in laid)]
    starts = [*(start for _, start, _ in laid[1:]), MEASURE * len(after)]
    bars = {}
    for (index, start, end), free_from, free_to in zip(laid, ends, starts, strict=False):
        first, last = start // MEASURE, (end - 1) // MEASURE
        if not changed.intersection(range(first, last + 1)):
            continue
        opening, closing = max(first * MEASURE, free_from), min((last + 1) * MEASURE, free_to)
        if ((opening <= onsets) & (onsets < start)).any():
            start = opening
        beyond = [glyph for glyph in glyphs if end <= glyph.start < closing]
        held = bool(beyond) and all(glyph.tied_before for glyph in beyond)
        inside = [glyph for glyph in glyphs if start <= glyph.start < end]
        if not inside:
            raise UnkeptError(f"bar {part.bars[index].number} would be empty")
        if not held and any(max(glyph.symbol, inside[-1].symbol) >= 0 for glyph in beyond):
            inside += beyond
        if held:  # through what the bar lacks, as it is read
            inside[-1] = replace(inside[-1], tied_after=False)
        moved = first * MEASURE
        own = [replace(glyph, start=glyph.start - moved) for glyph in inside]
        bars[index] = Rewritten(start - moved, own)
    return bars


def moved(glyphs: Sequence[Glyph], by: int) -> list[Glyph]:
    """Glyphs, their notes raised by so many semitones."""
    return [replace(g, symbol=g.symbol + by) if g.symbol >= 0 else g for g in glyphs]
