"""What the playground starts from: test digits, shapes and melodies, chosen by rule and with a fixed seed."""

import dataclasses
import string
from collections.abc import Sequence

import numpy as np

from arvae.datasets import examples, sprites
from arvae.datasets.contract import Dataset
from arvae.edit import EditError
from arvae.music import coding as music
from arvae.trained import TrainedModel, as_shown

LOOKED_AT = 2000  # images chosen among
LEAST_ONSETS = 3  # of every measure of a melody
SEED = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
    """Something to start from: its name, the codes z (m, d) of its m parts (1, or the measures of a melody),
    and what was encoded: image uint8 (1, h, w), 0..255, or measures int16 (m, 24)."""

    name: str
    z: np.ndarray
    original: np.ndarray


def choose(trained: TrainedModel, data: Dataset) -> list[Item]:
    """What the panel of a data set starts from. EditError for data without a panel or without such items."""
    pick = melodies if data.kind == "music" else {"mnist": digits, "dsprites": shapes}.get(data.name)
    if pick is None:
        raise EditError(f"there is no panel for {data.name}: there is one for mnist, dsprites and for music")
    items = pick(trained, data)
    if not items:
        raise EditError(f"the test split of {data.name} has nothing to start from: enlarge it in params.yaml")
    return items


def digits(trained: TrainedModel, data: Dataset, each: int = 2) -> list[Item]:
    """Of every digit the test images whose codes are nearest to the mean code of that digit: typical ones."""
    index = _some(data)
    labels, z = data.test.extra["label"][index], trained.encode(examples(data.test, index))[0]
    items = []
    for label in np.unique(labels):
        here = np.flatnonzero(labels == label)
        distance = np.linalg.norm(z[here] - z[here].mean(axis=0), axis=1)
        for number, place in enumerate(here[np.argsort(distance, kind="stable")[:each]]):
            name = f"another {label}" if number else f"a {label}"
            items.append(Item(name, z[[place]], data.test.x[index[[place]]]))
    return items


def shapes(trained: TrainedModel, data: Dataset, each: int = 4) -> list[Item]:
    """Of every shape some test images at random, of the larger half and not at the very edge."""
    index = _some(data)
    values = dict(zip(data.attribute_names, data.test.attributes[index].T, strict=True))
    middle = (np.abs(values["x"] - 0.5) <= 0.3) & (np.abs(values["y"] - 0.5) <= 0.3)
    items = []
    for shape, name in enumerate(sprites.SHAPES):
        here = index[middle & (values["scale"] >= 0.7) & (values["shape"] == shape)][:each]
        for number, place in enumerate(here, 1):
            one = examples(data.test, np.array([place]))
            items.append(Item(f"{name} {number}", trained.encode(one)[0], as_shown(one)))
    return items


def _some(data: Dataset) -> np.ndarray:
    """Numbers of test examples, in random order."""
    return np.random.default_rng(SEED).permutation(len(data.test))[:LOOKED_AT]


def tunes(data: Dataset) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Test tunes put together again from their measures: tune -> (places (m,), measures (m, 24)), by place.

    A data set may hold only a random part of the measures in each key; a measure missing in one key is taken
    from another and transposed. All of a tune stand in one key, the one nearest to how it was written.
    """
    extra, result = data.test.extra, {}
    for tune in np.unique(extra["tune"]):
        rows = np.flatnonzero(extra["tune"] == tune)
        shifts = extra["transposition"][rows].astype(int)
        key = min(shifts, key=abs)
        order = np.argsort(np.abs(shifts - key), kind="stable")  # the wanted key first
        places, first = np.unique(extra["measure"][rows[order]], return_index=True)
        chosen = order[first]
        moved = zip(data.test.x[rows[chosen]], key - shifts[chosen], strict=True)
        result[int(tune)] = places, np.array([music.transpose(x, by) for x, by in moved], np.int16)
    return result


def melodies(
    trained: TrainedModel, data: Dataset, count: int = 6, length: int = 4, wanted: str = ""
) -> list[Item]:
    """The opening measures, as many as `length`, of those test tunes that the model reconstructs best.

    Shorter ones where a small data set has no tune with so many neighbouring measures. wanted: part of the
    titles, in any case; EditError where no test tune has it.
    """
    titles = data.provenance["tunes"]
    if not any(wanted.lower() in titles[tune].lower() for tune in np.unique(data.test.extra["tune"])):
        raise EditError(f"no tune of the test split has {wanted!r} in its title: the data report lists them")
    openings = {titles[tune]: _opening(places, x, length) for tune, (places, x) in tunes(data).items()}
    found = [(n, m) for n, m in openings.items() if m is not None and wanted.lower() in n.lower()]
    if not found:
        return melodies(trained, data, count, length // 2, wanted) if length > 1 else []
    z = trained.encode(np.concatenate([measures for _, measures in found]))[0]
    decoded = trained.decode(z).reshape(len(found), length, -1)
    right = [float((a == b).mean()) for a, (_, b) in zip(decoded, found, strict=True)]
    best = np.argsort(-np.array(right), kind="stable")[:count]
    return [Item(title(found[i][0]), z[i * length : (i + 1) * length], found[i][1]) for i in best]


def _opening(places: Sequence[int], measures: np.ndarray, length: int) -> np.ndarray | None:
    """The first `length` neighbouring measures that all move, none of them the same as another."""
    for start in range(len(places) - length + 1):
        some = measures[start : start + length]
        neighbours = places[start + length - 1] - places[start] == length - 1
        moving = ((some >= 0).sum(axis=1) >= LEAST_ONSETS).all()
        if neighbours and moving and len(np.unique(some, axis=0)) == length:
            return some
    return None


def title(text: str, longest: int = 60) -> str:
    """A tune's title out of how a data set lists it ("collection number: title")."""
    name = text.split(": ", 1)[-1].strip()
    name = string.capwords(name) if name.isupper() else name  # str.title would write Admiral'S
    name = name.replace(" -- ", " – ")
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def leaps(measures: np.ndarray) -> float:
    """The mean step from a measure's last note to the next one's first, in semitones; 0 for one measure."""
    lines = [measure[measure >= 0] for measure in measures if (measure >= 0).any()]
    steps = [abs(int(b[0]) - int(a[-1])) for a, b in zip(lines[:-1], lines[1:], strict=True)]
    return float(np.mean(steps)) if steps else 0.0
