"""Mutual information between every latent dimension and every attribute: once, shared by all metrics.

scikit-learn's `mutual_info_regression`: the k-nearest-neighbour estimator of Kraskov, Stoegbauer &
Grassberger (Physical Review E 69, 2004, estimator 1) with 3 neighbours. Columns are divided by their
standard deviation, and noise of 1e-10 makes all values different. Discrete attributes go through the same
estimator, as in the published evaluation: their self-information comes out as their entropy (ln 3 for three
equal shares). It takes about twice as long as a faster tree search written by hand (5 instead of 3 seconds
for 10,000 codes of 32 dimensions and 6 attributes, 2 cores), which evaluation can afford.
"""

import joblib
import numpy as np
from sklearn.feature_selection import mutual_info_regression


def mutual_information(
    latents: np.ndarray, attributes: np.ndarray, random_state: int = 0, workers: int | None = None
) -> np.ndarray:
    """Mutual information of codes (n, d) with attributes (n, k): float64 (d, k), in nats, never negative; 0
    where a column is constant.

    random_state: seed of the tie-breaking noise; each attribute is a fresh call of the estimator with it.
    workers: threads (None: one a core); the numbers do not depend on it.
    """
    with joblib.parallel_config(backend="threading"):  # the trees release Python's lock; nothing is copied
        columns = [
            mutual_info_regression(latents, column, random_state=random_state, n_jobs=workers or -1)
            for column in attributes.T
        ]
    varies = np.outer(np.ptp(latents, axis=0) > 0, np.ptp(attributes, axis=0) > 0)
    return np.where(varies, np.stack(columns, axis=1), 0.0)


def self_information(attributes: np.ndarray, random_state: int = 0, workers: int | None = None) -> np.ndarray:
    """Entropy of every attribute (n, k) -> (k,) in nats, as the estimator's information of it with itself.

    This is what the published evaluation divides by in MIG. For continuous attributes it grows with n (the
    entropy of a continuous value to full precision is unbounded), which keeps MIG of continuous attributes
    well below 1: with 2,000 rows the self-information is 6.34 nats.
    """
    alone = (attributes[:, [i]] for i in range(attributes.shape[1]))
    return np.array([mutual_information(a, a, random_state, workers).item() for a in alone])
