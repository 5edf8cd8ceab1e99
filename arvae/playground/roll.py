"""A piano roll as SVG, drawn in a millisecond: for what follows a slider."""

import html

import numpy as np

from arvae.music import coding as music
from arvae.music import midi

_UNIT, _TALL, _LEFT = 4.0, 6.5, 34.0  # a twelfth of a quarter note, a semitone, room for names
_FAINT = 'fill="currentColor" opacity=".05"'


def roll(
    measures: np.ndarray, before: np.ndarray | None = None, alt: str = "piano roll", per_row: int = 4
) -> str:
    """Measures (n, 24) as filled bars, those of `before` (n, 24) as outlines, `per_row` measures a row:
    SVG."""
    notes = midi.notes(measures)
    outlines = midi.notes(before) if before is not None else []
    pitches = [pitch for pitch, _, _ in [*notes, *outlines]] or [66]
    low, high = min([*pitches, 62]) - 2, max([*pitches, 74]) + 2
    rows = -(-len(measures) // per_row)
    wide, tall = _LEFT + per_row * midi.MEASURE * _UNIT, (high - low + 1) * _TALL
    parts = []
    for row in range(rows):
        count = min(per_row, len(measures) - row * per_row)
        start = row * per_row * midi.MEASURE
        parts.append(f'<g transform="translate({_LEFT} {row * (tall + 10):g})">')
        parts += _ground(count, low, high)
        parts += [_bar(note, start, count, high, 'fill="none" stroke="#888"') for note in outlines]
        parts += [_bar(note, start, count, high, 'fill="#0072b2"') for note in notes]
        parts.append("</g>")
    size = f'viewBox="0 0 {wide:g} {rows * (tall + 10) - 10:g}" width="{wide:g}"'
    said = f'role="img" aria-label="{html.escape(alt, quote=True)}"'
    style = 'style="max-width:100%;height:auto"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {said} {style}>{"".join(parts)}</svg>'


def _ground(count: int, low: int, high: int) -> list[str]:
    wide, tall = count * midi.MEASURE * _UNIT, (high - low + 1) * _TALL
    parts = [f'<rect width="{wide:g}" height="{tall:g}" {_FAINT}/>']
    for pitch in range(low, high + 1):
        y = (high - pitch) * _TALL
        if "#" in music.pitch_name(pitch):
            parts.append(f'<rect y="{y:g}" width="{wide:g}" height="{_TALL}" {_FAINT}/>')
        if pitch % 12 == 0:
            parts.append(
                f'<text x="-5" y="{y + _TALL:g}" text-anchor="end" font-size="10" fill="currentColor">'
                f"{music.pitch_name(pitch)}</text>"
            )
    for beat in range(count * music.BEATS + 1):
        x, bar = beat * midi.BEAT * _UNIT, beat % music.BEATS == 0
        dark = 0.6 if bar else 0.15
        parts.append(f'<line x1="{x:g}" x2="{x:g}" y2="{tall:g}" stroke="currentColor" opacity="{dark}"/>')
    return parts


def _bar(note: tuple[int, int, int], start: int, count: int, high: int, how: str) -> str:
    pitch, first, last = note
    first, last = max(first - start, 0), min(last - start, count * midi.MEASURE)
    if last <= first:
        return ""
    size = f'x="{first * _UNIT + 0.5:g}" width="{(last - first) * _UNIT - 1.5:g}" height="{_TALL - 1.5:g}"'
    return f'<rect rx="2" y="{(high - pitch) * _TALL + 0.75:g}" {size} {how}/>'
