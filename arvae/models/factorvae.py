"""FactorVAE: a discriminator estimates the total correlation of the code's dimensions, which is then lowered.

Kim & Mnih, "Disentangling by Factorising" (ICML 2018, algorithm 2). The discriminator tells codes from codes
whose dimensions were permuted over a batch, each by itself; what it makes of a code is the log-ratio of q(z)
and the product of its dimensions. `beta` is the weight of the total correlation within the divergence, as in
`betatcvae`; the paper's gamma is beta - 1. No attributes are used.

The discriminator learns beside the network from one sum of losses, by the engine's one Adam, where the paper
has a second one with other momenta: the terms touch different weights, since the codes it is trained on are
detached, and its weights are, where it judges. It has `hidden` units a layer, where the paper has 1,000.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from arvae import losses, models
from arvae.models.vae import reconstruct, sample
from arvae.params import Setup

KINDS = ("images",)  # as betatcvae
LAYERS = 5  # of hidden units; the sixth gives the two logits


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction + KL + (beta - 1) TC + the discriminator's cross-entropy; the last two reported too."""
    mean, log_std = model.encode(x)  # (m, d) each
    z = sample(mean, log_std, generator)
    reconstruction, kl = reconstruct(model, z, x), losses.kl_divergence(mean, log_std)
    fixed = {name: weight.detach() for name, weight in model.discriminator.named_parameters()}
    z = z.to(model.discriminator[0].weight.dtype)
    logits = losses.at_least_float32(functional_call(model.discriminator, fixed, (z,)))  # (m, 2)
    correlation = (logits[:, 0] - logits[:, 1]).mean()
    # Codes as they are from one half of the batch, permuted ones from the other: independent of them.
    real, other = z.detach().chunk(2)
    read = losses.at_least_float32(model.discriminator(torch.cat([real, permuted(other, generator)])))
    truth = torch.ones(len(z), dtype=torch.int64, device=z.device)
    truth[: len(real)] = 0
    discriminator = F.cross_entropy(read, truth)
    return {
        "loss": reconstruction + kl + (setup.hyperparameters.beta - 1) * correlation + discriminator,
        "reconstruction": reconstruction,
        "kl": kl,
        "regularization": torch.zeros_like(kl.detach()),
        "total_correlation": correlation,
        "discriminator": discriminator,
    }


def permuted(z: Tensor, generator: torch.Generator) -> Tensor:
    """Codes (m, d), each dimension permuted over the batch by itself: draws from the marginals' product."""
    order = torch.rand(z.shape, generator=generator, device=z.device).argsort(dim=0)
    return z.gather(0, order)


def network(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The paper's network, which arvae.fast knows, with a discriminator of codes."""
    model, width = models.network(setup, vocabulary_size, image_size), setup.architecture.hidden
    sizes = [setup.latent_dim, *[width] * LAYERS]
    layers = [(nn.Linear(a, b), nn.LeakyReLU(0.2)) for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    model.discriminator = nn.Sequential(*(part for pair in layers for part in pair), nn.Linear(width, 2))
    return model
