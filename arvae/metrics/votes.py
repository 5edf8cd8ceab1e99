"""The FactorVAE score and the BetaVAE score: which factor was held fixed, told from codes alone.

Both draw groups of examples that share one factor, as the papers do from a simulator; here from a table of
codes (n, d) and classes (n, k), see `arvae.metrics.factors`. Factors with one class only are left out.
"""

from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

GROUP, TRAIN, TEST = 64, 1600, 800  # examples in a group, groups to learn from and to be judged by


def _groups(labels: np.ndarray, count: int, size: int, random: np.random.Generator) -> Iterator[tuple]:
    """`count` times a factor, and `size` rows that share its class with a row drawn at random."""
    factors = np.flatnonzero(np.ptp(labels, axis=0) > 0)
    if not len(factors):
        raise ValueError("no factor has two classes: there is nothing to tell apart")
    members = {(f, c): np.flatnonzero(labels[:, f] == c) for f in factors for c in np.unique(labels[:, f])}
    for factor in random.choice(factors, count):
        shared = members[factor, labels[random.integers(len(labels)), factor]]
        yield factor, random.choice(shared, size)


def factorvae_score(latents: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> float:
    """Share of groups whose fixed factor a majority vote reads off the dimension that varies least (Kim &
    Mnih, ICML 2018, section 4): 0 to 1. Dimensions that never vary do not count."""
    spread = latents.var(axis=0)
    z = latents[:, spread > 1e-12 * max(1.0, spread.max())]
    if not z.shape[1]:
        return 0.0
    spread, votes = z.var(axis=0), np.zeros((2, z.shape[1], labels.shape[1]))
    for i, (factor, rows) in enumerate(_groups(labels, TRAIN + TEST, GROUP, random)):
        votes[int(i >= TRAIN), (z[rows].var(axis=0) / spread).argmin(), factor] += 1
    return float(votes[1, np.arange(z.shape[1]), votes[0].argmax(axis=1)].sum() / TEST)


def betavae_score(latents: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> float:
    """Share of groups whose fixed factor a linear classifier tells from the mean distance of pairs (Higgins
    et al., ICLR 2017, section 3): 0 to 1."""
    groups = list(_groups(labels, TRAIN + TEST, 2 * GROUP, random))
    pairs = np.stack([np.abs(latents[r[:GROUP]] - latents[r[GROUP:]]).mean(axis=0) for _, r in groups])
    factors = np.array([factor for factor, _ in groups])
    if len(np.unique(factors)) == 1:
        return 1.0
    x = StandardScaler().fit(pairs[:TRAIN]).transform(pairs)
    fitted = LogisticRegression(max_iter=500).fit(x[:TRAIN], factors[:TRAIN])
    return float(fitted.score(x[TRAIN:], factors[TRAIN:]))
