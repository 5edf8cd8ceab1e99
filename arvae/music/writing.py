"""Glyphs (`notation.notate`) as MusicXML elements and as ABC, and whole scores of them.

A beat with an onset on a triplet is written as a triplet, any other in plain sixteenths. In MusicXML what no
note can say (padding, what goes on from before the measure) is a grey rest, so that every measure can be read
again as it was; ABC has a plain rest there.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from arvae.music import coding as music
from arvae.music import notation
from arvae.music.coding import BEATS, REST
from arvae.music.keys import FIFTHS, MODES, STEPS, Key
from arvae.music.musicxml import CHORDS
from arvae.music.notation import BEAT, Glyph
from arvae.music.score import MARKS, Part, layout

_COLOUR = {symbol: colour for colour, symbol in MARKS.items()}
#: Note value, dots, flags by length in twelfths of a quarter note; a triplet has three in the time of two.
_PLAIN = {
    48: ("whole", 0, 0),
    36: ("half", 1, 0),
    24: ("half", 0, 0),
    18: ("quarter", 1, 0),
    12: ("quarter", 0, 0),
}
_PLAIN |= {9: ("eighth", 1, 1), 6: ("eighth", 0, 1), 3: ("16th", 0, 2)}
_TRIPLET = {
    8: ("quarter", 0, 0),
    6: ("eighth", 1, 1),
    4: ("eighth", 0, 1),
    3: ("16th", 1, 2),
    2: ("16th", 0, 2),
}
_TRIPLET |= {1: ("32nd", 0, 3)}
_SIGNS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" \
"http://www.musicxml.org/dtds/partwise.dtd">
"""
_ABC_SIGNS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_PER_LINE = 4  # measures of ABC
PLAIN_KEY = Key.of(0)


def _add(parent: Element, tag: str, text: object = None, **attributes: str) -> Element:
    node = SubElement(parent, tag, attributes)
    node.text = None if text is None else str(text)
    return node


@dataclass
class Beside:
    """What stands beside the notes of one measure: chord symbols as (twelfths of a quarter note, name); a
    repeat that opens before it, closes after it; the numbers of an ending that starts with it; syllables
    (see Signs) as (twelfths of a quarter note, verse, text)."""

    chords: list[tuple[int, str]] = field(default_factory=list)
    opens: bool = False
    closes: bool = False
    ending: str = ""
    lyrics: list[tuple[int, int, str]] = field(default_factory=list)

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


def beside(part: Part) -> dict[int, Beside]:
    """The signs of a part by the measures of 24 ticks they stand at. One within a measure is left out."""
    found: dict[int, Beside] = defaultdict(Beside)
    laid, signs, endings = layout(part), part.signs, dict(part.signs.endings)
    for place, (index, start, end) in enumerate(laid):
        bar, whole = part.bars[index], BEAT * BEATS
        if place == 0 or laid[place - 1][2] <= start // whole * whole:  # the first of its measure
            found[start // whole].opens |= index in signs.opens
            found[start // whole].ending = endings.get(index, "")
        if place == len(laid) - 1 or laid[place + 1][1] >= -(-end // whole) * whole:  # the last
            found[(end - 1) // whole].closes |= index in signs.closes
        for kind in ("chords", "lyrics"):
            for time, *what in getattr(signs, kind):
                if bar.start <= time < bar.start + bar.length:
                    at = start + int((time - bar.start) * BEAT)
                    getattr(found[at // whole], kind).append((at % whole, *what))
    return dict(found)


# ------------------------------------------------------------------ MusicXML


def elements(
    glyphs: Sequence[Glyph], key: Key, divisions: int, voice: str = "1", staff: str = ""
) -> list[Element]:
    """One bar's glyphs as <note> elements; pitches as the glyphs have them. divisions: of a quarter note."""
    shown = {}
    nodes = []
    for glyph in glyphs:
        kind, dots, _ = (_TRIPLET if glyph.triplet else _PLAIN)[glyph.length]
        node = Element("note")
        sign = None
        if glyph.symbol < 0:
            _add(node, "rest")
            if glyph.symbol != REST or glyph.anew:
                node.set("color", _COLOUR[glyph.symbol])
        else:
            step, alter, octave = key.spell(glyph.symbol)
            pitch = _add(node, "pitch")
            _add(pitch, "step", step)
            if alter:
                _add(pitch, "alter", alter)
            _add(pitch, "octave", octave)
            if alter != shown.get((step, octave), key.alters[STEPS.index(step)]) and not glyph.tied_before:
                sign, shown[step, octave] = _SIGNS[alter], alter
        _add(node, "duration", Fraction(glyph.length * divisions, BEAT))
        ties = ["stop"] * glyph.tied_before + ["start"] * glyph.tied_after
        for tie in ties:
            _add(node, "tie", type=tie)
        _add(node, "voice", voice)
        _add(node, "type", kind)
        for _ in range(dots):
            _add(node, "dot")
        if sign:
            _add(node, "accidental", sign)
        if glyph.triplet:
            ratio = _add(node, "time-modification")
            _add(ratio, "actual-notes", 3)
            _add(ratio, "normal-notes", 2)
        if staff:
            _add(node, "staff", staff)
        nodes.append(node)
        notations = Element("notations")
        for tie in ties:
            _add(notations, "tied", type=tie)
        within = glyph.start % BEAT
        if glyph.triplet and within == 0:
            _add(notations, "tuplet", type="start")
        if glyph.triplet and within + glyph.length == BEAT:
            _add(notations, "tuplet", type="stop")
        if len(notations):
            node.append(notations)
    _beam(glyphs, nodes)
    return nodes


def _beam(glyphs: Sequence[Glyph], nodes: Sequence[Element]) -> None:
    """Join the flags of notes that follow each other within a beat."""
    flags = [(_TRIPLET if g.triplet else _PLAIN)[g.length][2] * (g.symbol >= 0) for g in glyphs]
    runs = groupby(range(len(glyphs)), key=lambda i: (glyphs[i].start // BEAT, flags[i] > 0))
    for (_, flagged), run in runs:
        places = list(run)
        if not flagged or len(places) == 1:
            continue
        for at in places:
            before, after = flags[at - 1] if at > places[0] else 0, flags[at + 1] if at < places[-1] else 0
            for level in range(flags[at], 0, -1):
                joined = (before >= level, after >= level)
                alone = "forward hook" if at == places[0] else "backward hook"
                word = {(1, 1): "continue", (1, 0): "end", (0, 1): "begin"}.get(joined, alone)
                beam = Element("beam", number=str(level))
                beam.text = word
                place = next(
                    (i for i, child in enumerate(nodes[at]) if child.tag in ("beam", "notations")), None
                )
                nodes[at].insert(len(nodes[at]) if place is None else place, beam)


def signature(key: Key) -> Element:
    """A key as a <key> element."""
    node = Element("key")
    if key.alters == Key.of(key.fifths).alters:
        _add(node, "fifths", key.fifths)
        if key.mode:
            _add(node, "mode", key.mode)
    else:
        for step, alter in zip(STEPS, key.alters, strict=True):
            if alter:
                _add(node, "key-step", step)
                _add(node, "key-alter", alter)
    return node


def to_musicxml(
    staves: np.ndarray | Sequence[np.ndarray], names: Sequence[str] = (), title: str = "", transpose: int = 0,
    key: Key | None = None, tempo: float | None = None, composer: str = "", signs: Mapping[int, Beside] = {},
) -> str:  # fmt: skip
    """Coded measures as MusicXML: treble clef, 4/4; the same measures give the same text.

    staves: (n, 24) for one staff, or a sequence of such for several; names: what stands before each staff;
    transpose: by how many semitones it sounds higher than it is written (-2: a clarinet in B flat); key: as
    written; tempo: quarter notes a minute; signs: what stands beside measures, from 0.
    Raises ValueError where a measure holds what is no symbol.
    """
    root = Element("score-partwise", version="4.0")
    if title:
        _add(_add(root, "work"), "work-title", title)
    if composer:
        _add(_add(root, "identification"), "creator", composer, type="composer")
    listed = _add(root, "part-list")
    one = isinstance(staves, np.ndarray) and staves.ndim == 2
    for number, row in enumerate([staves] if one else staves):
        music.check(np.asarray(row))
        identity = f"P{number + 1}"
        _add(_add(listed, "score-part", id=identity), "part-name", names[number] if names else "")
        part = _add(root, "part", id=identity)
        written = notation.notate(music.transpose(np.asarray(row), -transpose))
        inside: dict[int, bool] = {}
        for index, glyphs in enumerate(written):
            measure = _add(part, "measure", number=str(index + 1))
            if index == 0:
                _start(measure, transpose, key, tempo)
            nodes = elements(glyphs, key or PLAIN_KEY, BEAT)
            for verse, own in signs.get(index, Beside()).sung(glyphs).items():
                for place, text in own.items():
                    inside[verse] = _lyric(nodes[place], verse, text, inside.get(verse, False))
            measure.extend(nodes)
        _sign(part, signs)
    ElementTree.indent(root)
    return _HEAD + ElementTree.tostring(root, encoding="unicode") + "\n"


def _lyric(note: Element, verse: int, text: str, inside: bool) -> bool:
    """Add a syllable, `inside` a word or not; whether its word goes on."""
    goes_on = text.endswith("-")
    node = _add(note, "lyric", number=str(verse))
    _add(node, "syllabic", (("single", "begin"), ("end", "middle"))[inside][goes_on])
    _add(node, "text", text.rstrip("-_"))
    if text.endswith("_"):
        _add(node, "extend")
    return goes_on


def _sign(part: Element, signs: Mapping[int, Beside]) -> None:
    """Chord symbols, repeats and endings."""
    measures, ending = list(part), ""
    for place, measure in enumerate(measures):
        own, following = signs.get(place, Beside()), signs.get(place + 1, Beside())
        head = int(measure[0].tag == "attributes")
        for at, name in sorted(own.chords, reverse=True):
            measure.insert(head, _harmony(at, name))
        ending, starts = own.ending or ending, bool(own.ending)
        if own.opens or starts:
            measure.insert(
                0, _barline("left", ending if starts else "", "start", "forward" if own.opens else "")
            )
        over = ending and (own.closes or following.ending or place == len(measures) - 1)
        if own.closes or over:
            measure.append(
                _barline("right", ending if over else "", "stop", "backward" if own.closes else "")
            )
        ending = "" if over else ending


def _barline(location: str, ending: str, kind: str, repeat: str) -> Element:
    node = Element("barline", location=location)
    if ending:
        _add(node, "ending", number=ending, type=kind)
    if repeat:
        _add(node, "repeat", direction=repeat)
    return node


def _harmony(at: int, name: str) -> Element:
    """A chord symbol, `at` twelfths of a quarter note from the start of its measure."""
    root, alter, kind, bass, low = re.fullmatch(r"([A-G])([#b]?)([^/]*)(?:/([A-G])([#b]?))?.*", name).groups()
    node = Element("harmony")
    for tag, step, sign in (("root", root, alter), ("bass", bass, low)):
        if tag == "bass":
            known = next((word for word, text in CHORDS.items() if text == kind), "other")
            _add(node, "kind", known).set("text", kind)
        if step:
            inside = _add(node, tag)
            _add(inside, f"{tag}-step", step)
            if sign:
                _add(inside, f"{tag}-alter", 1 if sign == "#" else -1)
    if at:
        _add(node, "offset", at)
    return node


def _start(measure: Element, transpose: int, key: Key | None, tempo: float | None) -> None:
    """What stands before the first note."""
    attributes = _add(measure, "attributes")
    _add(attributes, "divisions", BEAT)
    if key is not None:
        attributes.append(signature(key))
    time = _add(attributes, "time")
    _add(time, "beats", BEATS)
    _add(time, "beat-type", 4)
    clef = _add(attributes, "clef")
    _add(clef, "sign", "G")
    _add(clef, "line", 2)
    if transpose:
        sign = _add(attributes, "transpose")
        _add(sign, "diatonic", round(transpose * 7 / 12))
        _add(sign, "chromatic", transpose)
    if tempo is not None:
        direction = _add(measure, "direction", placement="above")
        metronome = _add(_add(direction, "direction-type"), "metronome")
        _add(metronome, "beat-unit", "quarter")
        _add(metronome, "per-minute", f"{tempo:g}")
        _add(direction, "sound", tempo=f"{tempo:g}")


# ------------------------------------------------------------------ ABC


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
        text += (_abc_note(glyph, key, altered) if glyph.symbol >= 0 else "z") + _length(length)
        text += "-" * glyph.tied_after
    return text


def _abc_note(glyph: Glyph, key: Key, altered: set[str]) -> str:
    """A note's accidental, where any reader may need it, letter and octave."""
    step, alter, octave = key.spell(glyph.symbol)
    sign = ""
    if alter != key.alters[STEPS.index(step)] or step in altered:
        sign = _ABC_SIGNS[alter]
        altered.add(step)
    return sign + (step.lower() + "'" * (octave - 5) if octave > 4 else step + "," * (4 - octave))


def _length(length: Fraction) -> str:
    top, bottom = length.numerator, length.denominator
    return ("" if top == 1 else str(top)) + ("" if bottom == 1 else f"/{bottom}")


def key_field(key: Key) -> str:
    """A key as the field K: has it: "G", "Em", "D dor ^c"."""
    tonic, mode = key.tonic, key.mode
    if not tonic:
        tonic, mode = Key.of(key.fifths, "major").tonic, "major"
    sharps = tonic.count("#") - tonic.count("b")
    usual = Key.of(FIFTHS.index(tonic[0]) - 1 + 7 * sharps - MODES[mode]).alters
    changed = "".join(
        f" {_ABC_SIGNS[own]}{step.lower()}"
        for step, own, by in zip(STEPS, key.alters, usual, strict=True)
        if own != by
    )
    return tonic + {"major": "", "minor": "m"}.get(mode, f" {mode[:3]}") + changed


def to_abc(
    measures: np.ndarray, title: str = "", transpose: int = 0,
    key: Key | None = None, tempo: float | None = None, composer: str = "", signs: Mapping[int, Beside] = {},
) -> str:  # fmt: skip
    """Coded measures (n, 24) as a tune in ABC; see `to_musicxml`."""
    music.check(np.asarray(measures))
    key = key or PLAIN_KEY
    fields = {"X": "1", "T": title, "C": composer, "M": "4/4", "L": "1/8"}
    fields["Q"] = "" if tempo is None else f"1/4={round(tempo)}"
    fields["K"] = key_field(key) + (f" transpose={transpose}" if transpose else "")
    head = [f"{letter}:{' '.join(text.split())}" for letter, text in fields.items() if text]
    cuts = {place: {at for at, _ in own.chords if at % BEAT == 0} for place, own in signs.items()}
    written = notation.notate(music.transpose(np.asarray(measures), -transpose), cuts)
    bars, last = [], len(written) - 1
    for place, glyphs in enumerate(written):
        own, following = signs.get(place, Beside()), signs.get(place + 1, Beside())
        words = [(at, f'"{name}"') for at, name in own.chords]
        text = "|:" * (own.opens and not place) + bar_text(glyphs, key, Fraction(1, 2), words)
        text += f" {':' * own.closes}|{']' * (place == last and not own.closes)}{':' * following.opens}"
        bars.append(text + (f"[{following.ending}" if following.ending else ""))
    lines, sung = [], [signs.get(place, Beside()).sung(glyphs) for place, glyphs in enumerate(written)]
    held: dict[int, bool] = {}
    for first in range(0, len(written), _PER_LINE):
        some = slice(first, first + _PER_LINE)
        lines.append(" ".join(bars[some]))
        verses = max((verse for own in sung[some] for verse in own), default=0)
        lines += [
            _verse(written[some], [own.get(v, {}) for own in sung[some]], held, v)
            for v in range(1, verses + 1)
        ]
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
                plain = (
                    re.sub(r"[|*_\s]+", "~", text)
                    .replace("-", r"\-")
                    .replace("\N{NON-BREAKING HYPHEN}", r"\-")
                )
                slots.append(plain + "-" * goes_on)
            else:
                slots.append("_" if held.get(verse) or glyph.tied_before else "*")
        line.append(" ".join(slots))
    return f"w: {' | '.join(line)}"
