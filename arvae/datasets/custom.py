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
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from arvae.datasets import pictures
from arvae.datasets.catalogue import Sizes
from arvae.datasets.contract import DataError, Dataset, Split, shares
from arvae.progress import Log, Progress

TABLE = "attributes.csv"
SIDES = (28, 64)  # what the image models take
LEAST = 100  # images: with fewer a split is too small to report on
SEED = 0  # of the split


def prepare(
    name: str, folder: Path | str, side: int | None = None, sizes: Sizes | None = None, log: Log = print
) -> Dataset:
    """Read a folder as described above into a data set `name`, split 70 / 10 / 20 % by a fixed shuffle.

    side: None takes images as they are, which must all be 28 x 28 or all 64 x 64; 28 or 64 has them resized
    to that (cut to their middle square first). Colour becomes grey, see `pictures.read`. sizes: how many of
    each split to keep; None is all. Provenance names the files that the table does not and pictures that are
    the same as another.

    Raises DataError naming the file or the line of the table, what is wrong with it and the remedy.
    """
    folder, what = Path(folder).expanduser(), f"data set {name}"
    if side not in (None, *SIDES):
        raise DataError(f"{what}: side is {side}, the image models take {SIDES[0]} or {SIDES[1]}")
    if not folder.is_dir():
        raise DataError(f"{what}: {folder} is not a folder; give one with images and {TABLE}")
    files, names, units, attributes = read_table(folder / TABLE)
    images, notes, first, alike = [], Counter(), {}, []
    progress = Progress(len(files), name, "images", log=log)
    for file in files:
        image, done = read_image(folder, file, side)
        images.append(image)
        notes.update(done)
        if (twin := first.setdefault(hashlib.sha256(image).digest(), file)) != file:
            alike.append(f"{file}: the same picture as {twin}")
        progress.update()
    progress.close()
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        several = " and ".join(f"{width} x {height}" for height, width in shapes)
        raise DataError(f"{what}: images of {several} pixels; set side to 28 or 64 to have them resized")
    x, every = np.stack(images), (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    passed = [f"{file}: no line in {TABLE}" for file in sorted({*every} - {*files, TABLE})]
    for one in (passed, alike):
        if one:
            log(f"{name}: {one[0]}" + (f", and {len(one) - 1:,} files more" if len(one) > 1 else ""))
    return Dataset(
        name=name,
        kind="images",
        attribute_names=names,
        attribute_units=units,
        provenance={
            "title": f"{len(images):,} images of a folder, attributes from its {TABLE}",
            "source": "folder",
            "resized to": f"{side} x {side}" if side else None,
            "changed in reading": dict(notes),
            "files passed over": passed,
            "pictures that are the same": alike,
            "sha256 of the pixels": hashlib.sha256(x.tobytes()).hexdigest(),
            "sha256 of the table": hashlib.sha256((folder / TABLE).read_bytes()).hexdigest(),
            "licence": "that of your images",
            "split": f"70 / 10 / 20 %, shuffled with seed {SEED}",
        },
        **{
            part: Split(x[places], attributes[places], {"row": places.astype(np.int32)})
            for part, places in shares(len(x), sizes or {}, SEED, what).items()
        },
    )


def read_table(path: Path) -> tuple[list[str], tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Read attributes.csv: the files, the attributes' names and units, and their values float32 (n, k).

    Raises DataError naming the line and the value that cannot be used.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: write a table with a column `file` and one column an attribute")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [[field.strip() for field in row] for row in csv.reader(file, strict=True)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a table in UTF-8 ({error}): save it as CSV in UTF-8") from error
    header = rows[0] if rows else []
    if len(header) < 2 or header[0] != "file":
        raise DataError(f"{path} begins with {header}: the header must be `file`, then the attributes' names")
    found = [re.fullmatch(r"([^\[\]<>]+?)\s*(?:\[([^\[\]<>]*)\])?", title) for title in header[1:]]
    if None in found:
        title = header[1 + found.index(None)]
        raise DataError(f"{path}: column {title!r} is not a valid name; write `name` or `name [unit]`")
    names, units = tuple(match[1] for match in found), tuple(match[2] or "" for match in found)
    values: dict[str, list[float]] = {}
    for number, row in enumerate(rows[1:], start=2):
        line = f"{path}, line {number}"
        if not any(row):
            continue
        if len(row) != len(header):
            raise DataError(f"{line} has {len(row)} columns, the first line {len(header)}")
        if row[0] in values:
            raise DataError(f"{path}: {row[0]} is listed in more than one line; keep one")
        pairs = zip(row[1:], names, strict=True)
        values[row[0]] = [_number(text, f"{line}, {title}") for text, title in pairs]
    if len(values) < LEAST:
        raise DataError(f"{path} has {len(values)} images: at least {LEAST} are needed")
    table = np.array(list(values.values()))
    for title, column in zip(names, table.T, strict=True):
        if np.ptp(column) == 0:
            raise DataError(
                f"{path}: {title} is {column[0]:g} in every line, so there is nothing to learn; leave it out"
            )
    return list(values), names, units, table.astype(np.float32)


def read_image(folder: Path, file: str, side: int | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """One image of the folder as grey uint8 (height, width), and what was done to it. Raises DataError."""
    path = folder / file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{TABLE} names {file}, which is outside {folder}: put all images into the folder")
    if not path.is_file():
        raise DataError(f"{path} is named in {TABLE} but missing: add the image or delete its line")
    try:
        picture = pictures.read(path)
    except DataError as error:
        raise DataError(f"{folder}: {error}: replace it or delete its line") from error
    width, height = picture.size
    pixels = picture.grey
    if side is not None:
        pixels = np.asarray(ImageOps.fit(Image.fromarray(pixels), (side, side), Image.Resampling.LANCZOS))
    elif width != height or width not in SIDES:
        raise DataError(
            f"{path} has {width} x {height} pixels, the models take 28 x 28 or 64 x 64: "
            "resize the images, or set side to 28 or 64 to have them resized"
        )
    if np.ptp(pixels) == 0:
        raise DataError(f"{path} shows nothing: every pixel is {pixels.min()}; replace it or delete its line")
    return pixels, picture.notes


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e30:
        raise DataError(f"{where} is {text!r}: it must be a number")
    return value
