"""Dependency-aware mutual information gap (Watcharasupat & Lerch, ISMIR late-breaking 2021).

MIG punishes a code for the dependence between the attributes themselves: where a_i and a_l are related,
the dimension that carries a_l must know something of a_i, so the gap can never reach the entropy of a_i. DMIG
divides by what is left to know of a_i once a_l is known, H(a_i | a_l), where a_l is the attribute that the
runner-up dimension carries; where that dimension carries no other attribute it is MIG.
"""

from collections.abc import Callable, Sequence

import numpy as np

from arvae.metrics.mig import gaps

# Below this share of H(a_i) the estimator, which errs by a few percent, cannot tell what is left from none:
# a_i counts as determined by a_l, and a gap relative to next to nothing means nothing.
DETERMINED = 0.05


def dmig(
    information: np.ndarray,
    entropy: np.ndarray,
    between: Callable[[int, int], float],
    carried: Sequence[int | None],
    dimensions: np.ndarray | None = None,
) -> np.ndarray:
    """Per attribute, (I(a_i, z_j) - I(a_i, z_l)) / H(a_i | a_l): float64 (k,), NaN where a_l determines a_i.

    information (d, k), entropy (k,): see `arvae.metrics.information`. between(i, l): mutual information of
    two attributes in nats, asked only for the pairs needed. carried: for every dimension the attribute it
    carries, or None. dimensions: see `arvae.metrics.mig.gaps`.
    """
    gap, runner_up = gaps(information, dimensions)
    values = np.zeros(len(entropy))
    for i, (difference, dimension) in enumerate(zip(gap, runner_up, strict=True)):
        if entropy[i] <= 0:
            continue
        other = carried[dimension] if dimension >= 0 else None
        left = entropy[i] if other is None or other == i else entropy[i] - between(i, other)
        values[i] = difference / left if left > DETERMINED * entropy[i] else np.nan
    return values


def carried_attributes(
    information: np.ndarray, dimensions: Sequence[int | None] | None = None
) -> list[int | None]:
    """For every dimension the attribute (index) it carries, or None: d entries.

    dimensions: the regularized dimension of each attribute (None for one without). Not given, a dimension
    carries the attribute that chose it by mutual information; of several, the one it knows most of.
    """
    chosen = information.argmax(axis=0) if dimensions is None else dimensions
    carried: list[int | None] = [None] * len(information)
    for dimension in range(len(information)):
        mine = [i for i, other in enumerate(chosen) if other == dimension]
        if dimensions is None:
            mine = [i for i in mine if information[dimension, i] > 0]
        carried[dimension] = max(mine, key=lambda i: information[dimension, i], default=None)
    return carried
