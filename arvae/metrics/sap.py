"""Separated attribute predictability (Kumar, Sattigeri & Balakrishnan, ICLR 2018, section 3)."""

import numpy as np

from arvae.metrics.mig import gaps


def sap(r2: np.ndarray, dimensions: np.ndarray | None = None) -> np.ndarray:
    """Per attribute, the gap between the two dimensions that predict it best linearly: float64 (k,).

    r2: squared correlation (d, k), see `arvae.metrics.interpretability.r2_matrix`. dimensions (k,): the gap
    of those dimensions to the best of the others instead, which may be negative.
    """
    return gaps(r2, dimensions)[0]
