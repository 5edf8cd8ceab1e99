"""beta-VAE and AR-VAE: reconstruction, divergence and, with gamma > 0, the order of the attributes."""

import torch
from torch import Tensor, nn

from arvae import losses
from arvae.params import Setup

KINDS = ("images", "music")


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction + beta |KL - C| + gamma L_AR; with gamma = 0 the beta-VAE (paper, section 3)."""
    hyperparameters = setup.hyperparameters
    mean, log_std = model.encode(x)  # (m, d) each
    z = sample(mean, log_std, generator)  # (m, d)
    reconstruction = reconstruct(model, z, x)
    kl = losses.kl_divergence(mean, log_std)
    total = reconstruction + losses.kl_penalty(kl, hyperparameters.beta, hyperparameters.capacity)
    regularized = losses.columns(z if hyperparameters.regularize == "sample" else mean, setup.dimensions)
    if hyperparameters.gamma == 0:  # only watched: how ordered the dimensions become by themselves
        regularized = regularized.detach()
    # losses.attribute_regularization or, after arvae.fast.use(model), its fused twin
    regularization = model.attribute_regularization(regularized, attributes, hyperparameters.delta)
    if hyperparameters.gamma > 0:
        total = total + hyperparameters.gamma * regularization
    return {"loss": total, "reconstruction": reconstruction, "kl": kl, "regularization": regularization}


def sample(mean: Tensor, log_std: Tensor, generator: torch.Generator) -> Tensor:
    """One code (m, d) from N(mean, exp(log_std)^2), differentiable in both (reparametrisation)."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + log_std.exp() * noise


def reconstruct(model: nn.Module, z: Tensor, x: Tensor) -> Tensor:
    """The reconstruction term of the model's kind, in nats."""
    if model.kind == "images":
        return losses.reconstruction_images(model.decode(z), x)
    return losses.reconstruction_music(model.decode(z, x), x)
