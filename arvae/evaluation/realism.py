"""Does what is decoded look or sound like the data? Scores of outputs, and the same scores of test items.

* images: `nearest_distance` to the nearest test example but the item itself (root mean square of pixels in
  0..1); digits also `confidence`, the judge's probability of the digit it reads.
* music: `in_scale`, the share of a measure's notes in the major scale that holds most of them; `in_corpus`,
  whether the measure occurs in training up to transposition; `log_likelihood` under a model of pairs of
  symbols counted in training, nats a symbol.
"""

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from arvae.datasets.contract import Dataset
from arvae.datasets.corpus import relative
from arvae.evaluation import judge as classifiers
from arvae.evaluation.judge import DigitClassifier
from arvae.music import coding as music

if TYPE_CHECKING:
    from arvae.evaluation.control import Traversals
    from arvae.evaluation.scores import Items

ITEMS = 1000  # test items that are scored themselves, to say what is usual
WORST = 0.05  # share of test items that count as unlike the data
_BETTER = {"nearest_distance": -1, "confidence": 1, "log_likelihood": 1}  # what `plausible` looks at
_REACH = music.HIGHEST - music.LOWEST  # the widest interval, in semitones
_CONTINUE, _OTHER, _FIRST, _EVENTS = range(2 * _REACH + 1, 2 * _REACH + 5)  # after the intervals
_SCALES = np.array([[(tone - key) % 12 in (0, 2, 4, 5, 7, 9, 11) for tone in range(12)] for key in range(12)])
_PRIOR = 5.0  # weight of the model without context, in counts


def _rows(measures: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in relative(measures)]


class Corpus:
    """The training measures (n, 24): which occur, up to transposition, and which symbol follows which."""

    def __init__(self, measures: np.ndarray) -> None:
        self.known = set(_rows(measures))
        events = _events(measures)
        sizes = (music.TICKS, _EVENTS, _EVENTS)
        places = np.ravel_multi_index(_context(events), sizes).ravel()
        counts = np.bincount(places, minlength=np.prod(sizes)).reshape(sizes)
        alone = (counts.sum(axis=1) + 1) / (len(events) + _EVENTS)  # (24, events): without context
        total = counts.sum(axis=2, keepdims=True)
        self.log_probability = np.log((counts + _PRIOR * alone[:, None]) / (total + _PRIOR))

    def contains(self, measures: np.ndarray) -> np.ndarray:
        """Whether each measure (n, 24) occurs in some key: bool (n,)."""
        return np.array([row in self.known for row in _rows(measures)], bool)

    def log_likelihood(self, measures: np.ndarray) -> np.ndarray:
        """Mean log probability of the symbols of each measure (n, 24), in nats: (n,)."""
        return self.log_probability[_context(_events(measures))].mean(axis=1)


def _context(events: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tick, event before and event of each symbol (n, 24)."""
    before = np.concatenate([np.full((len(events), 1), _FIRST), events[:, :-1]], axis=1)
    return np.broadcast_to(np.arange(music.TICKS), events.shape), before, events


def _events(measures: np.ndarray) -> np.ndarray:
    """Symbols of measures (n, 24) as intervals from the note before, or continue, other, first note."""
    notes = measures >= 0
    place = np.maximum.accumulate(np.where(notes, np.arange(music.TICKS), -1), axis=1)
    last = np.concatenate([np.full((len(measures), 1), -1), place[:, :-1]], axis=1)
    pitch = np.take_along_axis(measures, np.maximum(last, 0), axis=1).astype(int)
    interval = np.clip(measures - pitch, -_REACH, _REACH) + _REACH
    events = np.where(last >= 0, interval, _FIRST)
    return np.where(notes, events, np.where(measures == -1, _CONTINUE, _OTHER))


def in_scale(measures: np.ndarray) -> np.ndarray:
    """Share of each measure's notes (n, 24) that lie in the major scale that holds most: (n,), 1 for none."""
    tones = np.zeros((len(measures), 12))
    rows, ticks = np.nonzero(measures >= 0)
    np.add.at(tones, (rows, measures[rows, ticks] % 12), 1)
    total = tones.sum(axis=1)
    return np.where(total > 0, (tones @ _SCALES.T).max(axis=1) / np.maximum(total, 1), 1.0)


class Realism:
    """The scores of a data set; `usual`: what test items themselves have, (at most ITEMS,) each."""

    def __init__(self, dataset: Dataset, items: "Items", judge: DigitClassifier | None = None) -> None:
        self.corpus = Corpus(np.asarray(dataset.train.x)) if items.x.ndim == 2 else None
        self.judge = judge
        self.examples = items.x
        self.usual = self.scores(items.x[:ITEMS], np.arange(len(items.x[:ITEMS])))

    @functools.cached_property
    def _flat(self) -> np.ndarray:
        return self.examples.reshape(len(self.examples), -1).astype(np.float32) / 255

    def scores(self, outputs: np.ndarray, item: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Scores of outputs (n, ...) as `TrainedModel.decode` gives them, (n,) each. item (n,): the item each
        was made of, whose nearest example is another one."""
        if self.corpus is not None:
            return {
                "in_scale": in_scale(outputs),
                "in_corpus": self.corpus.contains(outputs).astype(float),
                "log_likelihood": self.corpus.log_likelihood(outputs),
            }
        found = {"nearest_distance": self._distance(outputs, item)}
        if self.judge is not None:
            found["confidence"] = classifiers.confidence(self.judge, outputs)
        return found

    def _distance(self, outputs: np.ndarray, item: np.ndarray | None) -> np.ndarray:
        length, parts = (self._flat**2).sum(axis=1), []
        for start in range(0, len(outputs), 500):
            x = outputs[start : start + 500].reshape(-1, self._flat.shape[1]).astype(np.float32) / 255
            squared = (x**2).sum(axis=1)[:, None] + length - 2 * x @ self._flat.T
            if item is not None:
                squared[np.arange(len(x)), item[start : start + 500]] = np.inf
            parts.append(np.maximum(squared.min(axis=1), 0))
        return np.sqrt(np.concatenate(parts) / self._flat.shape[1])

    def plausible(self, outputs: np.ndarray) -> np.ndarray:
        """Whether outputs (n, ...) are as much like the data as all test items but the worst WORST: (n,)."""
        kept = np.ones(len(outputs), bool)
        for name, values in self.scores(outputs).items():
            if sign := _BETTER.get(name):
                kept &= sign * values >= np.quantile(sign * self.usual[name], WORST)
        return kept

    def along(self, traversals: "Traversals") -> dict[str, Any]:
        """Means over a traversal's outputs: {score: mean, "per_attribute": {name: {score: mean}}}."""
        outputs = traversals.outputs
        item = np.broadcast_to(np.arange(outputs.shape[1])[:, None], outputs.shape[:3]).ravel()
        found = self.scores(outputs.reshape(-1, *outputs.shape[3:]), item)
        by = {name: values.reshape(len(outputs), -1).mean(axis=1) for name, values in found.items()}
        per = {
            attribute: {name: float(values[i]) for name, values in by.items()}
            for i, attribute in enumerate(traversals.names)
        }
        return {name: float(values.mean()) for name, values in by.items()} | {"per_attribute": per}
