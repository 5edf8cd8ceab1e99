"""How much of the traversed range the data occupy (after the latent density ratio, Pati & Lerch 2021).

A. Pati, A. Lerch, "Is Disentanglement Enough? On Latent Representations for Controllable Music Generation",
ISMIR 2021: a latent space with holes cannot be controlled, however disentangled it is. Here is the half that
needs only codes; `arvae.evaluation.control.within_data` decodes.
"""

import numpy as np

TAIL = 0.005  # share of the codes left out at each end of an observed range


def observed_range(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end (d,), (d,) of the codes (n, d): the 0.5 % and 99.5 % quantiles of each dimension."""
    low, high = np.quantile(latents, [TAIL, 1 - TAIL], axis=0)
    return low, high


def occupancy(
    latents: np.ndarray, low: float = -4.0, high: float = 4.0, points: int = 10, least: float = 0.001
) -> np.ndarray:
    """Share of a traversal's points, per dimension, that stand where data are: float64 (d,), 0 to 1.

    The range low..high is cut into `points` equal bins, one around each point of a traversal; a bin is
    occupied when it holds at least `least` of the n codes (n, d).
    """
    if not low < high:
        raise ValueError(f"the range {low} .. {high} is empty: give low < high")
    half = (high - low) / (points - 1) / 2 if points > 1 else (high - low) / 2
    edges = np.linspace(low - half, high + half, points + 1)
    counts = np.stack([np.histogram(column, edges)[0] for column in latents.T])
    return (counts >= max(1.0, least * len(latents))).mean(axis=1)
