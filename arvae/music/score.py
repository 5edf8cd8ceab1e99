"""A score as its notes and bars, whatever it was read from.

A reader (`abc`, `midi`, `musicxml`) gives a `Score`; one of its parts goes to `grid.measures`. A part stands
there as it is *written*, each repeat and each ending once; `unfold` gives it as it is played.
"""

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction

from arvae.music.coding import CONTINUE, END, REST, START
from arvae.music.keys import Key

OTHER_METRE = "other metre"
CHORDS = "chords or several voices"
OFF_GRID = "off the grid"
IRREGULAR = "irregular bars"
SILENT = "no complete measure with a note"
WIDE = "range too wide"
BROKEN = "unreadable"

LONGEST = 10_000  # measures: a few bytes can ask for millions
JUMP = re.compile(r"\bD\. ?[CS]\b|\bda ?capo\b|\bdal ?segno\b", re.IGNORECASE)  # words that say to go back

#: The colours by which a written rest says that it stands for another symbol than a plain rest does, so that
#: every measure can be written as a score and read again: a rest that follows a rest but is one of its
#: own, what goes on from before the measure, padding.
MARKS = {"#010101": REST, "#909090": CONTINUE, "#8F8F8F": START, "#8E8E8E": END}


class TuneError(ValueError):
    """A tune that cannot be read: `reason` is the kind, to count by; `detail` names the bar, the cause and
    the remedy."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.reason, self.detail)


@dataclass(frozen=True, slots=True)
class Note:
    """A note, tied ones as one: start and duration in quarter notes from the start of the part, MIDI pitch as
    it sounds. Among a part's `marks`, the pitch is the symbol (see MARKS) that a coloured rest stands for."""

    start: Fraction
    duration: Fraction
    pitch: int


@dataclass(frozen=True, slots=True)
class Bar:
    """What stands between two bar lines. In quarter notes: where it starts in the part, how long its music
    is, how long its metre says that it is (0 without a metre)."""

    number: str
    start: Fraction
    length: Fraction
    nominal: Fraction
    metre: str = "4/4"  # as messages name it
    section: bool = False  # a double bar, a repeat sign or the bracket of an ending stands before it


@dataclass(frozen=True, slots=True)
class Signs:
    """What stands beside the notes of a part: chord symbols as (quarter notes from the start, name), bars
    (from 0) that a repeat opens before and closes after, those an ending starts with, with its numbers;
    lyrics as (quarter notes from the start, verse from 1, syllable), a syllable ending in "-" where its word
    goes on, in "_" where it is held over further notes; whether a D.C. or D.S. jumps back; the bars after
    which an ending stops; key signatures other than the one before, as (quarter notes, name)."""

    chords: tuple[tuple[Fraction, str], ...] = ()
    opens: frozenset[int] = frozenset()
    closes: frozenset[int] = frozenset()
    endings: tuple[tuple[int, str], ...] = ()
    lyrics: tuple[tuple[Fraction, int, str], ...] = ()
    jumps: bool = False
    stops: frozenset[int] = frozenset()
    keys: tuple[tuple[Fraction, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score: notes, which may overlap (chords, voices), and the bars, in order, without gap."""

    name: str
    notes: tuple[Note, ...]
    bars: tuple[Bar, ...]
    percussion: bool = False
    marks: tuple[Note, ...] = ()
    played: tuple[int, ...] = ()  # the bars, from 0, in the order in which they are played; (): as they stand
    transpose: int = 0  # by how many semitones it sounds higher than it is written
    key: Key | None = None  # its signature at the start, as written; None: the file gives none
    signs: Signs = field(default=Signs(), compare=False)


@dataclass(frozen=True, slots=True)
class Score:
    """What a file, or one tune of it, holds; metre and tempo (quarter notes a minute) at its start;
    whether the tempo changes later."""

    title: str
    parts: tuple[Part, ...]
    metre: str = ""
    number: str = ""
    tempo: float | None = None
    composer: str = ""
    varied: bool = False


def unfold(part: Part) -> Part:
    """The part as it is played, its repeats and endings one after the other."""
    if not part.played:
        return part
    bars, notes, marks = [], [], []
    now, before = Fraction(0), -1
    for index in part.played:
        bar = part.bars[index]
        section = bar.section or index != before + 1
        before = index
        end, shift = bar.start + bar.length, now - bar.start
        bars.append(replace(bar, start=now, section=section))
        for source, target in ((part.notes, notes), (part.marks, marks)):
            target += [
                replace(note, start=note.start + shift) for note in source if bar.start <= note.start < end
            ]
        now += bar.length
    return replace(part, notes=tuple(notes), bars=tuple(bars), marks=tuple(marks), played=())
