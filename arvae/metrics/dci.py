"""Disentanglement, completeness, informativeness (Eastwood & Williams, ICLR 2018, section 2).

A forest predicts each attribute from the whole code; how much it uses each dimension is the importance. The
score is of the importance matrix alone, whichever regressor made it; theirs are lasso and random forest.
"""

import numpy as np
from scipy.stats import entropy
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

ROWS = 4000  # examples the forests see, half of them to learn from
_FOREST = {"n_estimators": 10, "min_samples_leaf": 5, "n_jobs": -1}


def disentanglement(importance: np.ndarray) -> float:
    """1 - entropy of each dimension's importance (d, k) over attributes, weighted by its total; 0 to 1."""
    weight = importance.sum(axis=1)
    if not weight.sum():
        return 0.0
    return float(np.average(_sharp(importance.T), weights=weight))


def completeness(importance: np.ndarray) -> float:
    """1 - entropy of each attribute's importance (d, k) over dimensions, weighted by its total; 0 to 1."""
    return disentanglement(importance.T)


def _sharp(columns: np.ndarray) -> np.ndarray:
    """1 - entropy of each column, relative to that of equal shares; 0 for a column of zeros."""
    total = columns.sum(axis=0)
    shares = np.where(total > 0, columns / np.where(total > 0, total, 1), 1 / len(columns))
    return 1 - entropy(shares, base=len(columns)) if len(columns) > 1 else (total > 0).astype(float)


def importances(
    latents: np.ndarray, attributes: np.ndarray, kinds: list[str], random_state: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Importance (d, k) of codes (n, d) for attributes (n, k), and the share of variance, or of examples of a
    discrete attribute, predicted on held-out rows (k,): informativeness, 0 to 1. An angle is predicted as its
    cosine and sine. Of more than ROWS rows as many are drawn."""
    rows = np.random.default_rng(random_state).permutation(len(latents))[:ROWS]
    learn, held = np.array_split(rows, 2)
    columns, scores = [], []
    for column, kind in zip(attributes.T, kinds, strict=True):
        maker = RandomForestClassifier if kind == "discrete" else RandomForestRegressor
        target = np.stack([np.cos(column), np.sin(column)], axis=1) if kind == "circular" else column
        if kind == "discrete":
            target = np.unique(column, return_inverse=True)[1]
        forest = maker(random_state=random_state, **_FOREST).fit(latents[learn], target[learn])
        columns.append(forest.feature_importances_)
        forest.set_params(n_jobs=1)  # threads would add up the trees' answers in whatever order they come
        scores.append(max(0.0, forest.score(latents[held], target[held])))
    return np.stack(columns, axis=1), np.array(scores)
