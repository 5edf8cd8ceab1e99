"""From codes to examples: codes drawn, examples as decoders give them, and how two sets are compared."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from arvae.datasets.measuring import DRAWN
from arvae.trained.weights import ModelError


def draw(mean: np.ndarray, std: np.ndarray, seed: int) -> np.ndarray:
    """One code (n, d) from N(mean, std^2)."""
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed))
    return mean + std * noise.numpy()


def as_bytes(logits: Tensor) -> Tensor:
    """Logits (n, 1, h, w) -> probabilities as uint8 (n, h, w); 128 and more where logit >= 0."""
    return (logits[:, 0].float().sigmoid() * 256).clamp_(0, 255).to(torch.uint8)


def same(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Share of symbols, or of pixels on the same side of one half, that two sets of examples (n, ...), as
    `decode` gives them, have in common: (n,), 0 to 1."""
    equal = before == after if before.ndim == 2 else (before >= DRAWN) == (after >= DRAWN)
    return equal.reshape(len(equal), -1).mean(axis=1)


def as_shown(examples: np.ndarray) -> np.ndarray:
    """Examples as a decoder gives them: bool images as bytes 0 and 255, all else as it is."""
    return examples.astype(np.uint8) * 255 if examples.dtype == bool else examples


class _Limited(nn.Module):
    """Logits for allowed symbols only, all of them above zero, which the others get."""

    def __init__(self, logits: nn.Module, allowed: Tensor) -> None:
        super().__init__()
        self.logits, self.allowed = logits, allowed

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.allowed, self.logits(x).relu() + 1, 0)


def limited(network: nn.Module, allowed: np.ndarray) -> nn.Module:
    """The same network, whose decoder chooses among some of its symbols only."""
    if not hasattr(network, "logits"):
        raise ModelError(f"{type(network).__name__} decodes no symbols that could be left out")
    copied = copy.copy(network)
    copied._modules = dict(network._modules)  # the copy's own; the parameters are shared
    copied.logits = _Limited(network.logits, torch.from_numpy(allowed).to(network.logits.weight.device))
    return copied
