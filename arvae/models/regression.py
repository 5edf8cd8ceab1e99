"""Plain regression: each attribute is regressed on its latent dimension while the auto-encoder trains.

The simplest supervision there is: the squared error of slope * z + intercept, both learned. Unlike `value` it
leaves the dimension's scale to the other terms.
"""

import torch
from torch import Tensor, nn

from arvae.losses import at_least_float32
from arvae.models import value
from arvae.params import Setup

KINDS = value.KINDS


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction + beta |KL - C| + gamma * sum over attributes of the regression's squared error."""
    return value.loss(model, x, attributes, setup, generator)


def network(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The paper's network with a `Line` for each attribute."""
    return value.with_head(Line(len(setup.attributes)), setup, vocabulary_size, image_size)


class Line(value.Head):
    """Standardised attribute = (1 + tilt) z + intercept; both are 0 at first, so that z runs upwards."""

    def __init__(self, attributes: int) -> None:
        super().__init__(attributes)
        self.tilt = nn.Parameter(torch.zeros(attributes))
        self.intercept = nn.Parameter(torch.zeros(attributes))

    def predict(self, z: Tensor) -> Tensor:
        """Dimensions (m, k) -> what they say of the standardised attributes (m, k)."""
        return (1 + at_least_float32(self.tilt)) * z + at_least_float32(self.intercept)
