"""What the playground starts from: test digits, shapes and melodies, chosen by rule and with a fixed seed."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from arvae.datasets.contract import Dataset
from arvae.music import coding as music
from arvae.trained import TrainedModel, examples

LOOKED_AT = 2000  # images chosen among
LEAST_ONSETS = 3  # of every measure of a melody
SEED = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
    """Something to start from: its name, the codes z (m, d) of its m parts (1, or the measures of a melody),
    and what was encoded: image uint8 (h, w), 0..255, or measures int16 (m, 24)."""

    name: str
    z: np.ndarray
    original: np.ndarray


def digits(trained: TrainedModel, data: Dataset, each: int = 2) -> list[Item]:
    """Of every digit the test images whose codes are nearest to the mean code of that digit: typical ones."""
    index = _some(data)
    labels, z = data.test.extra["label"][index], trained.encode(examples(data.test, index))[0]
    items = []
    for label in range(10):
        here = np.flatnonzero(labels == label)
        distance = np.linalg.norm(z[here] - z[here].mean(axis=0), axis=1) if len(here) else np.empty(0)
        for number, place in enumerate(here[np.argsort(distance, kind="stable")[:each]]):
            name = f"a {label}" if number == 0 else f"another {label}"
            items.append(Item(name, z[place : place + 1], data.test.x[index[place]]))
    return items


def shapes(trained: TrainedModel, data: Dataset, each: int = 4) -> list[Item]:
    """Of every shape some test images at random, of the larger half and not at the very edge."""
    index = _some(data)
    values = dict(zip(data.attribute_names, data.test.attributes[index].T, strict=True))
    middle = (
        (values["scale"] >= 0.7) & (np.abs(values["x"] - 0.5) <= 0.3) & (np.abs(values["y"] - 0.5) <= 0.3)
    )
    items = []
    for shape, name in enumerate(("square", "ellipse", "heart")):
        here = index[np.flatnonzero(middle & (values["shape"] == shape))[:each]]
        seen = examples(data.test, here)
        for number, z in enumerate(trained.encode(seen)[0]):
            items.append(Item(f"{name} {number + 1}", z[None], seen[number].astype(np.uint8) * 255))
    return items


def _some(data: Dataset) -> np.ndarray:
    """Numbers of test examples, in random order."""
    return np.random.default_rng(SEED).permutation(len(data.test))[:LOOKED_AT]


def tunes(data: Dataset) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Test tunes put together again from their measures: tune -> (places (m,), measures (m, 24)), by place.

    A data set may hold only a random part of the measures in each key; a measure missing in one key is taken
    from another and transposed. All of a tune stand in one key, the one nearest to how it was written.
    """
    extra = data.test.extra
    result = {}
    for tune in np.unique(extra["tune"]):
        rows = np.flatnonzero(extra["tune"] == tune)
        shifts = extra["transposition"][rows].astype(int)
        key = shifts[np.abs(shifts).argmin()]
        rows = rows[np.argsort(np.abs(shifts - key), kind="stable")]  # the wanted key first
        places, first = np.unique(extra["measure"][rows], return_index=True)
        rows = rows[first]
        moved = key - extra["transposition"][rows].astype(int)
        measures = [music.transpose(x, by) for x, by in zip(data.test.x[rows], moved, strict=True)]
        result[int(tune)] = places, np.array(measures, np.int16)
    return result


def melodies(trained: TrainedModel, data: Dataset, count: int = 6, length: int = 4) -> list[Item]:
    """The opening measures, as many as `length`, of those test tunes that the model reconstructs best.

    Shorter ones where a small data set has no tune with so many neighbouring measures.
    """
    titles = data.provenance["tunes"]
    found = [
        (titles[tune], run)
        for tune, (places, x) in tunes(data).items()
        if (run := _run(places, x, length)) is not None
    ]
    if not found:
        return melodies(trained, data, count, length // 2) if length > 1 else []
    measures = np.concatenate([run for _, run in found])
    z = trained.encode(measures)[0]
    right = (trained.decode(z) == measures).reshape(len(found), -1).mean(axis=1)
    best = np.argsort(-right, kind="stable")[:count]
    return [Item(title(found[i][0]), z[i * length : (i + 1) * length], found[i][1]) for i in best]


def _run(places: Sequence[int], measures: np.ndarray, length: int) -> np.ndarray | None:
    """The first `length` neighbouring measures that all move, none of them the same as another."""
    for start in range(len(places) - length + 1):
        run = measures[start : start + length]
        whole = places[start + length - 1] - places[start] == length - 1
        if whole and ((run >= 0).sum(axis=1) >= LEAST_ONSETS).all() and len(np.unique(run, axis=0)) == length:
            return run
    return None


def title(text: str, longest: int = 60) -> str:
    """A tune's title out of how a data set lists it ("collection number: title")."""
    name = text.split(": ", 1)[-1].strip()
    if name.isupper():
        name = name.title()
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
