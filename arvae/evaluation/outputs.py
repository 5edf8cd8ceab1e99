"""What a decoder makes of codes, and the attributes measured on it: the other half of "the attribute is
encoded".

Images are kept as bytes (0..255, as the data are), music as symbols in MIDI coding, so that what is measured
is exactly what a person would see or hear.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import torch
from torch import nn

from arvae.datasets import catalogue, morphology, sprites, transform
from arvae.datasets.added import compute
from arvae.datasets.contract import Dataset
from arvae.music import coding as music

IMAGE_BATCH, MUSIC_BATCH, DIGIT_BATCH = 128, 1024, 250
SEEN = 128  # a pixel counts as drawn from here on: probability 0.5


def decode(model: nn.Module, z: np.ndarray, vocabulary: music.Vocabulary | None = None) -> np.ndarray:
    """Decode codes z (n, d) with a model in eval mode.

    Images: probabilities as uint8 (n, h, w), 0..255. Music: the decoder's own arg-max symbols, int16 (n, 24)
    in MIDI coding, nothing of the original given to it.
    """
    device = next(model.parameters()).device
    codes = torch.as_tensor(np.ascontiguousarray(z), dtype=torch.float32).to(device)
    with torch.inference_mode():
        if model.kind == "images":
            parts = [_bytes(model.decode(part)) for part in codes.split(IMAGE_BATCH)]
            return torch.cat(parts).cpu().numpy()
        parts = [model.decode(part).argmax(dim=-1) for part in codes.split(MUSIC_BATCH)]
    return vocabulary.decode(torch.cat(parts).cpu().numpy())


def _bytes(logits: torch.Tensor) -> torch.Tensor:
    """Logits (n, 1, h, w) -> probabilities as uint8 (n, h, w); 128 and more where logit >= 0."""
    probability = (logits[:, 0].float().sigmoid() * 256).clamp_(0, 255)
    return probability.to(torch.uint8)


Measure = Callable[[np.ndarray], np.ndarray]


def measurer(dataset: Dataset) -> Measure | None:
    """The function that measures the data set's attributes on outputs (n, ...): float (n, k), NaN where it
    cannot.

    Attributes of own.py are measured by their own functions, on outputs as the data set holds its examples.
    None for a data set with attributes that are not computed from the example itself: the evaluation then
    leaves out what has to be measured, and says so.
    """
    names, known = tuple(dataset.attribute_names), _KNOWN[dataset.kind]
    for first, measure in known.items():
        added = names[len(first) :]
        if names[: len(first)] == first and set(added) <= catalogue.own_attributes().keys():
            measure = functools.partial(_with_own, measure, added) if added else measure
            fit = dataset.provenance.get("transform")
            return functools.partial(_transformed, measure, fit) if fit else measure
    return None


def _transformed(measure: Measure, fit: transform.Fit, outputs: np.ndarray) -> np.ndarray:
    """What `measure` finds, transformed as the data set's attributes were."""
    return transform.apply(measure(outputs), fit)


def _with_own(measure: Measure, added: tuple[str, ...], outputs: np.ndarray) -> np.ndarray:
    """What `measure` finds, then the attributes of own.py; where `measure` finds nothing they are NaN too."""
    found = measure(outputs)
    binary = measure is measure_sprites
    examples = (outputs >= SEEN).astype(np.uint8) if binary else outputs
    own = np.full((len(outputs), len(added)), np.nan, np.float32)
    shown = np.isfinite(found).all(axis=1)
    if shown.any():
        own[shown] = np.stack([compute(name, examples[shown]) for name in added], axis=1)
    own[~np.isfinite(own)] = np.nan
    return np.concatenate([found, own], axis=1)


def measure_sprites(images: np.ndarray) -> np.ndarray:
    """Factors of decoded dSprites, uint8 (n, 64, 64): float32 (n, 5); see `sprites.estimate`."""
    return sprites.estimate(images >= SEEN)


def measure_digits(images: np.ndarray) -> np.ndarray:
    """Morphometry of decoded digits, uint8 (n, 28, 28): float32 (n, 6); NaN where no pixel reaches 0.5.

    The measurements binarise at half of each image's own range, so without that rule the faintest haze would
    be measured like a stroke.
    """
    drawn = images.max(axis=(1, 2), initial=0) >= SEEN
    drawn &= images.min(axis=(1, 2), initial=255) < images.max(axis=(1, 2), initial=0)
    result = np.full((len(images), len(morphology.COLUMNS)), np.nan, np.float32)
    parts = np.array_split(images[drawn], max(1, drawn.sum() // DIGIT_BATCH))
    with ThreadPoolExecutor(joblib.cpu_count()) as pool:
        measured = pool.map(morphology.measure, parts)
        result[drawn] = np.concatenate(list(measured))
    return result


def measure_music(measures: np.ndarray) -> np.ndarray:
    """The four attributes of decoded measures, int16 (n, 24): float32 (n, 4); any measure has them."""
    return music.attributes(measures)


_KNOWN: dict[str, dict[tuple[str, ...], Measure]] = {
    "images": {sprites.NAMES: measure_sprites, morphology.COLUMNS: measure_digits},
    "music": {music.ATTRIBUTE_NAMES: measure_music},
}
