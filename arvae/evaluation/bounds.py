"""Bounds of scores on a data set: floors of models that know nothing, ceilings of codes that know all."""

from typing import Any

import numpy as np
from scipy.stats import rankdata

from arvae import metrics
from arvae.datasets import catalogue, sprites
from arvae.datasets.contract import Dataset
from arvae.evaluation import judge as classifiers
from arvae.evaluation import reconstruction
from arvae.evaluation.judge import DigitClassifier
from arvae.evaluation.realism import Corpus
from arvae.evaluation.scores import Items, circular
from arvae.metrics import CODES
from arvae.params import Setup

_LIMITED = ("interpretability", "mig", "sap")  # what an orientation that cannot be seen whole lowers


def limits(
    setup: Setup, dataset: Dataset, items: Items, judge: DigitClassifier | None = None
) -> dict[str, dict[str, float | None]]:
    """{"floor": {score: value}, "ceiling": ...} of test items of a data set.

    floor: metrics of noise in the setup's dimensions; reconstruction by nothing: an empty picture, a measure
    of "continue"; content by guessing. ceiling: metrics of codes that are the attributes themselves, a
    dimension each: what their dependence on one another leaves (SCC: of codes in their order without ties, as
    sampled ones are); digits: what the judge reads right of the originals. A sprite's orientation is known up
    to its shape's symmetry only, as on the picture.
    """
    names, x, attributes = dataset.attribute_names, items.x[:CODES], items.attributes[:CODES]
    noise = np.random.default_rng(0).standard_normal((len(x), setup.latent_dim))
    own = list(range(len(names)))
    found: dict[str, dict[str, Any]] = {}
    shown = visible(names, attributes)
    for side, codes in {"floor": noise, "ceiling": attributes}.items():
        scores = metrics.evaluate(codes, attributes, names, own if side == "ceiling" else None)
        found[side] = {name: scores[name] for name in metrics.METRICS}
        found[side] |= metrics.grouped(codes, attributes, catalogue.kinds(names))
        if side == "ceiling" and names[: len(sprites.NAMES)] == sprites.NAMES:
            seen = metrics.evaluate(shown, attributes, names, own)["regularized"]
            by = scores["per_attribute"] | {"orientation": seen["per_attribute"]["orientation"]}
            found[side] |= {m: float(np.mean([by[name][m] for name in names])) for m in _LIMITED}
    rho = metrics.spearman_matrix(rankdata(shown, "ordinal", axis=0), attributes).diagonal()
    found["ceiling"]["scc"] = float(rho[rho != 0].mean())  # 0: of a constant attribute
    nothing = np.full_like(x, -1 if x.ndim == 2 else 0)
    known = Corpus(np.asarray(dataset.train.x)).contains(x) if x.ndim == 2 else None
    found["floor"] |= reconstruction.scores(x, nothing, known)
    kept = ("content_reconstructed", "content_traversed")
    if names[: len(sprites.NAMES)] == sprites.NAMES:
        found["floor"] |= dict.fromkeys(kept, 1 / len(sprites.SHAPES))
        angle = attributes[:, names.index("orientation")]
        found["floor"]["orientation_circular"] = circular(noise, attributes[:, names.index("shape")], angle)
    elif judge is not None and "label" in items.extra:
        digits = ("digit_accuracy_reconstructed", "digit_accuracy_interpolated")
        right = float((classifiers.predict(judge, items.x) == items.extra["label"]).mean())
        for side, share in {"floor": 1 / classifiers.DIGITS, "ceiling": right}.items():
            found[side] |= dict.fromkeys((*kept, *digits), share)
            found[side] |= dict.fromkeys((f"{name}_relative" for name in kept), share / right)
    return found


def visible(names: tuple[str, ...], attributes: np.ndarray) -> np.ndarray:
    """Attributes (n, k) as far as the example shows them: what is expected of a sprite's orientation once it
    is known up to the turns that its shape does not show; all else as it is."""
    if names[: len(sprites.NAMES)] != sprites.NAMES:
        return attributes
    seen, (shape, turned) = attributes.astype(float), (names.index(n) for n in ("shape", "orientation"))
    period = np.take(sprites.PERIODS, attributes[:, shape].astype(int))
    # A whole turn, which the data set has beside none, counts as the end of a period: a bound, not a guess.
    within = np.where(np.isclose(seen[:, turned], 2 * np.pi), period, seen[:, turned] % period)
    seen[:, turned] = within + (2 * np.pi - period) / 2
    return seen
