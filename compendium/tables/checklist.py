"""What the paper shows, figure by figure and number by number: where it is here, or why it is not.

Figures are named by what they show. `checklist` looks for the files of ours, and counts the numbers of
data/published that have a counterpart.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from compendium import labels
from compendium.tables import study
from compendium.tables.scores import KEYS

_EACH = "figures/comparison-{}"


class Item(NamedTuple):
    """Something the paper shows; files: where it is here, relative to reports ({} a data set of `datasets`);
    metrics: names of its published numbers; command: makes it, where another pipeline does; reason: why it is
    not here, or differs."""

    shows: str
    files: Sequence[str] = ()
    datasets: Sequence[str] = ()
    metrics: Sequence[str] = ()
    command: str = ""
    reason: str = ""


ITEMS = (
    Item("The regularization: differences within a batch, up to the loss",
         ["figures/train-{}-arvae/schematic.png"], ["mnist"]),
    Item("Box plots of interpretability, MIG, modularity, SAP and SCC", ["figures/results/metrics.png"],
         metrics=["interpretability", "mig", "modularity", "sap", "scc"]),
    Item("Box plots of reconstruction accuracy", ["figures/results/reconstruction.png"],
         metrics=["reconstruction_accuracy_percent"]),
    Item("Digit accuracy, reconstructed and along traversals",
         ["figures/results/reconstruction.png"],
         metrics=["digit_accuracy_reconstructed_percent", "digit_accuracy_interpolated_percent"],
         reason="our classifier is more accurate than the paper's 96.15 %; relative values are also given"),
    Item("MNIST over 35 settings of γ and δ", metrics=study.VALUES, command="make studies",
         reason="a grid of 12 at scale laptop, all 35 at scale paper"),
    Item("Traversals of every attribute, one image", [f"{_EACH}/attributes.png"], labels.IMAGES),
    Item("Traversals of one attribute, several images", [f"{_EACH}/items.png"], labels.IMAGES),
    Item("Traversals of a measure: score, piano roll, the attribute's curve", [f"{_EACH}/roll-arvae.png"],
         labels.MUSIC),
    Item("Latent codes over two dimensions, coloured by an attribute", [f"{_EACH}/distribution.png"],
         labels.DATASETS),
    Item("Regularized dimensions in pairs", [f"{_EACH}/pairs.png"], labels.DATASETS),
    Item("An attribute measured on the output over two dimensions", [f"{_EACH}/surface.png"],
         labels.DATASETS),
    Item("Outputs over two dimensions", [f"{_EACH}/plane.png"], labels.DATASETS),
    Item("Examples and their reconstructions", [f"{_EACH}/reconstructions.png"], labels.DATASETS),
    Item("Ten runs of full length in every setup",
         reason="available with `scale: paper` and ten `seeds`; ours are fewer and shorter"),
    Item("Image runs that continue from one another", reason="not repeated: our runs start from scratch"),
    Item("Folk tunes of thesession.org",
         reason="used on request (`source: thesession`); ours are music21's own collections"),
    Item("Splits in which a measure and its transpositions may be on both sides",
         reason="not repeated: split by tune; measures seen in training are scored separately"),
)  # fmt: skip


def checklist(
    folder: Path, ours: pd.DataFrame, theirs: pd.DataFrame, grid: pd.DataFrame, settings: int
) -> pd.DataFrame:
    """ITEMS as a table: what the paper shows, published numbers, how many have ours beside them, state, the
    files that are there, note.

    folder: of the reports, where the files are. ours, theirs: see `tables.runs`, `tables.published`; grid:
    `study.published`; settings: how many of its settings were run here.
    """
    counterparts = {tuple(key) for key in ours[KEYS].itertuples(index=False)}
    rows = []
    for item in ITEMS:
        if item.metrics == study.VALUES:
            numbers, beside = grid[list(study.VALUES)].size, settings * len(study.VALUES)
        else:
            of = theirs[theirs.metric.isin(item.metrics)]
            numbers = len(of)
            beside = sum(tuple(key) in counterparts for key in of[KEYS].itertuples(index=False))
        files = [file.format(name) for file in item.files for name in item.datasets or [""]]
        there = [file for file in files if (folder / file).is_file()]
        missing = [file for file in files if file not in there]
        state = f"not here: {', '.join(missing)}" if missing else "here"
        if not files:  # what another pipeline makes is not looked for: this page would depend on it
            state = f"by `{item.command}`" if item.command else "not reproduced"
        rows.append((item.shows, numbers, beside, state, ", ".join(there), item.reason))
    columns = ["the paper shows", "numbers", "with ours", "state", "where", "note"]
    return pd.DataFrame(rows, columns=columns)
