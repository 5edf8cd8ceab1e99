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


def place(stem: str) -> tuple[int, str, str]:
    """Where a notebook stands: number of its section, the section, its label; by its file's name.

    train-mnist-arvae -> (1, "Training", "MNIST · AR-VAE").
    """
    for number, (stage, (section, _)) in enumerate(SECTIONS.items()):
        if stem == stage:
            return number, section, section
        if stem.startswith(f"{stage}-"):
            dataset, model = _parts(stage, stem)
            names = [labels.dataset_label(dataset), *([labels.model_label(model)] if model else [])]
            return number, section, " · ".join(names)
    return len(SECTIONS), MORE, labels.plain(stem).replace("-", " ")


def _parts(stage: str, stem: str) -> tuple[str, str]:
    """Data set and model that a notebook is about; a data set's name may have a hyphen, a model's not."""
    rest = stem.removeprefix(stage).removeprefix("-")
    dataset, _, model = rest.rpartition("-")
    return (dataset, model) if stage in SETUPS and dataset else (rest, "")


def rank(stem: str) -> tuple[Any, ...]:
    """Sorts notebooks: sections in order, data sets and models in the paper's order."""
    number, _, label = place(stem)
    parts = _parts(list(SECTIONS)[number], stem) if number < len(SECTIONS) else ("", "")
    orders = (list(labels.DATASET_LABELS), labels.MODELS)
    known = [order.index(p) if p in order else 99 for order, p in zip(orders, parts, strict=True)]
    return number, known, label
