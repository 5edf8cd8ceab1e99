"""Edited measures put into the file a melody was read from: all else in it stays as it is written.

Only bars that lie in a changed measure are written anew. Of those, chord symbols, directions and bar lines
stay too, and lyrics as far as there are notes for them.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np

from arvae.music import abc, files, midi, musicxml, notation, writing
from arvae.music.keys import STEPS, Key
from arvae.music.notation import BEAT, Glyph
from arvae.music.score import Part, layout

_WHOLE = midi.MEASURE


class UnkeptError(ValueError):
    """A change that the file as it is written cannot take up."""


@dataclass(frozen=True)
class Rewritten:
    """A bar with other notes: where in its measure it starts, in twelfths of a quarter note, and its glyphs,
    at their places in the measure, as they sound."""

    start: int
    glyphs: Sequence[Glyph]


def rewritten(part: Part, before: np.ndarray, after: np.ndarray) -> dict[int, Rewritten]:
    """The bars of a part that reach into measures (n, 24) which changed, by their index.

    A bar that is shorter than its measure (a pick-up) becomes longer where notes were added beside it.
    UnkeptError where a bar would be left without notes and rests.
    """
    changed = set(np.flatnonzero((before != after).any(axis=1)).tolist())
    laid = layout(part)
    cuts: dict[int, set[int]] = {}
    for _, *edges in laid:
        for edge in edges:
            cuts.setdefault(edge // _WHOLE, set()).add(edge % _WHOLE)
    glyphs = [
        replace(glyph, start=glyph.start + index * _WHOLE)
        for index, row in enumerate(notation.notate(after, cuts))
        for glyph in row
    ]
    onsets = np.array([glyph.start for glyph in glyphs if glyph.symbol >= 0 and not glyph.tied_before])
    ends, starts = (
        [0, *(end for *_, end in laid)],
        [*(start for _, start, _ in laid[1:]), _WHOLE * len(after)],
    )
    bars = {}
    for (index, start, end), free_from, free_to in zip(laid, ends, starts, strict=False):
        first, last = start // _WHOLE, (end - 1) // _WHOLE
        if not changed.intersection(range(first, last + 1)):
            continue
        opening, closing = max(first * _WHOLE, free_from), min((last + 1) * _WHOLE, free_to)
        if ((opening <= onsets) & (onsets < start)).any():
            start = opening
        beyond = [glyph for glyph in glyphs if end <= glyph.start < closing]
        held = bool(beyond) and all(glyph.tied_before for glyph in beyond)
        inside = [glyph for glyph in glyphs if start <= glyph.start < end]
        if not inside:
            raise UnkeptError(f"bar {part.bars[index].number} would be empty")
        if not held and any(max(glyph.symbol, inside[-1].symbol) >= 0 for glyph in beyond):
            inside += beyond
        if held:  # through what the bar lacks, as it is read
            inside[-1] = replace(inside[-1], tied_after=False)
        moved = first * _WHOLE
        own = [replace(glyph, start=glyph.start - moved) for glyph in inside]
        bars[index] = Rewritten(start - moved, own)
    return bars


def patch(
    content: bytes,
    ending: str,
    tune: str | None,
    place: int,
    part: Part,
    before: np.ndarray,
    after: np.ndarray,
) -> bytes:
    """The file `content`, whose part number `place` (from 0) is `part`, with measures `after` for `before`,
    both (n, 24) as they sound; of an ABC file the one tune. UnkeptError where that cannot be done."""
    bars, ending = rewritten(part, before, after), ending.lower()
    if ending in files.ABC:
        return _abc(files.tune_of(content, tune), place, bars).encode()
    if ending in files.MUSICXML:
        return _musicxml(content, place, bars)
    return _midi(content, place, part, bars, after)


# ------------------------------------------------------------------ ABC


def _abc(tune: str, place: int, bars: Mapping[int, Rewritten]) -> str:
    sources = abc.bars(tune, place)
    edits: dict[tuple[int, int], str] = {}
    for index, bar in bars.items():
        tokens = [token for token in sources[index] if token.kind not in ("bar", "ending", "named", "field")]
        while tokens and not tokens[0].match[0].strip():
            tokens.pop(0)
        while tokens and not tokens[-1].match[0].strip():
            tokens.pop()
        first = next((token for token in tokens if token.kind in ("note", "rest", "chord")), None)
        if first is None or any((token.unit, token.key) != (first.unit, first.key) for token in tokens):
            raise UnkeptError("a bar changes its key or its unit, or is one of several in a rest")
        begin = sources[index][0].now
        words = [
            (bar.start + int((token.now - begin) * BEAT), token.match[0])
            for token in tokens
            if token.kind == "words"
        ]
        glyphs = _moved(bar.glyphs, -first.transpose)
        key = Key(tuple(first.key.get(step, 0) for step in STEPS))
        for token in tokens:
            edits[token.span] = ""
        edits[tokens[0].span] = writing.bar_text(glyphs, key, first.unit, words)
        if index and index - 1 not in bars:
            _tie_abc(sources[index - 1], glyphs[0].tied_before, edits)
    _sing(tune, sources, bars, edits)
    for (start, end), text in sorted(edits.items(), reverse=True):
        tune = tune[:start] + text + tune[end:]
    return tune


def _sing(
    tune: str,
    sources: Sequence[Sequence[abc.Token]],
    bars: Mapping[int, Rewritten],
    edits: dict[tuple[int, int], str],
) -> None:
    """Give the notes of rewritten bars the syllables of those bars, in order, as far as there are notes."""
    lines: dict[int, dict[int, int]] = {}  # where a line of notes starts -> its bars -> their notes
    for index, tokens in enumerate(sources):
        for token in tokens:
            if token.kind in ("note", "chord"):
                own = lines.setdefault(token.line, {})
                own[index] = own.get(index, 0) + 1
    for at, counts in lines.items():
        below = tune.find("\n", at) + 1 or len(tune)
        while tune.startswith("w:", below):
            end = tune.find("\n", below) % (len(tune) + 1)
            sung = []
            for index, own in zip(counts, abc.syllables(tune[below + 2 : end], counts.values()), strict=True):
                if index in bars:
                    notes = [glyph for glyph in bars[index].glyphs if glyph.symbol >= 0]
                    own = [slot for slot in own if slot not in "*_"]
                    own = ["_" if note.tied_before else own.pop(0) if own else "*" for note in notes]
                sung.append(" ".join(own))
            if not bars.keys().isdisjoint(counts):
                edits[below + 2, end] = " " + " | ".join(sung)
            below = end + 1


def _tie_abc(tokens: Sequence[abc.Token], wanted: bool, edits: dict[tuple[int, int], str]) -> None:
    """Tie the last note of a bar that stays as it is to the next one, or no longer."""
    last = next((t for t in reversed(tokens) if t.kind in ("note", "rest", "chord", "tie")), None)
    if last is not None and last.kind == "tie" and not wanted:
        edits[last.span] = ""
    elif last is not None and last.kind != "tie" and wanted:
        edits[last.span[1], last.span[1]] = "-"


def _moved(glyphs: Sequence[Glyph], by: int) -> list[Glyph]:
    return [replace(g, symbol=g.symbol + by) if g.symbol >= 0 else g for g in glyphs]


# ------------------------------------------------------------------ MusicXML


def _musicxml(content: bytes, place: int, bars: Mapping[int, Rewritten]) -> bytes:
    root, found = musicxml.located(content)
    node, staff, staves = found[place]
    if root.tag != "score-partwise" or staves > 1:
        raise UnkeptError("its notes stand among those of other staves")
    measures = node.findall("measure")
    divisions, key, by = Fraction(1), writing.PLAIN_KEY, {}
    ready = {}
    for index, measure in enumerate(measures):
        for item in measure.findall("attributes"):
            divisions = musicxml.number(item.findtext("divisions")) or divisions
            key = musicxml.signature(item) or key
            by = musicxml.transposition(item, by)
        ready[index] = divisions, key, by.get(staff, by.get("", 0))
    lengths = [(ready[index][0], glyph.length) for index, bar in bars.items() for glyph in bar.glyphs]
    factor = math.lcm(*((each * length / BEAT).denominator for each, length in lengths))
    if factor > 1:
        for item in node.iter():
            if item.tag in ("divisions", "duration", "offset"):
                item.text = _plain(musicxml.number(item.text) * factor)
    for index, bar in bars.items():
        each, key, transpose = ready[index]
        glyphs = _moved(bar.glyphs, -transpose)
        _bar(measures[index], bar.start, glyphs, key, each * factor)
        for beside, kind, wanted in (
            (index - 1, "start", glyphs[0].tied_before),
            (index + 1, "stop", glyphs[-1].tied_after),
        ):
            notes = (
                measures[beside].findall("note") if 0 <= beside < len(measures) and beside not in bars else []
            )
            if notes:
                _tie(notes[-1 if kind == "start" else 0], kind, wanted)
    head = re.match(rb"\s*(<\?xml[^>]*>)?\s*(<!DOCTYPE[^>\[]*>)?", content)
    doctype = head[2].decode("utf-8", "ignore") + "\n" if head and head[2] else ""
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{doctype}{text}\n'.encode()


def _plain(number: Fraction) -> str:
    return str(number.numerator) if number.denominator == 1 else f"{float(number):g}"


def _bar(
    measure: ElementTree.Element, start: int, glyphs: Sequence[Glyph], key: Key, divisions: Fraction
) -> None:
    """Put glyphs in the place of a bar's notes; what else stands there keeps its time, lyrics their order."""
    notes = [note for note in measure.findall("note") if note.find("grace") is None]
    voice = next((note.findtext("voice") for note in notes if note.find("voice") is not None), "1")
    sung = [note.findall("lyric") for note in notes if note.find("lyric") is not None]
    waiting, now = [], Fraction(0)
    for item in measure:
        if item.tag in ("backup", "forward", "note"):
            if item.tag != "note" or (item.find("grace") is None and item.find("chord") is None):
                step = musicxml.number(item.findtext("duration")) / divisions
                now += -step if item.tag == "backup" else step
        else:
            last = item.tag == "barline" and item.get("location", "right") == "right"
            waiting.append((math.inf if last else start + now * BEAT, item))
    waiting.sort(key=lambda one: one[0])
    nodes = writing.elements(glyphs, key, divisions, voice)
    singing = [node for node, g in zip(nodes, glyphs, strict=True) if g.symbol >= 0 and not g.tied_before]
    for node, lyrics in zip(singing, sung, strict=False):
        node.extend(lyrics)
    content = []
    for node, glyph in zip(nodes, glyphs, strict=True):
        while waiting and waiting[0][0] < glyph.start + glyph.length:
            at, item = waiting.pop(0)
            if at > glyph.start and item.tag in ("harmony", "direction") and item.find("offset") is None:
                _offset(item, _plain((Fraction(at) - glyph.start) * divisions / BEAT))
            content.append(item)
        content.append(node)
    measure[:] = [*content, *(item for _, item in waiting)]


def _offset(item: ElementTree.Element, text: str) -> None:
    """Say how much later than where it stands a harmony or direction is meant."""
    offset = ElementTree.Element("offset")
    offset.text = text
    later = ("editorial", "footnote", "level", "voice", "staff", "sound", "listening")
    place = next((i for i, child in enumerate(item) if child.tag in later), len(item))
    item.insert(place, offset)


def _tie(note: ElementTree.Element, kind: str, wanted: bool) -> None:
    """Let a note be tied to its neighbour, or no longer."""
    ties = [
        (parent, tie) for parent in (note, *note.findall("notations")) for tie in parent if tie.tag in _TIES
    ]
    ties = [(parent, tie) for parent, tie in ties if tie.get("type") == kind]
    if not wanted:
        for parent, tie in ties:
            parent.remove(tie)
    elif not ties:
        place = [child.tag for child in note].index("duration") + 1
        note.insert(place, ElementTree.Element("tie", type=kind))
        notations = note.find("notations")
        if notations is None:
            before = [child.tag for child in note]
            place = before.index("lyric") if "lyric" in before else len(before)
            notations = ElementTree.Element("notations")
            note.insert(place, notations)
        notations.insert(0, ElementTree.Element("tied", type=kind))


_TIES = ("tie", "tied")


# ------------------------------------------------------------------ MIDI


def _midi(content: bytes, place: int, part: Part, bars: Mapping[int, Rewritten], after: np.ndarray) -> bytes:
    spans, moved = [], {}
    for index, start, end in layout(part):
        moved[start, end] = part.bars[index].start - Fraction(start, BEAT)
        if index in bars:
            if bars[index].start < start % _WHOLE:
                raise UnkeptError("a note starts before the first bar does")
            spans.append((part.bars[index].start, part.bars[index].start + part.bars[index].length))

    def time(at: int) -> Fraction:
        """Quarter notes from the start of the part, of a place in the measures."""
        by = next((by for (_, end), by in moved.items() if at < end), by_last)
        return Fraction(at, BEAT) + by

    by_last = list(moved.values())[-1]
    notes = [(time(start), time(end), pitch) for pitch, start, end in midi.notes(after)]
    return midi.replaced(content, place, spans, notes)
