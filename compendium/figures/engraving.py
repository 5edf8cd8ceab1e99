"""Engraved measures as small SVG that needs nothing else: no fonts, no ids, no style sheet.

Verovio engraves; the staves that it draws are set under each other with room for labels, so that a row of a
traversal can carry its attribute's name, each measure its value. Its SVG as it is has a style sheet, and ids
that clash with those of a second one on the same page. Drawn in the colour of the text around it, so it reads
on a dark page too.
"""

import html
import math
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from arvae.music.keys import Key
from arvae.music.write_musicxml import to_musicxml

SPACE = 45  # units between two lines of a staff, in the SVG that is returned
_SCALE = SPACE / 180  # of verovio's units
_TEXT = 64  # font size, units
_GAP = 50  # between a text and what is above or below it, units
_SVG = "{http://www.w3.org/2000/svg}"
_FONT = "font-family='system-ui,sans-serif'"
_OPTIONS = {
    "adjustPageHeight": True,
    "adjustPageWidth": True,
    "header": "none",
    "footer": "none",
    "pageMarginBottom": 0,
    "pageMarginLeft": 0,
    "pageMarginRight": 0,
    "pageMarginTop": 0,
    "spacingStaff": 40,
    "spacingSystem": 40,
    "svgBoundingBoxes": True,
    "svgRemoveXlink": True,
    "xmlIdSeed": 1,
}


@dataclass
class Staff:
    """One line of music: its measures' left and right ends; in verovio's units where its middle line is, how
    far up and down what is drawn on it reaches, and that as SVG."""

    middle: float
    measures: list[tuple[float, float]] = field(default_factory=list)
    top: float = math.inf
    bottom: float = -math.inf
    drawn: list[str] = field(default_factory=list)


def engrave(
    staves: np.ndarray | Sequence[np.ndarray],
    labels: Sequence[str] = (),
    columns: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    alt: str = "",
    width: int | None = None,
    key: Key | None = None,
) -> str:
    """Measures as an SVG element: one staff (n, 24), or several that are aligned measure by measure.

    labels: a name above each staff; columns: a word above each measure of the first; captions: for each staff
    a word above each of its measures. alt: what a reader who cannot see it is told. width: break lines at
    this many staff spaces (one staff only); None keeps one line. key: its signature. High music gets a
    clef one or two octaves higher. The same input gives the same text. Raises ValueError where there is no
    measure, or labels do not match.
    """
    one = isinstance(staves, np.ndarray) and staves.ndim == 2
    rows = [staves] if one else list(staves)
    if not rows or not all(len(row) for row in rows):
        raise ValueError("there are no measures to engrave: give at least one (24 ticks) a staff")
    if width is not None and len(rows) > 1:
        raise ValueError(f"width={width} breaks lines, which only one staff can: {len(rows)} were given")
    lengths = {len(row) for row in rows}
    if (
        columns
        and lengths != {len(columns)}
        or any(len(c) != len(r) for c, r in zip(captions, rows, strict=False))
    ):
        raise ValueError(f"staves of {sorted(lengths)} measures need as many columns and captions")
    score = to_musicxml(rows, key=key)
    if raised := _raised(rows):
        score = score.replace("</clef>", f"<clef-octave-change>{raised}</clef-octave-change></clef>")
    return _compose(_staves(_verovio(score, width)), labels, columns, captions, alt)


def _raised(rows: Sequence[np.ndarray]) -> int:
    """The octaves by which the clef is raised, two at most: else high music would be all ledger lines."""
    symbols = np.concatenate([np.ravel(row) for row in rows])
    notes = symbols[symbols >= 0]
    return min(2, max(0, int(np.median(notes)) - 74) // 12) if len(notes) else 0


def _verovio(musicxml: str, width: int | None) -> ElementTree.Element:
    import verovio

    toolkit = verovio.toolkit()
    breaks = {"breaks": "none"} if width is None else {"breaks": "auto", "pageWidth": width * 18}
    toolkit.setOptions(_OPTIONS | breaks | {"pageHeight": 60_000})
    if not toolkit.loadData(musicxml):
        raise ValueError(f"verovio cannot engrave this score: {toolkit.getLog()}")
    return ElementTree.fromstring(toolkit.renderToSVG(1))


def _staves(svg: ElementTree.Element) -> list[Staff]:
    """What verovio drew, staff by staff, from top to bottom; the lines that join staves are left out."""
    glyphs = {
        node.get("id"): node[0].get("d") for node in svg.iter(f"{_SVG}g") if node.get("id", "")[:1] == "E"
    }
    staves: dict[float, Staff] = {}
    others = []
    for measure in svg.iter(f"{_SVG}g"):
        if measure.get("class") != "measure":
            continue
        for node in measure:
            if node.get("class") == "staff":
                lines = [_numbers(line.get("d")) for line in node.findall(f"{_SVG}path")[:5]]
                staff = staves.setdefault(lines[2][1], Staff(lines[2][1]))
                staff.measures.append((lines[0][0] * _SCALE, lines[0][2] * _SCALE))
                _draw(node, staff, glyphs)
            else:  # bar lines, ties
                others += node.findall(f"{_SVG}path") if node.get("class") == "barLine" else [node]
    for node in others:
        heights = _heights(node)
        if heights:
            middle = (heights[0] + heights[-1]) / 2
            _draw(node, min(staves.values(), key=lambda staff: abs(staff.middle - middle)), glyphs)
    return [staves[middle] for middle in sorted(staves)]


def _heights(node: ElementTree.Element) -> list[float]:
    """How high the boxes of what is in a node, or without boxes its lines, lie, in order."""
    boxes = [(float(box.get("y")), float(box.get("height"))) for box in node.iter(f"{_SVG}rect")]
    found = [y for top, height in boxes if height for y in (top, top + height)]
    return sorted(found or _numbers(node.get("d", ""))[1::2])


def _draw(node: ElementTree.Element, staff: Staff, glyphs: dict[str, str], paint: str = "") -> None:
    """Add everything drawn inside a node to a staff: glyphs as paths, without ids and classes."""
    if "bounding-box" in node.get("class", "") or "placeholder" in node.get("class", ""):
        heights = _heights(node) if "bounding-box" in node.get("class", "") else []
        if heights:
            staff.top, staff.bottom = min(staff.top, heights[0]), max(staff.bottom, heights[-1])
        return
    if node.get("fill", "none") != "none":
        paint = f" fill='{node.get('fill')}' stroke='{node.get('fill')}'"
    tag = node.tag.removeprefix(_SVG)
    if tag == "use":
        x, y, factor, _ = _numbers(node.get("transform"))
        place = f"translate({x:g} {y:g})scale({factor:g} {-factor:g})"
        staff.drawn.append(f"<path{paint} transform='{place}' d='{glyphs[node.get('href')[1:]]}'/>")
    elif tag in ("path", "polygon", "polyline", "ellipse"):
        kept = {key: value for key, value in node.items() if key in _KEPT}
        staff.drawn.append(
            f"<{tag}{paint}" + "".join(f" {key}='{value}'" for key, value in kept.items()) + "/>"
        )
        if tag == "path":
            heights = _heights(node)
            staff.top, staff.bottom = min(staff.top, heights[0]), max(staff.bottom, heights[-1])
    for child in node:
        _draw(child, staff, glyphs, paint)


_KEPT = ("d", "points", "cx", "cy", "rx", "ry", "stroke-width", "fill")


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def _compose(
    staves: list[Staff],
    labels: Sequence[str],
    columns: Sequence[str],
    captions: Sequence[Sequence[str]],
    alt: str,
) -> str:
    """Set the staves one under the other, each with its line of text above it."""
    body, cursor = [], 0.0
    if columns:
        for (left, right), word in zip(staves[0].measures, columns, strict=True):
            body.append(_text(word, (left + right) / 2, _TEXT, "middle", bold=False))
        cursor = _TEXT + _GAP
    for number, staff in enumerate(staves):
        if number < len(labels) or number < len(captions):
            cursor += _TEXT
            words = captions[number] if captions else ()
            if number < len(labels):
                body.append(_text(labels[number], staff.measures[0][0], cursor, "start", bold=True))
                if words and _wide(labels[number]) + _wide(words[0]) > np.ptp(staff.measures[0]):
                    cursor += _TEXT  # not beside each other
            for (_, right), word in zip(staff.measures, words, strict=False):
                body.append(_text(word, right, cursor, "end", bold=False))
            cursor += _GAP
        place = f"translate(0 {round(cursor - staff.top * _SCALE)})scale({_SCALE})"
        body.append(f"<g transform='{place}' stroke='currentColor'>{''.join(staff.drawn)}</g>")
        cursor += (staff.bottom - staff.top) * _SCALE + 2 * _GAP
    left = min(staff.measures[0][0] for staff in staves)
    right = max(staff.measures[-1][1] for staff in staves)
    box = f"{round(left) - 8} -8 {round(right - left) + 16} {round(cursor - 2 * _GAP) + 16}"
    title = html.escape(alt or "engraved music", quote=True)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='{box}' role='img' aria-label='{title}' "
        f"style='width:100%;max-width:{round((right - left) / SPACE * 8)}px;height:auto' fill='currentColor'>"
        f"<title>{title}</title>{''.join(body)}</svg>"
    )


def _wide(word: str) -> float:
    """About how wide a text is, with some room after it."""
    return 0.62 * _TEXT * (len(word) + 1)


def _text(word: str, x: float, y: float, anchor: str, bold: bool) -> str:
    weight = " font-weight='600'" if bold else ""
    place = f"x='{round(x)}' y='{round(y)}' font-size='{_TEXT}'"
    return f"<text {place} {_FONT}{weight} text-anchor='{anchor}'>{html.escape(word)}</text>"
