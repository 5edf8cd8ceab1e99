"""Bars of a MIDI file with other notes; every other event stays, to the tick."""

import io
from collections.abc import Mapping
from fractions import Fraction

import mido
import numpy as np

from arvae.music import midi, notation
from arvae.music.grid import layout
from arvae.music.midi import EARLY
from arvae.music.notation import BEAT, MEASURE
from arvae.music.rewriting import Pace, Rewritten, UnkeptError
from arvae.music.score import Part
from arvae.music.write_midi import track_of


def patch(
    content: bytes, place: int, part: Part, bars: Mapping[int, Rewritten], after: np.ndarray,
    pace: Pace,
) -> bytes:  # fmt: skip
    """The file with other notes in these bars of its part number `place` (from 0), and all else as it is;
    after: every measure of the part as it is to be. A note that starts before such a bar ends where it is
    wanted to. UnkeptError where a note would start before the file does.
    """
    laid, spans = layout(part), []
    for index, start, _ in laid:
        if index in bars:
            if bars[index].start < start % MEASURE:
                raise UnkeptError("a note starts before the first bar does")
            spans.append((part.bars[index].start, part.bars[index].start + part.bars[index].length))

    def time(at: int) -> Fraction:
        """Quarter notes from the start of the part, of a place in the measures."""
        index, start, _ = next((one for one in laid if at < one[2]), laid[-1])
        return part.bars[index].start + Fraction(at - start, BEAT)

    wanted = [(time(start), time(end), pitch) for pitch, start, end in notation.notes(after)]
    try:
        file = midi.opened(content, whole=True)
    except midi.ODD:
        file = midi.opened(content)
    if pace:
        tempi = [m for track in file.tracks for m in track if m.type == "set_tempo"]
        file.tracks[0][:0] = [] if tempi else [mido.MetaMessage("set_tempo", tempo=round(60e6 / pace[0]))]
        for message in tempi:
            message.tempo = min(round(message.tempo * (pace[1] or pace[0]) / pace[0]), 0xFFFFFF)
    division = file.ticks_per_beat
    timed = [(track, midi.timed(track)) for track in file.tracks]
    parts = [(*one, *own) for one in timed for own in midi.by_channel(one[1]) if own[1]]
    track, events, channel, notes = parts[place]
    kept = [e for e in events if e[1].type not in ("note_on", "note_off") or e[1].channel != channel]
    struck = [e for e in events if e[1].type == "note_on" and e[1].channel == channel and e[1].velocity]
    loud = {(at, message.note): message.velocity for at, message in struck}
    usual = sorted(loud.values())[len(loud) // 2]
    inside = [((first - EARLY) * division, (last - EARLY) * division) for first, last in spans]
    played = [
        (round(start * division), round(end * division), pitch, usual)
        for start, end, pitch in wanted
        if any(first <= start * division < last for first, last in inside)
    ]
    for start, end, pitch in notes:
        if any(first <= start < last for first, last in inside):
            continue
        for first, _ in inside:
            if start < first < end - division * EARLY:
                own = [e for s, e, p in wanted if p == pitch and s * division < first < e * division]
                end = min(end, round(own[0] * division) if own else round(first + EARLY * division))
        played.append((start, end, pitch, loud[start, pitch]))
    ranked = [(at, 3 if message.type == "end_of_track" else 1, message) for at, message in kept]
    for start, end, pitch, velocity in played:
        ranked.append((start, 2, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
        ranked.append((end, 0, mido.Message("note_off", channel=channel, note=pitch)))
    last = max(at for at, *_ in ranked)
    ranked = [(last if rank == 3 else at, rank, message) for at, rank, message in ranked]
    track[:] = track_of((at, message) for at, _, message in sorted(ranked, key=lambda one: one[:2]))
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()
