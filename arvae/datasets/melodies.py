"""Your own melodies as a data set: a folder of MIDI, MusicXML and ABC files, coded like the folk tunes.

Files may lie in folders inside it. A file is one tune, an ABC file as many as it has X: fields. What is read
is one voice in 4/4, C or C|, on sixteenths and triplets, with a range of at most 29 semitones; every tune is
moved to every key in which it stays between MIDI 55 and 84. Other tunes are left out, each with its reason.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from arvae.datasets import corpus, reading
from arvae.datasets.catalogue import Sizes
from arvae.datasets.contract import DataError, Dataset, choose
from arvae.datasets.reading import Written
from arvae.music import abc_text, files, grid
from arvae.music import coding as music
from arvae.music.score import TuneError
from arvae.progress import Log

MOST = 100_000  # files
LEAST = len(corpus.SHARES)  # usable tunes: one for each split
NAMED = 8  # files that an error names
TOO_LARGE = "file too large, or empty"


def prepare(name: str, folder: Path | str, sizes: Sizes | None, log: Log = print) -> Dataset:
    """Read a folder of melodies into a data set `name`; `sizes["tunes"]` limits how many tunes are read.

    Raises DataError naming the folder where it is none, has no such files, or too few that can be used.
    """
    folder, sizes = Path(folder).expanduser(), dict(sizes or {})
    found, passed = find(name, folder)
    most = len(found) if (asked := sizes.get("tunes")) is None else min(asked, len(found))
    chosen = [found[i] for i in choose(len(found), most, corpus.SEED, "tunes")]
    coded = reading.read_all(chosen, read, f"reading {name}", log)
    usable = sum(not one.reason and bool(music.transpositions(one.measures)) for one in coded)
    if usable < LEAST:
        faults = [
            f"  {tune.number}: {one.detail}" for tune, one in zip(chosen, coded, strict=True) if one.reason
        ]
        more = f"\n  and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise DataError(
            f"data set {name}: {usable} of {len(chosen)} tunes in {folder} can be used, needed are at least "
            f"{LEAST}: correct or add files\n" + "\n".join(faults[:NAMED]) + more
        )
    return corpus.assemble(
        name,
        chosen,
        coded,
        sizes,
        {
            "title": f"single 4/4 measures of {usable:,} melodies of a folder, coded like the folk tunes: "
            "every tune in every key in which it stays between MIDI 55 (G3) and 84 (C6), all measures of a "
            "tune on one side of the split",
            "source": "folder",
            "licence": "that of your melodies",
            "tunes found": dict(Counter(_ending(tune) for tune in found)),
            "files passed over": passed,
            "asked": sizes,
        },
        examples=MOST,
    )


def find(name: str, folder: Path) -> tuple[list[Written], list[str]]:
    """Every tune of a folder, in the order of the files' names, and the files that are passed over because of
    their ending; a file that is too large comes empty."""
    if not folder.is_dir():
        raise DataError(
            f"data set {name}: {folder} is not a folder; give one with {', '.join(files.ENDINGS)} files"
        )
    everything = sorted(path for path in folder.rglob("*") if path.is_file())
    paths = [path for path in everything if path.suffix.lower() in files.ENDINGS]
    if not 0 < len(paths) <= MOST:
        raise DataError(
            f"data set {name}: {folder} has {len(paths):,} files with melodies ({', '.join(files.ENDINGS)}), "
            f"it may have 1 to {MOST:,}"
        )
    found = []
    for path in paths:
        number = path.relative_to(folder).as_posix()
        content = path.read_bytes() if 0 < path.stat().st_size <= files.LARGEST else b""
        if path.suffix.lower() not in files.ABC or not content:
            found.append(Written(name, number, path.stem, content))
            continue
        several = abc_text.tunes(abc_text.decode(content))
        for text in several:
            title = abc_text.field(text, "T") or path.stem
            place = f"{number} X:{abc_text.field(text, 'X') or '?'}" if len(several) > 1 else number
            found.append(Written(name, place, title, text.encode()))
    passed = [path.relative_to(folder).as_posix() for path in sorted(set(everything) - set(paths))]
    return found, passed


def read(tune: Written) -> np.ndarray:
    """A file with one voice -> its measures (n, 24), by its ending. Raises TuneError."""
    if not tune.content:
        raise TuneError(TOO_LARGE, f"a file may have 1 to {files.LARGEST:,} bytes")
    return grid.measures(files.choose(files.read_score(tune.content, _ending(tune))))


def _ending(tune: Written) -> str:
    return Path(tune.number.partition(" X:")[0]).suffix.lower()
