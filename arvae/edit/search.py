"""The edit itself: encode, turn controls, decode, measure, and search where a turn alone does not do.

A wished value is searched along its control's dimension: decode a grid over the range that codes of the data
span, keep the place whose measured attribute is nearest to the wish, look closer around it. A turn is
searched where the attribute, as measured on the output, did not move as asked from what was given: the place
nearest to the turn is taken where it does or, where there is none, the one that comes closest. Of equally
good places the one nearest to where the search began is kept, so that as little else as possible changes.
Several wishes are searched one after the other until none moves any more.
"""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np

from arvae.datasets import sprites
from arvae.edit.faults import EditError
from arvae.edit.wishes import Wish, span
from arvae.trained import TrainedModel, as_shown

POINTS, CLOSER = 41, 17  # places of the first grid, of each that looks closer
ROUNDS = 4  # at most, of searching several wishes in turn
SAME = 1e-6  # attributes this near to each other are the same


@dataclasses.dataclass(frozen=True, eq=False)
class Edited:
    """What became of n examples (measures of a melody, or one image).

    original, reconstruction, result: examples (n, ...), the reconstruction from the untouched code; before,
    rebuilt, after: their attributes (n, k), NaN where they cannot be measured; z, z_after: codes (n, d);
    touched (n,): which were to be edited, the others stay as they were; concerned, searched (w, n): which of
    them each wish was about, and where a turn was replaced by a search (if `search`); scale: the pitch
    classes that were allowed, and free: what the same wishes give without.
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
    concerned: np.ndarray
    searched: np.ndarray
    search: bool
    scale: frozenset[int] | None = None
    free: "Edited | None" = None

    @property
    def music(self) -> bool:
        """Whether measures of a melody were edited."""
        return self.trained.setup.kind == "music"


def edit(
    trained: TrainedModel,
    examples: np.ndarray,
    wishes: Sequence[Wish] = (),
    only: Sequence[int] | None = None,
    search: bool = True,
    scale: Collection[int] | None = None,
    z: np.ndarray | None = None,
) -> Edited:
    """Edit examples (measures int16 (n, 24), or images (n, h, w) as bool or bytes 0..255).

    only: the examples to edit, counted from 1 (None: all). One with no wish that concerns it stays as it is;
    with no wishes at all every one of them is replaced by its reconstruction. search=False: turns stay as
    asked, whatever the attribute does. scale: the pitch classes (0 to 11, 0 is C) that the decoder may choose
    among at each tick; z (n, d): the codes to start from (None: the means of the examples' distributions).
    Raises EditError where nothing is left to edit.
    """
    n, wishes = len(examples), tuple(wishes)
    chosen = np.ones(n, bool) if only is None else np.isin(np.arange(1, n + 1), list(only))
    concerned = np.array([chosen & wish.concerns(n) for wish in wishes], bool).reshape(len(wishes), n)
    touched = concerned.any(axis=0) if wishes else chosen
    if not touched.any():
        outside = f", and only {span(only)} may change" if only is not None else ""
        raise EditError(f"no measure is left to edit: requested {'; '.join(map(str, wishes))}{outside}")
    z = (trained.encode(examples)[0] if z is None else z).astype(np.float64)
    allowed = None if scale is None else symbols(trained, scale)
    original, reconstruction = as_shown(examples), trained.decode(z, allowed)
    before = trained.measure(original)
    turned = z.copy()
    for wish, rows in zip(wishes, concerned, strict=True):
        if wish.turn is not None:
            control = trained.control(wish.attribute)
            turned[rows, control.dimension] += wish.turn * control.sd * control.sign
    z_after, searched = turned.copy(), np.zeros_like(concerned)
    goals = [number for number, wish in enumerate(wishes) if search or wish.turn is None]
    for _ in range(ROUNDS if len(goals) > 1 else 1):
        moved = False
        for number in goals:
            wish, rows = wishes[number], np.flatnonzero(concerned[number])
            column = trained.control(wish.attribute).dimension
            home = (z if wish.turn is None else turned)[rows, column]
            place = _search(trained, wish, z_after[rows], home, before[rows], allowed)
            moved |= bool((np.abs(place - z_after[rows, column]) > 1e-9).any())
            z_after[rows, column] = place
            searched[number, rows] = (wish.turn is not None) & (place != home)
        if not moved:
            break
    result = original.copy()
    result[touched] = trained.decode(z_after[touched], allowed)
    rebuilt, after = trained.measure(reconstruction), trained.measure(result)
    return Edited(
        trained, wishes, original, reconstruction, result, before, rebuilt, after, z, z_after, touched,
        concerned, searched, search, None if scale is None else frozenset(scale),
        None if scale is None else edit(trained, examples, wishes, only, search, z=z),
    )  # fmt: skip


def symbols(trained: TrainedModel, scale: Collection[int]) -> np.ndarray:
    """Which symbols a decoder may choose among to stay in a scale: bool (V,), all but notes of other pitch
    classes."""
    codes = trained.vocabulary.decode(np.arange(trained.vocabulary.size))
    return (codes < 0) | np.isin(codes % 12, list(scale))


def _search(
    trained: TrainedModel, wish: Wish, z: np.ndarray, home: np.ndarray, given: np.ndarray,
    allowed: np.ndarray | None,
) -> np.ndarray:  # fmt: skip
    """Where on its control's dimension each of the codes z (m, d) fulfils the wish best: (m,).

    home (m,): the place to stay near; given (m, k): the attributes before the edit; allowed (V,): symbols.
    """
    control = trained.control(wish.attribute)

    def best(rows: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the places grid (r, points) the best for each of `rows`, and by how much it misses."""
        codes = np.repeat(z[rows], grid.shape[1], axis=0)
        codes[:, control.dimension] = grid.ravel()
        measured = trained.measure(trained.decode(codes, allowed))
        miss = missed(trained, wish, np.repeat(given[rows], grid.shape[1], axis=0), measured)
        miss = miss.reshape(grid.shape)
        least = miss.min(axis=1)
        away = np.where(miss <= least[:, None] + SAME, np.abs(grid - home[rows, None]), np.inf)
        chosen = np.arange(len(rows)), away.argmin(axis=1)
        return grid[chosen], miss[chosen]

    every = np.arange(len(z))
    place, miss = best(every, np.stack([home, z[:, control.dimension]], axis=1))
    low, high = np.minimum(control.low, home), np.maximum(control.high, home)
    width = (high - low) / (POINTS - 1)
    grid = np.linspace(low, high, POINTS, axis=1)
    for _ in range(3):
        rows = np.flatnonzero(miss > SAME)
        if not rows.size:
            break
        place[rows], miss[rows] = best(rows, np.concatenate([place[rows, None], grid[rows]], axis=1))
        grid = np.linspace(place - width, place + width, CLOSER, axis=1).clip(low[:, None], high[:, None])
        width = 2 * width / (CLOSER - 1)
    return place


def missed(trained: TrainedModel, wish: Wish, given: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """How far measured attributes (n, k) are from what was wished: (n,), 0 where it came true, infinite where
    it cannot be measured.

    A turn came true where the attribute moved in the asked direction from what was given, (n, k).
    """
    if wish.target is not None:
        miss = np.abs(difference(trained, wish.attribute, measured, wish.target))
    else:
        moved = direction(trained, wish, given, measured)
        miss = np.where(moved > SAME, 0, 3 * SAME - moved)  # standing still misses by more than SAME
    return np.where(np.isfinite(miss), miss, np.inf)


def direction(trained: TrainedModel, wish: Wish, given: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """How far a turn moved the measured attribute in the asked direction: (n,), negative: the other way."""
    aim = given[:, trained.attribute_names.index(wish.attribute)]
    return np.sign(wish.turn) * difference(trained, wish.attribute, measured, aim)


def difference(
    trained: TrainedModel, attribute: str, measured: np.ndarray, aim: np.ndarray | float
) -> np.ndarray:
    """What measured attributes (n, k) have more of one attribute than `aim`: (n,).

    The orientation of a dSprites shape is the same after its period (a square's after a quarter turn).
    """
    names = trained.attribute_names
    values = measured[:, names.index(attribute)]
    if names == sprites.NAMES and attribute == "orientation":
        shape = np.nan_to_num(measured[:, names.index("shape")]).astype(int)
        return sprites.angle_difference(values, aim, np.take(sprites.PERIODS, shape))
    return values - aim
