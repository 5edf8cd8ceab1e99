"""The data sets: one way to prepare one, one way to load it.

`prepare` downloads, draws or parses, measures the attributes and writes data/prepared/<name>; `load` reads
that. A data set is a module here with FACTS (see `catalogue`) and `prepare(sizes, source, raw, cache, log)`.
"""

import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from arvae.datasets.catalogue import Sizes
from arvae.datasets.contract import SPLITS, DataError, Dataset, PackedImages, Split
from arvae.paths import project, root
from arvae.progress import Log

__all__ = ["SPLITS", "DataError", "Dataset", "PackedImages", "Split", "at_hand", "examples", "load"]
__all__ += ["prepare"]


def load(name: str, directory: Path | str | None = None) -> Dataset:
    """Read the prepared data set `name`, from data/prepared/<name> unless a folder is given.

    Checksums are verified. Raises DataError, with the command that makes it again, when it is missing or a
    file was altered.
    """
    return Dataset.load(_place(directory, "prepared", name), name)


def at_hand(name: str) -> Dataset:
    """The prepared data set `name`; where it is not prepared, the few test examples of it that come with the
    project (see `compendium.weights`): for what shows examples, not for what measures or trains."""
    prepared = _place(None, "prepared", name)
    if not prepared.is_dir() and (sample := _shared(None, f"weights/samples/{name}")).is_dir():
        return load(name, sample)
    return load(name, prepared)


def examples(split: Split, index: np.ndarray) -> np.ndarray:
    """Examples of a split as `TrainedModel.encode` takes them; binary images, kept as bits, come as bool."""
    x = np.asarray(split.x[index])
    return x.astype(bool) if isinstance(split.x, PackedImages) else x


def prepare(
    name: str,
    sizes: Sizes | None = None,
    source: str = "auto",
    directory: Path | str | None = None,
    raw: Path | str | None = None,
    cache: Path | str | None = None,
    folder: Path | str | None = None,
    side: int | None = None,
    own: Sequence[str] = (),
    like: str | None = None,
    kind: str = "images",
    transform: str | None = None,
    leave_out: Mapping[str, Sequence[float | None]] | None = None,
    labelled: float | None = None,
    log: Log = print,
) -> Dataset:
    """Make the data set `name` and write it to `directory` (default data/prepared/<name>).

    sizes: how many examples of "train", "validation", "test" (and "tunes" to read, for music); None is all.
    source: "auto" tries the data set's sources in order; else the name of one. raw: where downloads are
    kept (default data/raw); cache: where parsed and measured intermediate results are kept (default
    data/cache). folder: your own copies of the data set's files (like the environment variable ARVAE_DATA);
    for a name that is no data set here, your own: for kind "images" a folder of images with attributes.csv,
    resized to `side` where that is given (see `custom`), for kind "music" one of melodies (see `melodies`).
    own: further attributes, functions of own.py. like: the data set here that this is another copy of.
    transform: "power" transforms all attributes (see `transform`). leave_out, labelled: a region that
    training does not see, the share of its examples whose attributes are known (see `partial`). Raises
    DataError.
    """
    from arvae.datasets import added, catalogue, partial, sources

    sizes, known = dict(sizes or {}), catalogue.data_sets()
    if like is not None and like not in known:
        raise DataError(
            f"data set {name}: no data set {like!r} to copy (`like`): use one of {', '.join(known)}"
        )
    if (like or name) in known:
        module = importlib.import_module(f"arvae.datasets.{like or name}")
        with sources.own_folder(folder):
            dataset = module.prepare(sizes, source, _shared(raw, "raw"), _shared(cache, "cache"), log=log)
    elif folder is None:
        raise DataError(
            f"no data set {name!r}: use one of {', '.join(known)}, or give the folder of your own"
        )
    elif kind == "music":
        from arvae.datasets import melodies

        dataset = melodies.prepare(name, folder, sizes, log)
    else:
        from arvae.datasets import custom

        dataset = custom.prepare(name, folder, side, sizes, log)
    if like is not None:
        dataset = dataclasses.replace(dataset, name=name, provenance={"like": like, **dataset.provenance})
    dataset = added.add(dataset, own)
    if leave_out:
        dataset = partial.leave_out(dataset, leave_out)
    if transform == "power":
        from arvae.datasets.transform import power

        dataset = power(dataset)
    if labelled is not None:
        dataset = partial.label(dataset, labelled)
    dataset.save(_place(directory, "prepared", name))
    return dataset


def _shared(given: Path | str | None, inside: str) -> Path:
    """The folder given, else the one that all pipelines of the project share."""
    return Path(given) if given is not None else project() / "data" / inside


def _place(given: Path | str | None, *inside: str) -> Path:
    """The folder given, else the project's own in data/, which is looked for only then."""
    return Path(given) if given is not None else root().joinpath("data", *inside)
