"""Dependency-aware latent information gap (K. N. Watcharasupat, "Controllable Music: Supervised Learning of
Disentangled Representations for Music Generation", Nanyang Technological University, 2021)."""

from collections.abc import Callable

import numpy as np

from arvae.metrics.dmig import DETERMINED


def dlig(
    information: np.ndarray, entropy: np.ndarray, between: Callable[[int, int], float], dimensions: np.ndarray
) -> np.ndarray:
    """Per attribute i, by how much its dimension knows more of it than of any other attribute l, relative to
    H(a_i | a_l): float64 (k,), NaN where a_l determines a_i. Arguments as in `arvae.metrics.dmig.dmig`."""
    values = np.zeros(len(entropy))
    for i, dimension in enumerate(dimensions):
        if entropy[i] <= 0:
            continue
        known = information[dimension].copy()
        known[i] = -np.inf
        other = int(known.argmax())
        if other == i:  # the only attribute: nothing competes
            values[i] = information[dimension, i] / entropy[i]
            continue
        left = entropy[i] - between(i, other)
        gap = information[dimension, i] - known[other]
        values[i] = gap / left if left > DETERMINED * entropy[i] else np.nan
    return values
