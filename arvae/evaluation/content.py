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

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arvae.datasets import sprites
from arvae.datasets.measuring import DRAWN
from arvae.evaluation import judge as classifiers
from arvae.evaluation.control import Traversals, span
from arvae.evaluation.judge import DigitClassifier

if TYPE_CHECKING:
    from arvae.evaluation.scores import Items


def preserved(
    items: "Items", reconstructions: np.ndarray, traversals: Traversals, judge: DigitClassifier | None
) -> dict[str, Any] | None:
    """Content preservation in the sense that fits the data; None where none does.

    judge: reads digits, where items have labels.
    """
    if items.x.ndim == 2:
        return melodies(items.x, reconstructions, traversals)
    if judge is not None and "label" in items.extra:
        return digits(judge, items.x, reconstructions, items.extra["label"], traversals)
    if "factors" in items.extra and "shape" in traversals.names and traversals.measured is not None:
        return shapes(items.x, reconstructions, items.extra["factors"][:, 0], traversals)
    return None


def along(
    items: "Items", reconstructions: np.ndarray, traversals: Traversals, judge: DigitClassifier | None
) -> dict[str, np.ndarray]:
    """What is kept at each point of a traversal, 0..1: {attribute: (n, p)}; empty where nothing is known."""
    outputs, first = traversals.outputs, traversals.outputs.shape[1]
    if items.x.ndim == 2:
        kept = pitches_kept(reconstructions[:first, None], outputs)
    elif judge is not None and "label" in items.extra:
        kept = _read(judge, outputs) == items.extra["label"][:first, None]
    elif "factors" in items.extra and "shape" in traversals.names and traversals.measured is not None:
        shape = traversals.measured[..., sprites.NAMES.index("shape")]
        kept = shape == items.extra["factors"][:first, 0, None]
    else:
        return {}
    changed = "shape" if items.x.ndim == 3 and judge is None else None  # where it is meant to change
    return {name: kept[i].astype(float) for i, name in enumerate(traversals.names) if name != changed}


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


def digits(
    judge: DigitClassifier,
    originals: np.ndarray,
    reconstructions: np.ndarray,
    labels: np.ndarray,
    traversals: Traversals,
) -> dict[str, Any]:
    """Share of digits still read as their label (n,): images uint8 (n, 28, 28), and along traversals."""
    moved = _read(judge, traversals.outputs)
    read = (classifiers.predict(judge, images) for images in (originals, reconstructions))
    return _kept("digit", range(classifiers.DIGITS), labels, *read, moved, traversals.names)


def _read(judge: DigitClassifier, outputs: np.ndarray) -> np.ndarray:
    """The digit read in each output of a traversal (k, n, p, 28, 28): (k, n, p)."""
    return classifiers.predict(judge, outputs.reshape(-1, *outputs.shape[3:])).reshape(outputs.shape[:3])


def shapes(
    originals: np.ndarray, reconstructions: np.ndarray, truth: np.ndarray, traversals: Traversals
) -> dict[str, Any]:
    """Share of sprites whose shape is still read as their own: images uint8 (n, 64, 64), truth (n,) of 0, 1,
    2. The traversal of shape itself is left out, since there it is meant to change. A drawing that is none of
    the shapes counts as not kept.
    """
    shape = traversals.names.index("shape")
    moved = np.delete(traversals.measured[..., sprites.NAMES.index("shape")], shape, axis=0)
    others = [name for name in traversals.names if name != "shape"]
    read = (sprites.estimate(images >= DRAWN)[:, 0] for images in (originals, reconstructions))
    return _kept("shape", sprites.SHAPES, truth, *read, moved, others)


def _kept(
    what: str,
    classes: Iterable[Any],
    truth: np.ndarray,
    original: np.ndarray,
    reconstructed: np.ndarray,
    traversed: np.ndarray,
    names: Sequence[str],
) -> dict[str, Any]:
    """Shares of the classes read, (n,) and (k, m, p), that are the true ones (n,)."""
    first = truth[: traversed.shape[1]]
    again, kept = reconstructed == truth, traversed == first[None, :, None]
    per_attribute = {name: float(kept[i].mean()) for i, name in enumerate(names)}
    return {
        "what": what,
        "original": float((original == truth).mean()),
        "reconstructed": float(again.mean()),
        "traversed": _mean(per_attribute.values()),
        "per_attribute": per_attribute,
        "per_class": {
            str(name): {
                "reconstructed": _mean(again[truth == i]),
                "traversed": _mean(kept[:, first == i].ravel()),
            }
            for i, name in enumerate(classes)
        },
    }


def melodies(originals: np.ndarray, reconstructions: np.ndarray, traversals: Traversals) -> dict[str, Any]:
    """Shares of onsets and pitches kept while an attribute is edited: measures int (n, 24) in MIDI coding.

    Traversals are compared with reconstructions, reconstructions with originals. per_attribute[name] =
    {"onsets", "pitches"}, see `onsets_kept` and `pitches_kept`; `traversed` and `reconstructed` are the
    pitches' mean.
    """
    base = reconstructions[: traversals.outputs.shape[1], None]
    per_attribute = {
        name: {
            "onsets": float(onsets_kept(base, traversals.outputs[i]).mean()),
            "pitches": float(pitches_kept(base, traversals.outputs[i]).mean()),
        }
        for i, name in enumerate(traversals.names)
    }
    return {
        "what": "pitches",
        "original": 1.0,
        "reconstructed": float(pitches_kept(originals, reconstructions).mean()),
        "reconstructed_onsets": float(onsets_kept(originals, reconstructions).mean()),
        "traversed": _mean(values["pitches"] for values in per_attribute.values()),
        "traversed_onsets": _mean(values["onsets"] for values in per_attribute.values()),
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


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None
