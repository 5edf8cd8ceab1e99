"""Measures as sound: a plucked string made of sine waves, the same samples every time."""

import base64
import html
import io
import re
import struct
import wave

import numpy as np

from arvae.music import midi

RATE = 16_000  # samples a second: the highest melody note's seventh harmonic still fits, and pages stay small
_HARMONICS = np.arange(1, 8)
_ATTACK, _RELEASE = 0.004, 0.06  # seconds
_LOUDEST = 0.8
_ROW = "display:flex;flex-wrap:wrap;align-items:center;gap:0.3em 0.8em;margin:0.4em 0"


def synthesize(measures: np.ndarray, tempo: float = 100, rate: int = RATE, tail: float = 0.4) -> np.ndarray:
    """Measures int (n, 24) in a row -> samples float32 (m,) in -1 .. 1, at `rate` a second.

    tempo: quarter notes a minute; tail: seconds for the last note to fade. Padding and rests are silence.
    Raises ValueError for a tempo outside 4 .. 1000, a rate outside 4,000 .. 192,000, what is no measure.
    """
    if not 4 <= tempo <= 1000:
        raise ValueError(f"tempo {tempo} is not between 4 and 1000 quarter notes a minute")
    if not 4_000 <= rate <= 192_000:
        raise ValueError(f"rate {rate} is not between 4,000 and 192,000 samples a second")
    unit = 60 / tempo / midi.BEAT  # seconds a twelfth of a quarter note
    sound = np.zeros(round((midi.MEASURE * len(measures) * unit + tail) * rate), np.float64)
    for pitch, start, end in midi.notes(measures):
        first = round(start * unit * rate)
        tone = _pluck(pitch, (end - start) * unit, rate)[: len(sound) - first]
        sound[first : first + len(tone)] += tone
    loudest = np.abs(sound).max(initial=0)
    return (sound * (_LOUDEST / loudest if loudest else 1)).astype(np.float32)


def _pluck(pitch: int, seconds: float, rate: int) -> np.ndarray:
    """One note: harmonics that fade the faster the higher they are, let go after `seconds`."""
    time = np.arange(round((seconds + _RELEASE) * rate)) / rate
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    heard = _HARMONICS[_HARMONICS * frequency < rate / 2]
    phases = 2 * np.pi * frequency * heard[:, None] * time
    fading = np.exp(-time * (0.8 + 0.7 * heard[:, None]))
    tone = (np.sin(phases) * fading / heard[:, None] ** 1.3).sum(0)
    let_go = np.clip((seconds + _RELEASE - time) / _RELEASE, 0, 1)
    return tone * np.clip(time / _ATTACK, 0, 1) * let_go


def wav(measures: np.ndarray, tempo: float = 100, rate: int = RATE, small: bool = False) -> bytes:
    """Measures (n, 24) as the bytes of a WAV file: one channel, 16 bits.

    small: 8 bits with logarithmic steps (mu-law, ITU-T G.711), half the bytes, which browsers play too.
    """
    samples = synthesize(measures, tempo, rate)
    if small:
        return _riff(_mu_law(samples).tobytes(), rate)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def _mu_law(samples: np.ndarray) -> np.ndarray:
    """Samples float (m,) in -1 .. 1 -> uint8 (m,): sign, power of two, four bits within it; all flipped."""
    level = np.minimum(np.abs(np.round(samples * 8031)).astype(np.int64), 8031) + 33  # 33 .. 8064
    power = np.floor(np.log2(level)).astype(np.int64) - 5
    step = (level >> (power + 1)) & 0x0F
    return (~(np.where(samples < 0, 0x80, 0) | power << 4 | step) & 0xFF).astype(np.uint8)


def _riff(content: bytes, rate: int) -> bytes:
    """Mu-law samples as a WAV file: its format is number 7, one byte a sample, one channel."""
    form = struct.pack("<HHIIHHH", 7, 1, rate, rate, 1, 8, 0)
    fact = struct.pack("<I", len(content))
    chunks = [(b"fmt ", form), (b"fact", fact), (b"data", content + b"\0" * (len(content) % 2))]
    sizes = {b"data": len(content)}
    body = b"".join(name + struct.pack("<I", sizes.get(name, len(part))) + part for name, part in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def player(measures: np.ndarray, label: str, tempo: float = 100, rate: int = 11_025) -> str:
    """HTML of an audio player for measures (n, 24), with a link to them as a MIDI file; needs nothing else.

    label: what it plays, for the eye and for screen readers. About 15 kB a second of music.
    """
    name = html.escape(label, quote=True)
    sound = base64.b64encode(wav(measures, tempo, rate, small=True)).decode()
    score = base64.b64encode(midi.encode(measures, tempo)).decode()
    file = re.sub(r"\W+", "-", label).strip("-") or "melody"
    return (
        f'<div class="player" style="{_ROW}"><span style="min-width:12em">{name}</span> '
        f'<audio controls style="height:2.2em" preload="metadata" aria-label="{name}" '
        f'src="data:audio/wav;base64,{sound}"></audio> '
        f'<a download="{file}.mid" href="data:audio/midi;base64,{score}">MIDI</a></div>'
    )
