"""From a written tune to coded measures, with the reason where that cannot be done.

A reader turns its format into `Bar`s (events in quarter notes, exact fractions); `code` puts those on the
grid of `arvae.music.coding`. The reader of music21 streams is here; chorales and folk tunes add theirs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from arvae.music.coding import BEATS, CONTINUE, END, GRID, REST, START, TICKS
from arvae.music.score import TuneError

#: Twelfths of a beat -> tick of the beat.
_TICK = {int(offset * 12): tick for tick, offset in enumerate(GRID)}

LONGEST = 10_000  # measures: a few bytes can ask for millions

OTHER_METRE = "other metre"
CHORDS = "chords or several voices"
OFF_GRID = "off the grid"
IRREGULAR = "irregular bars"
SILENT = "no complete measure with a note"
WIDE = "range too wide"
BROKEN = "unreadable"


#: The colours by which a written rest says that it stands for another symbol than a plain rest does, so that
#: every measure can be written as a score and read again: a rest that follows a rest but is one of its
#: own, what goes on from before the measure, padding.
MARKS = {"#010101": REST, "#909090": CONTINUE, "#8F8F8F": START, "#8E8E8E": END}


@dataclass(frozen=True)
class Event:
    """A note or a rest: onset within its bar and duration, in quarter notes; MIDI pitch, None for a rest."""

    onset: Fraction
    duration: Fraction
    pitch: int | None
    tied: bool = False  # goes on from the note before: no new onset
    mark: int = 0  # of a rest: which symbol it stands for (see MARKS); 0: an ordinary rest


@dataclass(frozen=True)
class Bar:
    """What stands between two bar lines; `length` in quarter notes, `name` to find it again."""

    name: str
    length: Fraction
    events: tuple[Event, ...]


def code(bars: Sequence[Bar], strict: bool = False) -> tuple[np.ndarray, int]:
    """Bars of a 4/4 tune -> (measures int16 (n, 24), how many incomplete bars were dropped).

    A short first bar is a pick-up: a rest is put before it. Short bars that add up to a measure (around a
    repeat sign) are joined; one that does not is dropped; in a short last one the last note is held to the
    measure's end. A bar of 8, 12, .. quarter notes is cut. Measures in which nothing sounds are dropped. With
    `strict` nothing is dropped: silent measures stay, an incomplete bar is an error.
    Raises TuneError where an onset is off the grid, a bar has another length, or nothing is left.
    """
    measures: list[np.ndarray] = []
    pending: list[Bar] = []
    dropped = 0
    for index, bar in enumerate(bars):
        if bar.length > LONGEST * BEATS:
            raise TuneError(
                BROKEN,
                f"bar {bar.name} lasts {int(bar.length / BEATS):,} measures, a melody has at most "
                f"{LONGEST:,}: correct its lengths",
            )
        if bar.length > BEATS and bar.length % BEATS:
            raise TuneError(IRREGULAR, f"bar {bar.name} lasts {bar.length} quarter notes, needed are 4")
        if index == 0 and bar.length < BEATS:
            pending = [silence(BEATS - bar.length)]
        if pending and _length(pending) + bar.length > BEATS:
            if strict:
                raise TuneError(
                    IRREGULAR, f"bar {pending[0].name} lasts {_length(pending)} quarter notes, needed are 4"
                )
            dropped += len(pending)
            pending = []
        pending.append(bar)
        if _length(pending) >= BEATS:
            measures.extend(_cut(ticks(pending)))
            pending = []
    if pending:
        measures.append(ticks([*pending, held(BEATS - _length(pending))]))
    if not any(_sounds(measure) for measure in measures):
        raise TuneError(SILENT, f"{len(bars)} bars were read")
    kept = measures if strict else [measure for measure in measures if _sounds(measure)]
    return np.array(kept, np.int16), dropped


def ticks(bars: Sequence[Bar]) -> np.ndarray:
    """Consecutive bars -> symbols int16, 6 a quarter note from the start of the first bar to the last end.

    The bars together last a whole number of quarter notes. Time without an event is a rest; rests in a row
    are one. Raises TuneError where an onset is off the grid or two events overlap.
    """
    symbols = np.full(int(_length(bars)) * len(GRID), CONTINUE, np.int16)
    start, resting = Fraction(0), False
    for bar in bars:
        for event in _filled(bar):
            plain_rest = event.pitch is None and not event.mark
            position = start + event.onset
            if not (event.tied or event.mark == CONTINUE or (plain_rest and resting and position % BEATS)):
                tick = _tick(position, bar, event)
                symbols[tick] = event.mark or (REST if event.pitch is None else event.pitch)
                if event.mark in (START, END):
                    symbols[tick : _tick(position + event.duration, bar, event)] = event.mark
            resting = plain_rest or event.mark == REST or (resting and event.mark == CONTINUE)
        start += bar.length
    return symbols


def _tick(position: Fraction, bar: Bar, event: Event) -> int:
    beat, within = divmod(position * 12, 12)
    if within not in _TICK:
        raise TuneError(
            OFF_GRID,
            f"bar {bar.name}, {event.onset} quarter notes in: onsets must fall on sixteenths or triplets of "
            "a quarter note (quantize the tune)",
        )
    return int(beat) * len(GRID) + _TICK[int(within)]


def _cut(symbols: np.ndarray) -> np.ndarray:
    """Symbols (24 n,) -> (n, 24); a rest that crosses a bar line starts anew there."""
    measures = symbols.reshape(-1, TICKS)
    for before, measure in zip(measures, measures[1:], strict=False):
        started = before[before != CONTINUE]
        if measure[0] == CONTINUE and started.size and started[-1] == REST:
            measure[0] = REST
    return measures


def _length(bars: Sequence[Bar]) -> Fraction:
    return sum((bar.length for bar in bars), Fraction(0))


def silence(length: Fraction) -> Bar:
    """A bar of rest, `length` quarter notes long."""
    return Bar("0", length, (Event(Fraction(0), length, None),))


def held(length: Fraction) -> Bar:
    """A bar in which what sounded before goes on for `length` quarter notes."""
    return Bar("end", length, (Event(Fraction(0), length, None, tied=True),))


def _filled(bar: Bar) -> Iterator[Event]:
    """The bar's events, with rests put where none is."""
    end = Fraction(0)
    for event in bar.events:
        if event.onset < end:
            raise TuneError(
                CHORDS,
                f"bar {bar.name}, {event.onset} quarter notes in: a note starts before the last one ends "
                "(keep one voice)",
            )
        if event.onset > end:
            yield Event(end, event.onset - end, None)
        yield event
        end = event.onset + event.duration
    if end < bar.length:
        yield Event(end, bar.length - end, None)


def _sounds(measure: np.ndarray) -> bool:
    """Whether anything sounds in a measure: an onset, or a note held from before."""
    return bool((measure >= 0).any() or measure[0] == CONTINUE)


def quarters(value: Any) -> Fraction:
    """A music21 offset or duration (float or Fraction) as an exact fraction of a quarter note."""
    return Fraction(value).limit_denominator(3840)


def stream_bars(part: Any, any_metre: bool = False) -> list[Bar]:
    """One part of a music21 score -> its bars, repeats expanded where music21 can.

    A pick-up's bar is as short as its music. Grace notes and chord symbols do not count. Raises TuneError for
    another metre than 4/4, C or C| (unless `any_metre`), chords, several voices.
    """
    from music21 import chord, harmony, meter, stream

    part = part if part.hasMeasures() else part.makeMeasures()
    measures = list(part.getElementsByClass(stream.Measure))
    measures = [measures[index] for index in _played(part, measures)]
    bars: list[Bar] = []
    metre: meter.TimeSignature | None = None
    for measure in measures:
        metre = measure.timeSignature or metre
        name = str(measure.measureNumberWithSuffix())
        if not any_metre and (metre is None or metre.ratioString not in ("4/4", "2/2")):
            found = "none" if metre is None else metre.ratioString
            raise TuneError(OTHER_METRE, f"bar {name} has metre {found}, needed is 4/4, C or C|")
        if len(measure.voices) > 1:
            raise TuneError(CHORDS, f"bar {name} has {len(measure.voices)} voices, needed is one")
        events = []
        for element in measure.flatten().notesAndRests:
            if element.duration.isGrace or isinstance(element, harmony.ChordSymbol):
                continue
            if isinstance(element, chord.Chord):
                many = len(element.pitches)
                raise TuneError(CHORDS, f"bar {name} has a chord of {many} notes, needed is one")
            mark = 0
            if element.isRest and element.hasStyleInformation:
                mark = MARKS.get(element.style.color, 0)
            events.append(
                Event(
                    quarters(element.offset),
                    quarters(element.duration.quarterLength),
                    None if element.isRest else element.pitch.midi,
                    bool(element.isNote and element.tie and element.tie.type != "start"),
                    mark,
                )
            )
        bars.append(Bar(name, quarters(measure.highestTime), tuple(events)))
    return [bar for bar in bars if bar.length > 0]


def _played(part: Any, measures: list[Any]) -> list[int]:
    """The order in which measures are played, repeats expanded by music21 on a part without the notes.

    Expanding copies everything it meets; without the notes that is five times faster.
    """
    from music21 import note, repeat, spanner, stream

    bare = {}
    for index, measure in enumerate(measures):
        copy = stream.Measure(number=index)
        copy.append(note.Rest(quarterLength=measure.quarterLength or 1, lyric=str(index)))
        copy.leftBarline, copy.rightBarline = measure.leftBarline, measure.rightBarline
        for sign in measure.getElementsByClass(repeat.RepeatExpression):
            copy.insert(sign.offset, type(sign)())
        bare[measure.id] = copy
    skeleton = stream.Part(bare.values())
    for bracket in part.recurse().getElementsByClass(spanner.RepeatBracket):
        inside = [bare[measure.id] for measure in bracket.getSpannedElements() if measure.id in bare]
        skeleton.insert(0, spanner.RepeatBracket(inside, number=bracket.number))
    try:
        if not repeat.Expander(skeleton).isExpandable():
            return list(range(len(measures)))
        expanded = skeleton.expandRepeats()
    except repeat.ExpanderException:  # an odd mixture of repeat signs: as written, once
        return list(range(len(measures)))
    return [int(rest.lyric) for rest in expanded.recurse().getElementsByClass(note.Rest)]
