"""The FactorVAE score: which factor was held fixed, by a majority vote on the dimension that varies least."""

import numpy as np

from arvae.metrics.factors import GROUP, TEST, TRAIN, groups


def factorvae_score(latents: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> float:
    """Share of groups whose fixed factor a majority vote reads off the dimension that varies least (Kim &
    Mnih, ICML 2018, section 4): 0 to 1. Dimensions that never vary do not count."""
    spread = latents.var(axis=0)
    z = latents[:, spread > 1e-12 * max(1.0, spread.max())]
    if not z.shape[1]:
        return 0.0
    spread, votes = z.var(axis=0), np.zeros((2, z.shape[1], labels.shape[1]))
    for i, (factor, rows) in enumerate(groups(labels, TRAIN + TEST, GROUP, random)):
        votes[int(i >= TRAIN), (z[rows].var(axis=0) / spread).argmin(), factor] += 1
    return float(votes[1, np.arange(z.shape[1]), votes[0].argmax(axis=1)].sum() / TEST)
