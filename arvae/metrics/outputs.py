"""How steadily a measured attribute follows a latent value: rows of measured values (n, p) along p values.

Spearman's rho punishes a step that is never undone, since the flat parts are ties; Goodman & Kruskal's gamma
leaves ties out (Journal of the American Statistical Association 49, 1954). Rows with NaN: those points are
left out by gamma; smoothness is NaN.
"""

import numpy as np


def gamma(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """(pairs in order - pairs out of order) / both, of all pairs of points that differ: (n,), 0 where none
    does."""
    first, second = np.triu_indices(measured.shape[1], 1)
    up = np.sign(measured[:, second] - measured[:, first]) * np.sign(values[second] - values[first])
    up = np.where(np.isfinite(up), up, 0.0)
    return np.divide(up.sum(axis=1), np.abs(up).sum(axis=1), out=np.zeros(len(up)), where=np.any(up, axis=1))


def smoothness(values: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """1 - contraharmonic mean of the second differences / range of the first, at p equally spaced values:
    (n,), 1 for a straight line (Watcharasupat 2021)."""
    if len(values) < 3:
        return np.full(len(measured), np.nan)
    step = abs(values[1] - values[0])
    slope = np.diff(measured, axis=-1) / step
    bend = np.abs(np.diff(slope, axis=-1)) / step
    total, wide = bend.sum(axis=-1), np.ptp(slope, axis=-1) / step
    bent = (total > 0) & (wide > 0)
    mean = (bend**2).sum(axis=-1) / np.where(total > 0, total, 1)
    return np.where(np.isnan(total), np.nan, np.where(bent, 1 - mean / np.where(wide > 0, wide, 1), 1.0))
