"""S2-VAE: the logistic of a latent dimension is to be the attribute, in 0..1 (binary cross-entropy).

The supervised regularizer of Locatello et al., "Disentangling Factors of Variation Using Few Labels" (ICLR
2020), all examples labelled, which Pati & Lerch, "Is Disentanglement enough?" (ISMIR 2021), set beside
AR-VAE; written from the idea: we had no access to the second paper itself.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arvae.losses import at_least_float32
from arvae.models import value
from arvae.params import Setup

KINDS = value.KINDS


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction + beta |KL - C| + gamma * sum over attributes of the cross-entropy."""
    return value.loss(model, x, attributes, setup, generator)


def network(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The paper's network with a `Logistic` head."""
    return value.with_head(Logistic(len(setup.attributes)), setup, vocabulary_size, image_size)


class Logistic(value.Head):
    """Cross-entropy between k dimensions and k attributes, scaled to the range of the training data."""

    def fit(self, values: Tensor) -> None:
        """Learn the range of the attributes (n, k); a constant one is 0."""
        low, high = values.amin(dim=0), values.amax(dim=0)
        self.mean.copy_(low)
        self.spread.copy_(torch.where(high > low, high - low, torch.ones_like(low)))

    def forward(self, z: Tensor, attributes: Tensor) -> Tensor:
        """Mean over the examples, sum over the attributes, of the cross-entropy: a scalar."""
        wanted = ((attributes - self.mean) / self.spread).clamp(0, 1)
        z = at_least_float32(z)
        return F.binary_cross_entropy_with_logits(z, wanted.to(z.dtype), reduction="sum") / len(z)
