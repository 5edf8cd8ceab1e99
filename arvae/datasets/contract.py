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

SPLITS = ("train", "validation", "test")
KINDS = ("images", "music")
_STORED = {
    "images": (np.dtype(np.uint8), 3, "(n, height, width)"),
    "music": (np.dtype(np.int16), 2, "(n, 24)"),
}
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
            raise DataError(
                f"packed images must be uint8 (n, height, width / 8), "
                f"not {self.packed.dtype} {self.packed.shape}"
            )

    @classmethod
    def pack(cls, images: np.ndarray) -> "PackedImages":
        """Pack images (n, height, width) of zeros and ones; the width must be a multiple of eight."""
        if images.ndim != 3 or images.shape[-1] % 8:
            raise DataError(f"images to pack must be (n, height, multiple of 8), not {images.shape}")
        return cls(np.packbits(images, axis=-1))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, height, width), as if unpacked."""
        n, height, width = self.packed.shape
        return n, height, width * 8

    dtype = np.dtype(np.uint8)
    ndim = 3

    @property
    def nbytes(self) -> int:
        """Bytes of memory really used."""
        return self.packed.nbytes

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
        if self.attributes.dtype != np.float32 or self.attributes.ndim != 2:
            raise DataError(
                f"attributes must be float32 (n, k), not {self.attributes.dtype} {self.attributes.shape}"
            )
        if not len(self.attributes):
            raise DataError("a split with no examples: ask for at least one in `sizes`")
        for name, array in {"x": self.x, **self.extra}.items():
            if len(array) != len(self.attributes):
                raise DataError(
                    f"{name} has {len(array)} rows, the attributes have {len(self.attributes)}: "
                    "they must pair up"
                )
        bad = np.flatnonzero(~np.isfinite(self.attributes).all(axis=1))
        if len(bad):
            raise DataError(
                f"attributes of example {bad[0]} are {self.attributes[bad[0]].tolist()} "
                f"({len(bad)} such examples): leave such examples out or correct the attribute function"
            )

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
    vocabulary: Any = None
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(f"data set {self.name}: kind is {self.kind!r}, must be one of {', '.join(KINDS)}")
        names = self.attribute_names
        if len(set(names)) != len(names) or not names:
            raise DataError(f"data set {self.name}: attribute names {names} must be distinct, at least one")
        if len(self.attribute_units) != len(names):
            raise DataError(f"data set {self.name}: {len(names)} attributes but units {self.attribute_units}")
        dtype, ndim, shape = _STORED[self.kind]
        if self.train.x.dtype != dtype or self.train.x.ndim != ndim:
            raise DataError(
                f"data set {self.name}: {self.kind} are stored as {dtype} {shape}, "
                f"not {self.train.x.dtype} {tuple(self.train.x.shape)}"
            )
        for part in SPLITS:
            split = self.split(part)
            if split.attributes.shape[1] != len(names):
                raise DataError(
                    f"data set {self.name}, {part}: {split.attributes.shape[1]} columns of attributes, "
                    f"but the names are {names}"
                )
            if (
                tuple(split.x.shape[1:]) != tuple(self.train.x.shape[1:])
                or split.x.dtype != self.train.x.dtype
            ):
                raise DataError(
                    f"data set {self.name}, {part}: examples are {split.x.dtype} {split.x.shape[1:]}, "
                    f"in train {self.train.x.dtype} {self.train.x.shape[1:]}"
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
        changes: dict[str, Any] = {}
        for part in SPLITS:
            split = self.split(part)
            columns = []
            for start in range(0, len(split), BATCH):
                batch = split.x[start : start + BATCH]
                column = np.asarray(function(batch))
                if column.shape != (len(batch),):
                    raise DataError(
                        f"attribute {name} of {len(batch)} examples has shape {column.shape}: one number each"
                    )
                columns.append(column.astype(np.float32))
            values = np.concatenate([split.attributes, np.concatenate(columns)[:, None]], axis=1)
            changes[part] = dataclasses.replace(split, attributes=values)
        return dataclasses.replace(
            self,
            attribute_names=(*self.attribute_names, name),
            attribute_units=(*self.attribute_units, unit),
            **changes,
        )

    def save(self, directory: Path | str) -> None:
        """Write the data set to a folder, the manifest last: half a data set is never taken for a whole."""
        directory = Path(directory)
        (directory / "manifest.json").unlink(missing_ok=True)
        files = {}
        for part in SPLITS:
            split, path = self.split(part), directory / f"{part}.npz"
            packed = isinstance(split.x, PackedImages)
            arrays = {"x_packed": split.x.packed} if packed else {"x": split.x}
            arrays["attributes"] = split.attributes
            arrays |= {f"extra_{key}": value for key, value in split.extra.items()}
            write_npz(path, arrays)
            files[path.name] = {
                "sha256": sha256(path),
                "shape": list(split.x.shape),
                "dtype": str(split.x.dtype),
            }
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
        directory = Path(directory)
        name = name or directory.name
        remedy = f"make it again with `dvc repro -f data@{name}`"
        path = directory / "manifest.json"
        if not path.is_file():
            raise DataError(f"no prepared data set {name} ({path} is not there): {remedy}")
        try:
            manifest = read_json(path)
            if manifest["format"] != FORMAT:
                raise DataError(f"{path} has format {manifest['format']}, this code reads {FORMAT}: {remedy}")
            if manifest_digest(manifest) != manifest["sha256"]:
                raise DataError(
                    f"{path} was changed after it was written (its own SHA-256 differs): {remedy}"
                )
            splits = {
                part: _read_split(directory / f"{part}.npz", manifest["files"], remedy) for part in SPLITS
            }
            return cls(
                name=manifest["name"],
                kind=manifest["kind"],
                attribute_names=tuple(manifest["attribute_names"]),
                attribute_units=tuple(manifest["attribute_units"]),
                vocabulary=_vocabulary(manifest["vocabulary"]),
                provenance=manifest["provenance"],
                **splits,
            )
        except DataError:
            raise
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


def _read_split(path: Path, files: Mapping[str, Any], remedy: str) -> Split:
    if not path.is_file():
        raise DataError(f"{path} is missing: {remedy}")
    found, expected = sha256(path), files[path.name]["sha256"]
    if found != expected:
        raise DataError(f"{path} has SHA-256 {found}, the manifest says {expected}: it was damaged; {remedy}")
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    x = PackedImages(arrays.pop("x_packed")) if "x_packed" in arrays else arrays.pop("x")
    attributes = arrays.pop("attributes")
    return Split(x, attributes, {key.removeprefix("extra_"): value for key, value in arrays.items()})


def _vocabulary(fields: Mapping[str, Any] | None) -> Any:
    if fields is None:
        return None
    from arvae.music.coding import Vocabulary

    return Vocabulary(**fields)
