"""Interventional robustness score (Suter, Miladinovic, Schoelkopf & Bauer, ICML 2019, section 4)."""

import numpy as np

QUANTILE = 0.99  # of the deviations, in place of their largest, which one outlier decides


def irs_matrix(latents: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 - how far each dimension moves while one factor stays, relative to how far it ever moves (d, k), and
    that largest deviation (d,). labels: classes (n, k), see `arvae.metrics.factors`."""
    widest = np.abs(latents - latents.mean(axis=0)).max(axis=0)
    moved = np.empty((latents.shape[1], labels.shape[1]))
    for i, column in enumerate(labels.T):
        inside = (latents[column == c] for c in np.unique(column))
        far = [np.quantile(np.abs(part - part.mean(axis=0)), QUANTILE, axis=0) for part in inside]
        moved[:, i] = np.mean(far, axis=0)
    return np.where(widest[:, None] > 0, 1 - moved / np.where(widest > 0, widest, 1)[:, None], 0.0), widest


def irs(latents: np.ndarray, labels: np.ndarray) -> float:
    """Mean over dimensions, weighted by how far they move, of the best factor's robustness: 0 to 1."""
    matrix, widest = irs_matrix(latents, labels)
    return float(np.average(matrix.max(axis=1), weights=widest)) if widest.sum() else 0.0
