"""Value-based regularization: a latent dimension is to be the attribute itself, in standard deviations.

Squared error in the place of AR-VAE's loss on the order of the values. It sees what the order hides, so that
a power transform of the attributes (datasets.<name>.transform) changes it, and not AR-VAE's.
"""

import torch
from torch import Tensor, nn

from arvae import losses, models
from arvae.models.vae import reconstruct, sample
from arvae.params import Setup

KINDS = ("images", "music")


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction + beta |KL - C| + gamma * the error of the model's head on the setup's dimensions."""
    hyperparameters = setup.hyperparameters
    mean, log_std = model.encode(x)  # (m, d) each
    z = sample(mean, log_std, generator)  # (m, d)
    reconstruction = reconstruct(model, z, x)
    kl = losses.kl_divergence(mean, log_std)
    code = z if hyperparameters.regularize == "sample" else mean
    regularization = model.head(losses.columns(code, setup.dimensions), attributes)
    total = (
        reconstruction
        + losses.kl_penalty(kl, hyperparameters.beta, hyperparameters.capacity)
        + hyperparameters.gamma * regularization
    )
    return {"loss": total, "reconstruction": reconstruction, "kl": kl, "regularization": regularization}


def network(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The paper's network with a `Head`."""
    return with_head(Head(len(setup.attributes)), setup, vocabulary_size, image_size)


def with_head(head: "Head", setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The paper's network, which arvae.fast knows, with a head; the engine calls `fit_attributes`."""
    model = models.network(setup, vocabulary_size, image_size)
    model.head, model.fit_attributes = head, head.fit
    return model


class Head(nn.Module):
    """The squared error between k dimensions and k attributes in standard deviations of the training data."""

    def __init__(self, attributes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(attributes))
        self.register_buffer("spread", torch.ones(attributes))

    def fit(self, values: Tensor) -> None:
        """Learn mean and standard deviation of the attributes (n, k); a constant one is only centred."""
        self.mean.copy_(values.mean(dim=0))
        spread = values.std(dim=0, correction=0)
        self.spread.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))

    def predict(self, z: Tensor) -> Tensor:
        """Dimensions (m, k) -> what they say of the standardised attributes (m, k)."""
        return z

    def forward(self, z: Tensor, attributes: Tensor) -> Tensor:
        """Mean over the examples, sum over the attributes, of the squared error: a scalar."""
        wanted = (attributes - self.mean) / self.spread
        return (self.predict(losses.at_least_float32(z)) - wanted).square().mean(dim=0).sum()
