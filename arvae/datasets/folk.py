"""`folk`: single 4/4 measures of monophonic folk tunes in ABC notation.

From the collections that ship inside music21 (Ryan's Mammoth, O'Neill's 1850, Aird's Airs, the Essen
collection), or, when asked for, from thesession.org (Pati & Lerch 2020 used its tunes).
"""

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arvae.datasets import corpus, reading, sources
from arvae.datasets.catalogue import Sizes
from arvae.datasets.contract import DataError, Dataset, choose
from arvae.datasets.reading import Written
from arvae.music import abc as abc_notation
from arvae.music import abc_text, files, grid
from arvae.progress import Log

FACTS = {
    "kind": "music",
    "sources": ("music21", "thesession"),
    "about": """
**Folk tunes**: single 4/4 measures of monophonic tunes in ABC notation, coded like the chorales: 24 ticks
a measure, every tune in every key in which it stays between MIDI 55 (G3) and 84 (C6), all measures of a
tune in the same split. They move faster than a chorale's soprano: reels and hornpipes run in
eighth notes.
""",
}
#: Folder in music21's corpus -> the collection's name.
COLLECTIONS = {
    "ryansMammoth": "Ryan's Mammoth Collection",
    "oneills1850": "O'Neill's Music of Ireland",
    "airdsAirs": "Aird's Airs",
    "essenFolksong": "Essen collection",
}
SESSION = "thesession.org"
TABLE = "tunes.csv"
ADDRESS = f"https://raw.githubusercontent.com/adactio/TheSession-data/main/csv/{TABLE}"
_COLUMNS = ("tune_id", "name", "meter", "mode", "abc")
_LICENCES = {
    "music21": "music in the public domain; encodings distributed with music21 (corpus/license.txt); Essen: "
    "non-commercial distribution and use, by permission of E. Dahlig-Turek and S. Schlien",
    "thesession": "contributed by the members of thesession.org; database under the Open Database License",
}


def prepare(sizes: Sizes, source: str, raw: Path, cache: Path, log: Log = print) -> Dataset:
    """The folk tunes as a data set; `sizes["tunes"]` limits how many 4/4 tunes are read (fixed seed).

    source: "auto" and "music21" take its corpora (nothing is downloaded); "thesession" takes thesession.org's
    tunes.csv from the folder $ARVAE_DATA, from `raw`, or from its address. Raises DataError for another.
    """
    found, used = sources.first(
        "folk",
        {"music21": bundled, "thesession": lambda: session(_table(raw / "thesession" / TABLE, log), TABLE)},
        source,
        by_hand=f"put {TABLE} into {raw / 'thesession'} or into the folder that ${sources.FOLDER} names",
        log=log,
    )
    metres = [abc_text.field(tune.content.decode(), "M") or "none" for tune in found]
    common = [tune for tune, metre in zip(found, metres, strict=True) if abc_text.is_common(metre)]
    chosen = [common[i] for i in choose(len(common), sizes.get("tunes"), corpus.SEED, "tunes")]
    coded = reading.read_all(chosen, read, "reading folk tunes", log)
    import music21

    everything, four = (Counter(tune.collection for tune in group) for group in (found, common))
    return corpus.assemble(
        "folk",
        chosen,
        coded,
        sizes,
        {
            "source": used,
            "licence": _LICENCES[used],
            "music21": music21.__version__,
            "what": "monophonic folk tunes in 4/4, C or C|, as written (repeats once)",
            "tunes found": dict(everything),
            "tunes in another metre": {name: everything[name] - four[name] for name in everything},
            "asked": dict(sizes),
        },
    )


def read(tune: Written) -> np.ndarray:
    """One tune in ABC (UTF-8) -> its measures (n, 24). Raises TuneError."""
    return grid.measures(files.choose(abc_notation.read_tune(tune.content.decode("utf-8"))))


def bundled() -> list[Written]:
    """Every tune of music21's four folk collections."""
    from music21 import common

    found = []
    for folder, collection in COLLECTIONS.items():
        files = sorted((common.getCorpusFilePath() / folder).glob("*.abc"))
        if not files:
            raise DataError(f"music21's corpus has no {folder}: reinstall music21 with its corpus")
        for file in files:
            for text in abc_text.tunes(abc_text.decode(file.read_bytes())):
                number = abc_text.field(text, "X") or "?"
                if folder in ("ryansMammoth", "essenFolksong"):  # their numbers start anew in every file
                    number = f"{file.stem} {number}"
                title = abc_text.field(text, "T") or "without a title"
                found.append(Written(collection, number, title, text.encode()))
    return found


def session(content: bytes, name: str = TABLE) -> list[Written]:
    """The settings in thesession.org's tunes.csv; all settings of a tune carry its number.

    Raises DataError where `content` is not that table (columns tune_id, name, meter, mode, abc, ...).
    """
    rows = csv.DictReader(io.StringIO(abc_text.decode(content), newline=""))
    remedy = f"download it from {ADDRESS}"
    try:
        missing = [column for column in _COLUMNS if column not in (rows.fieldnames or ())]
        if missing:
            raise DataError(
                f"{name} is not thesession.org's table of tunes (no column {', '.join(missing)}): {remedy}"
            )
        found = list(_settings(rows))
    except csv.Error as error:
        raise DataError(f"{name}, line {rows.line_num}, is not a valid table ({error}): {remedy}") from error
    if not found:
        raise DataError(f"{name} has no tune in it: {remedy}")
    return found


def _table(path: Path, log: Log) -> bytes:
    """tunes.csv from the user's folder, else downloaded to `path`."""
    with contextlib.suppress(sources.SourceError):
        if (found := sources.in_folder(path.parent, TABLE)) != path:
            return found.read_bytes()
    return sources.download(ADDRESS, path, lambda got: session(got.read_bytes(), got.name), log).read_bytes()


def _settings(rows: Iterable[Mapping[str, Any]]) -> Iterable[Written]:
    for row in rows:
        title = " ".join((row["name"] or "").split())
        notes = re.sub(r"\s*\n\s*", "\n", (row["abc"] or "").replace("\\", "").strip())
        text = (
            f"X:{row['tune_id']}\nT:{title}\nM:{row['meter']}\nL:1/8\nK:{_key(row['mode'] or '')}\n{notes}\n"
        )
        yield Written(SESSION, str(row["tune_id"]), title, text.encode())


def _key(mode: str) -> str:
    """thesession.org's "Gmajor", "Edorian" as ABC writes it: "G", "Edor"."""
    found = re.fullmatch(r"([A-G][b#]?)\s*([a-zA-Z]*)", mode.strip())
    if not found:
        return "C"
    return found.group(1) + ("" if found.group(2).lower().startswith("maj") else found.group(2)[:3].lower())
