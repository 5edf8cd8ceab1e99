"""`bach`: single 4/4 measures of the soprano of Bach's four-part chorales, from music21's own corpus.

The chorales are those that music21 lists by Riemenschneider's numbers, with their repeats played out.
"""

from pathlib import Path

import numpy as np

from arvae.datasets import corpus, reading, sources
from arvae.datasets.catalogue import Sizes
from arvae.datasets.contract import DataError, Dataset, choose
from arvae.datasets.reading import Written
from arvae.music import grid, musicxml
from arvae.music.score import Part, TuneError, unfold
from arvae.progress import Log

FACTS = {
    "kind": "music",
    "sources": ("music21",),
    "about": """
**Bach chorales**: single 4/4 measures of the soprano of the four-part chorales in music21's corpus. A
measure has 24 ticks, six a beat at 0, 1/4, 1/3, 1/2, 2/3 and 3/4 of it, so that sixteenths and triplets
both fall on one; each tick starts a pitch, starts a rest, or continues the previous symbol. Every tune
is included in all keys in which it stays between MIDI 55 (G3) and 84 (C6), and all its measures, in all
keys, are in the same split.
""",
}
PARTS = 4
NOT_FOUR = "not in four parts"
_COLLECTION = "Riemenschneider"


def prepare(sizes: Sizes, source: str, raw: Path, cache: Path, log: Log = print) -> Dataset:
    """The chorales as a data set; `sizes["tunes"]` limits how many are read (a random choice, fixed seed).

    source: "auto" or "music21" (its corpus; nothing is downloaded). Raises DataError for another.
    """
    written, used = sources.first(
        "bach", {"music21": find}, source, by_hand="reinstall music21 with its corpus", log=log
    )
    chosen = [written[i] for i in choose(len(written), sizes.get("tunes"), corpus.SEED, "chorales")]
    coded = reading.read_all(chosen, read, "reading chorales", log)
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
        names = (f"{stem}.mxl", f"{stem}.xml", f"{stem}*.mxl")
        files = [path for name in names for path in sorted(folder.glob(name))]
        if not files:
            raise DataError(
                f"chorale {number} ({stem}) is not in music21's corpus {folder}: "
                "reinstall music21 with its corpus"
            )
        title = f"BWV {listed[number]['bwv']}, {listed[number]['title']}"
        written.append(Written(_COLLECTION, str(number), title, files[0].read_bytes()))
    return written


def read(tune: Written) -> np.ndarray:
    """A chorale's file (MusicXML, compressed or not) -> its soprano's measures (n, 24), repeats played out.

    Raises TuneError where it has not four parts or cannot be coded.
    """
    return grid.measures(unfold(soprano(tune.content)))


def soprano(content: bytes) -> Part:
    """The first of a MusicXML file's four parts. Raises TuneError for another number."""
    parts = musicxml.read(content).parts
    if len(parts) != PARTS:
        raise TuneError(NOT_FOUR, f"it has {len(parts)} parts, needed are {PARTS}")
    return parts[0]
