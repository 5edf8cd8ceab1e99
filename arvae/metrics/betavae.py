"""The BetaVAE score: which factor was held fixed, by a linear classifier of distances of pairs."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from arvae.metrics.factors import GROUP, TEST, TRAIN, groups


def betavae_score(latents: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> float:
    """Share of groups whose fixed factor a linear classifier tells from the mean distance of pairs (Higgins
    et al., ICLR 2017, section 3): 0 to 1."""
    drawn = list(groups(labels, TRAIN + TEST, 2 * GROUP, random))
    pairs = np.stack([np.abs(latents[r[:GROUP]] - latents[r[GROUP:]]).mean(axis=0) for _, r in drawn])
    factors = np.array([factor for factor, _ in drawn])
    if len(np.unique(factors)) == 1:
        return 1.0
    x = StandardScaler().fit(pairs[:TRAIN]).transform(pairs)
    fitted = LogisticRegression(max_iter=500).fit(x[:TRAIN], factors[:TRAIN])
    return float(fitted.score(x[TRAIN:], factors[TRAIN:]))
