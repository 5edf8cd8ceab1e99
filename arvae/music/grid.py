"""The one way from the notes and bars of a part to measures of 24 ticks."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from arvae.music import score
from arvae.music.coding import BEATS, CONTINUE, END, GRID, REST, START, TICKS
from arvae.music.score import LONGEST, Bar, Part, TuneError

# All in twelfths of a quarter note.
_BEAT = 12
_SLACK = 0.25  # (10 ms at 120 a minute) onsets this close to the grid are on it: played, or written rounded
_EXACT = 0.06  # note ends this close to the grid are meant to be there
_BREATH = 1.5  # an overlap, or a silence after a note that ends off the grid, is how it was played up to this
_DETACHED = 1 / 8  # ... or up to this share of the time to the next note


def measures(part: Part, monophonic: bool = False, quantize: bool = False) -> np.ndarray:
    """One part in 4/4 (or 2/4, two bars a measure) -> its measures int16 (n, 24), as written.

    A short first bar is a pick-up: a rest stands before it. Short bars that add up to a measure (around a
    repeat sign) are joined. Between two sections each is completed as the first and the last bar are: a rest
    before it, its last note held. A bar of 8, 12, .. quarter notes is cut. The same part has the same
    measures with every option that it does not need.

    monophonic: of notes that sound together the highest. A note that starts below a sounding one does not
    count. quantize: onsets go to the nearest tick; of two on one tick the longer stays.
    Raises TuneError, naming the bar, the cause and the remedy.
    """
    bars = _full_bars(part.bars)
    line = _line(part, bars, monophonic, quantize)
    if not line:
        raise TuneError(score.SILENT, f"no note in {len(part.bars)} bars: choose a part that has notes")
    count = max(bars.count, line[-1][0] // TICKS + 1)  # an onset just before the last bar line is on it
    symbols = np.full(count * TICKS, CONTINUE, np.int16)
    symbols[::TICKS] = REST  # a rest starts anew in every measure; held notes take these back
    for first, last, pitch in line:
        symbols[first:last] = CONTINUE
        symbols[first] = pitch
        if last < len(symbols):
            symbols[last] = REST
    for mark in part.marks:
        first, last = (_nearest(bars.time(at)) for at in (mark.start, mark.start + mark.duration))
        if mark.pitch in (START, END):
            symbols[first:last] = mark.pitch
        elif first < len(symbols):
            symbols[first] = mark.pitch
    return symbols.reshape(-1, TICKS)


def layout(part: Part) -> list[tuple[int, int, int]]:
    """Where the bars of a part lie in its `measures`: (index of the bar, start, end), in twelfths of a
    quarter note from the start of the first measure; no empty bars. TuneError as for `measures`."""
    laid = _full_bars(part.bars)
    places = [index for index, bar in enumerate(part.bars) if bar.length > 0]
    starts = [round(start + moved) for start, moved in zip(laid.starts, laid.moved, strict=True)]
    ends = [start + round(bar.length * _BEAT) for start, bar in zip(starts, laid.bars, strict=True)]
    return list(zip(places, starts, ends, strict=True))


def sounding(measures: np.ndarray) -> np.ndarray:
    """Which measures (n, 24) have an onset or hold a note from before, bool (n,)."""
    return (measures >= 0).any(axis=1) | (measures[:, 0] == CONTINUE)


@dataclass
class _Bars:
    """Where each bar lies once all are completed to measures, in twelfths of a quarter note."""

    starts: list[float]  # in the part
    moved: list[float]  # by how much to the right
    held: list[float]  # how long what sounds at its end goes on, before the next bar
    bars: Sequence[Bar]
    count: int  # measures

    def index(self, time: float) -> int:
        return max(bisect_right(self.starts, time + 1e-6) - 1, 0)

    def time(self, at: Fraction) -> float:
        time = float(at * _BEAT)
        return time + self.moved[self.index(time)]

    def end(self, at: Fraction) -> float:
        """Where a note that ends `at` ends; held through the padding of its bar if it ends with it."""
        time = float(at * _BEAT)
        index = self.index(time - 1e-5)
        bar_end = self.starts[index] + float(self.bars[index].length * _BEAT)
        return time + self.moved[index] + (self.held[index] if time > bar_end - _SLACK else 0)

    def place(self, at: Fraction) -> str:
        index = self.index(float(at * _BEAT))
        return f"bar {self.bars[index].number}, {at - self.bars[index].start} quarter notes in"


def _full_bars(bars: Sequence[Bar]) -> _Bars:
    """Bars completed to measures of four quarter notes. TuneError for another metre or length."""
    bars = [bar for bar in bars if bar.length > 0]
    for bar in bars:
        _check(bar)
    laid = _Bars([float(bar.start * _BEAT) for bar in bars], [], [0.0] * len(bars), bars, 0)
    now, group = Fraction(0), 0  # where the next bar starts; the first bar of the measure under way
    for index, bar in enumerate(bars):
        within = now % BEATS
        if within == 0:
            group = index
            if _is_pick_up(bars, index):
                within = BEATS - bar.length
                now += within
        elif within + bar.length > BEATS and not (bar.nominal < BEATS and bar.length == BEATS):
            cut = next((i for i in range(index, group, -1) if bars[i].section), None)
            if cut is None:
                short = next((b for b in bars[group:index] if b.length < b.nominal), bars[group])
                needed = short.nominal if short.length < short.nominal else BEATS
                found = f"bar {short.number} lasts {short.length} quarter notes, needed are {needed}"
                raise TuneError(score.IRREGULAR, f"{found}: fill it up with rests")
            after = sum((b.length for b in bars[cut:index]), Fraction(0))
            pad = BEATS - (within - after)
            laid.held[cut - 1] = float(min(pad, max(bars[cut - 1].nominal - bars[cut - 1].length, 0)) * _BEAT)
            move = pad + (BEATS - after if after else 0)
            for i in range(cut, index):
                laid.moved[i] += float(move * _BEAT)
            now += move
            group = index if not after or (now % BEATS) == 0 else cut
            if not after and _is_pick_up(bars, index):
                now += BEATS - bar.length
        laid.moved.append(float((now - bar.start) * _BEAT))
        now += bar.length
    missing = -now % BEATS
    if bars and missing:
        laid.held[-1] = float(min(missing, max(bars[-1].nominal - bars[-1].length, 0)) * _BEAT)
    laid.count = int(-(-now // BEATS))
    return laid


def _check(bar: Bar) -> None:
    found = f"bar {bar.number} "
    if bar.nominal not in (BEATS, Fraction(BEATS, 2)):
        found += f"has metre {bar.metre or 'none'}, needed is 4/4, C, C| or 2/4"
        raise TuneError(score.OTHER_METRE, found)
    if bar.start + bar.length > LONGEST * BEATS:
        found += f"ends after more than {LONGEST:,} measures: correct its length, or cut it"
        raise TuneError(score.BROKEN, found)
    if bar.length > bar.nominal and bar.length % bar.nominal:
        found += f"lasts {bar.length} quarter notes, needed are {bar.nominal}: "
        raise TuneError(score.IRREGULAR, f"{found}put a bar line in, or correct its notes")


def _is_pick_up(bars: Sequence[Bar], index: int) -> bool:
    """Whether a bar at the start of a measure is one: it starts the tune or a section, is short, and what
    follows is neither another section nor, before more of this one, the rest of its measure."""
    bar = bars[index]
    if bar.length >= bar.nominal or not (bar.section or index == 0):
        return False
    following = bars[index + 1 : index + 3]
    if not following:
        return index == 0
    if following[0].section and index:
        return False
    completes = bar.length + following[0].length == bar.nominal
    return not (completes and len(following) == 2 and not following[1].section)


class _Played(NamedTuple):
    """A note on the grid: tick, end and start in twelfths of a quarter note; where it starts in the part."""

    on: int
    end: float
    pitch: int
    start: float
    at: Fraction


def _line(part: Part, bars: _Bars, monophonic: bool, quantize: bool) -> list[tuple[int, int, int]]:
    """The notes as (first tick, last tick + 1, pitch), one after the other."""
    played = []
    for note in part.notes:
        start = bars.time(note.start)
        end = bars.end(note.start + note.duration)
        played.append(_Played(_nearest(start), end, note.pitch, start, note.start))
    played = _highest(played) if monophonic else sorted(played, key=lambda note: note.start)
    kept: list[_Played] = []
    for note in played:
        if not quantize and abs(_time(note.on) - note.start) > _SLACK:
            needed = "onsets must fall on sixteenths or triplets of a quarter note (quantize the tune)"
            raise TuneError(score.OFF_GRID, f"{bars.place(note.at)}: {needed}")
        if kept and not monophonic and kept[-1].end > note.start + _BREATH:
            found = "a note starts before the last one ends (keep one voice)"
            raise TuneError(score.CHORDS, f"{bars.place(note.at)}: {found}")
        if kept and kept[-1].on == note.on:  # the longer of two
            kept[-1] = max(kept[-1], note, key=lambda one: one.end - one.start)
        else:
            kept.append(note)
    ends = [*(_time(note.on) for note in kept[1:]), _time(bars.count * TICKS)]
    return [
        (note.on, _last(note.on, note.end, end), note.pitch) for note, end in zip(kept, ends, strict=False)
    ]


def _highest(notes: Sequence[_Played]) -> list[_Played]:
    """The upper line: of notes that start together the highest, if nothing above it still sounds."""
    line: list[_Played] = []
    sounding: list[_Played] = []
    for note in sorted(notes, key=lambda note: (note.on, -note.pitch)):
        sounding = [other for other in sounding if other.end > _time(note.on) + _BREATH]
        if all(other.pitch < note.pitch for other in sounding) and not (line and line[-1].on == note.on):
            line.append(note)
        sounding.append(note)
    return line


def _last(on: int, end: float, following: float) -> int:
    """The tick at which a note ends: where it does, or with the next onset where only a breath is between."""
    tick = _nearest(end)
    off_grid = abs(_time(tick) - end) > _EXACT
    gap = following - end
    if end > following or (off_grid and gap <= max(_BREATH, _DETACHED * (following - _time(on)))):
        tick = _nearest(following)
    return max(tick, on + 1)


def _nearest(time: float) -> int:
    """The tick closest to a time in twelfths of a quarter note."""
    beat, within = divmod(time, _BEAT)
    place = min(range(len(_EDGES)), key=lambda i: abs(_EDGES[i] - within))
    return int(beat) * len(GRID) + place


_EDGES = [int(offset * _BEAT) for offset in GRID] + [_BEAT]


def _time(tick: int) -> int:
    beat, place = divmod(tick, len(GRID))
    return beat * _BEAT + _EDGES[place]
