"""Measures as MusicXML.

A beat with an onset on a triplet is written as a triplet, any other in plain sixteenths. What no note can say
(padding, what goes on from before the measure) is a grey rest, so that every measure can be read as it was.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement, fromstring
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from arvae.music import coding as music
from arvae.music import notation
from arvae.music.beside import Beside
from arvae.music.coding import BEATS, REST
from arvae.music.keys import STEPS, Key, altered
from arvae.music.musicxml_bars import CHORDS
from arvae.music.notation import BEAT, Glyph, per_minute
from arvae.music.score import MARKS

_COLOUR = {symbol: colour for colour, symbol in MARKS.items()}
#: Note value, dots, flags by length in twelfths of a quarter note; a triplet has three in the time of two.
_VALUES = {
    48: ("whole", 0, 0), 36: ("half", 1, 0), 24: ("half", 0, 0), 18: ("quarter", 1, 0), 12: ("quarter", 0, 0),
    9: ("eighth", 1, 1), 6: ("eighth", 0, 1), 4.5: ("16th", 1, 2), 3: ("16th", 0, 2), 1.5: ("32nd", 0, 3),
}  # fmt: skip
_SIGNS = {-2: "flat-flat", -1: "flat", 0: "natural", 1: "sharp", 2: "double-sharp"}
_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" \
"http://www.musicxml.org/dtds/partwise.dtd">
"""
_CONTAINER = '<container><rootfiles><rootfile full-path="score.musicxml"/></rootfiles></container>'
_RATIO = "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes></time-modification>"
PLAIN_KEY = Key.of(0)


def _add(parent: Element, tag: str, text: object = None, **attributes: str) -> Element:
    node = SubElement(parent, tag, attributes)
    node.text = None if text is None else str(text)
    return node


def elements(glyphs: Sequence[Glyph], key: Key, divisions: int, voice: str = "1") -> list[Element]:
    """One bar's glyphs as <note> elements; pitches as the glyphs have them. divisions: of a quarter note."""
    shown, nodes = {}, []
    for glyph, beams in zip(glyphs, _beams(glyphs), strict=True):
        kind, dots, _ = _value(glyph)
        what, colour, sign, tuplet = "<rest/>", "", "", []
        if glyph.symbol >= 0:
            step, alter, octave = key.spell(glyph.symbol)
            by = f"<alter>{alter}</alter>" if alter else ""
            what = f"<pitch><step>{step}</step>{by}<octave>{octave}</octave></pitch>"
            usual = shown.get((step, octave), key.alters[STEPS.index(step)])
            if alter != usual and not glyph.tied_before:
                sign, shown[step, octave] = f"<accidental>{_SIGNS[alter]}</accidental>", alter
        elif glyph.symbol != REST or glyph.anew:
            colour = f' color="{_COLOUR[glyph.symbol]}"'
        ties = ["stop"] * glyph.tied_before + ["start"] * glyph.tied_after
        if glyph.triplet:
            within = glyph.start % BEAT
            tuplet = ["start"] * (within == 0) + ["stop"] * (within + glyph.length == BEAT)
        notations = _each("tied", ties) + _each("tuplet", tuplet)
        note = (
            f"<note{colour}>{what}<duration>{Fraction(glyph.length * divisions, BEAT)}</duration>"
            f"{_each('tie', ties)}<voice>{escape(voice)}</voice><type>{kind}</type>{'<dot/>' * dots}{sign}"
            f"{_RATIO * glyph.triplet}{beams}{notations and f'<notations>{notations}</notations>'}</note>"
        )
        nodes.append(fromstring(note))
    return nodes


def _value(glyph: Glyph) -> tuple[str, int, int]:
    """Note value, dots, flags."""
    return _VALUES[glyph.length * 1.5 if glyph.triplet else glyph.length]


def _each(tag: str, kinds: Iterable[str]) -> str:
    return "".join(f'<{tag} type="{kind}"/>' for kind in kinds)


def _beams(glyphs: Sequence[Glyph]) -> Iterator[str]:
    """The beams of each: they join the flags of notes that follow each other within a beat."""
    flags = [_value(glyph)[2] * (glyph.symbol >= 0) for glyph in glyphs]
    beats = [glyph.start // BEAT for glyph in glyphs]
    words = {(True, True): "continue", (True, False): "end", (False, True): "begin"}
    for at, own in enumerate(flags):
        before = flags[at - 1] if at and beats[at - 1] == beats[at] else 0
        after = flags[at + 1] if beats[at + 1 : at + 2] == [beats[at]] else 0
        alone = "backward hook" if before else "forward hook"
        levels = range(1, own + 1) if before or after else ()
        kinds = [words.get((before >= level, after >= level), alone) for level in levels]
        yield "".join(f'<beam number="{level}">{kind}</beam>' for level, kind in enumerate(kinds, 1))


def signature(key: Key) -> str:
    """A key as a <key> element."""
    if key.alters == altered(key.fifths):
        mode = f"<mode>{key.mode}</mode>" if key.mode else ""
        return f"<key><fifths>{key.fifths}</fifths>{mode}</key>"
    signs = [one for one in zip(STEPS, key.alters, strict=True) if one[1]]
    steps = "".join(f"<key-step>{step}</key-step><key-alter>{by}</key-alter>" for step, by in signs)
    return f"<key>{steps}</key>"


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


def packed(score: bytes, ending: str) -> bytes:
    """A score as a file with this ending holds it: .mxl in an archive, the same bytes for the same score."""
    if ending != ".mxl":
        return score
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in (("META-INF/container.xml", _CONTAINER), ("score.musicxml", score)):
            archive.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)  # dated 1980
    return content.getvalue()


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
        ending = own.ending or ending
        if own.opens or own.ending:
            measure.insert(0, _barline("left", own.ending, "start", "forward" * own.opens))
        over = own.closes or own.stops or following.opens or following.ending or place == len(measures) - 1
        if own.closes or (ending and over):
            measure.append(_barline("right", ending if over else "", "stop", "backward" * own.closes))
        ending = "" if over else ending


def _barline(location: str, ending: str, kind: str, repeat: str) -> Element:
    inside = f'<ending number="{ending}" type="{kind}"/>' if ending else ""
    inside += f'<repeat direction="{repeat}"/>' if repeat else ""
    return fromstring(f'<barline location="{location}">{inside}</barline>')


def _harmony(at: int, name: str) -> Element:
    """A chord symbol, `at` twelfths of a quarter note from the start of its measure."""
    name = re.sub(r"[\0-\x1f]", "", name)  # which XML cannot hold
    root, alter, kind, bass, low = re.fullmatch(r"([A-G])([#b]?)([^/]*)(?:/([A-G])([#b]?))?.*", name).groups()
    known = next((word for word, text in CHORDS.items() if text == kind), "other")
    over = _step("bass", bass, low) if bass else ""
    later = f"<offset>{at}</offset>" if at else ""
    sounds = f"<kind text={quoteattr(kind)}>{known}</kind>"
    return fromstring(f"<harmony>{_step('root', root, alter)}{sounds}{over}{later}</harmony>")


def _step(tag: str, step: str, sign: str) -> str:
    by = f"<{tag}-alter>{1 if sign == '#' else -1}</{tag}-alter>" if sign else ""
    return f"<{tag}><{tag}-step>{step}</{tag}-step>{by}</{tag}>"


def _start(measure: Element, transpose: int, key: Key | None, tempo: float | None) -> None:
    """What stands before the first note."""
    steps = f"<diatonic>{round(transpose * 7 / 12)}</diatonic><chromatic>{transpose}</chromatic>"
    attributes = (
        f"<attributes><divisions>{BEAT}</divisions>{signature(key) if key else ''}"
        f"<time><beats>{BEATS}</beats><beat-type>4</beat-type></time>"
        "<clef><sign>G</sign><line>2</line></clef>"
        f"{f'<transpose>{steps}</transpose>' if transpose else ''}</attributes>"
    )
    measure.append(fromstring(attributes))
    if tempo is not None:
        measure.append(fromstring(
            '<direction placement="above"><direction-type><metronome><beat-unit>quarter</beat-unit>'
            f"<per-minute>{per_minute(tempo)}</per-minute></metronome></direction-type>"
            f'<sound tempo="{per_minute(tempo)}"/></direction>'
        ))  # fmt: skip
