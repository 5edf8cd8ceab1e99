"""Names and notes as people write them, and the one colour of each model; imports nothing heavy."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MODEL_LABELS = {
    "betavae": "β-VAE",
    "betavae1": "β-VAE (β = 1)",
    "arvae": "AR-VAE",
    "arvae_mean": "AR-VAE on the mean",
    "semisupervised": "AR-VAE, few labels",
    "value": "Value-based",
    "regression": "Regression",
    "s2vae": "S2-VAE",
    "ivae": "I-VAE",
    "direction": "β-VAE, directions",
    "cvae": "Conditional VAE",
    "fader": "Fader network",
    "glsr": "GLSR-VAE",
    "betatcvae": "β-TCVAE",
    "factorvae": "FactorVAE",
    "published": "published",
}
# Okabe and Ito's palette, told apart by colour-blind readers, and shades of it: warm without attributes, blue
# for AR-VAE, green where a slope or a value is asked for, purple where the decoder is given the attributes.
MODEL_COLOURS = dict(
    zip(
        MODEL_LABELS,
        ("#E69F00", "#D55E00", "#0072B2", "#56B4E9", "#0A2A5E", "#66C2A5", "#B3DE69", "#1B7837", "#8DA0CB",
         "#8C510A", "#6A3D9A", "#CC79A7", "#009E73", "#F0E442", "#FDBF6F", "#4D4D4D"),
        strict=True,
    )
)  # fmt: skip
MODELS = tuple(MODEL_LABELS)[:-1]  # in the order of tables and figures
DATASET_LABELS = {
    "dsprites": "dSprites",
    "mnist": "MNIST",
    "bach": "Bach chorales",
    "folk": "Folk tunes",
    "folk-own": "Folk tunes, own attributes",
    "bach-power": "Bach chorales, power-transformed",
    "dsprites-gap": "dSprites without a combination",
    "mnist-thin": "MNIST without thick digits",
    "bach-sparse": "Bach chorales without dense measures",
    "mnist-10": "MNIST, 10 % labelled",
    "mnist-1": "MNIST, 1 % labelled",
    "dmelodies": "dMelodies",
}
IMAGES, MUSIC = ("dsprites", "mnist"), ("bach", "folk")
DATASETS = IMAGES + MUSIC  # the paper's, in its order
# With units for an axis, which here say more than those of the data sets ("" for shares).
ATTRIBUTE_LABELS = {
    "shape": "shape (class)",
    "scale": "scale (ratio)",
    "orientation": "orientation (rad)",
    "x": "x (0–1)",
    "y": "y (0–1)",
    "area": "area (px²)",
    "length": "length (px)",
    "thickness": "thickness (px)",
    "slant": "slant (rad)",
    "width": "width (px)",
    "height": "height (px)",
    "rhythmic complexity": "rhythmic complexity (0–1)",
    "pitch range": "pitch range (/26 st)",
    "note density": "note density (onsets/tick)",
    "contour": "contour (/26 st)",
}
# Two attributes of each data set that a picture of two dimensions shows best: right, up.
_PAIRS = {
    "dsprites": ("x", "y"),
    "mnist": ("slant", "thickness"),
    "bach": ("note density", "contour"),
    "folk": ("note density", "contour"),
    "dmelodies": ("rhythm 1", "rhythm 2"),
}
METRIC_LABELS = {
    "interpretability": "Interpretability",
    "mig": "MIG",
    "modularity": "Modularity",
    "sap": "SAP",
    "scc": "SCC",
    "dmig": "DMIG",
    "xmig": "XMIG",
    "dlig": "DLIG",
    "modularity_weighted": "Modularity, weighted by information",
    "factorvae_score": "FactorVAE score",
    "betavae_score": "BetaVAE score",
    "irs": "IRS",
    "iou": "IoU of drawn pixels",
    "orientation_circular": "Orientation as an angle",
    "notes_right": "Symbols correct, without continue",
    "measures_right": "Whole measures correct",
    "measures_seen": "Measures seen in training",
    "monotonicity_gamma": "Monotonicity, gamma",
    "monotonicity_gamma_either_way": "Monotonicity, gamma, either way",
    "target_error": "Distance to target (of the range)",
    "target_hit": "Targets reached",
    "target_hit_floor": "Targets reached, unedited items",
    "side_change": "Others moved",
    "side_change_beyond": "Others moved, beyond dependence",
    "digit_accuracy_reconstructed_relative_percent": "Digits kept, reconstructed (relative %)",
    "digit_accuracy_interpolated_relative_percent": "Digits kept, traversed (relative %)",
    "reconstruction_accuracy_percent": "Reconstruction accuracy (%)",
    "digit_accuracy_reconstructed_percent": "Digit accuracy, reconstructed (%)",
    "digit_accuracy_interpolated_percent": "Digit accuracy, traversed (%)",
}

# What of an item is to stay while an attribute is turned, by the `what` of a report's content.
CONTENT_LABELS = {
    "digit": "the share of outputs that the classifier assigns to the digit's own class",
    "shape": "the share of outputs recognised, by their outline, as the item's own shape (chance is a third)",
    "pitches": "the share of ticks that sound as in the item's own reconstruction, and of onsets preserved",
}

# What tables of reconstructions hold, by kind of data, and the columns of tables of realism.
SYMBOLS = {"images": "Pixels", "music": "Symbols"}
RECONSTRUCTION_NOTES = {
    "images": " of pixels. Floor: an empty picture.",
    "music": ": all symbols, symbols other than *continue*, and whole measures; each also for test measures "
    "that do and do not occur in training in some key. Floor: a measure of only *continue*.",
}
REALISM_LABELS = {
    "nearest distance": "distance to the nearest test example (root mean square over pixels)",
    "confidence": "the classifier's confidence",
    "in scale": "the share of notes in one major scale",
    "in corpus": "the share of measures that occur in the training set in some key",
    "log likelihood": "the likelihood under a bigram model (nats per symbol)",
}


def plain(name: str) -> str:
    """A name as people write it: `pitch_range` -> `pitch range`."""
    return name.replace("_", " ")


def listed(items: Sequence[str]) -> str:
    """As in a sentence: "a", "a and b", "a, b and c"."""
    return ", ".join(items[:-1]) + (" and " if len(items) > 1 else "") + items[-1]


def epochs(count: float) -> str:
    """ "1 epoch", "0.75 epochs"."""
    return f"{count:g} epoch{'s' * (count != 1)}"


def attribute_names(names: Sequence[str], provenance: Mapping[str, Any]) -> list[str]:
    """Attributes of a data set, for axes: transformed ones are in no unit."""
    return [f"{plain(name)} (transformed)" if "transform" in provenance else name for name in names]


def attribute_label(name: str, unit: str = "") -> str:
    """An attribute with its unit, for an axis."""
    name = plain(name)
    return ATTRIBUTE_LABELS.get(name) or (f"{name} ({unit})" if unit else name)


def model_label(name: str) -> str:
    """A model's name as the paper writes it."""
    return MODEL_LABELS.get(name, plain(name))


def dataset_label(name: str) -> str:
    """A data set's name as people write it."""
    return DATASET_LABELS.get(name, plain(name))


def metric_label(name: str) -> str:
    """A metric's name as the paper writes it."""
    for ending, words in (
        ("_regularized", "along the regularized dimension"),
        ("_observed", "in the observed range"),
        ("_unseen", "of measures unseen in training"),
        ("_seen", "of measures seen in training"),
    ):
        if name.endswith(ending) and name not in METRIC_LABELS:
            return f"{metric_label(name.removesuffix(ending))} {words}"
    name, comma, rest = name.partition(", ")  # "scc, without orientation"
    return (METRIC_LABELS.get(name) or plain(name)[:1].upper() + plain(name)[1:]) + comma + rest


def attribute_pair(dataset: str, names: Sequence[str]) -> tuple[str, str]:
    """The two attributes to show over a plane, right and up; of a data set of your own the first two.

    A part of a data set (mnist-thin) shows what the whole (mnist) does. One attribute is given twice.
    """
    pair = _PAIRS.get(dataset.partition("-")[0], ())
    return pair if pair and set(pair) <= set(names) else (names[0], names[min(1, len(names) - 1)])


def sharing(dimensions: Mapping[str, int]) -> dict[str, list[str]]:
    """Attributes by the dimension turned for them: their names as one ("area, width") -> the names."""
    groups: dict[int, list[str]] = {}
    for name, dimension in dimensions.items():
        groups.setdefault(dimension, []).append(name)
    return {", ".join(map(plain, names)): names for names in groups.values()}


def in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """The distinct names, those in `order` first and in that order."""
    present = list(dict.fromkeys(names))
    return [n for n in order if n in present] + [n for n in present if n not in order]


def signed(value: float, decimals: int | None = None, plus: bool = False) -> str:
    """A number with a real minus sign and none before a zero: -4.0 -> "−4"; with decimals as many."""
    value = (value if decimals is None else round(value, decimals)) + 0.0
    sign = "+" if plus else ""
    return f"{value:{sign}{'g' if decimals is None else f'.{decimals}f'}}".replace("-", "\N{MINUS SIGN}")
