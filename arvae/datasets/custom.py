"""Your own pictures as a data set: a folder of image files and a table of their attributes.

The folder holds images (PNG, JPEG, GIF, BMP, TIFF, WebP; in folders inside it if you like) and
`attributes.csv`:

    file,smile,age [years]
    ann.png,0.8,31
    bob.png,0.1,45

One row an image: its path inside the folder, then one number a column, the attributes. A unit may stand in
brackets.
"""

import csv
import hashlib
import math
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from arvae.datasets.contract import SPLITS, DataError, Dataset, Split
from arvae.progress import Progress

TABLE = "attributes.csv"
SIDES = (28, 64)  # what the image models take
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
LARGEST = 8192  # pixels a side: larger files are taken for a mistake, or an attack
LEAST = 100  # images: with fewer a split is too small to report on
SEED = 0  # of the split
SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}


def prepare(
    name: str,
    folder: Path | str,
    side: int | None = None,
    sizes: Mapping[str, int | None] | None = None,
    log: Callable[[str], None] = print,
) -> Dataset:
    """Read a folder as described above into a data set `name`, split 70 / 10 / 20 % by a fixed shuffle.

    side: None takes images as they are, which must all be 28 x 28 or all 64 x 64; 28 or 64 has them resized
    to that (cut to their middle square first). Colour becomes grey. sizes: how many of each split to keep;
    None is all.

    Raises DataError naming the file or the line of the table, what is wrong with it and the remedy.
    """
    folder = Path(folder).expanduser()
    if side is not None and side not in SIDES:
        raise DataError(f"data set {name}: side is {side}, the image models take {SIDES[0]} or {SIDES[1]}")
    if not folder.is_dir():
        raise DataError(f"data set {name}: {folder} is not a folder; give one with images and {TABLE}")
    files, names, units, values = read_table(folder / TABLE)
    images, digest = [], hashlib.sha256()
    progress = Progress(len(files), name, "images", log=log)
    for file in files:
        images.append(read_image(folder, file, side))
        digest.update(images[-1].tobytes())
        progress.update()
    progress.close()
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        several = " and ".join(f"{width} x {height}" for height, width in shapes)
        raise DataError(
            f"data set {name}: images of {several} pixels; set side to 28 or 64 to have them resized"
        )

    shuffled = np.random.default_rng(SEED).permutation(len(images))
    x, attributes, splits, stop = np.stack(images), np.array(values, np.float32), {}, 0
    for part in SPLITS:
        start, stop = stop, stop + round(SHARES[part] * len(images))
        index = shuffled[start : None if part == SPLITS[-1] else stop]
        size = (sizes or {}).get(part)
        if size is not None and not 0 < size <= len(index):
            raise DataError(f"data set {name}, {part}: {size} images asked for, there are {len(index)}")
        index = index[:size]
        splits[part] = Split(x[index], attributes[index], {"row": index.astype(np.int32)})
    return Dataset(
        name=name,
        kind="images",
        attribute_names=names,
        attribute_units=units,
        provenance={
            "title": f"{len(images):,} images of a folder, attributes from its {TABLE}",
            "source": "folder",
            "resized to": f"{side} x {side}" if side else None,
            "sha256 of the pixels": digest.hexdigest(),
            "sha256 of the table": hashlib.sha256((folder / TABLE).read_bytes()).hexdigest(),
            "licence": "that of your images",
            "split": f"70 / 10 / 20 %, shuffled with seed {SEED}",
        },
        **splits,
    )


def read_table(path: Path) -> tuple[list[str], tuple[str, ...], tuple[str, ...], list[list[float]]]:
    """Read attributes.csv: the files, the attributes' names and units, and one list of numbers a file.

    Raises DataError naming the line and the value that cannot be used.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: write a table with a column `file` and one column an attribute")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a table in UTF-8 ({error}): save it as CSV in UTF-8") from error
    header = [title.strip() for title in rows[0]] if rows else []
    if len(header) < 2 or header[0] != "file":
        raise DataError(
            f"{path} begins with {header}: the first line must be `file`, then the attributes' names"
        )
    found = [re.fullmatch(r"([^\[\]<>]+?)\s*(?:\[([^\[\]<>]*)\])?", title) for title in header[1:]]
    if not all(found):
        raise DataError(
            f"{path}: column {header[1 + found.index(None)]!r} is no name; write `name` or `name [unit]`"
        )
    names, units = tuple(match[1] for match in found), tuple(match[2] or "" for match in found)
    files, values = [], []
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise DataError(f"{path}, line {number} has {len(row)} columns, the first line {len(header)}")
        files.append(row[0].strip())
        values.append(
            [
                _number(cell, f"{path}, line {number}, {title}")
                for cell, title in zip(row[1:], names, strict=True)
            ]
        )
    twice = sorted({file for file in files if files.count(file) > 1}) if len(set(files)) < len(files) else []
    if twice:
        raise DataError(f"{path}: {twice[0]} stands in more than one line; keep one")
    if len(files) < LEAST:
        raise DataError(f"{path} has {len(files)} images: at least {LEAST} are needed")
    for title, column in zip(names, np.array(values).T, strict=True):
        if np.ptp(column) == 0:
            raise DataError(
                f"{path}: {title} is {column[0]:g} in every line, so there is nothing to learn; leave it out"
            )
    return files, names, units, values


def read_image(folder: Path, file: str, side: int | None) -> np.ndarray:
    """One image of the folder as grey uint8 (height, width); see `prepare`. Raises DataError naming it."""
    path = folder / file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{TABLE} names {file}, which is outside {folder}: put all images into the folder")
    if not path.is_file():
        raise DataError(f"{path} is named in {TABLE} but missing: add the image or delete its line")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow only warns of files that look like an attack
            with Image.open(path, formats=FORMATS) as image:
                if max(image.size) > LARGEST:
                    raise DataError(
                        f"{path} has {image.size[0]} x {image.size[1]} pixels, allowed are {LARGEST} a side"
                    )
                grey = image.convert("L")
    except (UnidentifiedImageError, OSError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} cannot be read as an image ({error}): replace it or delete its line"
        ) from error
    if side is not None:
        edge = min(grey.size)
        left, top = (grey.width - edge) // 2, (grey.height - edge) // 2
        box = (left, top, left + edge, top + edge)
        grey = grey.resize((side, side), Image.Resampling.LANCZOS, box, reducing_gap=3)
    elif grey.size not in [(s, s) for s in SIDES]:
        raise DataError(
            f"{path} has {grey.width} x {grey.height} pixels, the models take 28 x 28 or 64 x 64: "
            "resize the images, or set side to 28 or 64 to have them resized"
        )
    pixels = np.asarray(grey, np.uint8)
    if pixels.min() == pixels.max():
        raise DataError(f"{path} shows nothing: every pixel is {pixels.min()}; replace it or delete its line")
    return pixels


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e30:
        raise DataError(f"{where} is {text.strip()!r}: it must be a number")
    return value
