"""Mutual information gap (Chen, Li, Grosse & Duvenaud, NeurIPS 2018, section 4)."""

import numpy as np


def gaps(matrix: np.ndarray, dimensions: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Per attribute, how far one dimension stands out in a (d, k) matrix, and the runner-up: (k,) and int
    (k,).

    dimensions None: the largest entry minus the second largest. Given (k,): the entry of that dimension minus
    the largest of the others, which is negative where another dimension knows more. With a single
    dimension the runner-up is 0 (and its index -1): nothing competes.
    """
    d, k = matrix.shape
    columns = np.arange(k)
    first = matrix.argmax(axis=0) if dimensions is None else dimensions
    if d == 1:
        return matrix[0].copy(), np.full(k, -1)
    others = matrix.copy()
    others[first, columns] = -np.inf
    second = others.argmax(axis=0)
    return matrix[first, columns] - matrix[second, columns], second


def mig(information: np.ndarray, entropy: np.ndarray, dimensions: np.ndarray | None = None) -> np.ndarray:
    """Per attribute, (largest - second largest mutual information) / entropy: float64 (k,).

    information (d, k) and entropy (k,) in nats, see `arvae.metrics.information`. 0 for an attribute without
    entropy (a constant). dimensions: see `gaps`.
    """
    gap, _ = gaps(information, dimensions)
    return np.divide(gap, entropy, out=np.zeros_like(gap), where=entropy > 0)
