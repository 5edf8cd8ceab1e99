"""The order of the pages: the group of the menu a page stands in, and its names, by its notebook's name."""

from typing import Any

from compendium import labels

# Beginning of a notebook's name, what its page is: in this order in the group of its data set.
KINDS = {"data": "Data", "comparison": "Comparison", "evaluate": "Evaluation", "train": "Training"}
# Pages about no data set, or about all: group, label in the menu, heading.
ALONE = {
    "results": ("All data sets", "Results", "Results: comparison with the paper and the baseline"),
    "checklist": ("All data sets", "The paper's figures", "Checklist: the paper's figures and numbers"),
    "baselines": ("All data sets", "Other models", "Other models: is it the regularization?"),
    "tuning": ("All data sets", "How they were tuned", "Other models: weights tried"),
    "generalisation": ("All data sets", "Generalisation", "Generalisation: unseen data and few labels"),
    "classifier": ("MNIST", "Digit classifier", "MNIST: the digit classifier"),
    "hyperparameters": ("MNIST", "Hyperparameters γ and δ", "MNIST: effect of γ and δ"),
    "own-attributes": ("Use it", "Custom attributes", "Custom attributes: tension and syncopation"),
    "tutorial": ("Use it", "For musicians", "For musicians: vary a tune with sliders"),
    "playground": ("Use it", "How the playground is made", "How the playground is made"),
    "your-own-data": ("Use it", "Your own data", ""),
    "glossary": ("Use it", "Glossary", ""),
    "cite": ("Use it", "Cite, licences, data", ""),
}
FIRST, LAST, MORE = "All data sets", "Use it", "More"
SETUPS = ("train", "evaluate")  # stages that are about a data set and a model, by <data set>-<model>


def place(stem: str) -> tuple[str, str, str]:
    """Group, label in the menu, and heading ("": the page's own) of a page, by its notebook's name.

    train-mnist-arvae -> ("MNIST", "Training: AR-VAE", "AR-VAE on MNIST: training").
    """
    if stem in ALONE:
        return ALONE[stem]
    kind, dataset, model = _parts(stem)
    if not kind:
        return MORE, labels.plain(stem).replace("-", " "), ""
    group, word = labels.dataset_label(dataset), KINDS[kind]
    if model:
        label = labels.model_label(model)
        return group, f"{word}: {label}", f"{label} on {group}: {word.lower()}"
    about = {"data": "the data", "comparison": "baseline and AR-VAE side by side"}[kind]
    return group, word, f"{group}: {about}"


def _parts(stem: str) -> tuple[str, str, str]:
    """Kind, data set and model of a notebook; a data set's name may have a hyphen, a model's not."""
    kind = next((kind for kind in KINDS if stem.startswith(f"{kind}-")), "")
    rest = stem.removeprefix(f"{kind}-")
    dataset, _, model = rest.rpartition("-")
    return (kind, dataset, model) if kind in SETUPS and dataset else (kind, rest, "")


def rank(stem: str) -> tuple[Any, ...]:
    """Sorts pages: all data sets, then each in the paper's order, then what is to be used, then the rest."""
    groups = [FIRST, *labels.DATASET_LABELS.values()]
    group = place(stem)[0]
    at = groups.index(group) if group in groups else {LAST: 98, MORE: 99}.get(group, 97)
    kind, _, model = _parts(stem)
    alone = list(ALONE).index(stem) if stem in ALONE else -1
    order = list(KINDS).index(kind) if kind else 99
    models = ["arvae", *labels.MODELS]
    return at, group, order, alone, models.index(model) if model in models else 99, stem


def setup(stem: str) -> str:
    """The data set, or data set and model, that a page is about: "mnist-arvae"; "" for pages about all."""
    return "" if stem in ALONE or not _parts(stem)[0] else stem.partition("-")[2]
