"""Pictures in and out: a digit made to look like MNIST's, a dSprites frame, a decoded image as PNG."""

from pathlib import Path

import numpy as np
from PIL import Image

from arvae.datasets import DataError, pictures
from arvae.edit.faults import EditError
from arvae.files import atomic_write

SPRITE = 64


def model_for(path: Path | str) -> str:
    """The data set a picture file is for: dsprites by its size, else mnist. EditError where it is none."""
    return "dsprites" if _read(Path(path)).size == (SPRITE, SPRITE) else "mnist"


def read(path: Path | str, dataset: str, invert: bool | None = False) -> tuple[np.ndarray, tuple[str, ...]]:
    """A picture -> (what the data set's model takes, what was done to it in words).

    mnist: uint8 (1, 28, 28), light on dark; larger pictures are cut out, scaled and centred as MNIST's were.
    dsprites: bool (1, 64, 64). Raises EditError for other sizes, pictures with nothing on them, and dark on
    light unless `invert` (None: either; ink on a transparent ground may have either colour, too).
    """
    path = Path(path)
    picture = _read(path)
    grey, adapted, size = picture.grey, list(picture.notes), "{} x {}".format(*picture.size)
    if int(grey.max()) - int(grey.min()) < pictures.INK:
        found = f"{path.name} shows nothing (its pixels are {grey.min()} to {grey.max()} of 0 to 255)"
        raise EditError(f"{found}: choose a picture with something on it")
    if dataset == "dsprites" and grey.shape != (SPRITE, SPRITE):
        raise EditError(f"{path.name} is {size}, a dSprites frame is {SPRITE} x {SPRITE}: crop or scale it")
    side = pictures.DIGIT
    if min(grey.shape) < side:
        raise EditError(f"{path.name} is {size}, at least {side} x {side} pixels are needed: enlarge it")
    try:
        light, dark_on_light, evened = pictures.light_on_dark(grey)
    except DataError as error:
        raise EditError(f"{path.name} {error}: crop it to the digit on its paper") from error
    if invert not in (None, dark_on_light) and not picture.transparent:
        if invert:
            raise EditError(f"{path.name} is light on dark already: leave --invert out")
        raise EditError(f"{path.name} is dark on light, the models expect light on dark: add --invert")
    if dark_on_light:
        adapted.append("inverted")
    if evened:
        adapted.append("uneven light and grain taken out")
    if dataset == "dsprites":
        return (light >= 128)[None], tuple(adapted)
    if light.shape != (side, side):
        box = f"{pictures.BOX} x {pictures.BOX}"
        adapted.append(f"{size} cut out, scaled into {box} and centred by mass, as MNIST's digits are")
        light = pictures.digit(light)
    return light[None], tuple(adapted)


def _read(path: Path) -> pictures.Picture:
    if not path.is_file():
        raise EditError(f"there is no file {path}: check the name")
    try:
        return pictures.read(path)
    except DataError as error:
        raise EditError(f"{error}: save it as PNG, at a few hundred pixels a side") from error


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
