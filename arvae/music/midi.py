"""Melodies as MIDI files: coded measures to bytes, and bytes of one voice to coded measures."""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from arvae.music import coding as music
from arvae.music.coding import BEATS, CONTINUE, REST, TICKS
from arvae.music.notation import BEAT, POSITIONS
from arvae.music.tunes import BROKEN, CHORDS, LONGEST, OFF_GRID, OTHER_METRE, SILENT, TuneError

MEASURE = BEAT * BEATS  # twelfths of a quarter note
_DIVISION = 480  # MIDI ticks a quarter note
_VELOCITY = 80
_SLACK = 0.25  # twelfths of a quarter note (10 ms at 120 a minute): onsets this close to the grid are on it
_BREATH = 1.5  # a gap up to this long after a note that ends off the grid is how it was played, not a rest


def notes(measures: np.ndarray) -> list[tuple[int, int, int]]:
    """What sounds in measures (n, 24) in a row: (pitch, start, end) in twelfths of a quarter note."""
    music.check(measures)
    symbols = measures.reshape(-1)
    starts = np.flatnonzero(symbols != CONTINUE)
    times = [MEASURE * (int(tick) // TICKS) + POSITIONS[int(tick) % TICKS] for tick in starts]
    ends = [*times, MEASURE * len(measures)][1:]
    return [
        (int(symbols[tick]), start, end)
        for tick, start, end in zip(starts, times, ends, strict=True)
        if symbols[tick] >= 0
    ]


def encode(measures: np.ndarray, tempo: float = 100) -> bytes:
    """Measures (n, 24) as a MIDI file of one track; tempo: quarter notes a minute.

    The same measures give the same bytes. Padding is silence. Raises ValueError for a tempo not in 4 .. 1000.
    """
    if not 4 <= tempo <= 1000:
        raise ValueError(f"tempo {tempo} is not between 4 and 1000 quarter notes a minute")
    events = [
        (0, b"\xff\x51\x03" + round(60e6 / tempo).to_bytes(3, "big")),
        (0, b"\xff\x58\x04\x04\x02\x18\x08"),
    ]
    for pitch, start, end in notes(measures):
        events += [(start, bytes([0x90, pitch, _VELOCITY])), (end, bytes([0x80, pitch, 0]))]
    events.append((MEASURE * len(measures), b"\xff\x2f\x00"))
    track, now = b"", 0
    for time, message in events:
        track += _variable((time - now) * _DIVISION // BEAT) + message
        now = time
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, _DIVISION)
    return header + b"MTrk" + struct.pack(">I", len(track)) + track


def _variable(number: int) -> bytes:
    """A number in MIDI's variable length: seven bits a byte, the highest bit set on all but the last."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))


def decode(content: bytes) -> np.ndarray:
    """A MIDI file with one voice in 4/4 -> measures int16 (n, 24), silence as rests.

    Onsets within 1/48 of a quarter note of the grid are moved onto it. Raises TuneError, with place and
    remedy, for another metre, several voices, onsets off the grid, no note, and what is no MIDI.
    """
    sounding = _melody(content)
    if not sounding:
        raise TuneError(SILENT, "the file holds no note: export the track that has the melody")
    count = -(-max(end for _, _, end in sounding) // MEASURE)
    if count > LONGEST:
        raise TuneError(BROKEN, f"the file lasts {count:,} measures, a melody has at most {LONGEST:,}")
    symbols = np.full(count * TICKS, CONTINUE, np.int16)
    symbols[::TICKS] = REST  # a rest starts anew in every measure; held notes take these back below
    at = {
        MEASURE * measure + POSITIONS[tick]: measure * TICKS + tick
        for measure in range(count)
        for tick in range(TICKS)
    }
    for pitch, start, end in sounding:
        first, last = at[start], at.get(end, len(symbols))
        symbols[first:last] = CONTINUE
        symbols[first] = pitch
        if last < len(symbols):
            symbols[last] = REST
    return symbols.reshape(-1, TICKS)


def _melody(content: bytes) -> list[tuple[int, int, int]]:
    """(pitch, start, end) in twelfths of a quarter note, on the grid, without overlap."""
    played = sorted(_played(content), key=lambda note: note[1])
    melody: list[tuple[int, int, int]] = []
    for number, (pitch, start, end) in enumerate(played):
        place = f"measure {int(start // MEASURE) + 1}, beat {start % MEASURE / BEAT + 1:.2f}"
        on = _nearest(start)
        if abs(on - start) > _SLACK:
            raise TuneError(
                OFF_GRID,
                f"{place}: onsets must fall on sixteenths or triplets of a quarter note (quantize the track)",
            )
        following = played[number + 1][1] if number + 1 < len(played) else None
        off = _nearest(end)
        if following is not None:
            after = _nearest(following)
            if after == on or end > following + _BREATH:
                raise TuneError(CHORDS, f"{place}: a second note sounds with this one (keep one voice)")
            if off > after or (abs(off - end) > _SLACK and following - end <= _BREATH):
                off = after
        melody.append((pitch, on, max(off, POSITIONS[POSITIONS.index(on % MEASURE) + 1] + on - on % MEASURE)))
    return melody


def _nearest(time: float) -> int:
    """The tick of the grid closest to a time in twelfths of a quarter note."""
    measure, within = divmod(time, MEASURE)
    return int(measure) * MEASURE + min(POSITIONS, key=lambda position: abs(position - within))


def _played(content: bytes) -> Iterator[tuple[int, float, float]]:
    """Every note of a MIDI file, as it was played: pitch, start, end in twelfths of a quarter note."""
    from music21 import midi as midi21

    file = midi21.MidiFile()
    try:
        _check_length(content)
        file.readstr(content)
    except Exception as error:  # its parser meets broken bytes with whatever they lead to
        raise TuneError(BROKEN, f"this is no MIDI file ({error}): export it again") from error
    if file.ticksPerSecond or not file.ticksPerQuarterNote:
        raise TuneError(BROKEN, "the file counts seconds, not beats: export it with a tempo")
    voices = set()
    for number, track in enumerate(file.tracks):
        for pitch, channel, start, end in _track(track, midi21):
            voices.add((number, channel))
            if len(voices) > 1:
                raise TuneError(
                    CHORDS, f"{len(voices)} tracks or channels have notes: keep the one with the melody"
                )
            scale = BEAT / file.ticksPerQuarterNote
            yield pitch, start * scale, end * scale


def _check_length(content: bytes) -> None:
    """Raise ValueError unless the file's chunks are all there; music21 reads what is left of half a file."""
    position = 0
    while position < len(content):
        length = int.from_bytes(content[position + 4 : position + 8], "big")
        position += 8 + length
    if position != len(content) or not content.startswith(b"MThd"):
        raise ValueError("it is cut short" if content.startswith(b"MThd") else "it has no MIDI header")


def _track(track: Any, midi21: Any) -> Iterator[tuple[int, int, int, int]]:
    now, open_notes = 0, {}
    for event in track.events:
        if event.isDeltaTime():
            now += event.time
        elif event.type == midi21.MetaEvents.TIME_SIGNATURE:
            metre = f"{event.data[0]}/{2 ** event.data[1]}"
            if metre not in ("4/4", "2/2"):
                raise TuneError(OTHER_METRE, f"the file has metre {metre}, needed is 4/4 or 2/2")
        elif event.isNoteOn():
            if (event.pitch, event.channel) in open_notes:
                yield event.pitch, event.channel, open_notes.pop((event.pitch, event.channel)), now
            open_notes[event.pitch, event.channel] = now
        elif event.isNoteOff() and (event.pitch, event.channel) in open_notes:
            yield event.pitch, event.channel, open_notes.pop((event.pitch, event.channel)), now
    for (pitch, channel), start in open_notes.items():
        yield pitch, channel, start, now
