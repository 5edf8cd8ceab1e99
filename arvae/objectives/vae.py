"""beta-VAE and AR-VAE: reconstruction, divergence and, with gamma > 0, the order of the attributes."""

import torch
from torch import Tensor, nn

from arvae import losses
from arvae.objectives import Terms, reconstruct, sample
from arvae.params import Setup

KINDS = ("images", "music")


def vae(model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator) -> Terms:
    """beta-VAE, and with gamma > 0 AR-VAE: reconstruction + beta |KL - C| + gamma L_AR (paper, section 3)."""
    hyperparameters = setup.hyperparameters
    mean, log_std = model.encode(x)  # (m, d) each
    z = sample(mean, log_std, generator)
    reconstruction = reconstruct(model, z, x)
    kl = losses.kl_divergence(mean, log_std)
    loss = reconstruction + losses.kl_penalty(kl, hyperparameters.beta, hyperparameters.capacity)
    regularized = losses.columns(z if hyperparameters.regularize == "sample" else mean, setup.dimensions)
    if hyperparameters.gamma > 0:
        regularization = losses.attribute_regularization(regularized, attributes, hyperparameters.delta)
        loss = loss + hyperparameters.gamma * regularization
    else:  # not minimised, only watched: how ordered the dimensions become by themselves
        with torch.no_grad():
            regularization = losses.attribute_regularization(regularized, attributes, hyperparameters.delta)
    return {"loss": loss, "reconstruction": reconstruction, "kl": kl, "regularization": regularization}
