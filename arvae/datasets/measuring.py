"""Measuring a data set's attributes on what a decoder made of a code.

Images come as bytes 0..255, as the data are, and music in MIDI coding, so that what is measured is exactly
what a person would see or hear.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import joblib
import numpy as np

from arvae.datasets import catalogue, dmelodies, morphology, sprites, transform
from arvae.datasets.added import compute
from arvae.music import coding as music

DRAWN = 128  # a pixel counts as drawn from here on: probability 0.5

Measure = Callable[[np.ndarray], np.ndarray]


def measurer(kind: str, names: Sequence[str], provenance: Mapping[str, Any]) -> Measure | None:
    """The function that measures the attributes `names` of a data set on examples (n, ...): float (n, k), NaN
    where it cannot.

    Attributes of own.py are measured by their own functions, on examples as the data set holds them. None for
    a data set with attributes that are not computed from the example itself.
    """
    names = tuple(names)
    for first, measure in _KNOWN[kind].items():
        added = names[len(first) :]
        if names[: len(first)] == first and set(added) <= catalogue.own_attributes().keys():
            measure = functools.partial(_with_own, measure, added) if added else measure
            fit = provenance.get("transform")
            return functools.partial(_transformed, measure, fit) if fit else measure
    return None


def _transformed(measure: Measure, fit: transform.Fit, examples: np.ndarray) -> np.ndarray:
    return transform.apply(measure(examples), fit)


def _with_own(measure: Measure, added: tuple[str, ...], examples: np.ndarray) -> np.ndarray:
    """What `measure` finds, then the attributes of own.py; where `measure` finds nothing they are NaN too."""
    found = measure(examples)
    if measure is sprites_factors:
        examples = (examples >= DRAWN).astype(np.uint8)
    own = np.full((len(examples), len(added)), np.nan, np.float32)
    shown = np.isfinite(found).all(axis=1)
    if shown.any():
        own[shown] = np.stack([compute(name, examples[shown]) for name in added], axis=1)
    own[~np.isfinite(own)] = np.nan
    return np.concatenate([found, own], axis=1)


def sprites_factors(images: np.ndarray) -> np.ndarray:
    """Factors of decoded dSprites, uint8 (n, 64, 64): float32 (n, 5); see `sprites.estimate`."""
    return sprites.estimate(images >= DRAWN)


def digits_morphology(images: np.ndarray) -> np.ndarray:
    """Morphometry of decoded digits, uint8 (n, 28, 28): float32 (n, 6); NaN where no pixel reaches 0.5.

    The measurements binarise at half of each image's own range, so without that rule the faintest haze would
    be measured like a stroke.
    """
    darkest, lightest = images.min(axis=(1, 2), initial=255), images.max(axis=(1, 2), initial=0)
    drawn = (lightest >= DRAWN) & (darkest < lightest)
    result = np.full((len(images), len(morphology.COLUMNS)), np.nan, np.float32)
    parts = np.array_split(images[drawn], max(1, drawn.sum() // morphology.CHUNK))
    threads = joblib.Parallel(joblib.cpu_count(), prefer="threads")
    result[drawn] = np.concatenate(threads(joblib.delayed(morphology.measure)(part) for part in parts))
    return result


_KNOWN: dict[str, dict[tuple[str, ...], Measure]] = {
    "images": {sprites.NAMES: sprites_factors, morphology.COLUMNS: digits_morphology},
    "music": {music.ATTRIBUTE_NAMES: music.attributes, dmelodies.NAMES: dmelodies.read},
}
