"""Attributes whose values lie more like a normal distribution's: `datasets.<name>.transform: power`.

Most musical attributes crowd at a few values. Pettenò & Mezza (2025) report that regularized latent spaces
train better on power-transformed ones. AR-VAE's own loss sees only the order of the values, which no
increasing function changes; what can change is how much of an attribute a *linear* reading of its dimension
explains (interpretability), and every model that looks at the values themselves, such as a Fader network.
"""

import dataclasses

import numpy as np
from scipy import stats
from sklearn.preprocessing import PowerTransformer

from arvae.datasets.contract import SPLITS, Dataset

Fit = dict[str, dict[str, float]]  # of each attribute: exponent, and mean and spread of what it makes


def power(dataset: Dataset) -> Dataset:
    """The same examples with every attribute put through a Yeo-Johnson transform and standardised.

    Exponents (maximum likelihood), means and spreads are those of the training split; they are kept in
    provenance["transform"], which `apply` takes. Attributes have no unit afterwards.
    """
    train = dataset.train.attributes.astype(np.float64)
    exponents = PowerTransformer(method="yeo-johnson", standardize=False).fit(train).lambdas_
    fit = {}
    for name, exponent, column in zip(dataset.attribute_names, exponents, train.T, strict=True):
        made = stats.yeojohnson(column, exponent)
        fit[name] = {"exponent": float(exponent), "mean": float(made.mean()), "spread": float(made.std())}
    changed = {}
    for part in SPLITS:
        split = dataset.split(part)
        changed[part] = dataclasses.replace(split, attributes=apply(split.attributes, fit))
    units, provenance = ("",) * len(fit), {**dataset.provenance, "transform": fit}
    return dataclasses.replace(dataset, **changed, attribute_units=units, provenance=provenance)


def apply(attributes: np.ndarray, fit: Fit) -> np.ndarray:
    """Attributes (n, k), in the order of `fit`, transformed: float32 (n, k). NaN stays NaN."""
    columns = [
        (stats.yeojohnson(column.astype(np.float64), one["exponent"]) - one["mean"]) / one["spread"]
        for column, one in zip(attributes.T, fit.values(), strict=True)
    ]
    return np.stack(columns, axis=1).astype(np.float32)
