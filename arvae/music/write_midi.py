"""Measures as a MIDI file, by mido, with the words and chord symbols beside them."""

import io
from collections.abc import Iterable, Mapping

import mido
import numpy as np

from arvae.music import notation
from arvae.music.beside import Beside
from arvae.music.keys import Key
from arvae.music.midi import Event
from arvae.music.notation import BEAT, MEASURE

_DIVISION = 480  # MIDI ticks a quarter note
_VELOCITY = 80


def encode(
    measures: np.ndarray, tempo: float = 100, title: str = "", key: Key | None = None,
    signs: Mapping[int, Beside] = {},
) -> bytes:  # fmt: skip
    """Measures (n, 24) as a MIDI file; tempo: quarter notes a minute; key: one with a signature; signs: what
    stands beside measures, from 0.

    Chord symbols are markers, syllables lyric events as recommended practice RP-017 has them: a space ends a
    word. There is one track, and one more for each further verse. The same measures give the same bytes.
    Padding is silence. Raises ValueError for a tempo not in 4 .. 1000.
    """
    if not 4 <= tempo <= 1000:
        raise ValueError(f"tempo {tempo} is not between 4 and 1000 quarter notes a minute")
    sign = mido.MetaMessage("time_signature")
    events = [(0, mido.MetaMessage("set_tempo", tempo=round(60e6 / tempo))), (0, sign)]
    if title:
        events.insert(0, (0, mido.MetaMessage("track_name", name=_latin(title))))
    if key is not None:
        sign = Key.of(key.fifths, "minor" if key.mode == "minor" else "major")
        name = sign.tonic + "m" * (sign.mode == "minor")
        events.append((0, mido.MetaMessage("key_signature", key=name)))
    verses: dict[int, list[Event]] = {}
    for place, glyphs in enumerate(notation.notate(measures) if signs else ()):
        own, start = signs.get(place, Beside()), MEASURE * place
        events += [(start + at, mido.MetaMessage("marker", text=_latin(name))) for at, name in own.chords]
        for verse, sung in own.sung(glyphs).items():
            for at, text in sung.items():
                text = text.rstrip("_").replace("\N{NON-BREAKING HYPHEN}", "-")
                text = text[:-1] if text.endswith("-") else f"{text} "
                message = mido.MetaMessage("lyrics", text=_latin(text))
                verses.setdefault(verse, []).append((start + glyphs[at].start, message))
    first, *further = [verses[verse] for verse in sorted(verses)] or [[]]
    events += first
    for pitch, start, end in notation.notes(measures):
        events.append((start, mido.Message("note_on", note=pitch, velocity=_VELOCITY)))
        events.append((end, mido.Message("note_off", note=pitch, velocity=0)))
    tracks = [sorted(events, key=lambda event: event[0])]
    for number, lyrics in enumerate(further, 2):
        tracks.append([(0, mido.MetaMessage("track_name", name=f"Verse {number}")), *lyrics])
    for track in tracks:
        track.append((MEASURE * len(measures), mido.MetaMessage("end_of_track")))
    written = [track_of((time * _DIVISION // BEAT, message) for time, message in track) for track in tracks]
    file = io.BytesIO()
    mido.MidiFile(type=int(len(written) > 1), ticks_per_beat=_DIVISION, tracks=written).save(file=file)
    return file.getvalue()


def track_of(events: Iterable[Event]) -> mido.MidiTrack:
    """Messages, in order, with the time from one to the next."""
    track, now = mido.MidiTrack(), 0
    for time, message in events:
        track.append(message.copy(time=time - now))
        now = time
    return track


def _latin(text: str) -> str:
    """Text so that mido, which writes Latin-1, writes its UTF-8."""
    return text.encode().decode("latin-1")
