"""MusicXML, compressed or not, as a Score: every staff a part, as it is written and at the pitch it sounds.

The reader is our own, on the standard library's XML parser: music21's ended in a traceback on 99 of 497 files
of other projects' test suites, takes thirty times as long, and rounds what it cannot place.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from xml.etree import ElementTree

from arvae.files import DAMAGED
from arvae.music.keys import MODES, SEMITONES, STEPS, Key
from arvae.music.score import BROKEN, JUMP, LONGEST, MARKS, Bar, Note, Part, Score, Signs, TuneError

_LARGEST = 12 << 20  # bytes of one uncompressed score; the largest chorale has under 1 MB
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
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass
class _Measure:
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


def read(content: bytes) -> Score:
    """A .musicxml or .mxl file as a Score. Raises TuneError for whatever is none, or cannot be followed."""
    root = _root(content)
    found = [part for *_, part in _parts(root)]
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    composer = root.findtext("identification/creator[@type='composer']") or ""
    tempo = next((sound.get("tempo") for sound in root.iter("sound") if sound.get("tempo")), None)
    return Score(
        title.strip(), tuple(found), next((bar.metre for part in found for bar in part.bars), ""),
        tempo=float(number(tempo)) or None if re.fullmatch(r"[\d.]{1,9}", tempo or "") else None,
        composer=composer.strip(),
    )  # fmt: skip


def located(content: bytes) -> tuple[ElementTree.Element, list[tuple[ElementTree.Element, str, int]]]:
    """The score of a file, and for each part that `read` gives its <part>, its staff, and of how many."""
    root = _root(content)
    return root, [(node, staff, staves) for node, staff, staves, _ in _parts(root)]


def _parts(root: ElementTree.Element) -> list[tuple[ElementTree.Element, str, int, Part]]:
    """The staves that hold notes: the <part> of each, its number, of how many in the part, and its Part."""
    parts = _partwise(root)
    names = {entry.get("id"): entry.findtext("part-name") for entry in root.iter("score-part")}
    measures = [list(_measures(part)) for part in parts]
    # A bar lasts as long as in the part that fills it: trailing rests are often left out. An empty one rests.
    lengths = [
        max(bar.length for bar in bars) or bars[0].nominal * (node.get("implicit") != "yes")
        for node, bars in zip(parts[0].findall("measure"), zip(*measures, strict=False), strict=False)
    ]
    for bars in measures:
        for bar, length in zip(bars, lengths, strict=False):
            bar.length = max(bar.length, length)
    found = []
    for place, (part, bars) in enumerate(zip(parts, measures, strict=True), 1):
        name = (names.get(part.get("id")) or "").strip() or f"part {place}"
        own = list(_staves(name, bars))
        found += [(part, staff, len(own), one) for staff, one in own]
    return found


def _partwise(root: ElementTree.Element) -> list[ElementTree.Element]:
    """The parts of a score, each with its measures, also where measures come first and hold the parts."""
    if root.tag == "score-timewise":
        parts: dict[str, ElementTree.Element] = {}
        for measure in root.findall("measure"):
            for piece in measure.findall("part"):
                part = parts.setdefault(piece.get("id", ""), ElementTree.Element("part", piece.attrib))
                ElementTree.SubElement(part, "measure", measure.attrib).extend(piece)
        return list(parts.values())
    parts = root.findall("part")
    if root.tag != "score-partwise" or not parts:
        raise TuneError(BROKEN, f"this XML is <{root.tag}>, needed is a <score-partwise> with a part")
    return parts


def _measures(part: ElementTree.Element) -> Iterator[_Measure]:
    divisions, metre, transpose, endings, section = Fraction(1), (Fraction(0), ""), {}, frozenset(), False
    nodes = part.findall("measure")
    for place, node in enumerate(nodes, 1):
        bar = _Measure(node.get("number") or str(place), *metre, transpose, section=section)
        now = last = Fraction(0)
        try:
            for item in node:
                if item.tag == "attributes":
                    divisions = number(item.findtext("divisions")) or divisions
                    metre = _metre(item, metre)
                    bar.nominal, bar.metre = metre
                    bar.transpose = transpose = transposition(item, transpose)
                    bar.key = signature(item)
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
        except _ODD as error:
            raise TuneError(BROKEN, f"bar {bar.number} cannot be read ({error}): export it again") from error
        bar.endings = bar.endings or endings
        section = bar.closes
        yield bar


def _chord(item: ElementTree.Element, now: Fraction, divisions: Fraction) -> list[tuple[Fraction, str]]:
    """A <harmony> as when in the bar it stands and its symbol ("Bbm7", "D/F#"); [] where it has none."""
    try:
        time = now + number(item.findtext("offset")) / divisions
        name = _symbol(item)
        return [(time, name)] if re.match("[A-G]", name) else []
    except _ODD:
        return []


def _symbol(item: ElementTree.Element) -> str:
    names = []
    for at in ("root", "bass"):
        alter = int(number(item.findtext(f"{at}/{at}-alter")))
        names.append((item.findtext(f"{at}/{at}-step") or "").strip() + ("#" * alter or "b" * -alter))
    kind = item.find("kind")
    text = kind.get("text") if kind is not None else None
    if text is None:
        text = CHORDS.get("" if kind is None else (kind.text or "").strip(), "")
    return names[0] + text + f"/{names[1]}" * bool(names[1])


def _note(item: ElementTree.Element, bar: _Measure, start: Fraction, duration: Fraction) -> None:
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


def _jumps(item: ElementTree.Element) -> bool:
    """Whether a <direction> or <sound> says to go back to the start or the segno."""
    sounds = any(one.get("dacapo") == "yes" or one.get("dalsegno") for one in item.iter("sound"))
    return sounds or any(JUMP.search(words.text or "") for words in item.iter("words"))


def number(text: str | None) -> Fraction:
    """A number as MusicXML writes it; none is 0. ValueError for what is no number, or longer than any is."""
    if not re.fullmatch(r"\s*([+-]?\d{1,9}(\.\d{0,9})?)?\s*", text or ""):
        raise ValueError(f"{text[:20]!r} is no number")
    return Fraction((text or "").strip() or 0)


def _duration(item: ElementTree.Element, divisions: Fraction) -> Fraction:
    """Quarter notes. Where the duration is rounded (85 of 256 for a triplet) or missing, the note's type
    says it; with few divisions a difference is more than rounding (a triplet that is not marked as one)."""
    duration = number(item.findtext("duration")) / divisions
    if duration < 0:
        raise ValueError(f"a duration of {duration} quarter notes")
    kind = item.findtext("type", "").strip()
    if kind not in TYPES:
        return duration
    exact = TYPES[kind] * (2 - Fraction(1, 2 ** min(len(item.findall("dot")), 4)))
    exact *= Fraction(
        number(item.findtext("time-modification/normal-notes", "1")),
        number(item.findtext("time-modification/actual-notes", "1")),
    )
    fine = divisions >= _FINE or item.find("time-modification") is not None
    rounded = abs(duration - exact) * divisions < (1 if fine else Fraction(1, 2))
    return exact if rounded or item.find("duration") is None else duration


def _tidy(time: Fraction) -> Fraction:
    near = Fraction(round(time * _FINE), _FINE)
    return near if abs(near - time) < _NEAR else time


def _metre(item: ElementTree.Element, before: tuple[Fraction, str]) -> tuple[Fraction, str]:
    """Quarter notes a bar by its <attributes>, and how that is written; 0 where a sign says: no metre."""
    time = item.find("time")
    if time is None:
        return before
    pairs = list(zip(time.findall("beats"), time.findall("beat-type"), strict=True))
    length = sum(4 * sum(map(number, beats.text.split("+"))) / number(unit.text) for beats, unit in pairs)
    return Fraction(length), " + ".join(f"{beats.text.strip()}/{unit.text.strip()}" for beats, unit in pairs)


def signature(item: ElementTree.Element) -> Key | None:
    """The key signature by its fifths, or step by step; None where there is none that can be read."""
    mode = (item.findtext("key/mode") or "").strip().lower()
    mode = {"ionian": "major", "aeolian": "minor"}.get(mode, mode)
    try:
        if item.find("key/fifths") is not None:
            return Key.of(int(item.findtext("key/fifths")), mode if mode in MODES else "")
        steps = [step.text.strip() for step in item.findall("key/key-step")]
        alters = dict(zip(steps, map(int, (a.text for a in item.findall("key/key-alter"))), strict=True))
    except _ODD:
        return None
    return Key(tuple(alters.get(step, 0) for step in STEPS)) if alters else None


def transposition(item: ElementTree.Element, before: dict[str, int]) -> dict[str, int]:
    """For each staff ("": for all) by how many semitones its notes sound higher than written."""
    return before | {
        node.get("number", ""): int(
            number(node.findtext("chromatic")) + 12 * number(node.findtext("octave-change"))
        )
        for node in item.findall("transpose")
    }


def _barline(item: ElementTree.Element, bar: _Measure, endings: frozenset[int]) -> frozenset[int]:
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


def _played(bars: Sequence[_Measure]) -> tuple[int, ...]:
    """The bars, from 0, in the order in which repeats and endings have them played; () as they stand.

    Signs by which some bar would never be played are not followed.
    """
    order, index, start, turn = [], 0, 0, 1
    while index < len(bars):
        bar = bars[index]
        if index != start and (bar.forward or (bars[index - 1].endings and not bar.endings)):
            start, turn = index, 1
        if not bar.endings or turn in bar.endings:
            order.append(index)
        if len(order) > LONGEST:
            raise TuneError(BROKEN, f"its repeats make more than {LONGEST:,} bars: take repeat signs out")
        if bar.times and (not bar.endings or turn in bar.endings):
            last = index
            while last + 1 < len(bars) and bars[last].endings and bars[last + 1].endings:
                last += 1
            turns = max([bar.times, *(n for other in bars[index : last + 1] for n in other.endings)])
            if turn < turns:
                index, turn = start, turn + 1
                continue
            start, turn = index + 1, 1
        index += 1
    return tuple(order) if len(order) > len(bars) and len(set(order)) == len(bars) else ()


def _staves(name: str, bars: Sequence[_Measure]) -> Iterator[tuple[str, Part]]:
    """The staves of a part that hold notes, each with its number, as a Part."""
    played = _played(bars)
    starts = [Fraction(0), *accumulate(bar.length for bar in bars)]
    staves = sorted({staff for bar in bars for staff in (*bar.unpitched, *(note[0] for note in bar.notes))})
    for staff in staves or [""]:
        notes, marks = [], []
        for bar, start in zip(bars, starts, strict=False):
            own = [note for note in bar.notes if note[0] == staff]
            for _, onset, duration, pitch, tied in sorted(own, key=lambda note: note[1]):
                note = Note(start + onset, duration, pitch)
                _add(notes, note, tied) if pitch >= 0 else marks.append(note)
        percussion = any(staff in bar.unpitched for bar in bars)
        full = f"{name}, staff {staff}" if len(staves) > 1 else name
        yield (
            staff,
            Part(
                f"{full} (percussion)" if percussion else full,
                tuple(notes),
                tuple(
                    Bar(bar.number, start, bar.length, bar.nominal, bar.metre, bar.section)
                    for bar, start in zip(bars, starts, strict=False)
                ),
                percussion=percussion,
                marks=tuple(marks),
                played=played,
                transpose=next((b.transpose.get(staff, b.transpose.get("", 0)) for b in bars), 0),
                key=bars[0].key,
                signs=_signs(bars, starts, staff),
            ),
        )


def _signs(bars: Sequence[_Measure], starts: Sequence[Fraction], staff: str) -> Signs:
    before = [frozenset(), *(bar.endings for bar in bars)]
    endings = [
        (place, ",".join(map(str, sorted(bar.endings))))
        for place, (bar, last) in enumerate(zip(bars, before, strict=False))
        if bar.endings and bar.endings != last
    ]
    chords = [(start + at, name) for bar, start in zip(bars, starts, strict=False) for at, name in bar.chords]
    opens = frozenset(place for place, bar in enumerate(bars) if bar.forward)
    closes = frozenset(place for place, bar in enumerate(bars) if bar.times)
    lyrics = [
        (start + at, verse, text)
        for bar, start in zip(bars, starts, strict=False)
        for place, at, verse, text in bar.lyrics
        if place == staff
    ]
    jumps = any(bar.jumps for bar in bars)
    return Signs(tuple(chords), opens, closes, tuple(endings), tuple(sorted(lyrics)), jumps)


def _add(notes: list[Note], note: Note, tied: bool) -> None:
    """Add a note; one tied to the same pitch before it makes that one longer."""
    if tied:
        for place in range(len(notes) - 1, max(len(notes) - 20, -1), -1):
            before = notes[place]
            if before.pitch == note.pitch and before.start + before.duration == note.start:
                notes[place] = Note(before.start, before.duration + note.duration, note.pitch)
                return
    notes.append(note)


def _root(content: bytes) -> ElementTree.Element:
    """The score of a plain file, or of an archive: where its container says, else the first XML in it."""
    try:
        if not content.startswith(b"PK"):
            return _parse(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            named = []
            if "META-INF/container.xml" in names:
                container = _parse(_member(archive, "META-INF/container.xml"))
                paths = [n.get("full-path", "") for n in container.iter() if n.tag.endswith("rootfile")]
                # Archives older than UTF-8 names hold the same bytes, which zipfile takes for code page 437.
                named = [n for path in paths for n in (path, path.encode().decode("cp437")) if n in names]
            scores = [n for n in names if re.search(r"(?i)^(?!META-INF|__MACOSX).*\.(musicxml|xml)$", n)]
            if not named + scores:
                raise TuneError(BROKEN, "this archive holds no MusicXML: export it again")
            return _parse(_member(archive, [*named, *scores][0]))
    except TuneError:
        raise
    except (*_ODD, *DAMAGED, ElementTree.ParseError) as error:
        raise TuneError(BROKEN, f"this is no MusicXML ({error}): export it again") from error


def _parse(content: bytes) -> ElementTree.Element:
    """XML in the encoding it declares, or where that is wrong, in any that reads its bytes; its tags without
    a namespace, which some programs give them."""
    root = _decoded(content)
    if root.tag.startswith("{"):
        for node in root.iter():
            node.tag = node.tag.partition("}")[2] if isinstance(node.tag, str) else node.tag
    return root


def _decoded(content: bytes) -> ElementTree.Element:
    if b"\0" not in content[:4]:  # else UTF-16
        content = content.strip(b"\0 \t\r\n")
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        declared = re.match(rb"""<\?xml[^>]*encoding=["']([\w.-]+)""", content)
        for encoding in (declared and declared[1].decode(), "latin-1"):
            try:
                return ElementTree.fromstring(content.decode(encoding or "utf-8"))
            except (ElementTree.ParseError, LookupError, ValueError):
                continue
        raise error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise TuneError(BROKEN, f"{name} unpacks to more than {_LARGEST >> 20} MB: that is no score")
    return content
