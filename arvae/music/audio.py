"""Measures as sound: a plucked string made of its partials, the same samples every time."""

import io
from functools import lru_cache

import numpy as np

from arvae.music import notation

RATE = 22_050  # samples a second
#: Ending of a file -> what libsndfile calls its format and its coding. MP3 plays in every browser.
FORMATS = {".wav": ("WAV", "PCM_16"), ".mp3": ("MP3", "MPEG_LAYER_III")}
_PARTIALS = np.arange(1, 25)
_PLUCKED = 0.23  # where on the string: partials that have a node there are weak
_STIFF = 7e-5  # how much sharper than harmonic the partials of a stiff string are
_ATTACK, _RELEASE = 0.003, 0.09  # seconds
_LOUDEST = 0.8
_ACCENT = 1.25  # a note on the first beat, against the others


def synthesize(measures: np.ndarray, tempo: float = 100, rate: int = RATE, tail: float = 0.4) -> np.ndarray:
    """Measures int (n, 24) in a row -> samples float32 (m,) in -1 .. 1, at `rate` a second.

    tempo: quarter notes a minute; tail: seconds for the last note to fade. Padding and rests are silence.
    Raises ValueError for a tempo outside 4 .. 1000, a rate outside 4,000 .. 192,000, what is no measure.
    """
    if not 4 <= tempo <= 1000:
        raise ValueError(f"tempo {tempo} is not between 4 and 1000 quarter notes a minute")
    if not 4_000 <= rate <= 192_000:
        raise ValueError(f"rate {rate} is not between 4,000 and 192,000 samples a second")
    unit = 60 / tempo / notation.BEAT  # seconds a twelfth of a quarter note
    sound = np.zeros(round((notation.MEASURE * len(measures) * unit + tail) * rate), np.float64)
    for pitch, start, end in notation.notes(measures):
        first = round(start * unit * rate)
        tone = _pluck(pitch, (end - start) * unit, rate)[: len(sound) - first]
        sound[first : first + len(tone)] += tone * (1 if start % notation.MEASURE else _ACCENT)
    loudest = np.abs(sound).max(initial=0)
    return (sound * (_LOUDEST / loudest if loudest else 1)).astype(np.float32)


@lru_cache(maxsize=256)
def _pluck(pitch: int, seconds: float, rate: int) -> np.ndarray:
    """One note: two strings a hair apart, partials that fade the faster the higher they and the note are, let
    go after `seconds`."""
    time = np.arange(round((seconds + _RELEASE) * rate)) / rate
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    heard = _PARTIALS[_PARTIALS * frequency * 1.02 < rate / 2][:, None]
    loud = np.abs(np.sin(np.pi * heard * _PLUCKED)) / heard**1.6
    fading = 0.65 * np.exp(-time * (1 + frequency / 500 + 0.6 * heard))  # as a string: fast, then slowly
    fading += 0.35 * np.exp(-time * (0.4 + frequency / 2000 + 0.25 * heard))
    phases = 2 * np.pi * frequency * heard * np.sqrt(1 + _STIFF * heard**2) * time
    tone = (loud * fading * (np.sin(phases) + 0.6 * np.sin(1.0006 * phases))).sum(0)
    let_go = np.clip((seconds + _RELEASE - time) / _RELEASE, 0, 1) ** 2
    return tone * np.clip(time / _ATTACK, 0, 1) * let_go


def encode(measures: np.ndarray, tempo: float = 100, ending: str = ".mp3", rate: int = RATE) -> bytes:
    """Measures (n, 24) as the bytes of a sound file with one of the endings FORMATS, one channel. An MP3 has
    some 5 kB a second. Raises ValueError as `synthesize` does."""
    import soundfile

    form, coding = FORMATS[ending]
    small = {"compression_level": 0.5, "bitrate_mode": "VARIABLE"} if form == "MP3" else {}
    file = io.BytesIO()
    soundfile.write(file, synthesize(measures, tempo, rate), rate, format=form, subtype=coding, **small)
    return file.getvalue()
