"""dSprites: every combination of shape, scale, orientation and place of one white shape, 737,280 images.

Matthey, Higgins, Hassabis, Lerchner, "dSprites: Disentanglement testing Sprites dataset", 2017 (Apache
2.0). The published file is read where it can be had; elsewhere the images are drawn again: the data set is
procedural, and the geometry below reproduces 160 published frames with a mean overlap above 0.999.
"""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from arvae.datasets import sources
from arvae.datasets.catalogue import Sizes
from arvae.datasets.combinations import checked, factors_of
from arvae.datasets.contract import DataError, Dataset, PackedImages, Split, shares
from arvae.files import DAMAGED, sha256
from arvae.progress import Log, Progress

FACTS = {
    "kind": "images",
    "sources": ("folder", "official", "drawn"),
    "attributes": {
        "shape": ("class", "square, ellipse or heart, as 0, 1, 2"),
        "scale": ("", "size, from half to whole"),
        "orientation": ("rad", "rotation, counter-clockwise, a full circle"),
        "x": ("", "position from left to right"),
        "y": ("", "position from top to bottom"),
    },
    "kinds": {"shape": "discrete", "orientation": "circular"},
    "about": """
**dSprites** (Matthey, Higgins, Hassabis, Lerchner 2017) holds one white shape on black (drawn here
black on white), in every combination of five factors: 3 shapes x 6 scales x 40 orientations x 32 x 32
positions, 737,280 images of 64 x 64 pixels. The factors are independent by design. Two are hard: orientation
is circular (its two ends, 0 and 2π, look alike, and a square looks the same every quarter turn), so that it
cannot be read off most pictures, and shape is a category without a meaningful order.
""",
}
ADDRESS = (
    "https://github.com/google-deepmind/dsprites-dataset/raw/master/"
    "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
)
FILE = ADDRESS.rsplit("/", 1)[1]
NAMES = tuple(FACTS["attributes"])
UNITS = tuple(unit for unit, _ in FACTS["attributes"].values())
COUNTS = (3, 6, 40, 32, 32)  # values of each factor; the last varies fastest
TOTAL = int(np.prod(COUNTS))
SIDE = 64
VALUES = (
    np.arange(3.0),  # square, ellipse, heart
    np.linspace(0.5, 1, 6),
    np.linspace(0, 2 * np.pi, 40),
    np.linspace(0, 1, 32),
    np.linspace(0, 1, 32),
)
# Geometry in pixels at scale 1, fitted to published frames: largest margin between pixels inside and outside.
SQUARE = 9.598  # half a side
ELLIPSE = (12.7659, 7.2123)  # semi-axes, the longer one horizontal at orientation 0
HEART = (9.5937, 10.5957, 1.4363)  # half the width, height unit, how far its origin lies above the centre
WINDOW = 32  # side of the square around the centre that holds every shape
SEED = 0  # of the split


def render(factors: np.ndarray) -> np.ndarray:
    """Draw images: int (n, 5) [shape, scale, orientation, x, y] -> uint8 (n, 64, 64) of 0 and 1.

    Ranges of the indices are COUNTS; x grows to the right, y downwards. Raises DataError naming an index
    outside.
    """
    return np.asarray(render_packed(factors))


def render_packed(factors: np.ndarray, log: Log | None = None) -> PackedImages:
    """Like `render`, eight pixels a byte; `log` takes a progress line about every five seconds."""
    factors = checked(factors, COUNTS, NAMES, "image")
    packed = np.empty((len(factors), SIDE, SIDE // 8), np.uint8)
    progress = Progress(len(factors), "dsprites", "images drawn", log=log or (lambda line: None))
    for start in range(0, len(factors), 512):
        part = factors[start : start + 512]
        packed[start : start + 512] = _draw(part)
        progress.update(len(part))
    progress.close()
    return PackedImages(packed)


def attributes(factors: np.ndarray) -> np.ndarray:
    """Attribute values float32 (n, 5) of factor indices (n, 5), as published; shape as 0, 1, 2."""
    factors = checked(factors, COUNTS, NAMES, "image")
    return np.stack([VALUES[k][factors[:, k]] for k in range(5)], axis=1).astype(np.float32)


def prepare(sizes: Sizes, source: str, raw: Path, cache: Path, log: Log = print) -> Dataset:
    """Split all combinations 70 / 10 / 20 % by a fixed shuffle, take `sizes` of each, and read or draw them.

    source: "auto", or "folder" (a file in $ARVAE_DATA or raw/dsprites), "official" (downloaded), "drawn".
    """
    places, folder = shares(TOTAL, sizes, SEED, "dsprites"), raw / "dsprites"
    wanted = np.concatenate(list(places.values()))

    def published(path: Path) -> tuple[PackedImages, dict]:
        return read_published(path, wanted, log), {"file": FILE, "sha256": sha256(path)}

    def drawn() -> tuple[PackedImages, dict]:
        geometry = {"square": SQUARE, "ellipse": ELLIPSE, "heart": HEART}
        return render_packed(factors_of(wanted, COUNTS), log), {"geometry in pixels": geometry}

    offered = {
        "folder": lambda: published(sources.in_folder(folder, FILE)),
        "official": lambda: published(sources.download(ADDRESS, folder / "official" / FILE, _check, log)),
        "drawn": drawn,
    }
    by_hand = f"put {FILE} into {folder}"
    (images, facts), used = sources.first("dsprites", offered, source, by_hand, log)
    splits, start = {}, 0
    for part, index in places.items():
        factors, packed = factors_of(index, COUNTS), images.packed[start:][: len(index)]
        splits[part] = Split(PackedImages(packed), attributes(factors), {"factors": factors})
        start += len(index)
    return Dataset(
        name="dsprites",
        kind="images",
        attribute_names=NAMES,
        attribute_units=UNITS,
        provenance={
            "title": "dSprites: one white shape on black, every combination of five factors",
            "source": used,
            "address": ADDRESS if used == "official" else None,
            "licence": "Apache 2.0 (data set); images drawn here reproduce it",
            "citation": "Matthey, Higgins, Hassabis, Lerchner: dSprites, 2017",
            "split": f"70 / 10 / 20 % of all {TOTAL:,} combinations, shuffled with seed {SEED}",
            **facts,
        },
        **splits,
    )


def read_published(path: Path, places: np.ndarray, log: Log = print) -> PackedImages:
    """Read the images at `places` (n,) of the published npz, in that order.

    Only its `imgs` are opened; its `metadata` is a pickle, which could run code. Images are packed while they
    are decompressed, so that the 3 GB never stand in memory. Raises DataError when they are not dSprites'.
    """
    packed = np.empty((TOTAL, SIDE, SIDE // 8), np.uint8)
    progress = Progress(TOTAL, "dsprites", "images read", log=log)
    with _images(path) as file:
        for start in range(0, TOTAL, 4096):
            count = min(4096, TOTAL - start)
            block = np.frombuffer(file.read(count * SIDE**2), np.uint8).reshape(count, SIDE, SIDE)
            if block.max() > 1:
                raise DataError(f"{path}: image values up to {block.max()}, dSprites has 0 and 1")
            packed[start : start + count] = np.packbits(block, axis=-1)
            progress.update(count)
    progress.close()
    # The file's labels need not be read: other images, or an other order, would not overlap with the drawing.
    sample = np.random.default_rng(SEED).choice(TOTAL, min(300, TOTAL), replace=False)
    seen, drawn = np.unpackbits(packed[sample], axis=-1), render(factors_of(sample, COUNTS))
    overlap = float(((seen & drawn).sum((1, 2)) / np.maximum((seen | drawn).sum((1, 2)), 1)).mean())
    if overlap < 0.98:
        raise DataError(f"{path}: its images overlap only {overlap:.2f} with dSprites'; replace the file")
    return PackedImages(packed[places])


def _check(path: Path) -> None:
    with _images(path):
        pass


@contextlib.contextmanager
def _images(path: Path) -> Iterator[IO[bytes]]:
    """The published file, open where its images begin; DataError where it is damaged or another file."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("imgs.npy") as file:
            np.lib.format.read_magic(file)
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            if (shape, fortran, dtype) != ((TOTAL, SIDE, SIDE), False, np.uint8):
                raise DataError(f"{path.name} holds {dtype} {shape}, dSprites uint8 {(TOTAL, SIDE, SIDE)}")
            yield file
    except DAMAGED as error:
        if isinstance(error, DataError):  # which is a ValueError, too
            raise
        raise DataError(f"{path} is damaged, or not the dSprites file ({error}): delete it") from error


def _draw(factors: np.ndarray) -> np.ndarray:
    """Packed images uint8 (m, 64, 8): a pixel is white when its centre is inside the shape."""
    m = len(factors)
    size, turn = VALUES[1][factors[:, 1]], VALUES[2][factors[:, 2]]
    centre = 16 + 32 * np.stack([VALUES[3][factors[:, 3]], VALUES[4][factors[:, 4]]])  # (2, m): x, y
    first = np.floor(centre).astype(np.intp) - WINDOW // 2  # the window's first column and row, 0-32
    u, v = first[:, :, None] + np.arange(WINDOW) + 0.5 - centre[:, :, None]  # each (m, 32)
    cos, sin = (np.cos(turn) / size)[:, None], (np.sin(turn) / size)[:, None]
    # the pixel centres in the shape's own upright frame, (m, rows, columns)
    right = (u * cos)[:, None, :] - (v * sin)[:, :, None]
    down = (u * sin)[:, None, :] + (v * cos)[:, :, None]
    inside = np.empty(right.shape, bool)
    for kind, test in enumerate((_in_square, _in_ellipse, _in_heart)):
        rows = factors[:, 0] == kind
        inside[rows] = test(right[rows], down[rows])
    # each window row is 32 bits, moved to its place in the 64 bits of an image row
    bits = np.packbits(inside, axis=-1).view(">u4")[..., 0].astype(np.uint64)
    image = np.zeros((m, SIDE), np.uint64)
    shift = (WINDOW - first[0][:, None]).astype(np.uint64)
    image[np.arange(m)[:, None], first[1][:, None] + np.arange(WINDOW)] = bits << shift
    return image.astype(">u8").view(np.uint8).reshape(m, SIDE, SIDE // 8)


def _in_square(right: np.ndarray, down: np.ndarray) -> np.ndarray:
    return (np.abs(right) < SQUARE) & (np.abs(down) < SQUARE)


def _in_ellipse(right: np.ndarray, down: np.ndarray) -> np.ndarray:
    return (right / ELLIPSE[0]) ** 2 + (down / ELLIPSE[1]) ** 2 < 1


def _in_heart(right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Inside x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, stretched to HEART.

    At a given x the curve has two heights, with cos t = c and -c: y = 4 - 2 c^2 - 8 c^4 +- (19 c - 8 c^3).
    """
    width, unit, rise = HEART
    c2 = np.maximum(1 - np.cbrt((right / width) ** 2), 0)
    y = (-down - rise) * (16 / unit)
    return np.abs(y - 4 + 2 * c2 + 8 * c2 * c2) < np.sqrt(c2) * (19 - 8 * c2)
