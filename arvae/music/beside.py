"""What stands beside the notes of a part (`score.Signs`), by the measures at which it stands."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from arvae.music.grid import layout
from arvae.music.notation import BEAT, MEASURE, Glyph
from arvae.music.score import Part


@dataclass
class Beside:
    """What stands beside the notes of one measure: chord symbols as (twelfths of a quarter note, name); a
    repeat that opens before it, closes after it; the numbers of an ending that starts with it, and whether
    one stops in it; syllables (see Signs) as (twelfths of a quarter note, verse, text); keys like chords."""

    chords: list[tuple[int, str]] = field(default_factory=list)
    opens: bool = False
    closes: bool = False
    ending: str = ""
    stops: bool = False
    lyrics: list[tuple[int, int, str]] = field(default_factory=list)
    keys: list[tuple[int, str]] = field(default_factory=list)

    def sung(self, glyphs: Sequence[Glyph]) -> dict[int, dict[int, str]]:
        """By verse the syllables of these glyphs, by their place: each at its note or, where not every one
        has a note that starts there, in order, as far as there are notes."""
        onsets = {g.start: place for place, g in enumerate(glyphs) if g.symbol >= 0 and not g.tied_before}
        found: dict[int, dict[int, str]] = {}
        for verse in sorted({verse for _, verse, _ in self.lyrics}):
            own = sorted((at, text) for at, one, text in self.lyrics if one == verse)
            there = all(at in onsets for at, _ in own)
            places = [onsets[at] for at, _ in own] if there else onsets.values()
            found[verse] = dict(zip(places, (text for _, text in own), strict=False))
        return found


def beside_of(part: Part) -> dict[int, Beside]:
    """The signs of a part by the measures of 24 ticks they stand at. One within a measure is left out."""
    found: dict[int, Beside] = defaultdict(Beside)
    laid, signs, endings = layout(part), part.signs, dict(part.signs.endings)
    for place, (index, start, end) in enumerate(laid):
        bar, whole = part.bars[index], MEASURE
        if place == 0 or laid[place - 1][2] <= start // whole * whole:  # the first of its measure
            found[start // whole].opens |= index in signs.opens
            found[start // whole].ending = endings.get(index, "")
        if place == len(laid) - 1 or laid[place + 1][1] >= -(-end // whole) * whole:  # the last
            found[(end - 1) // whole].closes |= index in signs.closes
        found[(end - 1) // whole].stops |= index in signs.stops
        for kind in ("chords", "lyrics", "keys"):
            for time, *what in getattr(signs, kind):
                if bar.start <= time < bar.start + bar.length:
                    at = start + int((time - bar.start) * BEAT)
                    getattr(found[at // whole], kind).append((at % whole, *what))
    return dict(found)
