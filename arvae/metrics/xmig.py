"""Dependency-blind mutual information gap (K. N. Watcharasupat, "Controllable Music: Supervised Learning of
Disentangled Representations for Music Generation", Nanyang Technological University, 2021)."""

import numpy as np


def xmig(information: np.ndarray, entropy: np.ndarray, dimensions: np.ndarray) -> np.ndarray:
    """Per attribute, (information of its dimension - most of any dimension that carries no attribute) /
    entropy: float64 (k,). information (d, k), entropy (k,), dimensions (k,): see `arvae.metrics.mig`."""
    free = np.delete(information, np.unique(dimensions), axis=0)
    rest = free.max(axis=0) if len(free) else np.zeros(information.shape[1])
    gap = information[dimensions, np.arange(information.shape[1])] - rest
    return np.divide(gap, entropy, out=np.zeros_like(gap), where=entropy > 0)
