"""Asking for a value: is it reached, and what else changes that the data do not explain?

A wish is a quantile of the attribute in the data (WISHES). Where to turn to is read off the codes: the mean
of the dimension over the test items nearest to the wished value. The item is decoded there and measured.
"""

from typing import Any

import numpy as np

from arvae.datasets import sprites
from arvae.evaluation.control import Traversals, data_range, traverse
from arvae.metrics import mean
from arvae.trained import TrainedModel

WISHES = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles of the attribute in the data
TOLERANCE = 0.1  # of the range that holds 95 % of the data: what counts as reached
_NEAREST = 0.01  # share of the items that say where a value lies
_BINS = 20


def reached(model: TrainedModel, z: np.ndarray, attributes: np.ndarray, count: int) -> dict[str, Any] | None:
    """Share of wishes reached by the first `count` of the codes z (n, d) with attributes (n, k): `hit`, the
    same had the items been left alone, `floor`, and the mean distance to the wish in ranges, `error`; means
    and per_attribute. None where attributes cannot be measured."""
    if not model.measurable:
        return None
    wishes = np.quantile(attributes, WISHES, axis=0, method="nearest").T  # (k, w)
    values = np.stack(
        [
            [_place(z[:, model.dimension_of(name)], column, wish) for wish in row]
            for name, column, row in zip(model.attribute_names, attributes.T, wishes, strict=True)
        ]
    )
    measured = traverse(model, z[:count], values).measured  # (k, n, w, k)
    ranges, per_attribute = data_range(attributes), {}
    for i, name in enumerate(model.attribute_names):
        got = _away(measured[i], wishes[i], i, model.attribute_names) / ranges[i]  # (n, w)
        left = _away(attributes[:count, None], wishes[i], i, model.attribute_names) / ranges[i]
        per_attribute[name] = {
            "hit": float((np.nan_to_num(got, nan=np.inf) <= TOLERANCE).mean()),
            "floor": float((left <= TOLERANCE).mean()),
            "error": mean(got.ravel()),
        }
    return _means(per_attribute) | {"per_attribute": per_attribute}


def _place(z: np.ndarray, attribute: np.ndarray, wish: float) -> float:
    order = np.argsort(np.abs(attribute - wish), kind="stable")
    return float(z[order[: max(1, round(_NEAREST * len(z)))]].mean())


def _away(measured: np.ndarray, wishes: np.ndarray, i: int, names: tuple[str, ...]) -> np.ndarray:
    """Distance of attribute i of `measured` (n, w, k) from the wishes (w,); of a sprite's orientation up to
    turns that its shape does not show."""
    gap = measured[..., i] - wishes
    if names[: len(sprites.NAMES)] == sprites.NAMES and names[i] == "orientation":
        shape = np.nan_to_num(measured[..., names.index("shape")]).astype(int)
        gap = sprites.angle_difference(measured[..., i], wishes, np.take(sprites.PERIODS, shape))
    return np.abs(gap)


def side_change(traversals: Traversals, attributes: np.ndarray) -> dict[str, Any] | None:
    """How far the other attributes move while one is turned, in ranges of the data: `moved`, and `beyond`
    what their dependence on it in the data (m, k) explains; means and per_attribute.

    Both are mean distances from a traversal's own mean. Explained is what the mean of the other attribute at
    each value of the turned one, as the data have it, would do. None where nothing can be measured, or there
    is one attribute only.
    """
    measured, names = traversals.measured, traversals.names
    if measured is None or len(names) < 2:
        return None
    ranges, per_attribute = data_range(attributes), {}
    for i, name in enumerate(names):
        away: dict[str, list[float]] = {"moved": [], "beyond": []}
        for j in [j for j in range(len(names)) if j != i]:
            pairs = measured[i][..., [i, j]]
            turned, other = np.moveaxis(pairs[np.isfinite(pairs).all(axis=(1, 2))], -1, 0)  # (m, p) each
            if not len(turned):
                continue
            follows = _dependence(attributes[:, i], attributes[:, j], turned)
            for key, path in (("moved", other), ("beyond", other - follows)):
                away[key].append(np.abs(path - path.mean(axis=1, keepdims=True)).mean() / ranges[j])
        per_attribute[name] = {key: mean(values) for key, values in away.items()}
    return _means(per_attribute) | {"per_attribute": per_attribute}


def _dependence(turned: np.ndarray, other: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The mean of `other` (m,) where the data have the values `at` (...) of `turned` (m,)."""
    edges = np.unique(np.quantile(turned, np.linspace(0, 1, _BINS + 1)[1:-1]))
    group = np.searchsorted(edges, turned, side="right")
    groups = np.unique(group)
    middle = np.array([turned[group == g].mean() for g in groups])
    return np.interp(at, middle, [other[group == g].mean() for g in groups])


def _means(per_attribute: dict[str, dict[str, float | None]]) -> dict[str, float | None]:
    keys = next(iter(per_attribute.values()))
    values = {key: [one[key] for one in per_attribute.values() if one[key] is not None] for key in keys}
    return {key: mean(known) for key, known in values.items()}
