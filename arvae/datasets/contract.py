"""The one shape that every data set of the project has, in memory and on disk.

In memory: a `Dataset` with three `Split`s. On disk: a folder with train.npz, validation.npz, test.npz and a
manifest.json that carries names, units, provenance and the SHA-256 of each file and of itself, checked at
every load.
"""

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arvae.files import atomic_write, read_json, sha256, write_json
from arvae.music.coding import Vocabulary

SPLITS = ("train", "validation", "test")
#: Kind of data set -> what its examples are stored as.
_STORED = {"images": ("uint8", 3, "(n, height, width)"), "music": ("int16", 2, "(n, 24)")}
FORMAT = 2
BATCH = 4096  # examples an attribute function is given at once


class DataError(ValueError):
    """Prepared or downloaded data that is missing, damaged or not what it should be; it says the remedy."""


@dataclasses.dataclass(frozen=True, eq=False)
class PackedImages:
    """Binary images kept as bits: eight pixels a byte, unpacked only where they are looked at.

    packed: uint8 (n, height, width / 8), rows packed as `numpy.packbits(images, axis=-1)` packs them.
    """

    packed: np.ndarray

    def __post_init__(self) -> None:
        if self.packed.dtype != np.uint8 or self.packed.ndim != 3:
            found = f"{self.packed.dtype} {self.packed.shape}"
            raise DataError(f"packed images must be uint8 (n, height, width / 8), not {found}")

    @classmethod
    def pack(cls, images: np.ndarray) -> "PackedImages":
        """Pack images (n, height, width) of zeros and ones; the width must be a multiple of eight."""
        if images.ndim != 3 or images.shape[-1] % 8:
            raise DataError(f"images to pack must be (n, height, multiple of 8), not {images.shape}")
        return cls(np.packbits(images, axis=-1))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, height, width), as if unpacked."""
        return *self.packed.shape[:2], self.packed.shape[2] * 8

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Zeros and ones, uint8: (height, width) for a number, (m, height, width) for a slice or an array."""
        return np.unpackbits(self.packed[index], axis=-1)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        images = np.unpackbits(self.packed, axis=-1)
        return images if dtype is None else images.astype(dtype, copy=False)


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """One of the three parts of a data set.

    x: uint8 (n, h, w) or PackedImages for images, int16 (n, 24) for music; attributes: float32 (n, k);
    extra: further arrays of length n (digit labels, factor indices, tune numbers).
    """

    x: np.ndarray | PackedImages
    attributes: np.ndarray
    extra: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        values = self.attributes
        if values.dtype != np.float32 or values.ndim != 2:
            raise DataError(f"attributes must be float32 (n, k), not {values.dtype} {values.shape}")
        if not len(self):
            raise DataError("a split with no examples: ask for at least one in `sizes`")
        for name, array in {"x": self.x, **self.extra}.items():
            if len(array) != len(self):
                raise DataError(f"{name} has {len(array)} rows, the attributes {len(self)}; they must pair")
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            found = f"{values[bad[0]].tolist()} ({len(bad)} such examples)"
            raise DataError(f"attributes of example {bad[0]} are {found}: leave it out or mend the function")

    def __len__(self) -> int:
        return len(self.attributes)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A data set: what every notebook, model and metric of the project works on.

    kind: "images" or "music"; attribute_names and attribute_units: k strings each; vocabulary: only for
    music; provenance: where the bytes came from and what was done to them (JSON values, free of dates).
    """

    name: str
    kind: str
    train: Split
    validation: Split
    test: Split
    attribute_names: tuple[str, ...]
    attribute_units: tuple[str, ...]
    vocabulary: Vocabulary | None = None
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        names, what = self.attribute_names, f"data set {self.name}"
        if self.kind not in _STORED:
            raise DataError(f"{what}: kind is {self.kind!r}, must be one of {', '.join(_STORED)}")
        if len(set(names)) != len(names) or not names:
            raise DataError(f"{what}: attribute names {names} must be distinct, at least one")
        if len(self.attribute_units) != len(names):
            raise DataError(f"{what}: {len(names)} attributes but units {self.attribute_units}")
        dtype, ndim, shape = _STORED[self.kind]
        for part in SPLITS:
            x, columns = self.split(part).x, self.split(part).attributes.shape[1]
            if columns != len(names):
                raise DataError(f"{what}, {part}: {columns} columns of attributes, but the names are {names}")
            if x.dtype != dtype or x.ndim != ndim or x.shape[1:] != self.train.x.shape[1:]:
                raise DataError(
                    f"{what}, {part}: examples are {x.dtype} {x.shape}, must be {dtype} {shape} "
                    f"of the size that they have in train, {self.train.x.shape[1:]}"
                )

    def split(self, name: str) -> Split:
        """The split called "train", "validation" or "test"."""
        if name not in SPLITS:
            raise DataError(f"no split {name!r}: it is one of {', '.join(SPLITS)}")
        return getattr(self, name)

    def with_attribute(
        self, name: str, function: Callable[[np.ndarray], np.ndarray], unit: str = ""
    ) -> "Dataset":
        """The same data set with one attribute more, `function` of the examples.

        function: a batch of examples (m, ...) as `x` holds them (packed images unpacked) -> numbers (m,).
        It is called with at most BATCH examples at a time. Raises DataError where it returns anything else.
        """
        columns = {part: computed(function, self.split(part).x, f"attribute {name}") for part in SPLITS}
        return self.with_column(name, columns, unit)

    def with_column(self, name: str, values: Mapping[str, np.ndarray], unit: str = "") -> "Dataset":
        """The same data set with one attribute more, whose float32 values (n,) are given for each split."""
        splits = {}
        for part, column in values.items():
            attributes = np.column_stack([self.split(part).attributes, column])
            splits[part] = dataclasses.replace(self.split(part), attributes=attributes)
        names, units = (*self.attribute_names, name), (*self.attribute_units, unit)
        return dataclasses.replace(self, attribute_names=names, attribute_units=units, **splits)

    def save(self, directory: Path | str) -> None:
        """Write the data set to a folder, the manifest last: half a data set is never taken for a whole."""
        directory = Path(directory)
        (directory / "manifest.json").unlink(missing_ok=True)
        files = {}
        for part in SPLITS:
            split, path = self.split(part), directory / f"{part}.npz"
            x = {"x_packed": split.x.packed} if isinstance(split.x, PackedImages) else {"x": split.x}
            extra = {f"extra_{key}": value for key, value in split.extra.items()}
            write_npz(path, {**x, "attributes": split.attributes, **extra})
            shape, dtype = list(split.x.shape), str(split.x.dtype)
            files[path.name] = {"sha256": sha256(path), "shape": shape, "dtype": dtype}
        manifest = {
            "format": FORMAT,
            "name": self.name,
            "kind": self.kind,
            "attribute_names": list(self.attribute_names),
            "attribute_units": list(self.attribute_units),
            "vocabulary": None if self.vocabulary is None else dataclasses.asdict(self.vocabulary),
            "provenance": dict(self.provenance),
            "files": files,
        }
        write_json(directory / "manifest.json", manifest | {"sha256": manifest_digest(manifest)})

    @classmethod
    def load(cls, directory: Path | str, name: str | None = None) -> "Dataset":
        """Read a data set that `save` wrote, refusing a missing, altered or foreign file with its remedy."""
        directory, path = Path(directory), Path(directory, "manifest.json")
        name = name or directory.name
        remedy = f"make it again with `dvc repro -f data@{name}`"
        if not path.is_file():
            raise DataError(f"no prepared data set {name} ({path} is not there): {remedy}")
        try:
            manifest = read_json(path)
            if manifest["format"] != FORMAT:
                raise DataError(f"{path} has format {manifest['format']}, this code reads {FORMAT}")
            if manifest_digest(manifest) != manifest["sha256"]:
                raise DataError(f"{path} was changed after it was written (its SHA-256 differs)")
            vocabulary = manifest["vocabulary"]
            return cls(
                name=manifest["name"],
                kind=manifest["kind"],
                attribute_names=tuple(manifest["attribute_names"]),
                attribute_units=tuple(manifest["attribute_units"]),
                vocabulary=Vocabulary(**vocabulary) if vocabulary else None,
                provenance=manifest["provenance"],
                **{part: _read_split(directory / f"{part}.npz", manifest["files"]) for part in SPLITS},
            )
        except DataError as error:
            raise DataError(f"{error}: {remedy}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{directory} is not a prepared data set ({error!r}): {remedy}") from error


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 of all that a manifest says, itself left out."""
    said = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a compressed npz, atomically; the same arrays give the same bytes (no time stamps)."""
    with (
        atomic_write(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for key, array in arrays.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def computed(function: Callable[[np.ndarray], np.ndarray], examples: Any, what: str) -> np.ndarray:
    """`function` of examples (n, ...), at most BATCH at a time: float32 (n,).

    what: how an error calls it. Raises DataError where it fails or returns no such numbers.
    """
    columns = [np.zeros(0, np.float32)]
    for start in range(0, len(examples), BATCH):
        batch = examples[start : start + BATCH]
        given = f"{what}, given {batch.dtype} {batch.shape},"
        try:
            column = np.asarray(function(batch))
        except Exception as error:  # whatever the user's code raises
            raise DataError(f"{given} failed ({type(error).__name__}: {error}): correct it") from error
        if column.shape != (len(batch),) or column.dtype.kind not in "biuf":
            found, wanted = f"{column.dtype} {column.shape}", f"({len(batch)},)"
            raise DataError(f"{given} returned {found}: return one number an example, shape {wanted}")
        columns.append(column.astype(np.float32))
    return np.concatenate(columns)


def shares(count: int, sizes: Mapping[str, int | None], seed: int, what: str) -> dict[str, np.ndarray]:
    """The places (of `count`) of each split: 70 / 10 / 20 % by a fixed shuffle, then `sizes` of each.

    Still shuffled: the first places of a split are a fair sample of it. More than there are is refused.
    """
    shuffled, chosen, stop = np.random.default_rng(seed).permutation(count), {}, 0
    for part, share in zip(SPLITS, (0.7, 0.1, 0.2), strict=True):
        start, stop = stop, stop + round(share * count)
        places, size = shuffled[start : None if part == "test" else stop], sizes.get(part)
        if size is not None and not 0 < size <= len(places):
            raise DataError(f"{what}, {part}: {size} images asked for, there are {len(places)}")
        chosen[part] = places[:size]
    return chosen


def choose(count: int, size: int | None, seed: int, what: str = "examples") -> np.ndarray:
    """Indices int64 of `size` out of `count`, chosen at random (None: all of them, in order).

    A larger size with the same seed contains the smaller. More than there are is refused.
    """
    if size is None or size == count:
        return np.arange(count)
    if not 0 < size <= count:
        raise DataError(
            f"{size} {what} asked for, there are {count}: set a size from 1 to {count}, or null for all"
        )
    return np.sort(np.random.default_rng(seed).permutation(count)[:size])


def _read_split(path: Path, files: Mapping[str, Any]) -> Split:
    if not path.is_file():
        raise DataError(f"{path} is missing")
    found, expected = sha256(path), files[path.name]["sha256"]
    if found != expected:
        raise DataError(f"{path} has SHA-256 {found}, the manifest says {expected}: it was damaged")
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    x = PackedImages(arrays.pop("x_packed")) if "x_packed" in arrays else arrays.pop("x")
    attributes = arrays.pop("attributes")
    return Split(x, attributes, {key.removeprefix("extra_"): value for key, value in arrays.items()})
