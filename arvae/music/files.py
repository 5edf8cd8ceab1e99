"""Melodies in files: MusicXML, MIDI, ABC to a Score and one of its parts; measures to those and to sound."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from arvae.files import write_bytes
from arvae.music import abc, abc_text, audio, midi, musicxml, write_midi
from arvae.music.beside import Beside
from arvae.music.grid import measures
from arvae.music.keys import Key
from arvae.music.score import BROKEN, SILENT, Part, Score, TuneError
from arvae.music.write_abc import to_abc
from arvae.music.write_musicxml import packed, to_musicxml

PARTS, TUNES = "several parts", "several tunes"
LARGEST = 4 << 20  # bytes of a file to read; a long tune has some 100 kB
MIDI, MUSICXML, ABC = (".mid", ".midi", ".kar", ".rmi"), (".musicxml", ".xml", ".mxl"), (".abc",)
ENDINGS = (*MUSICXML, *MIDI, *ABC)
WRITTEN = (*MUSICXML, *MIDI[:2], *ABC, *audio.FORMATS)


def read_file(path: Path) -> bytes:
    """The bytes of a file of a melody's size. TuneError where there is none, or it is empty or too large."""
    if path.suffix.lower() not in ENDINGS:
        raise TuneError(BROKEN, f"files with this ending are not read: use one of {', '.join(ENDINGS)}")
    if not path.is_file():
        raise TuneError(BROKEN, f"there is no file {path}: check the name")
    size = path.stat().st_size
    if not 0 < size <= LARGEST:
        found = f"the file has {size:,} bytes, a melody has 1 to {LARGEST:,}"
        raise TuneError(BROKEN, f"{found}: export it again")
    return path.read_bytes()


def read_score(content: bytes, ending: str, tune: str | None = None) -> Score:
    """The score in a file that ends in one of ENDINGS; of an ABC file the one tune, or the one that is named
    by its X: number or its title. Raises TuneError with the remedy."""
    if ending.lower() in MIDI:
        return midi.read(content)
    if ending.lower() in MUSICXML:
        return musicxml.read(content)
    return abc.read_tune(tune_of(content, tune))


def tune_of(content: bytes, tune: str | None = None) -> str:
    """The one tune of an ABC file, or the one that is named by its X: number or its title."""
    found = abc_text.tunes(abc_text.decode(content))
    if tune is None and len(found) == 1:
        return found[0]
    numbers = [abc_text.field(text, "X") or str(place) for place, text in enumerate(found, 1)]
    names = [(number, abc_text.field(text, "T")) for number, text in zip(numbers, found, strict=True)]
    same = [place for place, name in enumerate(names) if tune is not None and tune in name]
    if len(same) == 1:
        return found[same[0]]
    listed = ", ".join(f"{number} ({title})" if title else number for number, title in names)
    what = f"{len(found)} tunes" if tune is None else f"{len(same) or 'no'} tunes {tune}"
    raise TuneError(TUNES, f"the file has {what}, needed is one: of {listed}")


def choose(score: Score, wanted: str | None = None) -> Part:
    """The part of a score that is wanted, by its number from 1 or its name; without a wish the only one that
    has notes with a pitch. TuneError, with all parts, where that is not one."""
    pitched = [part for part in score.parts if part.notes and not part.percussion]
    if not pitched:
        raise TuneError(SILENT, "it has no note with a pitch: choose a file that has a melody")
    names = [one.name + " (no note)" * (not one.notes and not one.percussion) for one in score.parts]
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


def render(
    ending: str, measures: np.ndarray, title: str = "", tempo: float | None = None, transpose: int = 0,
    key: Key | None = None, composer: str = "", signs: Mapping[int, Beside] = {},
) -> bytes:  # fmt: skip
    """Measures (n, 24) as the bytes of a file with one of the endings WRITTEN.

    tempo: quarter notes a minute (None: 100, where one is needed); transpose, key, signs: see `to_musicxml`.
    Raises ValueError for another ending or tempo.
    """
    ending = ending.lower()
    if ending in MUSICXML:
        score = to_musicxml(measures, (), title, transpose, key, tempo, composer, signs)
        return packed(score.encode(), ending)
    if ending in ABC:
        return to_abc(measures, title, transpose, key, tempo, composer, signs).encode()
    if ending in MIDI[:2]:
        if transpose:  # what is written sounds otherwise
            key, signs = None, {place: replace(own, chords=[]) for place, own in signs.items()}
        return write_midi.encode(measures, tempo or 100, title, key, signs)
    if ending in audio.FORMATS:
        return audio.encode(measures, tempo or 100, ending)
    raise ValueError(f"melodies are written as {', '.join(WRITTEN)}, not {ending or 'without ending'}")


def write(path: Path | str, measures: np.ndarray, *how: Any, **named: Any) -> Path:
    """Write measures (n, 24) in the format that the name's ending says; see `render`; returns the path."""
    path = Path(path)
    write_bytes(path, render(path.suffix, measures, *how, **named))
    return path
