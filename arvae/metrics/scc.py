"""Spearman correlation score (SCC): does some dimension order the examples as the attribute does?

Pati & Lerch 2020, section 4.2: the largest absolute Spearman correlation of an attribute with any dimension,
counting only correlations that are significant at 5 %.
"""

import numpy as np
from scipy import stats

SIGNIFICANCE = 0.05


def spearman_matrix(
    latents: np.ndarray, attributes: np.ndarray, significance: float = SIGNIFICANCE
) -> np.ndarray:
    """Spearman's rho of each dimension (n, d) with each attribute (n, k): float64 (d, k), signed.

    0 where it is not significant (p > significance, two-sided, Student's t with n - 2 degrees of freedom; 1
    takes every rho as it is) or not defined (a constant column).
    """
    n = len(latents)
    x, y = (_standard_ranks(columns) for columns in (latents, attributes))
    rho = np.clip(x.T @ y, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = rho * np.sqrt((n - 2) / np.maximum((1 + rho) * (1 - rho), 0))
    p = 2 * stats.t.sf(np.abs(t), n - 2)
    return np.where(p > significance, 0.0, rho)


def _standard_ranks(columns: np.ndarray) -> np.ndarray:
    ranks = stats.rankdata(columns, axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.sqrt((ranks**2).sum(axis=0))
    return ranks / np.where(length > 0, length, 1)


def scc(rho: np.ndarray, dimensions: np.ndarray | None = None) -> np.ndarray:
    """Per attribute, the largest |rho| (d, k) over dimensions, or that of the given dimensions (k,): (k,)."""
    magnitude = np.abs(rho)
    if dimensions is None:
        return magnitude.max(axis=0)
    return magnitude[dimensions, np.arange(rho.shape[1])]
