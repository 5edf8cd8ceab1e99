"""What an attribute's dimension does, as measured on codes of test examples."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from arvae import metrics
from arvae.metrics.density import observed_range

if TYPE_CHECKING:
    from arvae.trained.model import TrainedModel


@dataclasses.dataclass(frozen=True)
class Control:
    """One attribute's dimension, as measured on codes of test examples.

    sign: +1 where the attribute grows with z, -1 where it falls; regularized: by the loss, else the
    dimension was found (`TrainedModel.dimension_of`); correlation: Spearman's rho of z and the attribute;
    mean, sd, low, high: of the codes in this dimension (low, high: 0.5 % and 99.5 % quantile; 0 and 1 for an
    input of a Fader network); least, most: the attribute's values in the data, 2.5 % and 97.5 % quantile.
    """

    attribute: str
    unit: str
    dimension: int
    sign: int
    regularized: bool
    correlation: float
    mean: float
    sd: float
    low: float
    high: float
    least: float
    most: float


def measured(model: "TrainedModel", z: np.ndarray, attributes: np.ndarray) -> tuple[Control, ...]:
    """The control of each attribute of a model, whose `information` is known; see `TrainedModel.fitted`."""
    rho, (lows, highs) = metrics.spearman_matrix(z, attributes), observed_range(z)
    lows[model.setup.latent_dim :], highs[model.setup.latent_dim :] = 0, 1
    mean, sd = z.mean(axis=0, dtype=np.float64), z.std(axis=0, dtype=np.float64)
    least, most = np.quantile(attributes, [0.025, 0.975], axis=0)
    controls = []
    for i, (name, unit) in enumerate(zip(model.attribute_names, model.attribute_units, strict=True)):
        r, regularized = model.dimension_of(name), name in model.regularized
        sign = 1 if regularized or rho[r, i] >= 0 else -1
        numbers = (rho[r, i].round(4), mean[r], sd[r], lows[r], highs[r], least[i], most[i])
        controls.append(Control(name, unit, r, sign, regularized, *map(float, numbers)))
    return tuple(controls)
