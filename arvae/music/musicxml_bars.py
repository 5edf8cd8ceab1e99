"""The bars of a part in MusicXML, as its elements say them one after the other."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element

from arvae.music.keys import MODES, SEMITONES, STEPS, Key
from arvae.music.score import BROKEN, JUMP, MARKS, TuneError

_SHORT = {f"{2**n}{'nd' if n == 5 else 'th'}": Fraction(4, 2**n) for n in range(4, 11)}
TYPES = {"long": 16, "breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": Fraction(1, 2), **_SHORT}
#: Kinds of chords, and what stands behind the root in a chord symbol.
CHORDS = {
    "major": "", "minor": "m", "dominant": "7", "minor-seventh": "m7", "major-seventh": "maj7",
    "diminished": "dim", "augmented": "+", "suspended-fourth": "sus4", "major-sixth": "6",
    "minor-sixth": "m6",     "diminished-seventh": "dim7", "half-diminished": "m7b5", "dominant-ninth": "9",
    "suspended-second": "sus2",
}  # fmt: skip
_FINE, _NEAR = 24, Fraction(1, 128)  # quarter notes: times this near to a 24th are on it
ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass
class Measure:
    """What one bar of a part holds: notes as (staff, start, duration, pitch, tied to the note before); the
    rests whose colour stands for a symbol are among them, that symbol as their pitch."""

    number: str
    nominal: Fraction
    metre: str
    transpose: dict[str, int]
    key: Key | None = None
    notes: list[tuple[str, Fraction, Fraction, int, bool]] = field(default_factory=list)
    length: Fraction = Fraction(0)
    unpitched: set[str] = field(default_factory=set)
    section: bool = False  # see Bar
    closes: bool = False  # a double bar or a repeat sign stands after it
    forward: bool = False
    times: int = 0  # how often a repeat that ends here is played; 0: none does
    endings: frozenset[int] = frozenset()
    chords: list[tuple[Fraction, str]] = field(default_factory=list)
    lyrics: list[tuple[str, Fraction, int, str]] = field(default_factory=list)  # staff, start, verse, text
    jumps: bool = False
    keys: list[tuple[Fraction, str]] = field(default_factory=list)
    start: Fraction = Fraction(0)  # in the part, once all parts are read


def measures(part: Element) -> Iterator[Measure]:
    """The bars of a <part>, in order, each as long as what it holds. TuneError, with its number, for one that
    cannot be read."""
    divisions, metre, transpose, endings, section = Fraction(1), (Fraction(0), ""), {}, frozenset(), False
    key = Key.of(0)
    nodes = part.findall("measure")
    for place, node in enumerate(nodes, 1):
        bar = Measure(node.get("number") or str(place), *metre, transpose, section=section)
        now = last = Fraction(0)
        try:
            for item in node:
                if item.tag == "attributes":
                    divisions = number(item.findtext("divisions")) or divisions
                    metre = _metre(item, metre)
                    bar.nominal, bar.metre = metre
                    bar.transpose = transpose = transposition(item, transpose)
                    if given := signature(item):
                        bar.key = bar.key or given
                        if given.alters != key.alters and (place > 1 or now):
                            bar.keys.append((now, str(given)))
                        key = given
                elif item.tag in ("backup", "forward"):
                    step = number(item.findtext("duration")) / divisions
                    now = max(_tidy(now + step if item.tag == "forward" else now - step), Fraction(0))
                elif item.tag == "note" and item.find("grace") is None:
                    duration = _duration(item, divisions)
                    start = last if item.find("chord") is not None else now
                    _note(item, bar, start, duration)
                    last, now = start, max(now, start + duration)
                elif item.tag in ("direction", "sound"):
                    bar.jumps |= _jumps(item)
                elif item.tag == "harmony":
                    bar.chords += _chord(item, now, divisions)
                elif item.tag == "barline":
                    endings = _barline(item, bar, endings)
                # Time skipped at the end is an unwritten rest, but in a last bar it is what the pick-up took.
                if item.tag == "note" or (item.tag == "forward" and place < len(nodes)):
                    bar.length = max(bar.length, now)
        except ODD as error:
            raise TuneError(BROKEN, f"bar {bar.number} cannot be read ({error}): export it again") from error
        bar.endings = bar.endings or endings
        section = bar.closes
        yield bar


def _chord(item: Element, now: Fraction, divisions: Fraction) -> list[tuple[Fraction, str]]:
    """A <harmony> as when in the bar it stands and its symbol ("Bbm7", "D/F#"); [] where it has none."""
    try:
        time = now + number(item.findtext("offset")) / divisions
        name = _symbol(item)
        return [(time, name)] if re.match("[A-G]", name) else []
    except ODD:
        return []


def _symbol(item: Element) -> str:
    names = []
    for at in ("root", "bass"):
        alter = int(number(item.findtext(f"{at}/{at}-alter")))
        names.append((item.findtext(f"{at}/{at}-step") or "").strip() + ("#" * alter or "b" * -alter))
    kind = item.find("kind")
    text = kind.get("text") if kind is not None else None
    if text is None:
        text = CHORDS.get("" if kind is None else (kind.text or "").strip(), "")
    return names[0] + text + f"/{names[1]}" * bool(names[1])


def _note(item: Element, bar: Measure, start: Fraction, duration: Fraction) -> None:
    staff = item.findtext("staff", "1").strip()
    if item.find("unpitched") is not None:
        bar.unpitched.add(staff)
    if item.find("rest") is not None and item.get("color") in MARKS:
        bar.notes.append((staff, start, duration, MARKS[item.get("color")], False))
    pitch = item.find("pitch")
    if pitch is None or item.find("cue") is not None or not duration:
        return
    alter = number(pitch.findtext("alter", "0"))
    if alter.denominator != 1:
        raise ValueError(f"a note altered by {float(alter):g} semitones lies between two keys of the piano")
    octave = int(number(pitch.findtext("octave")))
    sounding = 12 * (octave + 1) + SEMITONES[pitch.findtext("step", "").strip().upper()] + int(alter)
    sounding += bar.transpose.get(staff, bar.transpose.get("", 0))
    if not 0 <= sounding <= 127:
        raise ValueError(f"a note lies {sounding} semitones above MIDI's lowest, MIDI has 0 to 127")
    for place, lyric in enumerate(item.findall("lyric"), 1):
        text = "".join(one.text or " " for one in lyric if one.tag in ("text", "elision")).strip()
        if text:
            verse = re.fullmatch(r"\d{1,2}", lyric.get("number", ""))
            goes_on = lyric.findtext("syllabic") in ("begin", "middle")
            held = lyric.find("extend") is not None and not goes_on
            text += "-" * goes_on + "_" * held
            bar.lyrics.append((staff, start, int(verse[0]) if verse else place, text))
    tied = {tie.get("type") for tie in (*item.findall("tie"), *item.findall("notations/tied"))}
    bar.notes.append((staff, start, duration, sounding, "stop" in tied or "continue" in tied))


def _jumps(item: Element) -> bool:
    """Whether a <direction> or <sound> says to go back to the start or the segno."""
    sounds = any(one.get("dacapo") == "yes" or one.get("dalsegno") for one in item.iter("sound"))
    return sounds or any(JUMP.search(words.text or "") for words in item.iter("words"))


def number(text: str | None) -> Fraction:
    """A number as MusicXML writes it; none is 0. ValueError for what is no number, or longer than any is."""
    if not re.fullmatch(r"\s*([+-]?\d{1,9}(\.\d{0,9})?)?\s*", text or ""):
        raise ValueError(f"{text[:20]!r} is no number")
    return Fraction((text or "").strip() or 0)


def _duration(item: Element, divisions: Fraction) -> Fraction:
    """Quarter notes. Where the duration is rounded (85 of 256 for a triplet) or missing, the note's type
    says it; with few divisions a difference is more than rounding (a triplet that is not marked as one)."""
    duration = number(item.findtext("duration")) / divisions
    if duration < 0:
        raise ValueError(f"a duration of {duration} quarter notes")
    kind = item.findtext("type", "").strip()
    if kind not in TYPES:
        return duration
    exact = TYPES[kind] * (2 - Fraction(1, 2 ** min(len(item.findall("dot")), 4)))
    normal, actual = (item.findtext(f"time-modification/{one}-notes", "1") for one in ("normal", "actual"))
    exact *= Fraction(number(normal), number(actual))
    fine = divisions >= _FINE or item.find("time-modification") is not None
    rounded = abs(duration - exact) * divisions < (1 if fine else Fraction(1, 2))
    return exact if rounded or item.find("duration") is None else duration


def _tidy(time: Fraction) -> Fraction:
    near = Fraction(round(time * _FINE), _FINE)
    return near if abs(near - time) < _NEAR else time


def _metre(item: Element, before: tuple[Fraction, str]) -> tuple[Fraction, str]:
    """Quarter notes a bar by its <attributes>, and how that is written; 0 where a sign says: no metre."""
    time = item.find("time")
    if time is None:
        return before
    pairs = list(zip(time.findall("beats"), time.findall("beat-type"), strict=True))
    length = sum(4 * sum(map(number, beats.text.split("+"))) / number(unit.text) for beats, unit in pairs)
    return Fraction(length), " + ".join(f"{beats.text.strip()}/{unit.text.strip()}" for beats, unit in pairs)


def signature(item: Element) -> Key | None:
    """The key signature by its fifths, or step by step; None where there is none that can be read."""
    mode = (item.findtext("key/mode") or "").strip().lower()
    mode = {"ionian": "major", "aeolian": "minor"}.get(mode, mode)
    try:
        if item.find("key/fifths") is not None:
            return Key.of(int(item.findtext("key/fifths")), mode if mode in MODES else "")
        steps = [step.text.strip() for step in item.findall("key/key-step")]
        alters = dict(zip(steps, map(int, (a.text for a in item.findall("key/key-alter"))), strict=True))
    except ODD:
        return None
    return Key(tuple(alters.get(step, 0) for step in STEPS)) if alters else None


def transposition(item: Element, before: dict[str, int]) -> dict[str, int]:
    """For each staff ("": for all) by how many semitones its notes sound higher than written."""
    found = dict(before)
    for node in item.findall("transpose"):
        by = number(node.findtext("chromatic")) + 12 * number(node.findtext("octave-change"))
        found[node.get("number", "")] = int(by)
    return found


def _barline(item: Element, bar: Measure, endings: frozenset[int]) -> frozenset[int]:
    """Note what a bar line says of its bar; returns the endings that hold for the next bar."""
    repeat, ending = item.find("repeat"), item.find("ending")
    left = item.get("location") == "left"
    bar.closes |= not left and (repeat is not None or item.findtext("bar-style", "").startswith("light-"))
    bar.section |= left and (repeat is not None or ending is not None)
    if repeat is not None and repeat.get("direction") == "forward":
        bar.forward = True
    elif repeat is not None:
        bar.times = max(int(number(repeat.get("times"))), 2)
    if ending is None:
        return endings
    if ending.get("type") == "start":
        bar.endings = frozenset(map(int, re.findall(r"\d{1,3}", ending.get("number", ""))))
        return bar.endings
    bar.endings = bar.endings or endings
    return frozenset()
