"""Data sets that hold every combination of some factors: which factors, at which place."""

from collections.abc import Sequence

import numpy as np

from arvae.datasets.contract import DataError


def factors_of(index: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Factors' indices uint8 (n, k) of places (n,) among all combinations, the last factor varying fastest.

    counts (k,): how many values each factor has.
    """
    return np.stack(np.unravel_index(index, counts), axis=1).astype(np.uint8)


def checked(factors: np.ndarray, counts: Sequence[int], names: Sequence[str], what: str) -> np.ndarray:
    """Factors' indices (n, k) as numpy indexes with them; DataError names one that is not below its count.

    what: one example, in a word.
    """
    factors = np.asarray(factors)
    if factors.ndim != 2 or factors.shape[1] != len(counts) or not np.issubdtype(factors.dtype, np.integer):
        raise DataError(
            f"factors must be integers (n, {len(counts)}), not {factors.dtype} {factors.shape}: "
            f"give one column each for {', '.join(names)}"
        )
    outside = np.argwhere((factors < 0) | (factors >= counts))
    if len(outside):
        row, column = outside[0]
        found = f"{names[column]} of {what} {row} is index {factors[row, column]}"
        raise DataError(f"{found}: give 0 to {counts[column] - 1}")
    return factors.astype(np.intp)
