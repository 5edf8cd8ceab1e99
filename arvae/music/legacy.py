"""The old way to music21 parts, until every reader has left it."""

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from typing import Any

from arvae.files import DAMAGED
from arvae.music.tunes import BROKEN, TuneError

#: What says nothing about the melody and takes time to read.
_DECORATION = ("lyric", "beam", "stem")
_LARGEST = 16 << 20  # bytes of one uncompressed score; the largest chorale has under 1 MB


def first_part(content: bytes, check: Callable[[int], None]) -> Any:
    """The first part of a score as a music21 Part; the others are thrown away before music21 reads them.

    content: a .musicxml or .mxl file. `check` is given the number of parts and may raise. Raises TuneError
    where the content is no MusicXML.
    """
    root, parts, names = _partwise(content)
    check(len(parts))
    for part in parts[1:]:
        root.remove(part)
    for extra in [*names.findall("score-part")[1:], *names.findall("part-group")]:
        names.remove(extra)
    for note in root.iter("note"):
        for child in [child for child in note if child.tag in _DECORATION]:
            note.remove(child)
    return _score(root).parts[0]


def whole(content: bytes) -> Any:
    """A .musicxml or .mxl file with all its parts as a music21 Score; TuneError as for `first_part`."""
    return _score(_partwise(content)[0])


def _partwise(content: bytes) -> tuple[ElementTree.Element, list[ElementTree.Element], ElementTree.Element]:
    """The score's element, its parts and the list of their names."""
    root = _root(content)
    parts, names = root.findall("part"), root.find("part-list")
    if root.tag != "score-partwise" or not parts or names is None:
        raise TuneError(BROKEN, f"this XML is <{root.tag}>, needed is a <score-partwise> with a part")
    return root, parts, names


def _score(root: ElementTree.Element) -> Any:
    from music21 import exceptions21
    from music21.musicxml.xmlToM21 import MusicXMLImporter

    try:
        return MusicXMLImporter().xmlRootToScore(root)
    except (
        exceptions21.Music21Exception,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as e:
        raise TuneError(BROKEN, f"music21 cannot read this MusicXML ({e})") from e


def _root(content: bytes) -> ElementTree.Element:
    """The score inside a .mxl archive (named by its container file) or a plain MusicXML file."""
    try:
        if not content.startswith(b"PK"):
            return ElementTree.fromstring(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            container = ElementTree.fromstring(_member(archive, "META-INF/container.xml"))
            paths = [
                element.get("full-path") for element in container.iter() if element.tag.endswith("rootfile")
            ]
            return ElementTree.fromstring(_member(archive, paths[0]))
    except TuneError:
        raise
    except (ElementTree.ParseError, *DAMAGED) as error:
        raise TuneError(BROKEN, f"this is no MusicXML ({error})") from error


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise TuneError(BROKEN, f"{name} unpacks to more than {_LARGEST >> 20} MB: that is no score")
    return content
