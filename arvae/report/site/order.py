"""The order of the pages: where a page stands, by the name of its notebook."""

from typing import Any

from arvae.report import labels

# In the order of the report: beginning of a notebook's name, name of the section, what it is about. Notebooks
# that begin otherwise follow under "More".
SECTIONS = {
    "data": ("The data", "Where the data sets come from, their attributes, how these are related."),
    "train": ("Training", "Every model on every data set: settings, curves, a first look at the outcome."),
    "results": ("Results", "All models and data sets side by side, and beside the published values."),
    "comparison": (
        "Manipulation",
        "The baseline and AR-VAE traversed side by side: seen, measured and heard.",
    ),
    "evaluate": (
        "Control and content",
        "Every model by itself: what a dimension says, what moving it does, and what of the item stays.",
    ),
    "classifier": ("The digit classifier", "A judge, trained apart: is an edited digit still the same?"),
    "tutorial": ("For musicians", "A real folk tune, edited: scores and sound before and after."),
    "playground": ("Playground", "How the page with the controls is made, and how exactly it decodes."),
    "baselines": ("More baselines", "The same β, a Fader network, GLSR-VAE: is it the regularization?"),
    "hyperparameters": ("Hyperparameters", "What the strength γ and the slope δ buy, and cost."),
    "own-attributes": (
        "Attributes of your own",
        "Two attributes nobody published, from a function to a dimension.",
    ),
}
MORE, DOCS = "More", "Your own data"
SETUPS = ("train", "evaluate")  # stages that are about a data set and a model, by <data set>-<model>


def place(stem: str) -> tuple[str, str]:
    """The section of a notebook and its label there, by its file's name.

    train-mnist-arvae -> ("Training", "MNIST · AR-VAE"); data-folk-own -> ("The data", "Folk tunes, ...").
    """
    stage, dataset, model = _parts(stem)
    if not stage:
        return MORE, labels.plain(stem).replace("-", " ")
    section = SECTIONS[stage][0]
    names = [
        *([labels.dataset_label(dataset)] if dataset else []),
        *([labels.model_label(model)] if model else []),
    ]
    return section, " · ".join(names) or section


def _parts(stem: str) -> tuple[str, str, str]:
    """Stage, data set and model of a notebook; a data set's name may have a hyphen, a model's not."""
    stage = next((stage for stage in SECTIONS if stem == stage or stem.startswith(f"{stage}-")), "")
    rest = stem.removeprefix(stage).removeprefix("-")
    dataset, _, model = rest.rpartition("-")
    return (stage, dataset, model) if stage in SETUPS and dataset else (stage, rest, "")


def rank(stem: str) -> tuple[Any, ...]:
    """Sorts notebooks: sections in order, data sets and models in the paper's order, then by name."""
    orders = (list(SECTIONS), list(labels.DATASET_LABELS), labels.MODELS)
    parts = zip(orders, _parts(stem), strict=True)
    return *(order.index(part) if part in order else 99 for order, part in parts), stem
