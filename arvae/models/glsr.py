"""GLSR-VAE: the slope of an attribute along its latent dimension is asked for directly.

Hadjeres, Nielsen & Pachet, "GLSR-VAE: Geodesic Latent Space Regularization for Variational AutoEncoder
Architectures" (IEEE SSCI 2017). Where AR-VAE orders the codes of a batch, GLSR-VAE moves one code a little
along dimension r and wants the attribute of what is decoded to change at a given rate: the rate's Gaussian
log-likelihood is the regularization. The attribute must therefore be a differentiable function of the
decoder's probabilities. Of the four musical attributes only rhythmic complexity and note density are; the
other dimensions stay free.
"""

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arvae import losses
from arvae.models.vae import sample
from arvae.music.coding import WEIGHTS, Vocabulary
from arvae.params import Setup

KINDS = ("music",)
STEP = 0.25  # how far a code is moved along its dimension; smaller steps drown in bfloat16's rounding
SLOPE = 1.0  # the wanted rate: a standard deviation of the attribute in the data for a unit of z
SPREAD = 0.5  # standard deviation of the rate around it

_DENSITY = torch.full((len(WEIGHTS),), 1 / len(WEIGHTS))
_COMPLEXITY = torch.tensor(WEIGHTS) / sum(WEIGHTS)
EXPRESSIBLE = {"rhythmic complexity": _COMPLEXITY, "note density": _DENSITY}


def expected(logits: Tensor, names: list[str]) -> Tensor:
    """The attributes' expectations under the decoder's probabilities: (m, 24, V) -> (m, k), differentiable.

    Both are weighted sums over ticks of "a note starts here", so their expectation needs only the
    probability, at each tick, of all pitches together.
    """
    onset = F.softmax(losses.at_least_float32(logits), -1)[..., : Vocabulary().pitches].sum(-1)  # (m, 24)
    return onset @ _weights(tuple(names), onset.device).to(onset.dtype)


@functools.lru_cache(maxsize=64)
def _weights(names: tuple[str, ...], device: torch.device) -> Tensor:
    """(24, k), sent to the device once."""
    return torch.stack([EXPRESSIBLE[name] for name in names], 1).to(device)


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction + beta |KL - C| + gamma * sum over attributes of the mean of -log N(slope).

    slope: finite difference of the attribute's expectation, in standard deviations of the batch's values, a
    unit of z_r; the Gaussian has mean SLOPE and standard deviation SPREAD, its constant is left out. "slope"
    is reported: the mean of the measured rates, whose aim is 1.

    Raises:
        ValueError: where none of the setup's attributes can be expressed so.
    """
    chosen = [name for name in setup.attributes if name in EXPRESSIBLE]
    if not chosen or model.kind != "music":
        raise ValueError(
            f"setup {setup.name}: GLSR-VAE needs attributes that are differentiable functions of the "
            f"decoder's output, {' or '.join(EXPRESSIBLE)}; got {', '.join(setup.attributes)}"
        )
    hyperparameters = setup.hyperparameters
    places = [setup.attributes.index(name) for name in chosen]
    mean, log_std = model.encode(x)  # (m, d) each
    z = sample(mean, log_std, generator)
    forced = model.coin()
    logits = model.decode(z, x, forced=forced)  # (m, 24, V)
    reconstruction = losses.reconstruction_music(logits, x)
    kl = losses.kl_divergence(mean, log_std)
    # The moved codes are decoded with the same symbols fed back: what changes is what z_r changes, smoothly.
    fed = x if forced else logits.detach().argmax(-1)
    before = expected(logits, chosen)
    units = losses.columns(attributes, places).to(before).std(0).clamp_min(1e-6)
    slopes = []
    for k, place in enumerate(places):
        step = torch.zeros_like(z)
        step[:, setup.dimensions[place]].fill_(STEP)
        after = expected(model.decode(z + step, fed, forced=True), chosen)
        slopes.append((after[:, k] - before[:, k]) / (STEP * units[k]))
    slope = torch.stack(slopes, 1)  # (m, k)
    regularization = (0.5 * ((slope - SLOPE) / SPREAD).square()).mean(0).sum()
    total = (
        reconstruction
        + losses.kl_penalty(kl, hyperparameters.beta, hyperparameters.capacity)
        + hyperparameters.gamma * regularization
    )
    return {
        "loss": total,
        "reconstruction": reconstruction,
        "kl": kl,
        "regularization": regularization,
        "slope": slope.mean(),
    }
