"""Controllability: move a latent dimension, decode, and measure what really changed.

Metrics on codes say how well the encoder sorts; whether a person can *steer* with a dimension depends on the
decoder (Pati & Lerch, "Is Disentanglement Enough?", ISMIR 2021, who measure attributes on generated output
too). For n test items and each attribute's dimension, the dimension is set to p values, all else kept; the
attributes are measured on every output. From the measured values, per item and then averaged:

* monotonicity: Spearman's rho of latent value and measured attribute along the traversal. 1: it only grows.
* range covered: largest minus smallest measured value, relative to the range that holds 95 % of the data.
* change matrix [i, j]: the same for attribute j while attribute i is moved; its diagonal is the range
covered.
* selectivity of i: its own change divided by the sum of all changes. 1: nothing else moves; 1 / k: all alike.

Items of which fewer than MIN_POINTS outputs can be measured count as not controlled (0).
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import stats
from torch import nn

from arvae.datasets import sprites
from arvae.evaluation import outputs
from arvae.music.coding import Vocabulary

LOW, HIGH = -4.0, 4.0  # the range the paper traverses (section 4.4)
MIN_POINTS = 3


@dataclasses.dataclass(frozen=True)
class Traversals:
    """Decoded traversals of k attributes, n items, p points, and the k attributes measured on them.

    dimensions: k column numbers; values (k, p): what the dimension was set to; outputs (k, n, p, ...): see
    `outputs.decode`; measured (k, n, p, k) or None: attribute j at [..., j], NaN where it cannot be
    measured.
    """

    names: tuple[str, ...]
    dimensions: tuple[int, ...]
    values: np.ndarray
    outputs: np.ndarray
    measured: np.ndarray | None


def traverse(
    model: nn.Module,
    z: np.ndarray,
    names: tuple[str, ...],
    dimensions: tuple[int, ...],
    values: np.ndarray,
    measure: outputs.Measure | None,
    vocabulary: Vocabulary | None = None,
) -> Traversals:
    """Decode z (n, d) with each attribute's dimension set to its `values` (k, p); measure the outputs."""
    k, p = values.shape
    if not len(names) == len(dimensions) == k or not all(0 <= r < z.shape[1] for r in dimensions):
        raise ValueError(f"dimensions {dimensions} and values {values.shape} do not fit {names}, z {z.shape}")
    codes = np.broadcast_to(z[None, :, None, :], (k, len(z), p, z.shape[1])).copy()
    for i, dimension in enumerate(dimensions):
        codes[i, :, :, dimension] = values[i]
    decoded = outputs.decode(model, codes.reshape(-1, z.shape[1]), vocabulary)
    measured = None
    if measure is not None:
        measured = measure(decoded).reshape(k, len(z), p, -1).astype(np.float64)
        measured = without_turns(measured, names)
    return Traversals(names, dimensions, values, decoded.reshape(k, len(z), p, *decoded.shape[1:]), measured)


def without_turns(measured: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Measured (..., p, k) with an orientation followed through whole turns; other attributes as they are."""
    if names != sprites.NAMES:
        return measured
    measured = measured.copy()
    shape, orientation = names.index("shape"), names.index("orientation")
    measured[..., orientation] = sprites.unwrapped(measured[..., orientation], measured[..., shape])
    return measured


def monotonicity(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Spearman's rho of latent values (p,) with measured attributes (n, p), per item: (n,).

    Points that could not be measured are left out; an item with fewer than MIN_POINTS left, or whose
    attribute does not change, gets 0.
    """
    whole = np.isfinite(measured).all(axis=1)
    rho = np.zeros(len(measured))
    rho[whole] = _rank_correlation(np.broadcast_to(values, measured[whole].shape), measured[whole])
    for i in np.flatnonzero(~whole):
        seen = np.isfinite(measured[i])
        if seen.sum() >= MIN_POINTS:
            rho[i] = _rank_correlation(values[None, seen], measured[i][None, seen])[0]
    return rho


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if x.size == 0:
        return np.zeros(len(x))
    x, y = (stats.rankdata(a, axis=1) for a in (x, y))
    x, y = (a - a.mean(axis=1, keepdims=True) for a in (x, y))
    power = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    return np.where(power > 0, (x * y).sum(axis=1) / np.where(power > 0, power, 1), 0.0)


def span(measured: np.ndarray) -> np.ndarray:
    """Largest minus smallest measured value of a traversal, (..., p) -> (...); 0 with too few measured."""
    enough = np.isfinite(measured).sum(axis=-1) >= MIN_POINTS
    filled = np.where(enough[..., None], measured, 0.0)
    return np.nanmax(filled, axis=-1) - np.nanmin(filled, axis=-1)


def data_range(attributes: np.ndarray) -> np.ndarray:
    """What holds 95 % of the data, 2.5 % to 97.5 % quantile, of each attribute (n, k): (k,); never 0."""
    low, high = np.quantile(attributes, [0.025, 0.975], axis=0)
    spread = np.where(high > low, high - low, np.ptp(attributes, axis=0))
    return np.where(spread > 0, spread, 1.0)


def summarise(traversals: Traversals, attributes: np.ndarray) -> dict[str, Any] | None:
    """Controllability of measured traversals, JSON-serialisable; attributes (m, k): the data's, for their
    range.

    monotonicity, range_covered, selectivity: means over attributes, and monotonicity_either_way: of the
    monotonicity without its sign, since a dimension that is tied to nothing may as well run backwards.
    per_attribute[name]: the same one by one, and measurable, the share of outputs on which the attribute
    could be measured; change[i][j] and monotonicity_matrix[i][j]: attribute j while i is
    moved. None where nothing was measured.
    """
    measured = traversals.measured
    if measured is None:
        return None
    k = len(traversals.names)
    change = span(np.moveaxis(measured, -1, 2)).mean(axis=1) / data_range(attributes)  # (k, k)
    rho = np.array(
        [
            [monotonicity(traversals.values[i], measured[i, :, :, j]).mean() for j in range(k)]
            for i in range(k)
        ]
    )
    total = change.sum(axis=1)
    selectivity = np.where(total > 0, np.diag(change) / np.where(total > 0, total, 1), 0.0)
    seen = np.isfinite(measured).mean(axis=(1, 2))  # (k, k)
    own = {
        "monotonicity": np.diag(rho),
        "monotonicity_either_way": np.abs(np.diag(rho)),
        "range_covered": np.diag(change),
        "selectivity": selectivity,
        "measurable": np.diag(seen),
    }
    return {
        **{name: float(values.mean()) for name, values in own.items()},
        "per_attribute": {
            name: {
                "dimension": int(traversals.dimensions[i]),
                **{measure: float(v[i]) for measure, v in own.items()},
            }
            for i, name in enumerate(traversals.names)
        },
        "change": change.tolist(),
        "monotonicity_matrix": rho.tolist(),
        "items": measured.shape[1],
        "points": measured.shape[2],
    }


def surface(
    model: nn.Module,
    code: np.ndarray,
    right: int,
    up: int,
    values: np.ndarray,
    measure: outputs.Measure,
    vocabulary: Vocabulary | None = None,
) -> np.ndarray:
    """Every attribute measured over a grid of two columns of a code (c,): (p, p, k), NaN where it cannot be.

    Row 0 has column `up` at values[0], column 0 has `right` there; values: (p,).
    """
    p = len(values)
    codes = np.tile(np.asarray(code, np.float32), (p, p, 1))
    codes[:, :, right] = values
    codes[:, :, up] = values[:, None]
    return measure(outputs.decode(model, codes.reshape(p * p, -1), vocabulary)).reshape(p, p, -1)


def latent_density_ratio(
    model: nn.Module,
    low: np.ndarray,
    high: np.ndarray,
    dimensions: tuple[int, ...],
    attributes: np.ndarray,
    measure: outputs.Measure,
    generator: np.random.Generator,
    samples: int,
    vocabulary: Vocabulary | None = None,
) -> float:
    """Share of random codes that decode to something like the data, after Pati & Lerch 2021: 0 to 1.

    Codes are standard normal, the attributes' `dimensions` uniform between low and high (d,), the observed
    range. An output counts when every attribute can be measured on it and lies within what the data (m, k)
    show (0.1 % to 99.9 % quantile, widened by a tenth of the range that holds 95 %). A low ratio means holes
    in the latent space. Their paper counts points whose attributes are valid; ours have no such notion, hence
    the range.
    """
    z = generator.standard_normal((samples, len(low)))
    columns = list(dimensions)
    z[:, columns] = generator.uniform(low[columns], high[columns], (samples, len(columns)))
    measured = measure(outputs.decode(model, z, vocabulary))
    least, most = np.quantile(attributes, [0.001, 0.999], axis=0)
    margin = 0.1 * data_range(attributes)
    with np.errstate(invalid="ignore"):
        inside = (measured >= least - margin) & (measured <= most + margin)
    return float(inside.all(axis=1).mean())
