"""ABC notation to bars, by music21's own tokenizer.

music21 reads ABC in two steps: tokens that know their key, length, tuplet and tie, then a stream of
objects. The second step takes nine tenths of the time and adds nothing that a single line of notes needs,
so it is left out; the tests hold the result equal to music21's streams.
"""

import contextlib
import functools
import io
import re
from collections.abc import Iterator
from fractions import Fraction

from music21 import abcFormat, exceptions21, pitch

from arvae.music.tunes import BROKEN, CHORDS, OTHER_METRE, Bar, Event, TuneError, quarters

#: What changes no note: comments, words, annotations and chord names, decorations, grace notes.
_NOISE = [
    re.compile(r"(?m)%.*$"),
    re.compile(r"(?m)^[A-JN-TWZa-z]:.*$"),
    re.compile(r'"[^"\n]*"'),
    re.compile(r"!\w[^!\n]*!"),
    re.compile(r"\{[^}\n]*\}"),
    re.compile(r"[`!]"),
]
_INLINE_FIELD = re.compile(r"\[([KLMV]:[^\]\n]*)\]")
_UNREADABLE = (
    exceptions21.Music21Exception,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def tunes(text: str) -> Iterator[str]:
    """Cut a collection into tunes: each from its X: field to the next, or the whole where there is none."""
    parts = re.split(r"(?m)^(?=X:)", text.replace("\r\n", "\n").replace("\r", "\n"))
    numbered = [part for part in parts if part.startswith("X:")]
    yield from numbered or [text]


def field(text: str, letter: str) -> str | None:
    """The first header field `letter` of a tune, without its comment; None where there is none."""
    found = re.search(rf"(?m)^{letter}:([^%\n]*)", text)
    return found.group(1).strip() if found else None


def is_common(metre: str) -> bool:
    """Whether an M: field says four quarters a bar: 4/4 or C, or C| and its other writing 2/2."""
    return metre.replace(" ", "") in ("4/4", "C", "C|", "2/2")


def clean(text: str) -> str:
    """A tune without what changes no note, fields inside a line put on lines of their own."""
    for pattern in _NOISE:
        text = pattern.sub("", text)
    return _INLINE_FIELD.sub(r"\n\1\n", text)


def bars(text: str) -> list[Bar]:
    """One tune in ABC -> its bars as written (a repeat once); an accidental holds to the bar's end (ABC 2.1).

    Raises TuneError for another metre than 4/4, C or C| anywhere in it, chords, several voices, and for what
    music21 cannot read.
    """
    metre = field(text, "M") or "none"
    if not is_common(metre):
        raise TuneError(OTHER_METRE, f"the tune has metre {metre}, needed is 4/4, C or C|")
    handler = abcFormat.ABCHandler(abcVersion=(2, 1, 0))
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # music21 warns where an error is raised below
            handler.process(clean(text))
        return list(_bars(handler.tokens))
    except TuneError:
        raise
    except _UNREADABLE as error:
        raise TuneError(BROKEN, f"music21 cannot read this ABC ({error})") from error


def _bars(tokens: list[abcFormat.ABCToken]) -> Iterator[Bar]:
    events: list[Event] = []
    number, position, last = 1, Fraction(0), None
    voices = set()
    for token in tokens:
        if isinstance(token, abcFormat.ABCMetadata):
            if token.isMeter() and not is_common(token.data):
                raise TuneError(OTHER_METRE, f"bar {number} has metre {token.data}, needed is 4/4, C or C|")
            if token.isVoice():
                voices.add(token.data.split()[0] if token.data.split() else "")
                if len(voices) > 1:
                    raise TuneError(CHORDS, f"the tune has voices {sorted(voices)}, needed is one")
        elif isinstance(token, abcFormat.ABCBar):
            if events:
                yield Bar(str(number), position, tuple(events))
                events, position, number = [], Fraction(0), number + 1
        elif isinstance(token, abcFormat.ABCChord):
            raise TuneError(CHORDS, f"bar {number} has the chord {token.src}, needed is one note at a time")
        elif isinstance(token, abcFormat.ABCNote) and not token.inGrace:
            duration = quarters(token.quarterLength)
            if token.activeTuplet:
                tuplet = token.activeTuplet
                duration *= Fraction(tuplet.numberNotesNormal, tuplet.numberNotesActual)
            if not token.isRest and not token.pitchName[-1].isdigit():  # music21 then assumes a C
                raise TuneError(BROKEN, f"bar {number} has {token.src!r}, which is no note of ABC")
            midi = None if token.isRest else _midi(token.pitchName)
            tied = token.tie in ("stop", "continue") and midi == last and midi is not None
            events.append(Event(position, duration, midi, tied))
            position, last = position + duration, midi
    if events:
        yield Bar(str(number), position, tuple(events))


@functools.cache
def _midi(name: str) -> int:
    return pitch.Pitch(name).midi
