"""Picture files as a person sees them: upright, in grey, transparency filled, light ink told from dark.

Used for folders of pictures (`custom`) and by `arvae.edit`.
"""

import dataclasses
import math
import warnings
from pathlib import Path

import numpy as np
from numpy.polynomial import polynomial
from PIL import ExifTags, Image
from scipy import ndimage

from arvae.datasets.contract import DataError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")  # no EPS, say: that would start Ghostscript
LARGEST = 8192  # pixels a side: larger files are taken for a mistake, or an attack
KEPT = 2048  # pixels a side: what is larger is brought down to this, which bounds time and memory
INK = 32  # grey levels by which ink differs from its ground at least
_TURNS = dict(zip(range(2, 9), (0, 3, 1, 5, 4, 6, 2), strict=True))  # EXIF orientation -> Image.Transpose
DIGIT, BOX = 28, 20  # MNIST: a digit is fitted into 20 x 20 and centred by its mass in 28 x 28


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A picture as read: grey uint8 (height, width), the file's width and height, what was done, in words.

    transparent: its ground had no colour and was given the one that its ink stands out from.
    """

    grey: np.ndarray
    size: tuple[int, int]
    notes: tuple[str, ...] = ()
    transparent: bool = False


def read(path: Path | str) -> Picture:
    """Read a picture of any kind in FORMATS; of an animation the first frame.

    It is turned as its EXIF data say. Greys of more than 8 bits are scaled by their own range. Raises
    DataError, without a remedy, for what is no such file or has more than LARGEST pixels a side.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of oversized pictures, refused here, and of odd metadata
            with Image.open(path, formats=FORMATS) as image:
                size = image.size
                if max(size) <= LARGEST:
                    return _read(image)
    except Exception as error:  # Pillow's readers raise almost anything on damaged bytes
        raise DataError(f"{path.name} is not a readable picture ({error})") from error
    raise DataError(f"{path.name} has {size[0]} x {size[1]} pixels: at most {LARGEST:,} a side can be read")


def _read(image: Image.Image) -> Picture:
    image.load()
    notes = []
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    transparent = image.has_transparency_data
    if image.mode[0] in "IF":  # 16 or 32 bits, or floating point
        notes.append("more than 8 bits a pixel, scaled by their own range")
        image, transparent = Image.fromarray(_eight_bits(np.array(image, np.float32))), False
    elif image.mode != (mode := "RGBA" if transparent else "L" if image.mode in ("1", "L") else "RGB"):
        image = image.convert(mode)
    if turn is not None:
        image = image.transpose(turn)
        notes.append("turned upright, as its EXIF data say")
    size = image.size
    if max(size) > KEPT:
        image = image.reduce(math.ceil(max(size) / KEPT))
    grey = np.asarray(image.convert("RGB").convert("L") if transparent else image.convert("L"))
    if transparent and (alpha := np.asarray(image.getchannel("A"))).min() < 255:
        grey, ground = _on_ground(grey, alpha)
        notes.append(f"its transparent ground made {ground}")
    else:
        transparent = False
    return Picture(grey, size, tuple(notes), transparent)


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Greys in any range, float32, which is overwritten -> uint8 from 0 to 255, in proportion."""
    low, high = values.min(), values.max()
    if not np.isfinite([low, high]).all():
        raise ValueError("it has values that are not numbers")
    values -= low
    values *= 255 / (high - low) if high > low else 0
    return np.rint(values, out=values).astype(np.uint8)


def _on_ground(grey: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, str]:
    """Grey under an alpha channel -> grey on an opaque ground, and what that is called.

    Ink of one brightness is put on white or black, whichever is farther away; a picture with a ground of its
    own (a card cut out, say) on its median. What colour lies under alpha 0 is of no account.
    """
    seen = grey[alpha > 127] if alpha.max() > 127 else np.zeros(1)
    low, middle, high = np.percentile(seen, (5, 50, 95))
    ground = middle if high - low >= 2 * INK else 255 if middle < 128 else 0
    share = alpha / np.float32(255)
    name = {0: "black", 255: "white"}.get(ground, "grey")
    return np.rint(grey * share + ground * (1 - share)).astype(np.uint8), name


def light_on_dark(grey: np.ndarray) -> tuple[np.ndarray, bool, bool]:
    """A drawing or a photo of one, uint8 (h, w) -> light ink on dark; was it dark on light; was light evened.

    The ground is what most of the rim shows. An even one is left as it is (inverted where it is the lighter).
    Light that falls off to one side, and grain, are taken out: dark ink is the share of light that it
    swallows, light ink what it adds. Raises DataError, without a remedy, where the rim shows no even ground.
    """
    step = max(1, max(grey.shape) // 128)
    small = np.asarray(Image.fromarray(grey).reduce(step), np.float64)
    terms, dark = _ground(small)
    ground = polynomial.polygrid2d(*(np.linspace(-1, 1, side) for side in grey.shape), terms)
    away = (ground - grey) if dark else (grey - ground)
    grain = 1.4826 * float(np.median(np.abs(away)))  # the deviation of what is not ink
    if np.ptp(ground) < INK / 2 and grain < 2:
        return (255 - grey if dark else grey), dark, False
    ink = np.where(away > max(4 * grain, 4), away / np.maximum(ground, 16) if dark else away, 0)
    strong = np.percentile(ink[ink > 0], 90) if ink.any() else 1
    return np.rint(np.clip(ink * (255 / strong), 0, 255)).astype(np.uint8), dark, True


def _ground(small: np.ndarray) -> tuple[np.ndarray, bool]:
    """The ground's brightness as a polynomial over [-1, 1]^2 (for `polygrid2d`), and whether ink is darker.

    Fitted to the rim first, then to all pixels that are like it, those that stand out left aside.
    """
    places = np.meshgrid(*(np.linspace(-1, 1, side) for side in small.shape), indexing="ij")
    rim, edge = np.ones(small.shape, bool), max(1, min(small.shape) // 16)
    rim[edge:-edge, edge:-edge] = False
    kept = rim
    for degree in (0, 1, 2, 2, 2, 3, 3, 3):
        powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        columns = np.stack([places[0][kept] ** i * places[1][kept] ** j for i, j in powers], axis=1)
        terms = np.zeros((degree + 1, degree + 1))
        terms[tuple(np.transpose(powers))] = np.linalg.lstsq(columns, small[kept], rcond=None)[0]
        away = small - polynomial.polyval2d(*places, terms)
        scatter = 1.4826 * float(np.median(np.abs(away[kept])))
        kept = (rim | (degree > 1)) & (np.abs(away) <= max(3 * scatter, INK / 4))
    stands_out = np.abs(away) > INK / 2
    if stands_out[rim].mean() > 0.15 or scatter > INK / 4:
        raise DataError("shows no even ground along its rim (a shadow, or the edge of the paper)")
    return terms, bool(away[stands_out].sum() < 0)


def digit(grey: np.ndarray) -> np.ndarray:
    """A light digit on dark, uint8 of any size -> uint8 (28, 28), prepared as MNIST was: its bounding box
    scaled into 20 x 20 with its sides in proportion, grey levels by anti-aliasing, the centre of mass in the
    middle (LeCun, Cortes & Burges, the MNIST database). Specks far smaller than it are not part of it."""
    grey = grey - grey.min()
    parts, _ = ndimage.label(grey >= INK, np.ones((3, 3)))
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    seen = (areas >= areas.max() / 50)[parts] & (parts > 0)
    cut = Image.fromarray(grey[ndimage.find_objects(seen.astype(int))[0]])
    sides = [max(1, round(side * BOX / max(cut.size))) for side in cut.size]
    pixels = np.asarray(cut.resize(sides, Image.Resampling.LANCZOS))
    row, column = (round(DIGIT / 2 - 0.5 - at) for at in ndimage.center_of_mass(pixels.astype(float)))
    row, column = np.clip(row, 0, DIGIT - pixels.shape[0]), np.clip(column, 0, DIGIT - pixels.shape[1])
    canvas = np.zeros((DIGIT, DIGIT), np.uint8)
    canvas[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels
    return canvas
