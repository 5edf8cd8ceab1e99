"""What kind of number an attribute is, and the classes that metrics of grouped examples need.

continuous: a length, a slant; discrete: a class, whose numbers have no order; circular: an angle.
"""

from collections.abc import Iterator

import numpy as np

KINDS = ("continuous", "discrete", "circular")
BINS = 10  # classes of a continuous or circular factor
GROUP, TRAIN, TEST = 64, 1600, 800  # examples in a group, groups to learn from and to be judged by


def classes(column: np.ndarray, kind: str = "continuous", bins: int = BINS) -> np.ndarray:
    """Class numbers from 0 of a factor (n,): its values where there are few, else `bins` equal shares.

    An angle (radians) is cut into equal arcs, 0 and 2 pi in the same.
    """
    if kind not in KINDS:
        raise ValueError(f"a factor is of the kind {kind!r}: use one of {', '.join(KINDS)}")
    values, found = np.unique(column, return_inverse=True)
    if kind == "discrete" or (kind == "continuous" and len(values) <= bins):
        return found
    if kind == "circular":
        return np.floor((column + np.pi / bins) % (2 * np.pi) * bins / (2 * np.pi)).astype(int) % bins
    edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, column, side="right"), return_inverse=True)[1]


def labelled(attributes: np.ndarray, kinds: list[str], bins: int = BINS) -> np.ndarray:
    """`classes` of every column of attributes (n, k): int (n, k)."""
    return np.stack([classes(c, kind, bins) for c, kind in zip(attributes.T, kinds, strict=True)], axis=1)


def circular_correlation(z: np.ndarray, angle: np.ndarray, order: int = 1) -> float:
    """Correlation of a number (n,) with an angle (n,) in radians, 0 to 1, whatever the angle's origin.

    The multiple correlation of z with cos and sin of order * angle (Mardia & Jupp, Directional Statistics,
    2000, section 11.2.1). order: the shape's rotational symmetry: 4 for a square, 2 for an ellipse.
    """
    if len(z) < 4 or np.ptp(z) == 0 or np.ptp(angle) == 0:
        return 0.0
    c, s = np.cos(order * angle), np.sin(order * angle)
    design = np.column_stack([np.ones_like(c), c, s])
    fitted = design @ np.linalg.lstsq(design, z, rcond=None)[0]
    return float(np.sqrt(np.clip(fitted.var() / z.var(), 0, 1)))


def groups(labels: np.ndarray, count: int, size: int, random: np.random.Generator) -> Iterator[tuple]:
    """For scores of groups: `count` times a factor of classes `labels` (n, k), and `size` rows that share its
    class with a row drawn at random. Factors with one class only are left out."""
    factors = np.flatnonzero(np.ptp(labels, axis=0) > 0)
    if not len(factors):
        raise ValueError("no factor has two classes: there is nothing to tell apart")
    members = {(f, c): np.flatnonzero(labels[:, f] == c) for f in factors for c in np.unique(labels[:, f])}
    for factor in random.choice(factors, count):
        shared = members[factor, labels[random.integers(len(labels)), factor]]
        yield factor, random.choice(shared, size)
