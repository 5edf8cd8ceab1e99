"""The edit itself: encode, turn controls, decode, measure. A wished value is searched along its control's
dimension.

The search decodes a grid over the range the data's codes span, keeps the place whose measured attribute is
nearest to the wish, and looks closer around it. Of places equally good the one nearest to the original code
is kept, so that as little else as possible changes. Several wished values are searched in turn until none
moves any more.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from arvae.datasets import sprites
from arvae.edit.wishes import Wish
from arvae.trained import Control, TrainedModel

POINTS, CLOSER = 41, 17  # places of the first grid, of each that looks closer
ROUNDS = 4  # at most, of searching several wishes in turn
SAME = 1e-6  # attributes this near to each other are the same


@dataclasses.dataclass(frozen=True, eq=False)
class Edited:
    """What became of n examples (measures of a melody, or one image).

    original, reconstruction, result: examples (n, ...), the reconstruction from the untouched code; before,
    rebuilt,
    after: their attributes (n, k), NaN where they cannot be measured; z, z_after: codes (n, d); touched (n,):
    which were to be edited; the others are the original in `result`.
    """

    trained: TrainedModel
    wishes: tuple[Wish, ...]
    original: np.ndarray
    reconstruction: np.ndarray
    result: np.ndarray
    before: np.ndarray
    rebuilt: np.ndarray
    after: np.ndarray
    z: np.ndarray
    z_after: np.ndarray
    touched: np.ndarray


def edit(
    trained: TrainedModel,
    examples: np.ndarray,
    wishes: Sequence[Wish] = (),
    only: Sequence[int] | None = None,
) -> Edited:
    """Edit examples (measures int16 (n, 24), or images (n, h, w) as bool or bytes 0..255).

    only: the examples to edit, counted from 1 (None: all). One with no wish that concerns it stays as it is;
    with no wishes at all every one of them is replaced by its reconstruction.
    """
    n = len(examples)
    z = trained.encode(examples)[0].astype(np.float64)
    reconstruction = trained.decode(z)
    chosen = np.isin(np.arange(1, n + 1), list(only)) if only is not None else np.ones(n, bool)
    goals = [(trained.control(wish.attribute), wish, chosen & _concerned(wish, n)) for wish in wishes]
    touched = np.any([rows for _, _, rows in goals], axis=0) if goals else chosen
    z_after = z.copy()
    for control, wish, rows in goals:
        if wish.turn is not None:
            z_after[rows, control.dimension] += wish.turn * control.sd * control.sign
    targets = [goal for goal in goals if goal[1].target is not None]
    for _ in range(ROUNDS if len(targets) > 1 else 1):
        moved = [_search(trained, z, z_after, control, wish.target, rows) for control, wish, rows in targets]
        if not any(moved):
            break
    shown = as_shown(examples)
    result = shown.copy()
    result[touched] = trained.decode(z_after[touched])
    before, rebuilt, after = (measure(trained, x) for x in (shown, reconstruction, result))
    return Edited(
        trained, tuple(wishes), shown, reconstruction, result, before, rebuilt, after, z, z_after, touched
    )


def _concerned(wish: Wish, n: int) -> np.ndarray:
    return np.ones(n, bool) if wish.measures is None else np.isin(np.arange(1, n + 1), wish.measures)


def as_shown(examples: np.ndarray) -> np.ndarray:
    """Examples as the decoder's are: images as bytes 0..255, measures as they are."""
    return examples.astype(np.uint8) * 255 if examples.dtype == bool else examples


def measure(trained: TrainedModel, examples: np.ndarray) -> np.ndarray:
    """Attributes (n, k) of examples as the decoder gives them; NaN where there is no function to measure
    them."""
    if not trained.measurable or not len(examples):
        return np.full((len(examples), len(trained.controls)), np.nan)
    return trained.measure(examples).astype(np.float64)


def _search(
    trained: TrainedModel, start: np.ndarray, z: np.ndarray, control: Control, target: float, rows: np.ndarray
) -> bool:
    """Set the control's column of z (n, d), in `rows`, to where the decoded attribute is nearest to `target`.

    start (n, d): the codes to stay close to. Returns whether anything moved.
    """
    rows = np.flatnonzero(rows)
    home = z[rows, control.dimension].copy()
    low, high = (
        np.minimum(control.low, start[rows, control.dimension]),
        np.maximum(control.high, start[rows, control.dimension]),
    )
    grid = np.linspace(low, high, POINTS, axis=1)  # (rows, points)
    grid = np.concatenate([start[rows, control.dimension][:, None], home[:, None], grid], axis=1)
    place, miss = _best(trained, start, z, control, target, rows, grid)
    step = (high - low) / (POINTS - 1)
    for _ in range(2):
        if not (miss > SAME).any():
            break
        near = np.linspace(place - step, place + step, CLOSER, axis=1)
        near = np.clip(near, low[:, None], high[:, None])
        place, miss = _best(
            trained, start, z, control, target, rows, np.concatenate([place[:, None], near], axis=1)
        )
        step = 2 * step / (CLOSER - 1)
    z[rows, control.dimension] = place
    return bool((np.abs(place - home) > 1e-9).any())


def _best(
    trained: TrainedModel,
    start: np.ndarray,
    z: np.ndarray,
    control: Control,
    target: float,
    rows: np.ndarray,
    grid: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Of the places grid (m, points) of the control the best for each of the m rows, and how far it misses:
    (m,), (m,)."""
    codes = np.repeat(z[rows], grid.shape[1], axis=0)
    codes[:, control.dimension] = grid.ravel()
    misses = missed(trained, measure(trained, trained.decode(codes)), control, target).reshape(grid.shape)
    least = misses.min(axis=1)
    away = np.abs(grid - start[rows, control.dimension][:, None])
    away = np.where(misses <= least[:, None] + SAME, away, np.inf)
    best = away.argmin(axis=1)
    every = np.arange(len(rows))
    return grid[every, best], misses[every, best]


def missed(trained: TrainedModel, measured: np.ndarray, control: Control, target: float) -> np.ndarray:
    """How far measured attributes (n, k) are from the wished value of one: (n,); infinite where not
    measurable.

    The orientation of a dSprites shape is the same after its period (a square's after a quarter turn).
    """
    values = measured[:, trained.attribute_names.index(control.attribute)]
    miss = np.abs(values - target)
    if trained.attribute_names == sprites.NAMES and control.attribute == "orientation":
        shape = np.nan_to_num(measured[:, trained.attribute_names.index("shape")]).astype(int)
        miss = np.abs(
            sprites.angle_difference(values, np.full_like(values, target), np.take(sprites.PERIODS, shape))
        )
    return np.where(np.isfinite(miss), miss, np.inf)
