"""Melodies in files: MusicXML, MIDI and ABC to a Score and one of its parts, coded measures to the first two.

A beat with an onset on a triplet is written as a triplet, any other in plain sixteenths; what no note can say
(padding, what goes on from before the measure) is a grey rest: every measure can be read again as it was.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arvae.files import atomic_write
from arvae.music import abc, midi, musicxml, notation
from arvae.music import coding as music
from arvae.music.coding import REST
from arvae.music.score import BROKEN, MARKS, SILENT, Part, Score, TuneError, measures

PARTS, TUNES = "several parts", "several tunes"
LARGEST = 4 << 20  # bytes of a file to read; a long tune has some 100 kB
MIDI, MUSICXML, ABC = (".mid", ".midi", ".kar", ".rmi"), (".musicxml", ".xml", ".mxl"), (".abc",)
ENDINGS = (*MUSICXML, *MIDI, *ABC)
_COLOUR = {symbol: colour for colour, symbol in MARKS.items()}
#: Note values and dots of lengths in twelfths of a quarter note; in a triplet three stand in the time of two.
_PLAIN = {48: ("whole", 0), 36: ("half", 1), 24: ("half", 0), 18: ("quarter", 1), 12: ("quarter", 0)}
_PLAIN |= {9: ("eighth", 1), 6: ("eighth", 0), 3: ("16th", 0)}
_TRIPLET = {
    8: ("quarter", 0),
    6: ("eighth", 1),
    4: ("eighth", 0),
    3: ("16th", 1),
    2: ("16th", 0),
    1: ("32nd", 0),
}


def read_file(path: Path) -> bytes:
    """The bytes of a file of a melody's size. TuneError where there is none, or it is empty or too large."""
    if path.suffix.lower() not in ENDINGS:
        raise TuneError(BROKEN, f"files with this ending are not read: use one of {', '.join(ENDINGS)}")
    if not path.is_file():
        raise TuneError(BROKEN, f"there is no file {path}: check the name")
    size = path.stat().st_size
    if not 0 < size <= LARGEST:
        raise TuneError(
            BROKEN, f"the file has {size:,} bytes, a melody has 1 to {LARGEST:,}: export it again"
        )
    return path.read_bytes()


def read_score(content: bytes, ending: str, tune: str | None = None) -> Score:
    """The score in a file that ends in one of ENDINGS; of an ABC file the one tune, or the one that is named
    by its X: number or its title. Raises TuneError with the remedy."""
    if ending.lower() in MIDI:
        return midi.read(content)
    if ending.lower() in MUSICXML:
        return musicxml.read(content)
    found = abc.tunes(abc.decode(content))
    if tune is None and len(found) == 1:
        return abc.read_tune(found[0])
    names = [
        (abc.field(text, "X") or str(place), abc.field(text, "T")) for place, text in enumerate(found, 1)
    ]
    same = [place for place, name in enumerate(names) if tune is not None and tune in name]
    if len(same) == 1:
        return abc.read_tune(found[same[0]])
    listed = ", ".join(f"{number} ({title})" if title else number for number, title in names)
    what = f"{len(found)} tunes" if tune is None else f"{len(same) or 'no'} tunes {tune}"
    raise TuneError(TUNES, f"the file has {what}, needed is one: of {listed}")


def choose(score: Score, wanted: str | None = None) -> Part:
    """The part of a score that is wanted, by its number from 1 or its name; without a wish the only one that
    has notes with a pitch. TuneError, with all parts, where that is not one."""
    pitched = [part for part in score.parts if part.notes and not part.percussion]
    if not pitched:
        raise TuneError(SILENT, "it has no note with a pitch: choose a file that has a melody")
    names = [
        part.name + (" (no note)" if not part.notes and not part.percussion else "") for part in score.parts
    ]
    listed = ", ".join(f"{place} ({name})" for place, name in enumerate(names, 1))
    if wanted is None:
        if len(pitched) > 1:
            raise TuneError(PARTS, f"it has {len(names)} parts, needed is one: of {listed}")
        return pitched[0]
    found = [part for part in score.parts if part.name.lower() == wanted.lower()]
    if wanted.isdecimal() and 1 <= int(wanted) <= len(names) and not found:
        found = [score.parts[int(wanted) - 1]]
    if len(found) != 1:
        raise TuneError(PARTS, f"it has {len(found) or 'no'} parts {wanted!r}, needed is one: of {listed}")
    if found[0] not in pitched:
        raise TuneError(SILENT, f"part {wanted} has no note with a pitch: choose another of {listed}")
    return found[0]


def read(path: Path | str) -> np.ndarray:
    """The melody of a file with one part (and one tune), as int16 (n, 24); TuneError as the readers and
    `measures` have it, with the file's name."""
    path = Path(path)
    try:
        return measures(choose(read_score(read_file(path), path.suffix)))
    except TuneError as error:
        raise TuneError(error.reason, f"{path.name}: {error.detail}") from error


def _part(measures: np.ndarray, number: int, name: str) -> Any:
    from music21 import clef, meter, stream

    part = stream.Part(id=f"P{number + 1}")
    part.partName = name
    for index, glyphs in enumerate(notation.notate(measures)):
        measure = stream.Measure(number=index + 1)
        if index == 0:
            measure.append([clef.TrebleClef(), meter.TimeSignature("4/4")])
        for glyph in glyphs:
            measure.append(_element(glyph))
        part.append(measure)
    if len(measures):
        part.makeAccidentals(inPlace=True)
        part.makeBeams(inPlace=True)
    return part


def _element(glyph: notation.Glyph) -> Any:
    """One glyph as a music21 Note or Rest."""
    from music21 import duration, note, tie

    kind, dots = (_TRIPLET if glyph.triplet else _PLAIN)[glyph.length]
    length = duration.Duration(type=kind, dots=dots)
    if glyph.triplet:
        triplet = duration.Tuplet(3, 2, "eighth")
        ends = {0: "start", notation.BEAT - glyph.length: "stop"}
        triplet.type = ends.get(glyph.start % notation.BEAT)
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


def to_musicxml(
    staves: np.ndarray | Sequence[np.ndarray], names: Sequence[str] = (), title: str = "", transpose: int = 0
) -> str:
    """Coded measures as MusicXML: treble clef, no key, 4/4; the same measures give the same text.

    staves: (n, 24) for one staff, or a sequence of such for several; names: what stands before each staff;
    transpose: by how many semitones it sounds higher than it is written (-2: a clarinet in B flat). Raises
    ValueError where a measure holds what is no symbol.
    """
    from music21 import metadata, stream
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    one = isinstance(staves, np.ndarray) and staves.ndim == 2
    whole = stream.Score(id="score")
    whole.metadata = metadata.Metadata(title=title)
    for number, row in enumerate([staves] if one else staves):
        music.check(np.asarray(row))
        name = names[number] if names else ""
        whole.insert(0, _part(music.transpose(np.asarray(row), -transpose), number, name))
    exporter = GeneralObjectExporter(whole)
    exporter.makeNotation = False
    text = exporter.parse().decode("utf-8")
    text = re.sub(r"(?s)\s*<(identification|defaults)>.*?</\1>", "", text)  # dates, versions, page sizes
    if transpose:
        steps = round(transpose * 7 / 12)
        sign = f"<transpose><diatonic>{steps}</diatonic><chromatic>{transpose}</chromatic></transpose>"
        text = text.replace("</attributes>", f"{sign}</attributes>", 1)
    for number, made_up in enumerate(re.findall(r'<score-part id="([^"]+)"', text)):
        text = text.replace(f'"{made_up}"', f'"P{number + 1}"')
    return text


def write(
    path: Path | str, measures: np.ndarray, title: str = "", tempo: float = 100, transpose: int = 0
) -> Path:
    """Write measures (n, 24) as .musicxml or .mid, by the name's end; returns the path.

    tempo: quarter notes a minute (MIDI); transpose: see `to_musicxml`. Raises ValueError for another ending.
    """
    path = Path(path)
    if path.suffix.lower() in (".musicxml", ".xml"):
        content = to_musicxml(measures, title=title, transpose=transpose).encode()
    elif path.suffix.lower() in (".mid", ".midi"):
        content = midi.encode(measures, tempo)
    else:
        raise ValueError(
            f"{path.name}: scores are written as .musicxml or .mid, not {path.suffix or 'without ending'}"
        )
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
    return path
