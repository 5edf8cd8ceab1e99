"""Controllability: move a latent dimension, decode, and measure what really changed.

Metrics on codes say how well the encoder sorts; whether a person can *steer* with a dimension depends on the
decoder (Pati & Lerch, "Is Disentanglement Enough?", ISMIR 2021, who measure attributes on generated output
too). For n test items and each attribute's dimension, the dimension is set to p values, all else kept; the
attributes are measured on every output. From the measured values, per item and then averaged:

* monotonicity: Spearman's rho of latent value and measured attribute along the traversal. 1: it only grows.
  monotonicity_gamma: by Goodman & Kruskal's gamma, which does not punish a step that is never undone.
  smoothness: see `arvae.metrics.outputs`.
* range covered: largest minus smallest measured value, relative to the range that holds 95 % of the data.
* change matrix [i, j]: the same for attribute j while attribute i is moved; its diagonal is the range
  covered.
* selectivity of i: its own change divided by the sum of all changes. 1: nothing else moves; 1 / k: all alike.

Items of which fewer than MIN_POINTS outputs can be measured count as not controlled (0).
"""

import dataclasses
from typing import Any

import numpy as np

from arvae.datasets import sprites
from arvae.metrics import mean, outputs, spearman_matrix
from arvae.trained import TrainedModel

MIN_POINTS = 3


@dataclasses.dataclass(frozen=True)
class Traversals:
    """Decoded traversals of k attributes, n items, p points, and the k attributes measured on them.

    dimensions: k column numbers; values (k, p): what the dimension was set to; outputs (k, n, p, ...): see
    `TrainedModel.decode`; measured (k, n, p, k) or None: attribute j at [..., j], NaN where it cannot be
    measured.
    """

    names: tuple[str, ...]
    dimensions: tuple[int, ...]
    values: np.ndarray
    outputs: np.ndarray
    measured: np.ndarray | None


def ends(model: TrainedModel) -> np.ndarray:
    """The fixed range of each attribute's dimension or input, (k, 2); see `TrainedModel.range_of`."""
    return np.array([model.range_of(name) for name in model.attribute_names])


def traverse(model: TrainedModel, z: np.ndarray, values: np.ndarray) -> Traversals:
    """Decode z (n, d) with each attribute's dimension set to its `values` (k, p); measure the outputs."""
    names = model.attribute_names
    turned = (model.traverse(z, name, row) for name, row in zip(names, values, strict=True))
    decoded = np.stack([one.swapaxes(0, 1) for one in turned])
    measured = None
    if model.measurable:
        measured = model.measure(decoded)
        if names == sprites.NAMES:  # an orientation is followed through whole turns
            shape, angle = (names.index(name) for name in ("shape", "orientation"))
            measured[..., angle] = sprites.unwrapped(measured[..., angle], measured[..., shape])
    return Traversals(names, tuple(map(model.dimension_of, names)), values, decoded, measured)


def monotonicity(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """Spearman's rho of latent values (p,) with measured attributes (n, p), per item: (n,).

    Points that could not be measured are left out; an item with fewer than MIN_POINTS left, or whose
    attribute does not change, gets 0.
    """
    rho, seen = np.zeros(len(measured)), np.isfinite(measured)
    whole = seen.all(axis=1)
    if whole.any():
        rho[whole] = spearman_matrix(values[:, None], measured[whole].T, significance=1)[0]
    for i in np.flatnonzero(~whole & (seen.sum(axis=1) >= MIN_POINTS)):
        points = values[seen[i], None], measured[i, seen[i], None]
        rho[i] = spearman_matrix(*points, significance=1).item()
    return rho


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

    Means over attributes, `_either_way` without their sign, since a dimension that is not regularized may run
    backwards. per_attribute[name]: the same one by one, and measurable, the share of outputs where it could
    be measured; change[i][j], monotonicity_matrix[i][j]: attribute j while i is moved. None: no measurements.
    """
    measured = traversals.measured
    if measured is None:
        return None
    columns = range(len(traversals.names))
    change = span(np.moveaxis(measured, -1, 2)).mean(axis=1) / data_range(attributes)  # (k, k)
    rho = np.array(
        [[monotonicity(traversals.values[i], measured[i, ..., j]).mean() for j in columns] for i in columns]
    )
    total = change.sum(axis=1)
    paths = [(traversals.values[i], measured[i, ..., i]) for i in columns]
    enough = np.isfinite(np.stack([path for _, path in paths])).sum(axis=-1) >= MIN_POINTS  # (k, n)
    gamma = np.where(enough, [outputs.gamma(*path) for path in paths], 0.0).mean(axis=1)
    own = {
        "monotonicity": np.diag(rho),
        "monotonicity_either_way": np.abs(np.diag(rho)),
        "monotonicity_gamma": gamma,
        "monotonicity_gamma_either_way": np.abs(gamma),
        "smoothness": np.array([mean(outputs.smoothness(*path)) for path in paths], dtype=float),
        "range_covered": np.diag(change),
        "selectivity": np.where(total > 0, np.diag(change) / np.where(total > 0, total, 1), 0.0),
        "measurable": np.diag(np.isfinite(measured).mean(axis=(1, 2))),
    }
    return {
        **{name: mean(values) for name, values in own.items()},
        "per_attribute": {
            name: {"dimension": int(traversals.dimensions[i])} | {key: mean(v[[i]]) for key, v in own.items()}
            for i, name in enumerate(traversals.names)
        },
        "change": change.tolist(),
        "monotonicity_matrix": rho.tolist(),
        "items": measured.shape[1],
        "points": measured.shape[2],
    }


def random_outputs(
    model: TrainedModel, low: np.ndarray, high: np.ndarray, generator: np.random.Generator, samples: int
) -> np.ndarray | None:
    """What random codes decode to: standard normal, the attributes' dimensions uniform between low and high
    (d,), the observed range. None for a Fader network, whose code has no prior."""
    if model.has_inputs:
        return None
    z = generator.standard_normal((samples, len(low)))
    columns = [model.dimension_of(name) for name in model.attribute_names]
    z[:, columns] = generator.uniform(low[columns], high[columns], (samples, len(columns)))
    return model.decode(z)


def within_data(model: TrainedModel, decoded: np.ndarray | None, attributes: np.ndarray) -> np.ndarray | None:
    """Which of `random_outputs` (n, ...) have attributes like the data's (m, k): bool (n,).

    All must be measurable and lie within what the data show (0.1 % to 99.9 % quantile, widened by a tenth of
    the range that holds 95 %). Their share is the latent density ratio (after Pati & Lerch 2021, who ask for
    valid attributes): a low one means holes in the latent space. Music passes nearly always, so that
    `realism.Realism.plausible` asks for more. None where nothing can be measured or was decoded.
    """
    if not model.measurable or decoded is None:
        return None
    measured = model.measure(decoded)
    least, most = np.quantile(attributes, [0.001, 0.999], axis=0)
    margin = 0.1 * data_range(attributes)
    with np.errstate(invalid="ignore"):
        return ((measured >= least - margin) & (measured <= most + margin)).all(axis=1)
