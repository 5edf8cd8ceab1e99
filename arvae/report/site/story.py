"""The story in its order: where a page stands in it, by the name of its notebook."""

from pathlib import Path
from typing import Any

from arvae.report.figures import style

# The story in its order: beginning of a notebook's name, name of the section, what it tells. Notebooks that
# begin otherwise follow under "More", told by their own first paragraph.
SECTIONS = {
    "data": ("The data", "Where the data sets come from, their attributes, how these are related."),
    "train": ("Training", "Every model on every data set: settings, curves, a first look at the outcome."),
    "results": ("Results", "All models and data sets side by side, and beside the published values."),
    "comparison": ("Manipulation", "The baseline and AR-VAE turned side by side: seen, measured and heard."),
    "evaluate": (
        "Control and content",
        "Every model by itself: what a dimension tells, what turning it does, and what of the item stays.",
    ),
    "classifier": ("The digit classifier", "A judge, trained apart: is an edited digit the same still?"),
    "tutorial": ("For musicians", "A real folk tune, edited: scores and sound before and after."),
    "playground": ("Playground", "How the page with the knobs is made, and how exactly it decodes."),
    "baselines": ("More baselines", "The same β, a Fader network, GLSR-VAE: is it the regularization?"),
    "hyperparameters": ("Hyperparameters", "What the strength γ and the slope δ buy, and cost."),
    "own-attributes": (
        "Attributes of your own", "Two attributes nobody published, from a function to a dimension."
    ),
}  # fmt: skip
DOCS_TOLD = "Three steps to a data set and attributes of your own."
MORE, DOCS = "More", "Your own data"
SETUPS = ("train", "evaluate")  # stages that are about a data set and a model, by <data set>-<model>
STUDIES = "../studies/reports/index.html"  # what goes further than the paper has pages of its own


def place(stem: str) -> tuple[int, str, str]:
    """Where a notebook stands: number of its section, the section, its label; by its file's name.

    train-mnist-arvae -> (1, "Training", "MNIST · AR-VAE").
    """
    for number, (stage, (section, _)) in enumerate(SECTIONS.items()):
        if stem == stage:
            return number, section, section
        if stem.startswith(f"{stage}-"):
            dataset, model = _parts(stage, stem)
            names = [style.dataset_label(dataset), *([style.model_label(model)] if model else [])]
            return number, section, " · ".join(names)
    return len(SECTIONS), MORE, style.plain(stem).replace("-", " ")


def _parts(stage: str, stem: str) -> tuple[str, str]:
    """Data set and model that a notebook is about; a data set's name may have a hyphen, a model's not."""
    rest = stem.removeprefix(stage).removeprefix("-")
    if stage not in SETUPS:
        return rest, ""
    dataset, _, model = rest.rpartition("-")
    return (dataset, model) if dataset else (rest, "")


def rank(stem: str) -> tuple[Any, ...]:
    """Sorts notebooks: sections in order, data sets and models in the paper's order."""
    number, _, label = place(stem)
    stage = next((s for s in SECTIONS if stem == s or stem.startswith(f"{s}-")), "")
    orders = (list(style.DATASET_LABELS), list(style.MODEL_COLOURS))
    known = [o.index(p) if p in o else 99 for p, o in zip(_parts(stage, stem), orders, strict=True)]
    return number, known, label


def about(page: str) -> str:
    """The data set that a page tells of, by its name; none of the results, the tutorial, ..."""
    stage = next((stage for stage in ("data", "comparison", *SETUPS) if page.startswith(f"{stage}-")), "")
    return _parts(stage, page)[0] if stage else ""


def studies(reports: Path, up: str) -> str:
    """The link from a page of the story to the studies' front page; empty where there is none."""
    return up + STUDIES if (reports / STUDIES).is_file() else ""
