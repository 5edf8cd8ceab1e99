"""Engraved measures as small SVG that needs nothing else: no fonts, no ids, no style sheet.

Verovio engraves; what it draws is taken apart into a few paths and set again with room for labels, so that a
row of a traversal can carry its attribute's name, each measure its value. Drawn in the colour of the text
around it, so it reads on a dark page too.
"""

import html
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from arvae.music.files import to_musicxml

SPACE = 45  # units between two lines of a staff, in the SVG that is returned
_VEROVIO = 180  # the same in verovio's
_SCALE = SPACE / _VEROVIO
_TEXT = 64  # font size, units
_GAP = 50  # between a text and what is above or below it, units
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
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
    "xmlIdSeed": 1,
}


@dataclass(frozen=True)
class Shape:
    """One thing drawn: path data with its top and bottom, how it is drawn, in which colour."""

    data: str
    top: float
    bottom: float
    stroke: int  # line width; 0: filled
    kind: str  # shapes of one kind may share a path
    colour: str = ""


@dataclass
class Staff:
    """One line of music: where its lines are, its measures' left and right ends, what is drawn on it."""

    top: float
    bottom: float
    measures: list[tuple[float, float]]
    shapes: list[Shape] = field(default_factory=list)


def engrave(
    staves: np.ndarray | Sequence[np.ndarray],
    labels: Sequence[str] = (),
    columns: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    alt: str = "",
    width: int | None = None,
) -> str:
    """Measures as an SVG element: one staff (n, 24), or several that are aligned measure by measure.

    labels: a name above each staff; columns: a word above each measure of the first; captions: for each staff
    a word above each of its measures. alt: what a reader who cannot see it is told. width: break lines at
    this many staff spaces (one staff only); None keeps one line. The same input gives the same text. Raises
    ValueError where there is no measure, or labels do not match.
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
    drawn = _staves(_verovio(to_musicxml(rows), width))
    return _compose(drawn, labels, columns, captions, alt)


def _verovio(musicxml: str, width: int | None) -> ElementTree.Element:
    import verovio

    toolkit = verovio.toolkit()
    breaks = {"breaks": "none"} if width is None else {"breaks": "auto", "pageWidth": width * 18}
    toolkit.setOptions(_OPTIONS | breaks | {"pageHeight": 60_000})
    if not toolkit.loadData(musicxml):
        raise ValueError(f"verovio cannot engrave this score: {toolkit.getLog()}")
    return ElementTree.fromstring(toolkit.renderToSVG(1))


def _staves(svg: ElementTree.Element) -> list[Staff]:
    """What verovio drew, staff by staff, from top to bottom."""
    glyphs = {
        node.get("id"): node[0].get("d")
        for node in svg.iter(f"{_SVG}g")
        if node.get("id", "").startswith("E")
    }
    staves: dict[float, Staff] = {}
    for node in svg.iter(f"{_SVG}g"):
        if node.get("class") == "staff":
            lines = [_numbers(line.get("d")) for line in node.findall(f"{_SVG}path")[:5]]
            top, bottom = lines[0][1] * _SCALE, lines[-1][1] * _SCALE
            staff = staves.setdefault(top, Staff(top, bottom, []))
            staff.measures.append((lines[0][0] * _SCALE, lines[0][2] * _SCALE))
    ordered = [staves[top] for top in sorted(staves)]
    page = next(node for node in svg.iter(f"{_SVG}g") if node.get("class") == "page-margin")
    for shape in _shapes(page, glyphs, "", ""):
        middle = (shape.top + shape.bottom) / 2
        nearest = min(ordered, key=lambda staff: abs((staff.top + staff.bottom) / 2 - middle))
        covered = [shape.top - SPACE < staff.top and staff.bottom < shape.bottom + SPACE for staff in ordered]
        if sum(covered) < 2:  # else it is the line that joins staves
            nearest.shapes.append(shape)
    return ordered


def _shapes(node: ElementTree.Element, glyphs: dict[str, str], colour: str, within: str) -> Iterator[Shape]:
    """Everything drawn inside a node; `within` is the class of the group that holds it."""
    for child in node:
        tag = child.tag.removeprefix(_SVG)
        if "placeholder" in child.get("class", ""):
            continue
        if tag == "g":
            yield from _shapes(child, glyphs, child.get("fill", colour), child.get("class", within))
        elif tag == "use":
            x, y, factor, _ = _numbers(child.get("transform"))
            yield _shape(_moved(glyphs[child.get(_HREF)[1:]], x, y, factor), 0, "glyph", colour)
        elif tag == "ellipse":
            x, y, radius = (float(child.get(name)) * _SCALE for name in ("cx", "cy", "rx"))
            r, d = round(radius), 2 * round(radius)
            data = f"M{round(x) - r} {round(y)}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 {-d} 0z"
            yield Shape(data, y - radius, y + radius, 0, "dot", colour)
        elif tag == "polygon":
            points = _numbers(child.get("points"))
            yield _shape("M" + "L".join(f"{x} {y}" for x, y in _pairs(points)) + "z", 0, "beam", colour)
        elif tag == "polyline":
            points = _numbers(child.get("points"))
            data = "M" + "L".join(f"{x} {y}" for x, y in _pairs(points))
            yield _shape(data, _width(child), "line", colour)
        elif tag == "path":
            filled = within == "tie"
            yield _shape(child.get("d"), 0 if filled else _width(child), "tie" if filled else "line", colour)


def _width(node: ElementTree.Element) -> int:
    return max(round(float(node.get("stroke-width", "0")) * _SCALE), 2)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def _pairs(numbers: Sequence[float]) -> Iterator[tuple[float, float]]:
    return zip(numbers[::2], numbers[1::2], strict=True)


def _moved(data: str, x: float, y: float, factor: float) -> str:
    """A glyph's path (y grows upwards) put at x, y, as absolute coordinates in verovio's units."""
    parts = []
    for command, points in _absolute(data):
        moved = " ".join(f"{x + px * factor:.2f} {y - py * factor:.2f}" for px, py in points)
        parts.append(command + moved)
    return "".join(parts)


def _absolute(data: str) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """Path data as absolute commands M, L, C, Z with their points; smooth curves are written out."""
    sizes = {"m": 2, "l": 2, "h": 1, "v": 1, "c": 6, "s": 4, "z": 0}
    x = y = start_x = start_y = 0.0
    control = None
    for command, text in re.findall(r"([a-zA-Z])([^a-zA-Z]*)", data):
        kind, numbers = command.lower(), _numbers(text)
        size = sizes[kind]
        for i in range(0, max(len(numbers), 1), max(size, 1)):
            group = numbers[i : i + size]
            base = (x, y) if command.islower() else (0.0, 0.0)
            if kind == "z":
                x, y = start_x, start_y
                yield "Z", []
                break
            if kind == "h":
                points = [(base[0] + group[0], y)]
            elif kind == "v":
                points = [(x, base[1] + group[0])]
            else:
                points = [(base[0] + px, base[1] + py) for px, py in _pairs(group)]
            if kind == "s":
                reflected = (2 * x - control[0], 2 * y - control[1]) if control else (x, y)
                points = [reflected, *points]
            control = points[-2] if kind in "cs" else None
            x, y = points[-1]
            if kind == "m" and i == 0:
                start_x, start_y = x, y
            yield {"m": "M" if i == 0 else "L", "c": "C", "s": "C"}.get(kind, "L"), points
    return


def _shape(data: str, stroke: int, kind: str, colour: str) -> Shape:
    """Path data in verovio's units -> short relative whole-number data in ours, with its extent."""
    out, ys = [], []
    x = y = 0
    for command, points in _absolute(data):
        if command == "Z":
            out.append("z")
            continue
        scaled = [(round(px * _SCALE), round(py * _SCALE)) for px, py in points]
        ys += [py for _, py in scaled]
        if command == "M":
            out.append(f"M{scaled[0][0]} {scaled[0][1]}")
        else:
            offsets = [number - origin for px, py in scaled for number, origin in ((px, x), (py, y))]
            if command == "L" and 0 in offsets:
                out.append(f"v{offsets[1]}" if offsets[0] == 0 else f"h{offsets[0]}")
            else:
                out.append(command.lower() + " ".join(map(str, offsets)).replace(" -", "-"))
        x, y = scaled[-1]
    return Shape("".join(out), min(ys), max(ys), stroke, kind, colour)


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
        top = min(shape.top for shape in staff.shapes)
        body.append(f"<g transform='translate(0 {round(cursor - top)})'>{''.join(_paths(staff.shapes))}</g>")
        cursor += max(shape.bottom for shape in staff.shapes) - top + 2 * _GAP
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


def _paths(shapes: Sequence[Shape]) -> Iterator[str]:
    """Shapes of one kind, line width and colour as one path each."""
    groups: dict[tuple[str, str, int], list[str]] = {}
    for shape in shapes:
        groups.setdefault((shape.colour, shape.kind, shape.stroke), []).append(shape.data)
    for (colour, _, stroke), data in groups.items():
        paint = f" fill='{colour}'" if colour else ""
        if stroke:
            paint = f" fill='none' stroke='{colour or 'currentColor'}' stroke-width='{stroke}'"
        yield f"<path{paint} d='{''.join(data)}'/>"
