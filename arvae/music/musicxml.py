"""MusicXML, compressed or not, as a Score: every staff a part, as it is written and at the pitch it sounds.

The reader is our own, on the standard library's XML parser: music21's ended in a traceback on 99 of 497 files
of other projects' test suites, takes thirty times as long, and rounds what it cannot place.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.etree import ElementTree

from arvae.files import DAMAGED
from arvae.music.musicxml_bars import ODD, Measure, measures
from arvae.music.score import BROKEN, LONGEST, Bar, Note, Part, Score, Signs, TuneError

_LARGEST = 12 << 20  # bytes of one uncompressed score; the largest chorale has under 1 MB


def read(content: bytes) -> Score:
    """A .musicxml or .mxl file as a Score. Raises TuneError for whatever is none, or cannot be followed."""
    root = _root(content)
    found = [part for *_, part in _parts(root)]
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    composer = root.findtext("identification/creator[@type='composer']") or ""
    tempi = [sound.get("tempo") for sound in root.iter("sound") if sound.get("tempo")] or [""]
    return Score(
        title.strip(), tuple(found), next((bar.metre for part in found for bar in part.bars), ""),
        tempo=float(tempi[0]) or None if re.fullmatch(r"\d{1,9}(\.\d{0,9})?", tempi[0]) else None,
        composer=composer.strip(), varied=len(set(tempi)) > 1,
    )  # fmt: skip


def located(content: bytes) -> tuple[ElementTree.Element, list[tuple[ElementTree.Element, str, int]]]:
    """The score of a file, and for each part that `read` gives its <part>, its staff, and of how many."""
    root = _root(content)
    return root, [(node, staff, staves) for node, staff, staves, _ in _parts(root)]


def _parts(root: ElementTree.Element) -> list[tuple[ElementTree.Element, str, int, Part]]:
    """The staves that hold notes: the <part> of each, its number, of how many in the part, and its Part."""
    parts = _partwise(root)
    names = {entry.get("id"): entry.findtext("part-name") for entry in root.iter("score-part")}
    read = [list(measures(part)) for part in parts]
    # A bar lasts as long as in the part that fills it: trailing rests are often left out. An empty one rests.
    lengths = [
        max(bar.length for bar in bars) or bars[0].nominal * (node.get("implicit") != "yes")
        for node, bars in zip(parts[0].findall("measure"), zip(*read, strict=False), strict=False)
    ]
    for bars in read:
        for bar, length in zip(bars, lengths, strict=False):
            bar.length = max(bar.length, length)
        for before, bar in pairwise(bars):
            bar.start = before.start + before.length
    found = []
    for place, (part, bars) in enumerate(zip(parts, read, strict=True), 1):
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


def _played(bars: Sequence[Measure]) -> tuple[int, ...]:
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


def _staves(name: str, bars: Sequence[Measure]) -> Iterator[tuple[str, Part]]:
    """The staves of a part that hold notes, each with its number, as a Part."""
    played, jumps = _played(bars), any(bar.jumps for bar in bars)
    shown = tuple(Bar(one.number, one.start, one.length, one.nominal, one.metre, one.section) for one in bars)
    chords = tuple((bar.start + at, name) for bar in bars for at, name in bar.chords)
    keys = tuple((bar.start + at, name) for bar in bars for at, name in bar.keys)
    opens = frozenset(place for place, bar in enumerate(bars) if bar.forward)
    closes = frozenset(place for place, bar in enumerate(bars) if bar.times)
    inside = {place: ",".join(map(str, sorted(bar.endings))) for place, bar in enumerate(bars) if bar.endings}
    endings = tuple((place, one) for place, one in inside.items() if inside.get(place - 1) != one)
    stops = frozenset(place for place, one in inside.items() if inside.get(place + 1) != one)
    staves = sorted({staff for bar in bars for staff in (*bar.unpitched, *(note[0] for note in bar.notes))})
    for staff in staves or [""]:
        notes, marks, lyrics = [], [], []
        for bar in bars:
            own = [note for note in bar.notes if note[0] == staff]
            for _, onset, duration, pitch, tied in sorted(own, key=lambda note: note[1]):
                note = Note(bar.start + onset, duration, pitch)
                _add(notes, note, tied) if pitch >= 0 else marks.append(note)
            lyrics += [(bar.start + at, *what) for place, at, *what in bar.lyrics if place == staff]
        percussion = any(staff in bar.unpitched for bar in bars)
        full = f"{name}, staff {staff}" * (len(staves) > 1) or name
        part = Part(
            full + " (percussion)" * percussion, tuple(notes), shown, percussion, tuple(marks), played,
            transpose=next((bar.transpose.get(staff, bar.transpose.get("", 0)) for bar in bars), 0),
            key=bars[0].key,
            signs=Signs(chords, opens, closes, endings, tuple(sorted(lyrics)), jumps, stops, keys),
        )  # fmt: skip
        yield staff, part


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
    """The score of a file, parsed; TuneError where there is none."""
    try:
        return _parse(unpacked(content))
    except TuneError:
        raise
    except (*ODD, *DAMAGED, ElementTree.ParseError) as error:
        raise TuneError(BROKEN, f"this is no MusicXML ({error}): export it again") from error


def unpacked(content: bytes) -> bytes:
    """The XML of a plain file, or of an archive: where its container says, else the first in it. Raises
    TuneError where there is none, what zipfile raises for a damaged archive."""
    if not content.startswith(b"PK"):
        return content
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
        return _member(archive, [*named, *scores][0])


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
