"""Attributes of your own (functions of own.py): found by name, computed, refused where they are no use."""

import dataclasses
import re
from collections.abc import Callable, Sequence

import numpy as np

from arvae.datasets import catalogue
from arvae.datasets.contract import BATCH, SPLITS, DataError, Dataset

FILE = "arvae/datasets/own.py"
NOTED = "own attributes"  # in a data set's provenance: name -> docstring of the function


def function(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The function of own.py that computes the attribute `name` ("tonal tension" is `tonal_tension`).

    Raises DataError, with those that exist, for another name, and where own.py cannot be imported.
    """
    try:
        from arvae.datasets import own
    except Exception as error:  # whatever the user's code raises
        raise DataError(f"{FILE} cannot be imported ({type(error).__name__}: {error}): correct it") from error
    found = {
        key.replace("_", " "): value
        for key, value in vars(own).items()
        if callable(value) and not key.startswith("_") and value.__module__ == own.__name__
    }
    if name not in found:
        exist = ", ".join(found) or "none"
        raise DataError(
            f"attribute {name!r} is no function of {FILE}; there are: {exist}. "
            f"Correct the name or write the function `{name.replace(' ', '_')}`"
        )
    return found[name]


def compute(name: str, examples: np.ndarray) -> np.ndarray:
    """The attribute `name` of examples (n, ...), at most BATCH at a time: float32 (n,), NaN left as it is.

    Raises DataError naming the function where it fails or returns anything but one number an example.
    """
    measure, columns = function(name), [np.zeros(0, np.float32)]
    for start in range(0, len(examples), BATCH):
        batch = examples[start : start + BATCH]
        given = f"{_called(name)}, given {batch.dtype} {batch.shape},"
        try:
            column = np.asarray(measure(batch))
        except Exception as error:  # whatever the user's code raises
            raise DataError(f"{given} failed ({type(error).__name__}: {error}): correct it") from error
        if column.shape != (len(batch),) or column.dtype.kind not in "biuf":
            raise DataError(
                f"{given} returned {column.dtype} {column.shape}: return one number an example, "
                f"shape ({len(batch)},)"
            )
        columns.append(column.astype(np.float32))
    return np.concatenate(columns)


def add(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """The data set with these attributes of own.py as further columns; its provenance says what they are.

    Raises DataError for a name that is no function or is an attribute already, and for values that cannot
    be used: not finite, or the same for all training examples.
    """
    for name in names:
        if name in dataset.attribute_names:
            raise DataError(
                f"data set {dataset.name} has an attribute {name!r} already: name each once, and give a "
                f"function of {FILE} a name of its own"
            )
        text, columns = catalogue.own_attributes().get(name, ""), {}
        for part in SPLITS:
            split = dataset.split(part)
            column = compute(name, split.x)
            bad = np.flatnonzero(~np.isfinite(column))
            if bad.size:
                raise DataError(
                    f"{_called(name)} gives {column[bad[0]]} for {bad.size:,} of {len(column):,} examples of "
                    f"{dataset.name}, {part} (the first is number {bad[0]}): return a number for these too"
                )
            if part == "train" and np.ptp(column) == 0:
                raise DataError(
                    f"{_called(name)} is {column[0]:g} for every training example of {dataset.name}, so "
                    "there is nothing to learn: correct it or leave it out"
                )
            columns[part] = dataclasses.replace(
                split, attributes=np.concatenate([split.attributes, column[:, None]], axis=1)
            )
        noted = {**dataset.provenance.get(NOTED, {}), name: text}
        dataset = dataclasses.replace(
            dataset,
            attribute_names=(*dataset.attribute_names, name),
            attribute_units=(*dataset.attribute_units, unit(text)),
            provenance={**dataset.provenance, NOTED: noted},
            **columns,
        )
    return dataset


def meaning(text: str) -> str:
    """What an attribute is, in one line: the first paragraph of its function's docstring, no full stop."""
    first = " ".join(text.split("\n\n")[0].split()).rstrip(".")
    return first[:1].lower() + first[1:]


def unit(text: str) -> str:
    """What follows `Unit:` in a docstring; empty where nothing does: a pure number."""
    found = re.search(r"(?m)^\s*Unit:\s*(.*?)\.?\s*$", text)
    return found[1] if found else ""


def _called(name: str) -> str:
    return f"attribute {name!r}: the function {name.replace(' ', '_')} of {FILE}"
