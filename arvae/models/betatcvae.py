"""beta-TCVAE: of the divergence's three parts, only the total correlation of the dimensions is weighed.

Chen, Li, Grosse & Duvenaud, "Isolating Sources of Disentanglement in Variational Autoencoders" (NeurIPS
2018): KL = index-code mutual information + total correlation + dimension-wise KL. With weights 1, beta and 1
that is KL + (beta - 1) TC, and the KL is known exactly: only TC is estimated here, from the batch
(minibatch-weighted sampling). No attributes are used.
"""

import math

import torch
from torch import Tensor, nn

from arvae import losses
from arvae.models.vae import reconstruct, sample
from arvae.params import Setup

KINDS = ("images",)  # the parts of weight 1 are too much for music's reconstruction, a mean over ticks


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction + KL + (beta - 1) TC; "total_correlation" is reported too, see there."""
    mean, log_std = model.encode(x)  # (m, d) each
    z = sample(mean, log_std, generator)
    reconstruction, kl = reconstruct(model, z, x), losses.kl_divergence(mean, log_std)
    correlation = total_correlation(z, mean, log_std)
    return {
        "loss": reconstruction + kl + (setup.hyperparameters.beta - 1) * correlation,
        "reconstruction": reconstruction,
        "kl": kl,
        "regularization": torch.zeros_like(kl.detach()),
        "total_correlation": correlation,
    }


def total_correlation(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Mean of log q(z) - sum_d log q(z_d), in nats; codes z, mean, log_std (m, d) of one batch -> a scalar.

    q is taken to be the mixture of the batch's posteriors, each of weight 1 / m. Chen's weight, 1 / (n m) for
    n training examples, adds (d - 1) log n: a constant, without a gradient.
    """
    z, mean, log_std = (losses.at_least_float32(part) for part in (z, mean, log_std))
    away = (z[:, None] - mean[None]) / log_std.exp()[None]  # (m, m, d): code i under posterior j
    density = -0.5 * away.square() - log_std[None]  # its logarithm, but for log(2 pi) / 2, which cancels
    together, apart = density.sum(dim=2).logsumexp(dim=1), density.logsumexp(dim=1).sum(dim=1)
    return (together - apart).mean() + (z.shape[1] - 1) * math.log(len(z))
