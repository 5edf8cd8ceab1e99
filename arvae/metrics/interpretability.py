"""Interpretability (Adel, Ghahramani & Weller, ICML 2018): does one dimension predict it linearly?"""

import numpy as np


def r2_matrix(latents: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """R2 of the linear regression of each attribute (n, k) on each single dimension (n, d): float64 (d, k).

    With one regressor and an intercept R2 is the squared Pearson correlation. 0 where either is constant.
    """
    x = latents - latents.mean(axis=0)
    y = attributes - attributes.mean(axis=0)
    covariance = x.T @ y
    power = np.outer((x**2).sum(axis=0), (y**2).sum(axis=0))
    varies = np.outer(_varies(latents), _varies(attributes)) & (power > 0)
    return np.where(varies, covariance**2 / np.where(varies, power, 1), 0.0)


def _varies(columns: np.ndarray) -> np.ndarray:
    """Which columns are not constant; a spread below rounding counts as none."""
    spread = columns.max(axis=0) - columns.min(axis=0)
    return spread > 1e-12 * np.maximum(1, np.abs(columns).max(axis=0))


def interpretability(r2: np.ndarray, dimensions: np.ndarray) -> np.ndarray:
    """Per attribute, R2 (d, k) of its own dimension (k,): float64 (k,), 0 to 1.

    The published evaluation takes the dimension with the largest mutual information, see
    `choose_dimensions`; with the regularized dimensions it says how well the promise was kept.
    """
    return r2[dimensions, np.arange(r2.shape[1])]


def choose_dimensions(information: np.ndarray) -> np.ndarray:
    """The dimension with the largest mutual information (d, k) for every attribute: int (k,)."""
    return information.argmax(axis=0)
