"""Attributes of your own (functions of own.py): found by name, computed, refused where they are no use."""

import ast
import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from arvae.datasets.contract import SPLITS, DataError, Dataset, computed

OWN = Path(__file__).with_name("own.py")
FILE = "arvae/datasets/own.py"
NOTED = "own attributes"  # in a data set's provenance: name -> docstring of the function


def own_attributes(path: Path = OWN) -> dict[str, str]:
    """Attributes that functions of own.py compute: name ("tonal tension" for `tonal_tension`) -> docstring.

    The functions that stand at its top level, without those whose names begin with an underscore. The file is
    parsed, not run; one that cannot be parsed has none (importing it tells where the fault is).
    """
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return {}
    return {
        node.name.replace("_", " "): ast.get_docstring(node) or ""
        for node in body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def function(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The function of own.py that computes the attribute `name`; DataError where there is none."""
    try:
        from arvae.datasets import own
    except Exception as error:  # whatever the user's code raises
        raise DataError(f"{FILE} cannot be imported ({type(error).__name__}: {error}): correct it") from error
    found = getattr(own, name.replace(" ", "_"), None)
    if "_" in name or getattr(found, "__module__", None) != own.__name__:  # private, or imported there
        raise DataError(
            f"attribute {name!r} is not a function in {FILE}; there are: {', '.join(own_attributes())}. "
            f"Correct the name or write the function `{name.replace(' ', '_')}`"
        )
    return found


def compute(name: str, examples: np.ndarray) -> np.ndarray:
    """The attribute `name` of examples (n, ...): float32 (n,), NaN left as it is.

    Raises DataError naming the function where it fails or returns anything but one number an example.
    """
    return computed(function(name), examples, _called(name))


def add(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """The data set with these attributes of own.py as further columns; its provenance says what they are.

    Raises DataError for a name that is no function or is an attribute already, and for values that cannot
    be used: not finite, or the same for all training examples.
    """
    for name in names:
        if name in dataset.attribute_names:
            raise DataError(
                f"data set {dataset.name} already has an attribute {name!r}: name each once, and give a "
                f"function of {FILE} a name of its own"
            )
        columns = {part: compute(name, dataset.split(part).x) for part in SPLITS}
        for part, column in columns.items():
            if (bad := np.flatnonzero(~np.isfinite(column))).size:
                raise DataError(
                    f"{_called(name)} gives {column[bad[0]]} for {bad.size:,} of {len(column):,} examples of "
                    f"{dataset.name}, {part} (the first is number {bad[0]}): return a number for these too"
                )
        if np.ptp(columns["train"]) == 0:
            raise DataError(
                f"{_called(name)} is {columns['train'][0]:g} for every training example of {dataset.name}, "
                "so there is nothing to learn: correct it or leave it out"
            )
        text = own_attributes().get(name, "")
        kind(name)  # a typing error is to be found before anything is trained
        dataset = dataset.with_column(name, columns, noted(text, "Unit"))
        texts = {**dataset.provenance.get(NOTED, {}), name: text}
        dataset = dataclasses.replace(dataset, provenance={**dataset.provenance, NOTED: texts})
    return dataset


def noted(text: str, word: str) -> str:
    """What follows `Unit:` or `Kind:` in a docstring; empty where nothing does: a pure number, continuous."""
    found = re.search(rf"(?m)^\s*{word}:\s*(.*?)\.?\s*$", text)
    return found[1] if found else ""


def kind(name: str) -> str:
    """What kind of number an attribute is (`arvae.metrics.factors`), as its function's docstring says, or
    continuous; DataError for a word that is none."""
    from arvae.metrics.factors import KINDS  # not above: params.yaml is checked without scikit-learn

    word = noted(own_attributes().get(name, ""), "Kind") or "continuous"
    if word not in KINDS:
        raise DataError(f"{_called(name)} says `Kind: {word}`: write one of {', '.join(KINDS)}")
    return word


def _called(name: str) -> str:
    return f"attribute {name!r}: the function {name.replace(' ', '_')} of {FILE}"
