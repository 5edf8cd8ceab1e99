"""AR-VAE where the attributes of only some training examples are known: L_AR over those alone."""

import torch
from torch import Tensor, nn

from arvae import losses
from arvae.models.vae import reconstruct, sample
from arvae.params import Setup

KINDS = ("images", "music")
UNKNOWN = torch.finfo(torch.float32).min  # what stands for every attribute that is not known


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction + beta |KL - C| over the batch + gamma L_AR over pairs of labelled examples.

    Examples whose attributes are all UNKNOWN are not labelled. Left as equal values they would not be
    ignored: L_AR pulls together what is equal. With fewer than two labelled examples L_AR is 0; with all of
    them labelled this is `vae.loss`. The pairs are picked by value, which engine.graphs cannot record.
    """
    hyperparameters = setup.hyperparameters
    mean, log_std = model.encode(x)  # (m, d) each
    z = sample(mean, log_std, generator)  # (m, d)
    reconstruction = reconstruct(model, z, x)
    kl = losses.kl_divergence(mean, log_std)
    known = (attributes > UNKNOWN).any(dim=1)  # (m,)
    regularization = torch.zeros_like(kl)
    if known.any():
        code = losses.columns(z if hyperparameters.regularize == "sample" else mean, setup.dimensions)
        regularization = model.attribute_regularization(code[known], attributes[known], hyperparameters.delta)
    penalty = losses.kl_penalty(kl, hyperparameters.beta, hyperparameters.capacity)
    total = reconstruction + penalty + hyperparameters.gamma * regularization
    return {"loss": total, "reconstruction": reconstruction, "kl": kl, "regularization": regularization}
