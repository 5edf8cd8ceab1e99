"""Content preservation: does what is not being edited stay what it was?

* Digits (mnist): a separately trained classifier still reads the original's digit, on reconstructions and
  along traversals of every attribute's dimension (Pati & Lerch 2020, section 4.4.2: -4 .. 4, 10 points).
* Sprites: the shape read off the pixels is still the original's, while another attribute is moved.
* Music: share of onsets and of pitches kept, compared with the item's own reconstruction, so that what the
  edit does is not mixed with what the decoder gets wrong anyway.

Each returns {"what", "original", "reconstructed", "traversed", "per_attribute", "per_class"} of shares 0..1;
entries that make no sense for the kind are None or empty. The traversed items are the first of all items.
Moving nothing keeps everything: `curve` sets what is kept against how far the attribute has moved.
"""

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from arvae.datasets import sprites
from arvae.datasets.measuring import DRAWN
from arvae.evaluation import judge as classifiers
from arvae.evaluation.control import Traversals, span
from arvae.evaluation.judge import DigitClassifier
from arvae.metrics import mean

if TYPE_CHECKING:
    from arvae.evaluation.scores import Items


def preserved(
    items: "Items", reconstructions: np.ndarray, traversals: Traversals, judge: DigitClassifier | None
) -> dict[str, Any] | None:
    """Content preservation in the sense that fits the data; None where none does. The traversal of shape
    itself is left out; a drawing that is none of the shapes counts as not kept."""
    if items.x.ndim == 2:
        return melodies(items.x, reconstructions, traversals)
    if (known := _read(items, traversals, judge)) is None:
        return None
    what, classes, truth, read, moved = known
    shown = [i for i, name in enumerate(traversals.names) if name != what]
    first = truth[: moved.shape[1]]
    again, kept = read(reconstructions) == truth, moved[shown] == first[:, None]
    per_attribute = {traversals.names[i]: float(right.mean()) for i, right in zip(shown, kept, strict=True)}
    per_class = {
        str(name): {"reconstructed": mean(again[truth == i]), "traversed": mean(kept[:, first == i].ravel())}
        for i, name in enumerate(classes)
    }
    return {
        "what": what,
        "original": float((read(items.x) == truth).mean()),
        "reconstructed": float(again.mean()),
        "traversed": mean(per_attribute.values()),
        "per_attribute": per_attribute,
        "per_class": per_class,
    }


def along(
    items: "Items", reconstructions: np.ndarray, traversals: Traversals, judge: DigitClassifier | None
) -> dict[str, np.ndarray]:
    """What is kept at each point of a traversal, 0..1: {attribute: (n, p)}; empty where nothing is known."""
    first, changed = traversals.outputs.shape[1], None
    if items.x.ndim == 2:
        kept = pitches_kept(reconstructions[:first, None], traversals.outputs)
    elif known := _read(items, traversals, judge):
        changed, _, truth, _, moved = known
        kept = moved == truth[:first, None]
    else:
        return {}
    return {name: kept[i].astype(float) for i, name in enumerate(traversals.names) if name != changed}


def _read(
    items: "Items", traversals: Traversals, judge: DigitClassifier | None
) -> tuple[str, Iterable[Any], np.ndarray, Callable[[np.ndarray], np.ndarray], np.ndarray] | None:
    """What is read off images, its classes, that of each item (n,), the function that reads images (n, ...),
    and what it reads along a traversal (k, n, p); None where nothing can be read."""
    if judge is not None and "label" in items.extra:
        read = functools.partial(classifiers.predict, judge)
        outputs = traversals.outputs
        moved = read(outputs.reshape(-1, *outputs.shape[3:])).reshape(outputs.shape[:3])
        return "digit", range(classifiers.DIGITS), items.extra["label"], read, moved
    if "factors" in items.extra and "shape" in traversals.names and traversals.measured is not None:
        moved = traversals.measured[..., sprites.NAMES.index("shape")]
        return "shape", sprites.SHAPES, items.extra["factors"][:, 0], _shapes, moved
    return None


def _shapes(images: np.ndarray) -> np.ndarray:
    return sprites.estimate(images >= DRAWN)[:, 0]


def curve(kept: dict[str, np.ndarray], traversals: Traversals, ranges: np.ndarray) -> list[dict[str, float]]:
    """Content kept against range covered: a point for each width of a window around the traversal's middle,
    {"range_covered", "content"}: means over the attributes in `kept` (see `along`) and items. ranges (k,):
    see `control.data_range`."""
    middle, found = traversals.outputs.shape[2] // 2, []
    if not kept or traversals.measured is None:
        return found
    columns = [traversals.names.index(name) for name in kept]
    for half in range(2, middle + 1):
        window = slice(middle - half, middle + half)
        moved = [span(traversals.measured[i, :, window, i]).mean() / ranges[i] for i in columns]
        content = [values[:, window].mean() for values in kept.values()]
        found.append({"range_covered": float(np.mean(moved)), "content": float(np.mean(content))})
    return found


def melodies(originals: np.ndarray, reconstructions: np.ndarray, traversals: Traversals) -> dict[str, Any]:
    """Shares of onsets and pitches kept while an attribute is edited: measures int (n, 24) in MIDI coding.

    Traversals are compared with reconstructions, reconstructions with originals. per_attribute[name]: see
    `onsets_kept` and `pitches_kept`; `traversed` and `reconstructed` are the pitches' mean.
    """
    shares = {"onsets": onsets_kept, "pitches": pitches_kept}
    base = reconstructions[: traversals.outputs.shape[1], None]
    per_attribute = {
        name: {key: float(share(base, outputs).mean()) for key, share in shares.items()}
        for name, outputs in zip(traversals.names, traversals.outputs, strict=True)
    }
    return {
        "what": "pitches",
        "original": 1.0,
        "reconstructed": float(pitches_kept(originals, reconstructions).mean()),
        "reconstructed_onsets": float(onsets_kept(originals, reconstructions).mean()),
        "traversed": mean(values["pitches"] for values in per_attribute.values()),
        "traversed_onsets": mean(values["onsets"] for values in per_attribute.values()),
        "per_attribute": per_attribute,
        "per_class": {},
    }


def onsets_kept(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Onset ticks common to two measures / of either, (..., 24) each: (...); 1 where both have none."""
    first, second = before >= 0, after >= 0
    either = (first | second).sum(axis=-1)
    return np.where(either > 0, (first & second).sum(axis=-1) / np.maximum(either, 1), 1.0)


def pitches_kept(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Share of ticks at which two measures (..., 24) sound the same pitch, or both nothing: (...)."""
    return (sounding(before) == sounding(after)).mean(axis=-1)


def sounding(measures: np.ndarray) -> np.ndarray:
    """What sounds at each tick, (..., 24) in MIDI coding: the pitch of the note going on, -2 for nothing."""
    tick = np.arange(measures.shape[-1])
    starts = measures != -1  # a note, a rest, or padding begins
    last = np.maximum.accumulate(np.where(starts, tick, -1), axis=-1)
    value = np.take_along_axis(measures, np.maximum(last, 0), axis=-1)
    return np.where((last >= 0) & (value >= 0), value, -2)
