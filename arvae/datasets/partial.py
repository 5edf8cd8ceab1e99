"""A data set of which training sees a part: without some of its examples, or with some of its attributes.

params.yaml: `leave_out` names a region of attributes, none of whose examples are trained on; `labelled` the
share of training examples whose attributes are known. The test split stays whole, so that both can be judged.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from arvae.datasets.contract import DataError, Dataset, PackedImages, Split, choose

Region = Mapping[str, Sequence[float | None]]  # attribute -> (from, to), both included; None: no bound
UNKNOWN = np.finfo(np.float32).min  # every attribute of an example that is not labelled: a split takes no NaN
SEED = 0  # of the choice of labelled examples
LEFT_OUT, LABELLED = "left out of training", "labelled training examples"  # in a data set's provenance


def inside(names: Collection[str], attributes: np.ndarray, region: Region) -> np.ndarray:
    """Which examples, attributes (..., k) called `names`, lie in a region in all that it names: (...)."""
    within, names = np.ones(attributes.shape[:-1], bool), list(names)
    for name, (low, high) in region.items():
        if name not in names:
            raise DataError(f"leave_out names {name!r}: give one of {', '.join(names)}")
        column = attributes[..., names.index(name)]
        within &= column >= (-np.inf if low is None else low)
        within &= column <= (np.inf if high is None else high)
    return within


def leave_out(dataset: Dataset, region: Region) -> Dataset:
    """The data set without training and validation examples in the region. DataError where it holds none of
    the training examples, or all."""
    parts, shares = {}, {}
    for part in ("train", "validation"):
        split = dataset.split(part)
        within = inside(dataset.attribute_names, split.attributes, region)
        shares[part] = float(within.mean())
        if within.all() or (part == "train" and not within.any()):
            what = f"{'all' if within.all() else 'none'} of the {len(split):,} {part} examples"
            raise DataError(
                f"data set {dataset.name}: leave_out {said(region)} holds {what}: give bounds that some of "
                "them lie within, in the attribute's own unit"
            )
        parts[part] = _rows(split, ~within)
    noted = {LEFT_OUT: {name: list(bounds) for name, bounds in region.items()}, "shares left out": shares}
    return dataclasses.replace(dataset, **parts, provenance={**dataset.provenance, **noted})


def label(dataset: Dataset, share: float) -> Dataset:
    """The data set with attributes of a share of its training examples only: the others' are UNKNOWN.

    A larger share has the labelled examples of a smaller one. DataError where it comes to none.
    """
    known = round(share * len(dataset.train))
    if not known:
        raise DataError(
            f"data set {dataset.name}: labelled {share:g} is less than one of {len(dataset.train):,} "
            "training examples: give a larger share"
        )
    rows = choose(len(dataset.train), known, SEED)
    attributes = np.full_like(dataset.train.attributes, UNKNOWN)
    attributes[rows] = dataset.train.attributes[rows]
    train = dataclasses.replace(dataset.train, attributes=attributes)
    return dataclasses.replace(dataset, train=train, provenance={**dataset.provenance, LABELLED: known})


def labelled(dataset: Dataset) -> Dataset:
    """The data set with those of its training examples whose attributes are known."""
    known = (dataset.train.attributes > UNKNOWN).all(axis=1)
    return dataset if known.all() else dataclasses.replace(dataset, train=_rows(dataset.train, known))


def said(region: Region) -> str:
    """A region in words: "shape 2, scale from 0.75, x 0 to 0.5"."""
    words = []
    for name, (low, high) in region.items():
        if None in (low, high):
            words.append(f"{name} up to {high:g}" if low is None else f"{name} from {low:g}")
        else:
            words.append(f"{name} {low:g}" if low == high else f"{name} {low:g} to {high:g}")
    return ", ".join(words)


def _rows(split: Split, rows: np.ndarray) -> Split:
    x = PackedImages(split.x.packed[rows]) if isinstance(split.x, PackedImages) else split.x[rows]
    return Split(x, split.attributes[rows], {name: values[rows] for name, values in split.extra.items()})
