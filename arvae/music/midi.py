"""MIDI files to a Score, by mido.

Of mido and symusic, mido reads more of what players play (of 3,000 damaged files 905 against 374, by name or
not at all the others) and gives every event; symusic is a hundred times as fast and drops notes that no
note-off ends.
"""

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, groupby, pairwise

import mido
import numpy as np

from arvae.music import coding as music
from arvae.music.abc import read_key
from arvae.music.coding import BEATS
from arvae.music.notation import BEAT
from arvae.music.score import BROKEN, LONGEST, Bar, Note, Part, Score, Signs, TuneError

_LARGEST = 1 << 19  # bytes; a song with all its instruments has some 100 kB
_DRUMS = 9  # channel, from 0
#: A key that is none, SMPTE offset, port, ..: read as text.
_UNUSED = re.compile(rb"\xff([\x00\x20\x21\x54\x7f]|\x59(?!\x02[\xf9-\xff\x00-\x07][\x00\x01]))")
_END = b"\xff\x2f\x00"  # of a track
EARLY, _LATE = Fraction(1, 48), Fraction(1, 8)  # quarter notes: how far from its bar line a note is played
_GRID = np.array([float(offset * BEAT) for offset in (*music.GRID, 1)])
_LENGTHS = np.array([1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 3 / 2, 2, 3, 4])  # quarter notes
_SHARE, _MOST, _ROUNDED = 0.12, 0.9, 0.08  # how far a share is from 1, of the notes, twelfths of a quarter
_BREAKS = " \t\r\n\v\0/\\"  # around a syllable: ends of words and, in karaoke files, of lines
#: A chord symbol behind the sign by which players know a text to be one; a marker needs no sign.
CHORD = re.compile(r"%+([A-G][#b]?(?:maj|min|dim|aug|sus|add|alt|dom|no|[mM\d°øΔ#b+(),-])*(?:/[A-G][#b]?)?)")
Event = tuple[int, mido.Message]  # ticks from the start of the track
ODD = (ArithmeticError, AttributeError, EOFError, LookupError, OSError, TypeError, ValueError)


def read(content: bytes) -> Score:
    """A MIDI file as a Score: a part for each channel of each track that has notes, with bars by its metres.

    A note lasts until its note-off, or until the same pitch is struck again; one without length is none.
    Raises TuneError for what is no MIDI file, ends too early, or lasts too long.
    """
    try:
        return _score(opened(content))
    except TuneError:
        raise
    except ODD as error:
        found = str(error) or "it is cut short"
        raise TuneError(BROKEN, f"this is no MIDI file ({found}): export it again") from error


def opened(content: bytes, whole: bool = False) -> mido.MidiFile:
    """A file as mido reads it once it is mended; whole: with every field that mido may not understand."""
    return mido.MidiFile(file=io.BytesIO(_mended(content, whole)), clip=True, charset="latin-1")


def _mended(content: bytes, whole: bool) -> bytes:
    """The file with the lengths that its header and its tracks really have, without what stands around it.

    Players do not care for wrong lengths, other chunks, a RIFF file around it, bytes behind it, or a key with
    twelve sharps; mido does. whole: leave such fields as they are.
    """
    start = content.find(b"MThd")
    if not 0 <= start <= 128 or len(content) > _LARGEST:
        found = f"{len(content):,} bytes, it may have {_LARGEST:,}" if start >= 0 else "it has no MIDI header"
        raise TuneError(BROKEN, f"this is no MIDI file of a melody ({found}): export it again")
    header, *chunks = content[start:].split(b"MTrk")
    tracks = []
    for chunk in chunks:
        length, body = int.from_bytes(chunk[:4], "big"), chunk[4:]
        if (length > len(body) or not body[:length].endswith(_END)) and _END in body:
            length = body.index(_END) + len(_END)
        if length > len(body):
            raise TuneError(BROKEN, "this is no whole MIDI file (it is cut short): export it again")
        body = body[:length] if whole else _UNUSED.sub(b"\xff\x01", body[:length])
        tracks.append(b"MTrk" + length.to_bytes(4, "big") + body)
    header = header[8:10] + len(tracks).to_bytes(2, "big") + header[12:14]
    return b"MThd" + (6).to_bytes(4, "big") + header + b"".join(tracks)


def _score(file: mido.MidiFile) -> Score:
    tracks = [timed(track) for track in file.tracks]
    tempi = [m.tempo for track in tracks for _, m in track if m.type == "set_tempo"]
    tempo = [*tempi, 500_000][0]
    division = Fraction(file.ticks_per_beat)  # ticks a quarter note
    if not division:
        raise TuneError(BROKEN, "this is no MIDI file (a quarter note has 0 ticks): export it again")
    if division < 0:  # frames a second and ticks a frame: seconds, of which the tempo makes quarter notes
        frames, ticks = 256 - (int(division) >> 8 & 0xFF), int(division) & 0xFF
        rate = Fraction(30_000, 1001) if frames == 29 else Fraction(frames)
        division = rate * ticks * Fraction(tempo, 1_000_000)
    everything = [item for track in tracks for item in track]
    signs = [(time / division, read_key(m.key)) for time, m in everything if m.type == "key_signature"]
    key = signs[0][1] if signs else None
    keys = tuple(sorted((time, str(one)) for time, one in signs if time > 0 and one.alters != key.alters)[:1])
    texts = [_syllables(track) for track in tracks if not by_channel(track)]
    parts: list[Part] = []
    for track in tracks:
        shared = track if file.type == 2 else everything
        own = [item for item in shared if item[1].type == "time_signature"]
        verses = [[(time / division, text) for time, text in verse] for verse in (_syllables(track), *texts)]
        name = _name(track, "track_name") or _name(track, "instrument_name") or f"part {len(parts) + 1}"
        channels = by_channel(track)
        for channel, ticks in channels:
            sounding = _released(
                [Note(start / division, (end - start) / division, pitch) for start, end, pitch in ticks]
            )
            if not sounding:
                continue
            # The last bar is the one where the last note starts, or ends later than late playing explains.
            last = max(max(n.start + EARLY, n.start + n.duration - _LATE) for n in sounding)
            bars = list(_bars(own, division, last))
            first, final = bars[0], bars[-1]
            taken = max(n.start + n.duration for n in sounding) - final.start
            if first.length < first.nominal and abs(first.length + taken - final.nominal) < EARLY:
                bars[-1] = replace(final, length=taken)  # as written, where it lacks the pick-up
            drums = " (drums)" if channel == _DRUMS else ""
            inside = f"channel {channel + 1}" if file.type == 0 else f"{name}, channel {channel + 1}"
            full = (inside if len(channels) > 1 else name) + drums
            signs = Signs(_chords(shared, division), lyrics=_lyrics(verses, sounding), keys=keys)
            parts.append(Part(full, sounding, tuple(bars), bool(drums), key=key, signs=signs))
    title = _name(tracks[0], "track_name") if tracks else ""
    metre, beats = parts[0].bars[0].metre if parts else "", 60e6 / tempo if tempo else None
    return Score(title, tuple(parts), metre, tempo=beats, varied=len(set(tempi)) > 1)


def timed(track: mido.MidiTrack) -> list[Event]:
    """The messages of a track, each with its time."""
    return list(zip(accumulate(message.time for message in track), track, strict=True))


def by_channel(track: Sequence[Event]) -> list[tuple[int, list[tuple[int, int, int]]]]:
    """The channels of a track, in order, each with its notes as (start, end, pitch) in ticks, in order."""
    events: dict[int, list[Event]] = {}
    for time, message in track:
        if message.type in ("note_on", "note_off"):
            events.setdefault(message.channel, []).append((time, message))
    return [(channel, _notes(own, track[-1][0])) for channel, own in sorted(events.items())]


def _name(track: Sequence[Event], kind: str) -> str:
    return _text(next((message.name.strip("\0 ") for _, message in track if message.type == kind), ""))


def _text(written: str) -> str:
    """Text that mido read as Latin-1, as UTF-8 where it is."""
    try:
        return written.encode("latin-1").decode()
    except UnicodeDecodeError:
        return written


def _chords(events: Iterable[Event], division: Fraction) -> tuple[tuple[Fraction, str], ...]:
    """Chord symbols as (quarter notes, name). Markers A, B, C .. in this order are rehearsal letters."""
    signs, found = {"marker": "%", "text": ""}, []
    for time, message in events:
        if message.type in signs:
            match = CHORD.fullmatch(signs[message.type] + _text(message.text).strip(_BREAKS))
            found += [(_twelfths(time / division), match[1])] if match else []
    letters = "".join(dict.fromkeys(name for _, name in found))
    return () if "ABCDEFG".startswith(letters) else tuple(sorted(found))


def _syllables(track: Sequence[Event]) -> list[tuple[int, str]]:
    """What a track's lyric events have: (ticks, syllable), as Signs has it. Where no space ends any word, all
    are words that end in no hyphen."""
    sung = [(time, _text(m.text)) for time, m in track if m.type == "lyrics" and m.text[:1] != "{"]  # a tag
    spaced = any(text[-1:].isspace() for _, text in sung)
    found = []
    for (time, text), (_, following) in pairwise([*sung, (0, " ")]):
        word = re.sub(r"[\0-\x1f]+", " ", text.strip(_BREAKS)).strip()  # XML cannot hold such signs
        goes_on = spaced and text[-1:] not in _BREAKS and following[:1] not in _BREAKS
        if stem := word.rstrip("-_"):
            found.append((time, stem + "-" * (goes_on or word.endswith("-"))))
    return found


def _lyrics(
    verses: Sequence[Sequence[tuple[Fraction, str]]], notes: Sequence[Note]
) -> tuple[tuple[Fraction, int, str], ...]:
    """The verses, of (quarter notes, syllable), that are sung to these notes: at least half of their
    syllables start with one. A word is held over notes without a syllable that follow it before the next."""
    ends: dict[Fraction, Fraction] = {}
    for note in notes:
        at = _twelfths(note.start)
        ends[at] = max(note.start + note.duration, ends.get(at, note.start))
    starts, found, number = sorted(ends), [], 0
    for verse in verses:
        own = [(_twelfths(time), text) for time, text in verse]
        if not own or 2 * sum(time in ends for time, _ in own) < len(own):
            continue
        number += 1
        for (time, text), (following, _) in zip(own, [*own[1:], (Fraction(0), "")], strict=True):
            place = bisect_right(starts, time)
            again = starts[place] if place < len(starts) else following
            if time in ends and again < following and ends[time] > again - _LATE and text[-1] != "-":
                text += "_"
            found.append((time, number, text))
    return tuple(sorted(found))


def _twelfths(time: Fraction) -> Fraction:
    """The nearest twelfth of a quarter note."""
    return Fraction(int(time * BEAT + Fraction(1, 2)), BEAT)


def _notes(events: Sequence[Event], last: int) -> list[tuple[int, int, int]]:
    """The notes of one channel as (start, end, pitch) in ticks, in order; `last`: when the track ends."""
    found = []
    by_pitch = sorted(events, key=lambda event: event[1].note)
    for pitch, own in groupby(by_pitch, key=lambda event: event[1].note):
        struck: list[tuple[int, list[int]]] = []  # when, and the note-offs before it is struck again
        for time, message in own:
            if message.type == "note_on" and message.velocity:
                struck.append((time, []))
            elif struck:
                struck[-1][1].append(time)
        earlier = 0  # notes struck again before their note-off, which is still to come
        # Some note-off is missing, or one too many.
        lost = sum(len(ends) for _, ends in struck) != len(struck)
        for (start, ends), (again, _) in pairwise([*struck, (last, [])]):
            let_go = ends[earlier : earlier + 1] or (ends[-1:] if lost else [])
            end = let_go[0] if let_go else again
            earlier = max(earlier + 1 - len(ends), 0)
            if end > start:
                found.append((start, end, pitch))
    return sorted(found)


def _released(notes: list[Note]) -> tuple[Note, ...]:
    """Notes that are all held for one share of their written length (90 % is usual): with the written length.

    The share is the one by which most notes end on the grid; where none is (a person played), they stay.
    """
    starts = np.array([float(note.start) for note in notes])
    played = np.array([float(note.duration) for note in notes])
    joined = np.isin((starts + played).round(4), starts.round(4))  # cut by the next strike, or as written
    shares = np.unique(np.round(played[:, None] / _LENGTHS, 4))
    shares = [1.0, *sorted(shares[np.abs(shares - 1) <= _SHARE], key=lambda share: abs(share - 1))[:200]]

    def on_grid(share: float) -> tuple[np.ndarray, np.ndarray]:
        ends = 12 * (starts + np.where(joined, played, played / share))
        near = 12 * (ends // 12) + _GRID[np.abs(ends[:, None] % 12 - _GRID).argmin(1)]
        return near, np.abs(near - ends) < _ROUNDED

    counts = [on_grid(share)[1].mean() for share in shares] if notes else [1.0]
    best = int(np.argmax(counts))
    if counts[0] >= _MOST or counts[best] < _MOST:
        return tuple(notes)
    ends = zip(notes, *on_grid(shares[best]), strict=True)
    return tuple(
        replace(note, duration=Fraction(int(end), 12) - note.start) if on and end > 12 * note.start else note
        for note, end, on in ends
    )


def _bars(metres: Sequence[Event], division: Fraction, end: Fraction) -> Iterator[Bar]:
    """Bars up to `end`. One that another metre cuts short is short, and so is a first one: a pick-up."""
    if end > LONGEST * BEATS:
        count = int(-(-end // BEATS))
        raise TuneError(BROKEN, f"it lasts {count:,} measures, a melody has at most {LONGEST:,}: cut it")
    signs = {Fraction(0): (4, 4)}
    for time, sign in sorted(metres, key=lambda item: item[0]):
        signs[time / division] = (sign.numerator, sign.denominator)
    number = 0
    for (start, sign), (until, following) in pairwise([*sorted(signs.items()), (end, (0, 1))]):
        length, after = Fraction(4 * sign[0], sign[1]), Fraction(4 * following[0], following[1])
        top, bottom = following if start == 0 and until <= length < after else sign
        while start < min(until, end):
            number += 1
            if number > 2 * LONGEST or not length:
                raise TuneError(BROKEN, f"its metre {top}/{bottom} makes too many bars: export it again")
            room = length if until >= end else min(length, until - start)
            yield Bar(str(number), start, room, Fraction(4 * top, bottom), f"{top}/{bottom}")
            start += length
