"""Coded measures as written music and back: music21 streams, MusicXML, files in four formats.

Every measure can be written and read again unchanged. A beat with an onset on a triplet is written as a
triplet, any other in plain sixteenths; what no note can say (padding, what goes on from before the measure)
is a grey rest.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arvae.files import atomic_write
from arvae.music import abc as abc_notation
from arvae.music import coding as music
from arvae.music import midi, musicxml, notation, score, tunes
from arvae.music.coding import REST
from arvae.music.tunes import BROKEN, CHORDS, MARKS, TuneError

_LARGEST = 4 << 20  # bytes of a file to read; a long tune has some 100 kB
_FORMATS = {
    ".musicxml": "musicxml",
    ".xml": "musicxml",
    ".mxl": "musicxml",
    ".mid": "midi",
    ".midi": "midi",
    ".abc": "abc",
}
RANGE = "outside the vocabulary"
_COLOUR = {symbol: colour for colour, symbol in MARKS.items()}
_PLAIN = {
    48: ("whole", 0),
    36: ("half", 1),
    24: ("half", 0),
    18: ("quarter", 1),
    12: ("quarter", 0),
    9: ("eighth", 1),
    6: ("eighth", 0),
    3: ("16th", 0),
}
#: In a triplet, three notes in the time of two: 4 twelfths of a quarter note are written as an eighth.
_TRIPLET = {
    8: ("quarter", 0),
    6: ("eighth", 1),
    4: ("eighth", 0),
    3: ("16th", 1),
    2: ("16th", 0),
    1: ("32nd", 0),
}


def to_stream(staves: np.ndarray | Sequence[np.ndarray], names: Sequence[str] = (), title: str = "") -> Any:
    """Coded measures as a music21 Score: treble clef, no key, 4/4, beams and accidentals set.

    staves: (n, 24) for one staff, or a sequence of such for several; names: what stands before each staff.
    Raises ValueError where a measure holds what is no symbol.
    """
    from music21 import metadata, stream

    one = isinstance(staves, np.ndarray) and staves.ndim == 2
    rows = [np.asarray(row) for row in ([staves] if one else staves)]
    score = stream.Score(id="score")
    score.metadata = metadata.Metadata(title=title)
    for number, row in enumerate(rows):
        music.check(row)
        score.insert(0, _part(row, number, names[number] if names else ""))
    return score


def _part(measures: np.ndarray, number: int, name: str) -> Any:
    from music21 import clef, meter, stream

    part = stream.Part(id=f"P{number + 1}")
    part.partName = name
    for index, glyphs in enumerate(notation.notate(measures)):
        measure = stream.Measure(number=index + 1)
        if index == 0:
            measure.append([clef.TrebleClef(), meter.TimeSignature("4/4")])
        for place, glyph in enumerate(glyphs):
            measure.append(_element(glyph, glyphs, place))
        part.append(measure)
    if len(measures):
        part.makeAccidentals(inPlace=True)
        part.makeBeams(inPlace=True)
    return part


def _element(glyph: notation.Glyph, glyphs: Sequence[notation.Glyph], place: int) -> Any:
    """One glyph as a music21 Note or Rest."""
    from music21 import duration, note, tie

    kind, dots = (_TRIPLET if glyph.triplet else _PLAIN)[glyph.length]
    length = duration.Duration(type=kind, dots=dots)
    if glyph.triplet:
        triplet = duration.Tuplet(3, 2, "eighth")
        end = glyph.start + glyph.length
        if glyph.start % notation.BEAT == 0:
            triplet.type = "start"
        elif end % notation.BEAT == 0:
            triplet.type = "stop"
        length.appendTuplet(triplet)
    if glyph.symbol < 0:
        rest = note.Rest(duration=length)
        if glyph.symbol != REST or glyph.anew:
            rest.style.color = _COLOUR[glyph.symbol]
        return rest
    written = note.Note(glyph.symbol, duration=length)
    if written.pitch.accidental is not None and written.pitch.accidental.name == "natural":
        written.pitch.accidental = None  # makeAccidentals adds those needed
    if glyph.tied_before or glyph.tied_after:
        both = glyph.tied_before and glyph.tied_after
        written.tie = tie.Tie("continue" if both else "stop" if glyph.tied_before else "start")
    return written


def from_stream(stream: Any) -> np.ndarray:
    """A music21 Score or Part of one voice in 4/4 -> measures int16 (n, 24): the inverse of `to_stream`.

    A pick-up is padded with rests, repeats are expanded. Raises TuneError, naming the place and the remedy,
    for another metre, several voices, onsets off the grid, incomplete bars, no note at all.
    """
    parts = list(stream.parts) if getattr(stream, "parts", None) else [stream]
    if len(parts) > 1:
        raise TuneError(CHORDS, f"the score has {len(parts)} parts, needed is one: keep the melody")
    measures, _ = tunes.code(tunes.stream_bars(parts[0]), strict=True)
    return measures


def to_musicxml(staves: np.ndarray | Sequence[np.ndarray], names: Sequence[str] = (), title: str = "") -> str:
    """Coded measures (as for `to_stream`) as MusicXML; the same measures give the same text."""
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    exporter = GeneralObjectExporter(to_stream(staves, names, title))
    exporter.makeNotation = False
    text = exporter.parse().decode("utf-8")
    text = re.sub(r"(?s)\s*<(identification|defaults)>.*?</\1>", "", text)  # dates, versions, page sizes
    for number, made_up in enumerate(re.findall(r'<score-part id="([^"]+)"', text)):
        text = text.replace(f'"{made_up}"', f'"P{number + 1}"')
    return text


def write(path: Path | str, measures: np.ndarray, title: str = "", tempo: float = 100) -> Path:
    """Write measures (n, 24) as .musicxml or .mid, by the name's end; returns the path.

    tempo: quarter notes a minute, for MIDI. Raises ValueError for another ending.
    """
    path = Path(path)
    if path.suffix in (".musicxml", ".xml"):
        content = to_musicxml(measures, title=title).encode()
    elif path.suffix in (".mid", ".midi"):
        content = midi.encode(measures, tempo)
    else:
        raise ValueError(
            f"{path.name}: scores are written as .musicxml or .mid, not {path.suffix or 'without ending'}"
        )
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return path


def read(path: Path | str, vocabulary: music.Vocabulary | None = None) -> np.ndarray:
    """A melody from a MusicXML (.musicxml, .xml, .mxl), MIDI (.mid) or ABC (.abc) file -> int16 (n, 24).

    One voice in 4/4, C or C|; a pick-up is padded with rests. Raises TuneError, naming the file, the place
    and the remedy: no such or an empty file, another format, broken content, other metre, chords or several
    voices, off the grid, incomplete bars, no note, a pitch outside the vocabulary (default MIDI 55-84).
    """
    path = Path(path)
    vocabulary = vocabulary or music.Vocabulary()
    try:
        measures = _READERS[_format(path)](read_file(path))
        _check_range(measures, vocabulary)
    except TuneError as error:
        raise TuneError(error.reason, f"{path.name}: {error.detail}") from error
    return measures


def _format(path: Path) -> str:
    if path.suffix.lower() not in _FORMATS:
        raise TuneError(BROKEN, f"files with this ending are not read: use one of {', '.join(_FORMATS)}")
    return _FORMATS[path.suffix.lower()]


def read_file(path: Path) -> bytes:
    """The bytes of a file of a melody's size. TuneError where there is none, or it is empty or too large."""
    if not path.is_file():
        raise TuneError(BROKEN, f"there is no file {path}: check the name")
    size = path.stat().st_size
    if not 0 < size <= _LARGEST:
        raise TuneError(
            BROKEN, f"the file has {size:,} bytes, a melody has 1 to {_LARGEST:,}: export it again"
        )
    return path.read_bytes()


def _read_musicxml(content: bytes) -> np.ndarray:
    def one(parts: int) -> None:
        if parts != 1:
            raise TuneError(CHORDS, f"the score has {parts} parts, needed is one: keep the melody")

    return from_stream(musicxml.first_part(content, one))


def _read_abc(content: bytes) -> np.ndarray:
    found = abc_notation.tunes(abc_notation.decode(content))
    if len(found) > 1:
        raise TuneError(CHORDS, f"the file holds {len(found)} tunes (X: fields), needed is one: keep one")
    return score.measures(score.melody(abc_notation.read_tune(found[0])))


def _check_range(measures: np.ndarray, vocabulary: music.Vocabulary) -> None:
    out = (measures >= 0) & ((measures < vocabulary.lowest) | (measures > vocabulary.highest))
    if not out.any():
        return
    measure, tick = (int(i) for i in np.argwhere(out)[0])
    pitch = int(measures[measure, tick])
    shifts = music.transpositions(measures, vocabulary.lowest, vocabulary.highest)
    if shifts:
        best = min(shifts, key=lambda shift: (shift % 12 != 0, abs(shift)))  # octaves first
        remedy = f"transpose the melody by {best:+d} semitones"
    else:
        remedy = f"its range is wider than {vocabulary.pitches - 1} semitones: leave the outermost notes out"
    raise TuneError(
        RANGE,
        f"measure {measure + 1} has {music.pitch_name(pitch)} (MIDI {pitch}), needed are "
        f"{music.pitch_name(vocabulary.lowest)} to {music.pitch_name(vocabulary.highest)}: {remedy}",
    )


_READERS = {"musicxml": _read_musicxml, "midi": midi.decode, "abc": _read_abc}
