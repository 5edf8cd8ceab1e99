"""Fader network: reconstruction, while an adversary takes the attributes out of the code."""

import torch
from torch import Tensor, nn

from arvae.models.fader import Fader
from arvae.objectives import Terms, reconstruct
from arvae.params import Setup

KINDS = ("images",)


def network(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The image network with the attributes as inputs of its decoder, and a discriminator."""
    return Fader(len(setup.attributes), setup.latent_dim, image_size, **setup.architecture.model_dump())


def fader(model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator) -> Terms:
    """Fader network: reconstruction from [z, attributes], and an adversary of weight gamma (models/fader.py).

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
