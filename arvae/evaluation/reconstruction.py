"""How much of an example comes back: pixels or symbols right, and what these hide.

Most symbols of a measure are "continue", most pixels of a sprite are black: a model that says nothing else
has most of them right. So also: the overlap of what is drawn; the symbols that are no "continue"; whole
measures; and both for measures that training had, up to transposition, and for new ones.
"""

import numpy as np

from arvae.datasets.measuring import DRAWN
from arvae.trained import same


def scores(x: np.ndarray, again: np.ndarray, known: np.ndarray | None = None) -> dict[str, float]:
    """Shares of examples x (n, ...) that their reconstructions have, as `TrainedModel.decode` gives them.

    reconstruction_accuracy; of images `iou`, intersection over union of the pixels drawn; of music
    `notes_right`, of the symbols other than "continue", and `measures_right`, of whole measures. known (n,):
    which measures training has: everything once more for those (`_seen`) and the others (`_unseen`).
    """
    found = {"reconstruction_accuracy": float(same(x, again).mean())}
    if x.ndim == 3:
        before, after = x >= DRAWN, again >= DRAWN
        both, either = (before & after).sum(axis=(1, 2)), (before | after).sum(axis=(1, 2))
        return found | {"iou": float(np.where(either > 0, both / np.maximum(either, 1), 1.0).mean())}
    right, said = x == again, x != -1
    found["notes_right"] = float(right[said].mean()) if said.any() else 0.0
    found["measures_right"] = float(right.all(axis=1).mean())
    if known is not None:
        for part, rows in (("seen", known), ("unseen", ~known)):
            if rows.any():
                found |= {f"{name}_{part}": value for name, value in scores(x[rows], again[rows]).items()}
        found["measures_seen"] = float(known.mean())
    return found
