"""Fader network: an auto-encoder whose code is made blind to the attributes, which are given to the decoder.

Lample et al., "Fader Networks: Manipulating Images by Sliding Attributes" (NeurIPS 2017), with continuous
attributes scaled to 0..1, as the paper compares with (Pati & Lerch 2020, section 5). A discriminator learns
to read the attributes from the code; the encoder learns, through a reversed gradient (Ganin & Lempitsky
2015), to leave nothing there to read.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arvae.losses import at_least_float32
from arvae.models.image import image_vae
from arvae.models.vae import reconstruct
from arvae.params import Setup

KINDS = ("images",)


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction from [z, attributes], and an adversary of weight gamma.

    "adversary" is the share of the attributes' variance that cannot be read from the code; the aim is 1.
    """
    z, _ = model.encode(x)  # (m, d), deterministic
    reconstruction = reconstruct(model, model.complete(z, attributes), x)
    adversary = model.hidden_share(z, attributes, setup.hyperparameters.gamma)
    none = torch.zeros_like(reconstruction.detach())
    return {
        "loss": reconstruction + adversary,
        "reconstruction": reconstruction,
        "kl": none,
        "regularization": none,
        "adversary": adversary,
    }


def network(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The image network with the attributes as inputs of its decoder, and a discriminator."""
    return Fader(len(setup.attributes), setup.latent_dim, image_size, **setup.architecture.model_dump())


# What stands for the log-std of a deterministic code: a spread of 2e-9, finite where -infinity is not.
LOG_STD = -20.0


class Fader(nn.Module):
    """The image VAE's networks with k more inputs to the decoder, and a discriminator d-64-32-k.

    The head for the log-std is there but not used, as in the paper's own count of parameters. The code is
    normalised, without weights: left free, it only grows until the discriminator, whose dropout makes it
    noisy, can no longer follow, hides nothing, and the decoder does not look at the attributes (MNIST).
    """

    kind = "images"
    deterministic = True

    def __init__(self, attributes: int, latent_dim: int, image_size: int | None, **architecture: Any) -> None:
        super().__init__()
        self.latent_dim, self.attributes = latent_dim, attributes
        self.network = image_vae(latent_dim, **architecture, image_size=image_size, conditions=attributes)
        self.discriminator = nn.Sequential(
            nn.Linear(latent_dim, 64), nn.Sequential(nn.SELU(), nn.Dropout(0.5)),
            nn.Linear(64, 32), nn.Sequential(nn.SELU(), nn.Dropout(0.5)),
            nn.Linear(32, attributes),
        )  # fmt: skip
        self.register_buffer("lowest", torch.zeros(attributes))
        self.register_buffer("span", torch.ones(attributes))
        self.register_buffer("variance", torch.ones(attributes))

    def fit_attributes(self, values: Tensor) -> None:
        """Learn the range of the attributes, (n, k), from the training data: it becomes 0..1."""
        lowest, span = values.amin(dim=0), values.amax(dim=0) - values.amin(dim=0)
        self.lowest.copy_(lowest)
        self.span.copy_(torch.where(span > 0, span, torch.ones_like(span)))
        variance = self.scale(values).var(dim=0, correction=0)
        # A constant attribute has nothing to be read: its error counts as it is, not a million times.
        self.variance.copy_(torch.where(span > 0, variance, torch.ones_like(span)))

    def scale(self, attributes: Tensor) -> Tensor:
        """Attributes (n, k) in their own units -> 0..1 (beyond, where the training data did not reach)."""
        return (attributes - self.lowest) / self.span

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (n, 1, h, w) in 0..1 -> code (n, d) and a log-std that stands for none, float32.

        Every code has mean 0 and variance 1 over its dimensions.
        """
        code = F.layer_norm(self.network.encode(x)[0], (self.latent_dim,))
        return code, torch.full_like(code, LOG_STD)

    def complete(self, z: Tensor, attributes: Tensor) -> Tensor:
        """What the decoder takes: codes (n, d) with attributes (n, k), scaled, appended."""
        return torch.cat([z, self.scale(attributes).to(z.dtype)], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        """Completed codes (n, d + k) -> logits (n, 1, h, w). Plain codes (n, d) get attributes of 0.5."""
        if z.shape[1] == self.latent_dim:
            z = torch.cat([z, z.new_full((len(z), self.attributes), 0.5)], dim=1)
        return self.network.decode(z)

    def hidden_share(self, z: Tensor, attributes: Tensor, strength: float) -> Tensor:
        """How much of the attributes the discriminator cannot read from z: the adversary's loss.

        Mean over the attributes of squared error / variance: 1 when it reads nothing, 0 when it reads all.
        Its gradient improves the discriminator and, reversed and times `strength`, worsens z for it.
        """
        reversed_z = _Reverse.apply(z, strength).to(self.discriminator[0].weight.dtype)
        read = at_least_float32(self.discriminator(reversed_z)).sigmoid()  # (m, k)
        return ((read - self.scale(attributes)).square().mean(dim=0) / self.variance).mean()


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * -ctx.strength, None
