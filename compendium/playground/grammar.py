"""What the page's readers share with the project's own: the patterns, tables and words they read by.

Everything that is data is written once, in Python; the page's scripts hold only what is done with it.
"""

import re
from typing import Any

from arvae.edit import melody
from arvae.music import abc_text, files, keys, midi, musicxml_bars, score


def grammar() -> dict[str, Any]:
    """JSON values that templates/playground/score.js and the readers behind it take their constants from."""
    lengths = {kind: [length.numerator, length.denominator] for kind, length in musicxml_bars.TYPES.items()}
    return {
        "steps": keys.STEPS, "fifths": keys.FIFTHS, "semitones": keys.SEMITONES, "modes": keys.MODES,
        "profiles": keys.PROFILES,
        "abc": {
            name.lower(): _pattern(getattr(abc_text, name))
            for name in ("TOKEN", "IN_CHORD", "KEY", "SETTING", "METRE", "CHORD", "SYLLABLE")
        },
        "alter": abc_text.ALTER, "abcModes": abc_text.MODES,
        "types": lengths, "chords": musicxml_bars.CHORDS, "marks": score.MARKS,
        "midiChord": _pattern(midi.CHORD), "jump": _pattern(score.JUMP), "longest": score.LONGEST,
        "reasons": {
            name: getattr(score, name)
            for name in ("OTHER_METRE", "CHORDS", "OFF_GRID", "IRREGULAR", "SILENT", "BROKEN")
        } | {name: getattr(files, name) for name in ("PARTS", "TUNES")},
        "words": {
            name: getattr(melody, name)
            for name in ("MONOPHONIC", "QUANTIZE", "PART", "TUNE", "JUMPS", "REKEYED", "FILLED")
        },
        "endings": {"musicxml": files.MUSICXML, "midi": files.MIDI, "abc": files.ABC},
        "largest": files.LARGEST,
    }  # fmt: skip


def _pattern(pattern: re.Pattern[str]) -> str:
    """A pattern as JavaScript writes it: only named groups differ in what these use."""
    return pattern.pattern.replace("(?P<", "(?<")
