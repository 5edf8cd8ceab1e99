"""Morpho-MNIST attributes: how large, long, thick, slanted, wide and high a digit is.

Definitions: Castro, Tan, Kainz, Konukoglu, Glocker, "Morpho-MNIST: Quantitative Assessment and Diagnostics
for Representation Learning", JMLR 2019, section 2. Everything here works on whole batches: enlarging is two
matrix products, and the skeletons of a batch are thinned in step: 0.3 ms a digit, where scikit-image's
`medial_axis`, which gives the same, takes 13 ms.
"""

import functools
from collections.abc import Callable

import joblib
import numpy as np
from scipy import ndimage

from arvae.datasets.contract import DataError
from arvae.progress import Progress

COLUMNS = ("area", "length", "thickness", "slant", "width", "height")
UNITS = ("px²", "px", "px", "rad", "px", "px")
SIDE, SCALE = 28, 4
BIG = SIDE * SCALE  # 112: side of an enlarged digit
PADDED = BIG + 2  # with a rim of background, so that every pixel has eight neighbours
CHUNK = 250  # digits measured together: long enough for numpy, short enough for the memory caches
KEPT = 0.98  # share of the mass inside the parallelogram


def measure(
    images: np.ndarray, workers: int = 1, log: Callable[[str], None] | None = None, label: str = "morphology"
) -> np.ndarray:
    """The six attributes of digits (n, 28, 28), as float64 (n, 6) in the order of COLUMNS.

    images: integers 0-255 (light on dark), measured on 8 bits like the published attributes; or floats 0-1,
    measured without rounding. workers: processes to share the work between. log: takes a progress line about
    every five seconds; None is silent.

    Raises DataError naming the index of an image that is constant (all black, say), and on a wrong shape or
    range.
    """
    images, rows = check(images), [np.empty((0, len(COLUMNS)))]
    progress = Progress(len(images), label, "digits", log=log or (lambda line: None))
    parts = (joblib.delayed(_measure)(images[i : i + CHUNK], i) for i in range(0, len(images), CHUNK))
    for measured in joblib.Parallel(workers, return_as="generator")(parts):
        rows.append(measured)
        progress.update(len(measured))
    progress.close()
    return np.concatenate(rows)


def check(images: np.ndarray) -> np.ndarray:
    """The images as uint8 or float64 when they can be measured; DataError with the reason when not."""
    images = np.asarray(images)
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        wanted = f"(n, {SIDE}, {SIDE})"
        raise DataError(f"digits to measure must be {wanted}, not {images.shape}: resize or reshape them")
    if images.dtype.kind not in "iuf":
        raise DataError(f"digits to measure must be integers 0-255 or floats 0-1, not {images.dtype}")
    top, kind = (1, "floats") if images.dtype.kind == "f" else (255, "integers")
    lowest, highest = images.min(axis=(1, 2), initial=top), images.max(axis=(1, 2), initial=0)
    outside = np.flatnonzero(~((lowest >= 0) & (highest <= top)))  # written so that NaN is outside too
    if len(outside):
        index = outside[0]
        raise DataError(
            f"digit {index} has values from {lowest[index]} to {highest[index]}, "
            f"as {kind} they must be 0-{top}: scale the images (uint8 0-255, or floats divided by 255)"
        )
    _refuse_flat(lowest, highest)
    return images.astype(np.uint8 if top == 255 else np.float64, copy=False)


def enlarge(images: np.ndarray) -> np.ndarray:
    """Digits (n, 28, 28) four times as large, float64 (n, 112, 112); whole numbers if the input is.

    Cubic convolution (Catmull-Rom) with mirrored borders, clipped to the digit's own range, then a Gaussian
    of 4/3 pixels; integers are cut down to integers. The same numbers as scikit-image's `warp` (order 3,
    mode "reflect", pixel centres aligned) and `gaussian`.
    """
    matrix = _cubic()
    large = matrix @ images.astype(np.float64) @ matrix.T  # exact for 8-bit pixels: weights are k / 1024
    lowest, highest = images.min(axis=(1, 2), keepdims=True), images.max(axis=(1, 2), keepdims=True)
    np.clip(large, lowest, highest, out=large)
    large = ndimage.gaussian_filter(large, (0, 2 * SCALE / 6, 2 * SCALE / 6), mode="reflect")
    return np.floor(large, out=large) if images.dtype == np.uint8 else large


def squared_distances(foreground: np.ndarray) -> np.ndarray:
    """Squared distance of each pixel to the nearest background of its image, uint16 (n, 112, 112).

    foreground: bool (n, 112, 112), some background in each.
    """
    squared = [ndimage.distance_transform_edt(one) ** 2 for one in foreground]
    return np.rint(squared).astype(np.uint16).reshape(foreground.shape)


def medial_axis(foreground: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """Skeletons bool (n, 112, 112) of foregrounds of that shape with their `squared_distances`.

    Pixels are visited from the rim inwards (by distance, then the sharpest corners last, then a fixed
    shuffle) and removed unless that would split or shorten the shape: scikit-image's `medial_axis`, with
    ties broken by RandomState(0), for all images of the batch at once, one pixel of each at a step.
    """
    n = len(foreground)
    state = np.zeros((n + 1, PADDED, PADDED), np.uint8)  # one image more, a place for steps without a pixel
    state[:n, 1:-1, 1:-1] = foreground
    flat = state.reshape(-1)
    order = _order(foreground, squared, flat)
    offsets, weights, keep = _neighbours(), (1 << np.arange(9)).astype(np.int16), _keep_table()
    for pixels in order:
        codes = weights @ flat[offsets + pixels]
        flat[pixels] = keep[codes]
    return state[:n, 1:-1, 1:-1].astype(bool)


def _measure(images: np.ndarray, start: int) -> np.ndarray:
    """What `measure` gives for a batch, whose first image is number `start` of all."""
    large = enlarge(images)
    lowest, highest = large.min(axis=(1, 2)), large.max(axis=(1, 2))
    _refuse_flat(lowest, highest, start)
    foreground = large >= (lowest + (highest - lowest) / 2)[:, None, None]
    squared = squared_distances(foreground)
    skeleton = medial_axis(foreground, squared)

    area = foreground.sum(axis=(1, 2)) / SCALE**2
    sides = _pairs(skeleton[:, 1:], skeleton[:, :-1]) + _pairs(skeleton[:, :, 1:], skeleton[:, :, :-1])
    diagonals = _pairs(skeleton[:, 1:, 1:], skeleton[:, :-1, :-1])
    diagonals += _pairs(skeleton[:, 1:, :-1], skeleton[:, :-1, 1:])
    length = (sides + np.sqrt(2) * diagonals) / SCALE
    depth = (np.sqrt(squared, dtype=np.float64) * skeleton).sum(axis=(1, 2)) / skeleton.sum(axis=(1, 2))
    slant, width, height = _parallelogram(large)
    return np.stack([area, length, 2 * depth / SCALE, slant, width, height], axis=1)


def _parallelogram(large: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slant (radians), width and height (pixels), each (n,): the sheared box that keeps KEPT of the mass."""
    n, places = len(large), np.arange(BIG, dtype=np.float64)
    rows, columns = large.sum(axis=2), large.sum(axis=1)
    mass = rows.sum(axis=1)
    x, y = columns @ places / mass, rows @ places / mass
    u11 = (large @ places) @ places / mass - x * y
    u02 = rows @ places**2 / mass - y**2
    shear = -u11 / u02
    # every pixel moves along its row to where the digit stands upright, to the nearest column
    upright = np.rint(places + (shear[:, None] * (places - y[:, None]))[:, :, None]).astype(np.int64)
    upright -= upright.min(axis=(1, 2), keepdims=True)
    bins = int(upright.max()) + 1
    upright += np.arange(n)[:, None, None] * bins
    sheared = np.bincount(upright.ravel(), large.ravel(), n * bins).reshape(n, bins)
    return np.arctan(shear), _extent(sheared) / SCALE, _extent(rows) / SCALE


def _extent(profile: np.ndarray) -> np.ndarray:
    """Distance (n,) between the two quantiles of mass (n, bins) that leave KEPT between them."""
    share, places = np.cumsum(profile, axis=1), np.arange(profile.shape[1])
    share /= share[:, -1:]
    ends = np.array([np.interp(((1 - KEPT) / 2, (1 + KEPT) / 2), row, places) for row in share])
    return ends[:, 1] - ends[:, 0]


def _pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.count_nonzero(first & second, axis=(1, 2))


def _order(foreground: np.ndarray, squared: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Flat indices (steps, n) into the padded batch: the pixel of each image to visit at each step."""
    n = len(foreground)
    image, y, x = np.nonzero(foreground)
    pixels = image * PADDED**2 + (y + 1) * PADDED + x + 1
    corner = 9 - sum(flat[pixels + offset].astype(np.int64) for offset in _neighbours()[:, 0])
    counts = np.bincount(image, minlength=n)
    ties = np.concatenate([_shuffle(int(count)) for count in counts])
    # distance, corner, shuffle and place in one number a pixel (15 + 4 + 14 + 14 bits): one sort does it
    first = squared[foreground].astype(np.int64) * 16 + corner
    keys = (first << 28) | (ties << 14) | (pixels - image * PADDED**2)
    order = np.full((counts.max(initial=0), n), n * PADDED**2 + PADDED + 1)
    ends = np.cumsum(counts)
    for index, (end, count) in enumerate(zip(ends, counts, strict=True)):
        order[:count, index] = np.sort(keys[end - count : end]) & (2**14 - 1)
        order[:count, index] += index * PADDED**2
    return order


@functools.lru_cache(maxsize=8192)
def _shuffle(count: int) -> np.ndarray:
    # a generator of numpy's old kind, made here and seeded: the published values broke ties with it
    return np.random.RandomState(0).permutation(count).astype(np.int64)


@functools.cache
def _neighbours() -> np.ndarray:
    """Offsets (9, 1) in a padded flat image of a pixel's neighbourhood, row by row, itself in the middle."""
    return np.array([[dy * PADDED + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])


@functools.cache
def _keep_table() -> np.ndarray:
    """For each of the 512 neighbourhoods: 1 if its middle pixel must stay.

    It stays where its removal would change the number of 8-connected parts, or leave fewer than two pixels.
    """
    patterns = (np.arange(512)[:, None] >> np.arange(9) & 1).reshape(-1, 3, 3)
    parts = np.array([ndimage.label(pattern, np.ones((3, 3)))[1] for pattern in patterns])
    middle = patterns[:, 1, 1] == 1
    without = parts[np.arange(512) & ~16]
    return (middle & ((parts != without) | (patterns.sum(axis=(1, 2)) < 3))).astype(np.uint8)


@functools.cache
def _cubic() -> np.ndarray:
    """Matrix (112, 28) that enlarges a row of pixels four times by Catmull-Rom splines, borders mirrored."""
    source = (np.arange(BIG) + 0.5) / SCALE - 0.5
    whole = np.floor(source).astype(int)
    t = source - whole
    weights = np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2])
    inside = SIDE - 1 - np.abs(SIDE - 1 - np.abs(whole + [[-1], [0], [1], [2]]))  # -1 -> 1, 28 -> 26
    matrix = np.zeros((BIG, SIDE))
    np.add.at(matrix, (np.arange(BIG), inside), weights / 2)
    return matrix


def _refuse_flat(lowest: np.ndarray, highest: np.ndarray, start: int = 0) -> None:
    """DataError where an image has one value everywhere; start: the number of the first."""
    flat = np.flatnonzero(lowest == highest)
    if len(flat):
        more = f" ({len(flat)} such images)" if len(flat) > 1 else ""
        shown = f"its pixels are {lowest[flat[0]]:g} everywhere, or as good as{more}"
        raise DataError(f"digit {flat[0] + start} shows nothing: {shown}; leave such images out")
