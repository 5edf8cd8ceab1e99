"""Conditional VAE: the decoder is given code and attributes, and no adversary keeps them apart.

Sohn, Lee & Yan, "Learning Structured Output Representation using Deep Conditional Generative Models" (NeurIPS
2015). The encoder needs no copy of the attributes: they are computed from the example that it sees. A Fader
network without its adversary, but with a posterior and its divergence.
"""

import torch
from torch import Tensor, nn

from arvae import losses, models
from arvae.models.fader import Fader
from arvae.models.image import image_vae
from arvae.models.vae import reconstruct, sample
from arvae.params import Setup

KINDS = ("images", "music")


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction from [z, attributes] + beta |KL - C|; gamma has nothing to weigh here."""
    mean, log_std = model.encode(x)  # (m, d) each
    z = sample(mean, log_std, generator)
    reconstruction = reconstruct(model, model.complete(z, attributes), x)
    kl = losses.kl_divergence(mean, log_std)
    penalty = losses.kl_penalty(kl, setup.hyperparameters.beta, setup.hyperparameters.capacity)
    none = torch.zeros_like(reconstruction.detach())
    return {
        "loss": reconstruction + penalty,
        "reconstruction": reconstruction,
        "kl": kl,
        "regularization": none,
    }


def network(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The paper's network with the attributes, scaled to 0..1, as further inputs of its decoder."""
    inputs = setup.latent_dim + len(setup.attributes)
    if setup.kind == "images":
        sizes = setup.architecture.model_dump()
        inner = image_vae(setup.latent_dim, **sizes, image_size=image_size, conditions=len(setup.attributes))
    else:
        inner = models.network(setup, vocabulary_size, image_size)
        inner.beat_start = nn.Linear(inputs, inner.beat_start.out_features)
    return ConditionalVAE(inner, len(setup.attributes))


class ConditionalVAE(nn.Module):
    """A network of the paper whose decoder takes k more inputs, with the range of the attributes.

    The range is learned, and the attributes appended to codes, as in a Fader network.
    """

    fit_attributes, scale, complete = Fader.fit_attributes, Fader.scale, Fader.complete

    def __init__(self, network: nn.Module, attributes: int) -> None:
        super().__init__()
        self.kind, self.latent_dim, self.attributes = network.kind, network.latent_dim, attributes
        self.network = network
        if self.kind == "music":  # see MeasureVAE; decided by the training engine
            self.forced, self.teacher_forcing = None, network.teacher_forcing
        for name, value in (("lowest", 0.0), ("span", 1.0), ("variance", 1.0)):
            self.register_buffer(name, torch.full((attributes,), value))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Examples -> mean and log-std of their codes (n, d)."""
        return self.network.encode(x)

    def decode(self, z: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Completed codes (n, d + k) -> logits; tokens: see `MeasureVAE.decode`."""
        if self.kind == "images":
            return self.network.decode(z)
        self.network.forced = self.forced
        return self.network.decode(z, tokens)
