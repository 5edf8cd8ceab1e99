"""Reading the factors of a dSprites image off its pixels: shape, scale, orientation, x, y.

Needed to measure what a decoder drew. From the image's moments come its position (centroid) and its size
(area); shifted to its centroid and scaled to unit area, the drawing is compared with every shape in every
orientation by intersection over union. The templates are drawn by `arvae.datasets.dsprites.render`.
"""

import functools
import itertools

import numpy as np
import torch
from torch.nn import functional as F

from arvae.datasets import dsprites

SIDE, NAMES = dsprites.SIDE, dsprites.NAMES
SHAPES = ("square", "ellipse", "heart")
#: After this turn (radians) a shape looks the same.
PERIODS = (np.pi / 2, np.pi, 2 * np.pi)
ORDERS = (4, 2, 1)  # of the shapes' rotational symmetry: so many periods in a turn
LEAST_AREA = 16  # white pixels: less is no drawing (the smallest of the data set has 51)
DISC = 3  # what a drawing without corners or axes is compared with: it is none of the three shapes
_GRID = 32  # samples a side of a normalised drawing
_REACH = 1.1  # half the side of the normalised window, in square roots of the area
_BATCH = 2048


def estimate(images: np.ndarray) -> np.ndarray:
    """Factors of images (n, 64, 64), 0..1 or bool, thresholded at 0.5: float32 (n, 5), ordered as NAMES.

    shape 0, 1, 2; scale and position in the data set's units (0.5..1, 0..1, beyond them where the drawing
    is beyond them); orientation in radians, 0 <= angle < the period of the estimated shape, for a square
    cannot tell a quarter turn from none. NaN in all columns where nothing is drawn (fewer than 16 pixels);
    shape, orientation NaN where the drawing resembles none of the shapes (IoU below 0.5).
    """
    images = np.asarray(images)
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"images have shape {images.shape}: give (n, {SIDE}, {SIDE})")
    parts = [_estimate(images[i : i + _BATCH] >= 0.5) for i in range(0, len(images), _BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, 5), np.float32)


def _estimate(white: np.ndarray) -> np.ndarray:
    area, centre = _moments(white)
    drawn = area >= LEAST_AREA
    result = np.full((len(white), 5), np.nan, np.float32)
    if not drawn.any():
        return result
    area, centre = area[drawn], centre[drawn]
    template = Templates()
    best = _iou(_normalised(white[drawn], area, centre), template.drawings).argmax(axis=1)
    shape = template.shape[best]
    known = shape != DISC
    scale = np.sqrt(area / template.unit_area[shape])
    angle = template.orientation[best] % np.take(PERIODS, shape, mode="clip")
    # The heart's centroid is not the point its position names; where depends on size and orientation.
    position = (centre - template.offset[best] * scale[:, None] - 16) / 32
    shape, angle = np.where(known, shape, np.nan), np.where(known, angle, np.nan)
    result[drawn] = np.column_stack([shape, scale, angle, position[:, ::-1]])
    return result


def _moments(white: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area (n,) and centroid (n, 2) as (row, column), pixel centres at + 0.5; of nothing it is 0."""
    rows, columns = white.sum(axis=2), white.sum(axis=1)  # (n, 64) each
    area = rows.sum(axis=1)
    at = np.arange(SIDE) + 0.5
    centre = np.stack([rows @ at, columns @ at], axis=1) / np.maximum(area, 1)[:, None]
    return area.astype(np.float64), centre


def _normalised(white: np.ndarray, area: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Each drawing seen in a window around its centroid that grows with its size: float32 (n, _GRID ** 2)."""
    window = np.linspace(-_REACH, _REACH, _GRID, dtype=np.float32)
    # grid_sample counts from -1 to 1 across the image, x before y.
    step = 2 / SIDE * np.sqrt(area)[:, None] * window  # (n, _GRID)
    middle = 2 / SIDE * centre - 1
    y, x = middle[:, :1] + step, middle[:, 1:] + step
    grid = np.stack(np.broadcast_arrays(x[:, None, :], y[:, :, None]), axis=-1).astype(np.float32)
    image = torch.from_numpy(white[:, None].astype(np.float32))
    sampled = F.grid_sample(image, torch.from_numpy(grid), align_corners=False)
    return sampled.flatten(1).numpy()


def _iou(drawings: np.ndarray, templates: np.ndarray) -> np.ndarray:
    """Soft intersection over union of every drawing (n, p) with every template (t, p): (n, t)."""
    inside = drawings @ templates.T
    union = (drawings**2).sum(axis=1)[:, None] + (templates**2).sum(axis=1) - inside
    return inside / union


@functools.cache  # drawn once
class Templates:
    """Every shape at every orientation and four of the six scales, and discs; normalised."""

    def __init__(self) -> None:
        index = np.array(list(itertools.product(range(3), (0, 1, 3, 5), range(40), [16], [16])))
        drawn = dsprites.render(index) > 0
        white = np.concatenate([drawn, _discs((4.5, 6, 8, 12))])
        discs = len(white) - len(drawn)
        area, centre = _moments(white)
        self.drawings = _normalised(white, area, centre)
        self.shape = np.append(index[:, 0], [DISC] * discs)
        self.orientation = np.append(dsprites.VALUES[2][index[:, 2]], np.zeros(discs))
        scale = np.append(dsprites.VALUES[1][index[:, 1]], np.ones(discs))
        per_unit = area / scale**2
        # A disc has no scale of its own: it is given the mean of the three shapes of its area.
        units = [per_unit[self.shape == s].mean() for s in range(3)]
        self.unit_area = np.array([*units, np.mean(units)])
        placed = 16 + 32 * dsprites.VALUES[3][16]
        self.offset = (centre - placed) / scale[:, None]
        self.offset[self.shape == DISC] = 0.0


def _discs(radii: tuple[float, ...]) -> np.ndarray:
    at = np.arange(SIDE) + 0.5 - SIDE / 2
    squared = at[:, None] ** 2 + at**2
    return np.stack([squared < r**2 for r in radii])


def angle_difference(a: np.ndarray, b: np.ndarray, period: np.ndarray | float) -> np.ndarray:
    """Signed difference a - b of angles that repeat after `period`: -period/2 <= result < period/2."""
    return (a - b + period / 2) % period - period / 2


def unwrapped(angles: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Angles (..., p) along a traversal, freed of jumps by whole periods of the shape; NaN stays NaN.

    shape (..., p): the estimated shape at each point; where it changes on the way, the shortest period of
    the two points decides. A turn of more than half a period a step cannot be seen.
    """
    out = np.array(angles, dtype=np.float64)
    periods = np.take(PERIODS, np.nan_to_num(shape).astype(int))
    last, last_period = out[..., 0].copy(), periods[..., 0].copy()
    for i in range(1, out.shape[-1]):
        period = np.minimum(periods[..., i], last_period)
        moved = last + angle_difference(out[..., i], last, period)
        seen = np.isfinite(out[..., i])
        out[..., i] = np.where(np.isfinite(last), moved, out[..., i])
        last, last_period = np.where(seen, out[..., i], last), np.where(seen, periods[..., i], last_period)
    return out
