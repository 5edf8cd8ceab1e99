"""How coded measures are written down: which note values, ties and triplets stand for 24 ticks.

Pure arithmetic on whole numbers; `write_musicxml` and `write_abc` spell it out. Positions are twelfths of a
quarter note, 48 a measure, so that sixteenths (3) and triplet eighths (4) are both whole.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from arvae.music import coding as music
from arvae.music.coding import BEATS, CONTINUE, END, GRID, REST, START, TICKS

BEAT = 12
MEASURE = BEAT * BEATS
#: Where each of the 24 ticks is, and the end of the measure.
POSITIONS = [BEAT * beat + int(offset * BEAT) for beat in range(BEATS) for offset in GRID] + [MEASURE]

#: Plain note values that may stand at these places of the measure; elsewhere they would hide the beat.
_NOTES = {
    48: {0}, 36: {0, 12}, 24: {0, 12, 24}, 18: {0, 24, 6, 30}, 12: {0, 12, 24, 36, 6, 30},
    9: {0, 3, 12, 15, 24, 27, 36, 39}, 6: {0, 3, 6, 12, 15, 18, 24, 27, 30, 36, 39, 42},
    3: set(range(0, 48, 3)),
}  # fmt: skip
_RESTS = {48: {0}, 24: {0, 24}, 12: {0, 12, 24, 36}, 6: set(range(0, 48, 6)), 3: set(range(0, 48, 3))}
#: Lengths that one note value can have within a triplet (a dot adds half).
_IN_TRIPLET = {1, 2, 3, 4, 6, 8}


@dataclass(frozen=True)
class Glyph:
    """One written note or rest of a measure."""

    symbol: int  # MIDI pitch, or REST, or what a marked rest stands for: CONTINUE, START, END
    start: int  # twelfths of a quarter note from the measure's start
    length: int  # the same unit, as it sounds
    triplet: bool  # stands in the triplet of its beat
    tied_before: bool  # goes on from the glyph before
    tied_after: bool  # goes on in the glyph after
    anew: bool = False  # a rest of its own though it follows a rest or padding


@dataclass(frozen=True)
class Span:
    """Ticks first .. last that belong to one symbol; `joined` to the note that sounds before the measure."""

    symbol: int
    first: int
    last: int
    joined: bool = False


def per_minute(tempo: float) -> str:
    """A tempo as scores write it, and the playground's page: "92", "92.5", at most to a hundredth."""
    return f"{int(100 * tempo + 0.5) / 100:.12g}"


def notes(measures: np.ndarray) -> list[tuple[int, int, int]]:
    """What sounds in measures (n, 24) in a row: (pitch, start, end) in twelfths of a quarter note."""
    music.check(measures)
    symbols = measures.reshape(-1)
    starts = np.flatnonzero(symbols != CONTINUE)
    times = [MEASURE * (int(tick) // TICKS) + POSITIONS[int(tick) % TICKS] for tick in starts]
    ends = [*times, MEASURE * len(measures)][1:]
    spans = zip(starts, times, ends, strict=True)
    return [(int(symbols[tick]), start, end) for tick, start, end in spans if symbols[tick] >= 0]


def notate(measures: np.ndarray, cuts: Mapping[int, Collection[int]] | None = None) -> list[list[Glyph]]:
    """Measures (n, 24) in a row -> the glyphs of each; glyphs of a measure fill it without gap.

    cuts: for some measures, from 0, the positions at which a glyph must end: bar lines within it.
    """
    rows = []
    before: int | None = None
    for measure in measures:
        row = spans(measure, before)
        rows.append(row)
        before = row[-1].symbol if row[-1].symbol >= 0 else None
    written = []
    for index, row in enumerate(rows):
        following = index + 1 < len(rows) and rows[index + 1][0].joined
        written.append(list(_glyphs(row, following, (cuts or {}).get(index, ()))))
    return written


def spans(measure: np.ndarray, before: int | None = None) -> list[Span]:
    """The symbols of one measure (24,) with their extents; `before`: the pitch that sounds before it, if any.

    What goes on from before without being a note is a span of CONTINUE.
    """
    found: list[Span] = []
    for tick, symbol in enumerate(int(symbol) for symbol in measure):
        last = found[-1] if found else None
        goes_on = (symbol == CONTINUE and last is not None and last.symbol not in (START, END)) or (
            symbol in (START, END) and last is not None and last.symbol == symbol
        )
        if goes_on:
            found[-1] = Span(last.symbol, last.first, tick, last.joined)
        elif symbol == CONTINUE and last is None and before is not None:
            found.append(Span(before, tick, tick, joined=True))
        else:
            found.append(Span(symbol, tick, tick))
    return found


def _glyphs(row: list[Span], following: bool, cuts: Collection[int]) -> Iterator[Glyph]:
    edges = {POSITIONS[span.first] for span in row}
    triplets = {edge // BEAT for edge in edges if edge % BEAT in (4, 8)}
    rest_before = False
    for span in row:
        start, end = POSITIONS[span.first], POSITIONS[span.last + 1]
        edges = [start, *sorted(cut for cut in cuts if start < cut < end), end]
        parts = [one for two in pairwise(edges) for one in _pieces(*two, triplets, span.symbol < 0)]
        for number, (start, end) in enumerate(parts):
            note = span.symbol >= 0
            yield Glyph(
                span.symbol, start, end - start, triplet=start // BEAT in triplets,
                tied_before=note and (number > 0 or span.joined),
                tied_after=note and (number < len(parts) - 1 or (following and span is row[-1])),
                anew=span.symbol == REST and rest_before and number == 0,
            )  # fmt: skip
        rest_before = span.symbol < 0


def _pieces(start: int, end: int, triplets: set[int], rest: bool) -> Iterator[tuple[int, int]]:
    """Cut start .. end where a note value must end: around triplets, and where the beat would be hidden."""
    if start >= end:
        return
    beat = start // BEAT
    if beat in triplets:
        stop = min(end, (beat + 1) * BEAT)
        yield from _in_triplet(start, stop)
    else:
        stop = end
        for later in range(beat + 1, -(-end // BEAT)):
            if later in triplets:
                stop = later * BEAT
                break
        yield from _plain(start, stop, _RESTS if rest else _NOTES)
    yield from _pieces(stop, end, triplets, rest)


def _in_triplet(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Within one beat: one value where there is one, else two that meet on a third of the beat."""
    if end - start in _IN_TRIPLET:
        yield start, end
        return
    thirds = [start - start % BEAT + 4, start - start % BEAT + 8]
    cut = next(at for at in thirds if {at - start, end - at} <= _IN_TRIPLET)
    yield start, cut
    yield cut, end


def _plain(start: int, end: int, values: dict[int, set[int]]) -> Iterator[tuple[int, int]]:
    """Outside triplets: one value where it may stand, else cut at the middle, a beat or half a beat."""
    if start in values.get(end - start, ()):
        yield start, end
        return
    cut = next(
        at for unit in (2 * BEAT, BEAT, BEAT // 2) for at in [start - start % unit + unit] if start < at < end
    )
    yield from _plain(start, cut, values)
    yield from _plain(cut, end, values)
