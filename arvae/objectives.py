"""What each model minimises: one function an objective, told apart by `objective` in params.yaml.

An objective takes (model, x, attributes, cell, generator) and gives a dict of scalar tensors: "loss", which
is minimised, and the terms it is made of ("reconstruction", "kl", "regularization", ...), which are logged.

x: images float (m, 1, h, w) in 0..1, or music tokens int64 (m, 24); attributes: (m, k), the cell's attributes
in the cell's order; generator: where all random numbers come from.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from arvae import losses
from arvae.objectives_glsr import glsr
from arvae.params import Cell

Terms = dict[str, Tensor]
Objective = Callable[[nn.Module, Tensor, Tensor, Cell, torch.Generator], Terms]


def vae(model: nn.Module, x: Tensor, attributes: Tensor, cell: Cell, generator: torch.Generator) -> Terms:
    """beta-VAE, and with gamma > 0 AR-VAE: reconstruction + beta |KL - C| + gamma L_AR (paper, section 3)."""
    knobs = cell.knobs
    mean, log_std = model.encode(x)  # (m, d) each
    z = sample(mean, log_std, generator)
    reconstruction = reconstruct(model, z, x)
    kl = losses.kl_divergence(mean, log_std)
    loss = reconstruction + losses.kl_penalty(kl, knobs.beta, knobs.capacity)
    regularized = (z if knobs.regularize == "sample" else mean)[:, list(cell.dimensions)]
    if knobs.gamma > 0:
        regularization = losses.attribute_regularization(regularized, attributes, knobs.delta)
        loss = loss + knobs.gamma * regularization
    else:  # not minimised, only watched: how ordered the dimensions become by themselves
        with torch.no_grad():
            regularization = losses.attribute_regularization(regularized, attributes, knobs.delta)
    return {"loss": loss, "reconstruction": reconstruction, "kl": kl, "regularization": regularization}


def fader(model: nn.Module, x: Tensor, attributes: Tensor, cell: Cell, generator: torch.Generator) -> Terms:
    """Fader network: reconstruction from [z, attributes], and an adversary of weight gamma (models/fader.py).

    "adversary" is the share of the attributes' variance that cannot be read from the code; the aim is 1.
    """
    z, _ = model.encode(x)  # (m, d), deterministic
    reconstruction = reconstruct(model, model.complete(z, attributes), x)
    adversary = model.hidden_share(z, attributes, cell.knobs.gamma)
    none = torch.zeros_like(reconstruction.detach())
    return {
        "loss": reconstruction + adversary,
        "reconstruction": reconstruction,
        "kl": none,
        "regularization": none,
        "adversary": adversary,
    }


def sample(mean: Tensor, log_std: Tensor, generator: torch.Generator) -> Tensor:
    """One code (m, d) from N(mean, exp(log_std)^2), differentiable in both (reparametrisation)."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + log_std.exp() * noise


def reconstruct(model: nn.Module, z: Tensor, x: Tensor) -> Tensor:
    """The reconstruction term of the model's kind, in nats."""
    if model.kind == "images":
        return losses.reconstruction_images(model.decode(z), x)
    return losses.reconstruction_music(model.decode(z, x), x)


OBJECTIVES: dict[str, Objective] = {"vae": vae, "fader": fader, "glsr": glsr}
