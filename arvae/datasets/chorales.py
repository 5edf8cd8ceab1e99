"""`bach`: single 4/4 measures of the soprano of Bach's four-part chorales, from music21's own corpus.

The chorales are those that music21 lists by Riemenschneider's numbers. Of each MusicXML file only the first
of four parts is given to music21's reader, which is what takes the time.
"""

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arvae.datasets import corpus, reading, sources, tunes
from arvae.datasets.contract import DataError, Dataset, choose
from arvae.datasets.reading import Written

PARTS = 4
NOT_FOUR = "not in four parts"
#: What says nothing about the melody and takes time to read.
_DECORATION = ("lyric", "beam", "stem")
_LARGEST = 16 << 20  # bytes of one uncompressed score; the largest chorale has under 1 MB
_COLLECTION = "Riemenschneider"


def prepare(
    sizes: Mapping[str, int | None],
    source: str,
    raw: Path,
    cache: Path,
    log: Callable[[str], None] = print,
) -> Dataset:
    """The chorales as a data set; `sizes["tunes"]` limits how many are read (a random choice, fixed seed).

    source: "auto" or "music21" (its corpus; nothing is downloaded). Raises DataError for another.
    """
    written, used = sources.first(
        "bach", {"music21": find}, source, by_hand="reinstall music21 with its corpus", log=log
    )
    chosen = [written[i] for i in choose(len(written), sizes.get("tunes"), corpus.SEED, "chorales")]
    coded = reading.read_all(chosen, read, [__file__], cache, "reading chorales", log)
    import music21

    return corpus.assemble(
        "bach",
        chosen,
        coded,
        sizes,
        {
            "source": used,
            "music21": music21.__version__,
            "what": "soprano of the four-part chorales that music21 lists by Riemenschneider's numbers",
            "licence": "music in the public domain; encodings distributed with music21 (corpus/license.txt)",
            "tunes found": {_COLLECTION: len(written)},
            "asked": dict(sizes),
        },
    )


def find() -> list[Written]:
    """The chorales of music21's list, by Riemenschneider's number, each with the bytes of its file."""
    from music21 import common
    from music21.corpus import chorales

    folder = common.getCorpusFilePath() / "bach"
    listed = chorales.ChoraleListRKBWV().byRiemenschneider
    written = []
    for number in sorted(listed):
        stem = f"bwv{listed[number]['bwv']}"
        # one name of the list is cut short (bwv18.5-l for bwv18.5-lz): hence the last pattern
        files = [
            *folder.glob(f"{stem}.mxl"),
            *folder.glob(f"{stem}.xml"),
            *sorted(folder.glob(f"{stem}*.mxl")),
        ]
        if not files:
            raise DataError(
                f"chorale {number} ({stem}) is not in music21's corpus {folder}: "
                "reinstall music21 with its corpus"
            )
        title = f"BWV {listed[number]['bwv']}, {listed[number]['title']}"
        written.append(Written(_COLLECTION, str(number), title, files[0].read_bytes()))
    return written


def read(content: bytes) -> tuple[np.ndarray, int]:
    """A chorale's file (MusicXML, compressed or not) -> its soprano's measures (n, 24), and bars dropped.

    Raises TuneError where it has not four parts or cannot be coded.
    """
    return tunes.code(tunes.stream_bars(soprano(content)))


def soprano(content: bytes, parts: int = PARTS) -> Any:
    """The first of `parts` parts of a MusicXML file, as a music21 Part."""
    from music21.musicxml.xmlToM21 import MusicXMLImporter

    root = _root(content)
    found = root.findall("part")
    if len(found) != parts:
        raise tunes.TuneError(NOT_FOUR, f"it has {len(found)} parts, needed are {parts}")
    for part in found[1:]:
        root.remove(part)
    names = root.find("part-list")
    for extra in [*names.findall("score-part")[1:], *names.findall("part-group")]:
        names.remove(extra)
    for note in root.iter("note"):
        for child in [child for child in note if child.tag in _DECORATION]:
            note.remove(child)
    return MusicXMLImporter().xmlRootToScore(root).parts[0]


def _root(content: bytes) -> ElementTree.Element:
    """The score inside a .mxl archive (named by its container file) or a plain MusicXML file."""
    if not content.startswith(b"PK"):
        return ElementTree.fromstring(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        container = ElementTree.fromstring(_member(archive, "META-INF/container.xml"))
        name = next(
            element.get("full-path") for element in container.iter() if element.tag.endswith("rootfile")
        )
        return ElementTree.fromstring(_member(archive, name))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise DataError(f"{name} unpacks to more than {_LARGEST >> 20} MB: that is no score")
    return content
