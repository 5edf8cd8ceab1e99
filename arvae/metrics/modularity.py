"""Modularity (Ridgeway & Mozer, NeurIPS 2018, section 3): does a dimension speak of one attribute only?"""

import numpy as np


def modularity(information: np.ndarray) -> np.ndarray:
    """Per dimension, 1 - sum of the squared information with all attributes but its best / (best^2 (k - 1)):
    (d,).

    information: mutual information (d, k). 1 for a dimension that tells of one attribute, 0 for one that
    tells equally much of all, and 0, as published, for one that tells nothing. The metric is the mean over
    dimensions. With a single attribute (k = 1) every informative dimension is modular.
    """
    squared = information**2
    best = squared.max(axis=1)
    informative = best > 0
    if information.shape[1] == 1:
        return informative.astype(np.float64)
    rest = (squared.sum(axis=1) - best) / (np.where(informative, best, 1) * (information.shape[1] - 1))
    return np.where(informative, 1 - rest, 0.0)


def weighted_modularity(information: np.ndarray) -> float:
    """The mean of `modularity` (d,), each dimension weighted by all the information it has (d, k).

    A dimension of pure noise has next to no information, and as `modularity` counts it a high score.
    """
    weight = information.sum(axis=1)
    return float(np.average(modularity(information), weights=weight)) if weight.sum() else 0.0
