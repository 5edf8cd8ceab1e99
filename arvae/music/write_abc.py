"""Measures as ABC. What no note can say (padding, what goes on from before the measure) is a plain rest."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from arvae.music import coding as music
from arvae.music import notation
from arvae.music.beside import Beside
from arvae.music.keys import STEPS, Key
from arvae.music.notation import BEAT, Glyph, per_minute

_SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_PER_LINE = 4  # measures


def bar_text(glyphs: Sequence[Glyph], key: Key, unit: Fraction, words: Sequence[tuple[int, str]] = ()) -> str:
    """One bar's glyphs as ABC. unit: quarter notes of L:; words: (twelfths of a quarter note, chord symbol),
    each set before the first note that starts there or later, or else before the last."""
    altered: set[str] = set()
    waiting = sorted(words, reverse=True)
    text = ""
    for place, glyph in enumerate(glyphs):
        if place and glyph.start % BEAT == 0:
            text += " "
        while waiting and (waiting[-1][0] <= glyph.start or place == len(glyphs) - 1):
            text += waiting.pop()[1]
        if glyph.triplet and glyph.start % BEAT == 0:
            count = sum(g.start // BEAT == glyph.start // BEAT for g in glyphs)
            text += "(3" if count == 3 else f"(3:2:{count}"
        length = Fraction(glyph.length * (3 if glyph.triplet else 2), 2 * BEAT) / unit
        text += _abc_note(glyph, key, altered) if glyph.symbol >= 0 else "z"
        text += re.sub(r"^1\b", "", str(length)) + "-" * glyph.tied_after
    return text


def _abc_note(glyph: Glyph, key: Key, altered: set[str]) -> str:
    """A note's accidental, where any reader may need it, letter and octave."""
    step, alter, octave = key.spell(glyph.symbol)
    sign = ""
    if alter != key.alters[STEPS.index(step)] or step in altered:
        sign = _SIGNS[alter]
        altered.add(step)
    return sign + (step.lower() + "'" * (octave - 5) if octave > 4 else step + "," * (4 - octave))


def key_field(key: Key) -> str:
    """A key as the field K: has it: "G", "Em", "D dor ^c"."""
    tonic, mode = key.tonic or Key.of(key.fifths, "major").tonic, key.mode or "major"
    changed = "".join(f" {_SIGNS[alter]}{step.lower()}" for step, alter in key.changed)
    return tonic + {"major": "", "minor": "m"}.get(mode, f" {mode[:3]}") + changed


def to_abc(
    measures: np.ndarray, title: str = "", transpose: int = 0,
    key: Key | None = None, tempo: float | None = None, composer: str = "", signs: Mapping[int, Beside] = {},
) -> str:  # fmt: skip
    """Coded measures (n, 24) as a tune in ABC; see `to_musicxml`."""
    music.check(np.asarray(measures))
    key = key or Key.of(0)
    fields = {"X": "1", "T": title, "C": composer, "M": "4/4", "L": "1/8"}
    fields["Q"] = "" if tempo is None else f"1/4={per_minute(tempo)}"
    fields["K"] = key_field(key) + (f" transpose={transpose}" if transpose else "")
    head = [f"{letter}:{' '.join(text.split())}" for letter, text in fields.items() if text]
    cuts = {place: {at for at, _ in own.chords if at % BEAT == 0} for place, own in signs.items()}
    written = notation.notate(music.transpose(np.asarray(measures), -transpose), cuts)
    bars, last = [], len(written) - 1
    for place, glyphs in enumerate(written):
        own, following = signs.get(place, Beside()), signs.get(place + 1, Beside())
        words = [(at, f'"{name}"') for at, name in own.chords]
        text = "|:" * (own.opens and not place) + bar_text(glyphs, key, Fraction(1, 2), words)
        line = ":|" if own.closes else "|]" if place == last else "||" if own.stops else "|"
        line += ":" * following.opens + (f"[{following.ending}" if following.ending else "")
        bars.append(f"{text} {line}")
    lines, sung = [], [signs.get(place, Beside()).sung(glyphs) for place, glyphs in enumerate(written)]
    held: dict[int, bool] = {}
    for first in range(0, len(written), _PER_LINE):
        some = slice(first, first + _PER_LINE)
        lines.append(" ".join(bars[some]))
        verses = max((verse for own in sung[some] for verse in own), default=0)
        for verse in range(1, verses + 1):
            lines.append(_verse(written[some], [own.get(verse, {}) for own in sung[some]], held, verse))
    return "\n".join([*head, *lines, ""])


def _verse(
    bars: Sequence[Sequence[Glyph]], sung: Sequence[Mapping[int, str]], held: dict[int, bool], verse: int
) -> str:
    """A line w: below bars with these syllables; held: whether the last one of a verse goes on."""
    line = []
    for glyphs, own in zip(bars, sung, strict=True):
        slots = []
        for place, glyph in enumerate(glyphs):
            if glyph.symbol < 0:
                continue
            if place in own:
                held[verse] = own[place].endswith("_")
                text, goes_on = own[place].rstrip("-_"), own[place].endswith("-")
                plain = re.sub("[-\N{NON-BREAKING HYPHEN}]", r"\\-", re.sub(r"[|*_\s]+", "~", text))
                slots.append(plain + "-" * goes_on)
            else:
                slots.append("_" if held.get(verse) or glyph.tied_before else "*")
        line.append(" ".join(slots))
    return f"w: {' | '.join(line)}"
