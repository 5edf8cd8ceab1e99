"""Pictures in and out: a digit made to look like MNIST's, a dSprites frame, a decoded image as PNG."""

from pathlib import Path

import numpy as np
from PIL import Image

from arvae.datasets import DataError, catalogue, custom, pictures
from arvae.edit.faults import EditError
from arvae.files import atomic_write
from arvae.music.files import ENDINGS
from arvae.trained import TrainedModel

SPRITE = 64
Read = tuple[np.ndarray, tuple[str, ...]]


def model_for(path: Path | str) -> str:
    """The data set a picture file is for: dsprites by its size, else mnist. EditError where it is none."""
    return "dsprites" if _read(Path(path)).size == (SPRITE, SPRITE) else "mnist"


def read_for(trained: TrainedModel, path: Path, invert: bool | None = False) -> Read:
    """`read` for a model: one of MNIST's or dSprites' attributes, or of pictures prepared from a folder."""
    for dataset in ("mnist", "dsprites"):
        if catalogue.data_sets()[dataset].attributes.keys() <= set(trained.attribute_names):
            return read(path, dataset, invert)
    _read(path)
    try:
        side = trained.decode(np.zeros((1, trained.setup.latent_dim))).shape[-1]
        image, adapted = custom.read_image(path.parent, path.name, side)
    except DataError as error:
        raise EditError(str(error)) from error
    return image[None], adapted


def read(path: Path | str, dataset: str, invert: bool | None = False) -> Read:
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
        raise EditError(
            f"there is no file {path}: check the name" if not path.is_dir() else f"{path} is a folder"
        )
    try:
        return pictures.read(path)
    except DataError as error:
        raise EditError(f"{error}: save it as PNG (a melody: as {', '.join(ENDINGS)})") from error


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
