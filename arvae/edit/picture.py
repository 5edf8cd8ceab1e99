"""Pictures in and out: a digit made to look like MNIST's, a dSprites frame, a decoded image as PNG."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy import ndimage

from arvae.datasets.custom import FORMATS
from arvae.edit.faults import EditError
from arvae.files import atomic_write

SIDE, BOX = 28, 20  # MNIST: a digit is fitted into 20 x 20 and centred by its mass in 28 x 28
SPRITE = 64
_LARGEST = 4096  # pixels a side
_BRIGHT = 128  # a rim lighter than this is paper
_INK = 32  # what counts as part of the digit when it is cut out


def read(path: Path | str, dataset: str, invert: bool = False) -> tuple[np.ndarray, tuple[str, ...]]:
    """A picture -> (what the data set's model takes, what was done to it in words).

    mnist: uint8 (1, 28, 28), light on dark; larger pictures are cut out, scaled and centred as MNIST's were.
    dsprites: bool (1, 64, 64). Raises EditError for other sizes, pictures with nothing on them, and dark on
    light unless `invert`.
    """
    path = Path(path)
    grey = _grey(path)
    if int(grey.max()) - int(grey.min()) < _INK:
        raise EditError(
            f"{path.name} shows nothing (its pixels are {grey.min()} to {grey.max()} of 0 to 255): "
            "choose a picture with something on it"
        )
    adapted = []
    if invert:
        grey = 255 - grey
        adapted.append("inverted")
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(rim) >= _BRIGHT:
        if invert:
            raise EditError(f"{path.name} is light on dark already: leave --invert out")
        raise EditError(f"{path.name} is dark on light, the models know light on dark: add --invert")
    if dataset == "dsprites":
        if grey.shape != (SPRITE, SPRITE):
            raise EditError(
                f"{path.name} is {_size(grey)}, a dSprites frame is {SPRITE} x {SPRITE}: crop or scale it"
            )
        return (grey >= _BRIGHT)[None], tuple(adapted)
    if min(grey.shape) < SIDE:
        raise EditError(
            f"{path.name} is {_size(grey)}, needed are at least {SIDE} x {SIDE} pixels: enlarge it"
        )
    if grey.shape != (SIDE, SIDE):
        adapted.append(
            f"{_size(grey)} cut out, scaled into {BOX} x {BOX} and centred by mass, as MNIST's digits are"
        )
        grey = like_mnist(grey)
    return grey[None], tuple(adapted)


def size(path: Path | str) -> tuple[int, int]:
    """Width and height of a picture file. EditError where it is none."""
    grey = _grey(Path(path))
    return grey.shape[1], grey.shape[0]


def _size(grey: np.ndarray) -> str:
    return f"{grey.shape[1]} x {grey.shape[0]}"


def _grey(path: Path) -> np.ndarray:
    """Any picture file as uint8 (h, w); what is transparent becomes black."""
    try:
        with Image.open(path, formats=FORMATS) as image:  # no EPS, say: that would start Ghostscript
            if max(image.size) > _LARGEST:
                raise EditError(
                    f"{path.name} is {image.width} x {image.height}: at most {_LARGEST} a side, scale it down"
                )
            image.load()
            opaque = image.convert("RGBA")
    except FileNotFoundError:
        raise EditError(f"there is no file {path}: check the name") from None
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise EditError(f"{path.name} is no picture that can be read ({error}): save it as PNG") from error
    black = Image.new("RGBA", opaque.size, "black")
    return np.asarray(Image.alpha_composite(black, opaque).convert("L"))


def like_mnist(grey: np.ndarray) -> np.ndarray:
    """A light digit on dark, uint8 of any size -> uint8 (28, 28), prepared as MNIST was: its bounding box
    scaled into 20 x 20 with its sides in proportion, grey levels by anti-aliasing, the centre of mass in the
    middle (LeCun, Cortes & Burges, the MNIST database)."""
    seen = np.argwhere(grey.astype(int) - int(grey.min()) >= _INK)
    top, left = seen.min(axis=0)
    bottom, right = seen.max(axis=0) + 1
    digit = Image.fromarray(grey[top:bottom, left:right])
    scale = BOX / max(digit.size)
    small = digit.resize([max(1, round(side * scale)) for side in digit.size], Image.Resampling.LANCZOS)
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    pixels = np.asarray(small)
    height, width = pixels.shape
    row, column = (round(SIDE / 2 - 0.5 - at) for at in ndimage.center_of_mass(pixels.astype(float)))
    row, column = np.clip(row, 0, SIDE - height), np.clip(column, 0, SIDE - width)
    canvas[row : row + height, column : column + width] = pixels
    return canvas


def write(path: Path | str, image: np.ndarray, enlarge: int = 1) -> Path:
    """Write an image uint8 (h, w) as PNG, every pixel as `enlarge` x `enlarge`; returns the path."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise EditError(f"{path.name}: images are written as .png")
    if not 1 <= enlarge <= 64:
        raise EditError(f"--enlarge {enlarge} must be 1 to 64")
    with atomic_write(path) as temporary:
        Image.fromarray(image.repeat(enlarge, 0).repeat(enlarge, 1)).save(temporary, "png")
    return path
