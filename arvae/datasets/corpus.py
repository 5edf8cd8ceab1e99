"""Many read tunes to one data set: duplicates left out, split by tune, transposed to every key.

Every transposition in which a tune stays within MIDI 55-84 is kept, so the arrays hold some 13 times the
measures that were read; they are compressed on disk. No tune, no transposition of one and no close variant
of one is on two sides of the split.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from arvae.datasets.catalogue import Sizes
from arvae.datasets.contract import SPLITS, DataError, Dataset, Split, choose
from arvae.datasets.reading import Coded, Written
from arvae.music import coding as music
from arvae.music import grid, score

SEED = 0  # of the split and of every random subset
SHARES = (0.7, 0.1, 0.2)
DUPLICATE = "same as another tune"
EXAMPLES = 3  # of the tunes left out for one reason
#: Tunes are variants of one when they share this part of the shorter one's pairs of neighbouring measures.
ALIKE = 1 / 3
_NOTES = 6  # a pair of measures with fewer notes says little


def assemble(
    name: str,
    written: Sequence[Written],
    coded: Sequence[Coded],
    sizes: Sizes,
    provenance: Mapping[str, Any],
    examples: int = EXAMPLES,
) -> Dataset:
    """Tunes as read -> the data set; what was kept and left out, and why, goes into its provenance, with at
    most so many examples of each reason.

    sizes: measures at most in "train", "validation", "test" (None: all), a random subset with a fixed seed.
    Raises DataError where fewer than three different tunes are left.
    """
    coded = _checked(written, coded)
    kept = [index for index, one in enumerate(coded) if not one.reason]
    measures = [coded[index].measures for index in kept]
    group = variants(measures, [f"{written[index].collection}\0{written[index].number}" for index in kept])
    left_out = _left_out(written, coded, examples)
    why = {reason: entry["tunes"] for reason, entry in left_out.items()}
    if len(set(group)) < len(SHARES):
        raise DataError(
            f"{name}: {len(kept)} of {len(coded)} tunes are usable, needed are at least {len(SHARES)} "
            f"different ones for the three splits: read more (left out: {why})"
        )
    sides = music.split_groups(group, np.random.default_rng(SEED), SHARES)
    splits = {
        part: _split(measures, side, sizes.get(part), SEED + 1 + number)
        for number, (part, side) in enumerate(zip(SPLITS, sides, strict=True))
    }
    every = b"".join(sha256(tune.content).digest() for tune in written)
    return Dataset(
        name=name,
        kind="music",
        attribute_names=music.ATTRIBUTE_NAMES,
        attribute_units=music.ATTRIBUTE_UNITS,
        vocabulary=music.Vocabulary(),
        provenance={
            **provenance,
            "tunes read": len(coded),
            "sha256 of the tunes read": sha256(every).hexdigest(),
            "tunes kept": len(kept),
            "tunes left out": left_out,
            "kept by collection": dict(sorted(Counter(written[i].collection for i in kept).items())),
            "measures before transposition": sum(map(len, measures)),
            "measures distinct up to transposition": len({shape(m) for tune in measures for m in tune}),
            "share of test measures that training has too, up to transposition": _shared(measures, sides),
            "groups of variants": int(max(group)) + 1,
            "tunes by split": {part: len(side) for part, side in zip(SPLITS, sides, strict=True)},
            "split seed": SEED,
            "tunes": [f"{written[i].collection} {written[i].number}: {written[i].title}" for i in kept],
        },
        **splits,
    )


def _checked(written: Sequence[Written], coded: Sequence[Coded]) -> list[Coded]:
    """What was read, its silent measures left out; tunes of too wide a range, and the second of two that are
    the same up to transposition, with that as their reason."""
    first: dict[bytes, str] = {}
    checked = []
    for tune, one in zip(written, coded, strict=True):
        if not one.reason:
            one = Coded(one.measures[grid.sounding(one.measures)])
            key, name = shape(one.measures), f"{tune.number} ({tune.title})"
            if not music.transpositions(one.measures):
                one = Coded(one.measures, score.WIDE)
            elif key in first:
                one = Coded(one.measures, DUPLICATE, f"the notes of {first[key]}")
            first.setdefault(key, name)
        checked.append(one)
    return checked


def variants(measures: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Which tunes are variants of one: the number of its group for each tune, int (n,).

    measures: each tune's (k, 24). Tunes are together when they carry the same name (another setting under the
    same number), or share, up to transposition, at least two pairs of neighbouring measures and a
    third of the shorter tune's.
    """
    numbers: dict[bytes, int] = {}
    rows, columns = [], []
    for index, tune in enumerate(measures):
        pairs = [tune[i : i + 2] for i in range(len(tune) - 1)]
        shapes = sorted({shape(pair) for pair in pairs if (pair >= 0).sum() >= _NOTES})
        rows += [index] * len(shapes)
        columns += [numbers.setdefault(pair, len(numbers)) for pair in shapes]
    count = len(measures)
    holds = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), (count, max(len(numbers), 1)))
    shared = (holds @ holds.T).tocoo()
    size = np.asarray(holds.sum(1)).ravel()
    near = (shared.data >= 2) & (shared.data >= ALIKE * np.minimum(size[shared.row], size[shared.col]))
    first: dict[str, int] = {}
    named = [first.setdefault(name, index) for index, name in enumerate(names)]
    left = np.concatenate([shared.row[near], np.arange(count)])
    right = np.concatenate([shared.col[near], named]).astype(np.int64)
    graph = sparse.csr_matrix((np.ones(len(left)), (left, right)), (count, count))
    return connected_components(graph, directed=False)[1]


def relative(measures: np.ndarray) -> np.ndarray:
    """Rows of symbols (n, m) as they are in every key: pitches from a row's first one, other symbols below
    -999: int16."""
    notes = measures >= 0
    first = np.take_along_axis(measures, notes.argmax(axis=1)[:, None], axis=1)
    return np.where(notes, measures - first, measures - 1000).astype(np.int16)


def shape(measures: np.ndarray) -> bytes:
    """What does not change with the key of measures in a row, as bytes; see `relative`."""
    return relative(measures.reshape(1, -1)).tobytes()


def _shared(measures: Sequence[np.ndarray], sides: Sequence[np.ndarray]) -> float:
    """Melodies share measures (equal notes, scales): how many of the test's are in training tunes too."""
    known = {shape(measure) for index in sides[0] for measure in measures[index]}
    test = [shape(measure) in known for index in sides[2] for measure in measures[index]]
    return round(float(np.mean(test)), 4)


def _split(measures: Sequence[np.ndarray], side: np.ndarray, size: int | None, seed: int) -> Split:
    """All transpositions of the tunes of one side, or `size` of those measures chosen at random."""
    blocks, tune, shift_of, place = [], [], [], []
    for index in side:
        shifts = np.array(music.transpositions(measures[index]), np.int16)
        codes = measures[index][None]
        blocks.append(np.where(codes >= 0, codes + shifts[:, None, None], codes).reshape(-1, music.TICKS))
        length = len(measures[index])
        tune.append(np.full(len(shifts) * length, index, np.int32))
        shift_of.append(np.repeat(shifts, length).astype(np.int8))
        place.append(np.tile(np.arange(length, dtype=np.int16), len(shifts)))
    x = np.concatenate(blocks).astype(np.int16)
    chosen = choose(len(x), None if size is None else min(size, len(x)), seed, "measures")
    return Split(
        x[chosen],
        music.attributes(x[chosen]),
        {
            "tune": np.concatenate(tune)[chosen],
            "transposition": np.concatenate(shift_of)[chosen],
            "measure": np.concatenate(place)[chosen],
        },
    )


def _left_out(written: Sequence[Written], coded: Sequence[Coded], examples: int) -> dict[str, dict[str, Any]]:
    """For each reason: how many tunes, in all and by collection, and examples."""
    report: dict[str, dict[str, Any]] = {}
    for tune, one in zip(written, coded, strict=True):
        if not one.reason:
            continue
        entry = report.setdefault(one.reason, {"tunes": 0, "by collection": {}, "examples": []})
        entry["tunes"] += 1
        entry["by collection"][tune.collection] = entry["by collection"].get(tune.collection, 0) + 1
        if len(entry["examples"]) < examples:
            detail = one.detail.removeprefix(f"{one.reason}: ") or one.reason
            entry["examples"].append(f"{tune.collection} {tune.number} ({tune.title}): {detail}")
    return report
