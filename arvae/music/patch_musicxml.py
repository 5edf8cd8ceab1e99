"""Bars of a MusicXML file written anew; what else stands in it keeps its place and its time."""

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from xml.etree import ElementTree

from arvae.music import musicxml
from arvae.music.keys import Key
from arvae.music.musicxml_bars import number, signature, transposition
from arvae.music.notation import BEAT, Glyph, per_minute
from arvae.music.rewriting import Pace, Rewritten, UnkeptError, moved
from arvae.music.write_musicxml import PLAIN_KEY, elements


def patch(content: bytes, place: int, bars: Mapping[int, Rewritten], pace: Pace) -> bytes:
    """The file with these bars of its part number `place` written anew. UnkeptError where that cannot be."""
    root, found = musicxml.located(content)
    node, staff, staves = found[place]
    if root.tag != "score-partwise" or staves > 1:
        raise UnkeptError("its notes stand among those of other staves")
    measures = node.findall("measure")
    if pace:
        _pace(root, *pace)
    divisions, key, by = Fraction(1), PLAIN_KEY, {}
    ready = {}
    for index, measure in enumerate(measures):
        for item in measure.findall("attributes"):
            divisions = number(item.findtext("divisions")) or divisions
            key = signature(item) or key
            by = transposition(item, by)
        ready[index] = divisions, key, by.get(staff, by.get("", 0))
    lengths = [(ready[index][0], glyph.length) for index, bar in bars.items() for glyph in bar.glyphs]
    factor = math.lcm(*((each * length / BEAT).denominator for each, length in lengths))
    if factor > 1:
        for item in node.iter():
            if item.tag in ("divisions", "duration", "offset"):
                item.text = _plain(number(item.text) * factor)
    for index, bar in bars.items():
        each, key, transpose = ready[index]
        glyphs = moved(bar.glyphs, -transpose)
        _bar(measures[index], bar.start, glyphs, key, each * factor)
        for beside, kind, wanted in (
            (index - 1, "start", glyphs[0].tied_before),
            (index + 1, "stop", glyphs[-1].tied_after),
        ):
            stays = 0 <= beside < len(measures) and beside not in bars
            notes = measures[beside].findall("note") if stays else []
            if notes:
                _tie(notes[-1 if kind == "start" else 0], kind, wanted)
    head = re.match(rb"\s*(<\?xml[^>]*>)?\s*(<!DOCTYPE[^>\[]*>)?", musicxml.unpacked(content))
    doctype = head[2].decode("utf-8", "ignore") + "\n" if head and head[2] else ""
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{doctype}{text}\n'.encode()


def _pace(root: ElementTree.Element, tempo: float, given: float | None) -> None:
    """Let it have that tempo for the given one, and others in proportion."""
    if not given and root.find(".//per-minute") is not None:
        raise UnkeptError("its tempo is not one that sounds")
    if not given:
        given = tempo
        next(root.iter("measure")).insert(0, ElementTree.Element("sound", tempo=per_minute(tempo)))
    faster = partial(re.sub, r"\d+(\.\d+)?", lambda found: per_minute(float(found[0]) * tempo / given))
    for sign in root.iter("per-minute"):
        sign.text = faster(sign.text or "")
    for sound in root.iterfind(".//sound[@tempo]"):
        sound.set("tempo", faster(sound.get("tempo")))


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
                step = number(item.findtext("duration")) / divisions
                now += -step if item.tag == "backup" else step
        else:
            last = item.tag == "barline" and item.get("location", "right") == "right"
            waiting.append((math.inf if last else start + now * BEAT, item))
    waiting.sort(key=lambda one: one[0])
    nodes = elements(glyphs, key, divisions, voice)
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
    found = ((parent, tie) for parent in (note, *note.findall("notations")) for tie in parent)
    ties = [one for one in found if one[1].tag in ("tie", "tied") and one[1].get("type") == kind]
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
