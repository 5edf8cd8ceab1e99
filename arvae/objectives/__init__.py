"""What each model minimises: a module an objective, whose name is what `objective` is in params.yaml.

A module <name> has

* a function <name>(model, x, attributes, setup, generator), which gives a dict of scalar tensors: "loss", what
  is minimised, and the terms it is made of ("reconstruction", "kl", "regularization", ...), to be logged;
* KINDS, the kinds of data it is for;
* if the networks of the paper will not do, a function network(setup, vocabulary_size, image_size) -> nn.Module
  (what such a module must have: arvae/models/__init__.py).

x: images float (m, 1, h, w) in 0..1, or music tokens int64 (m, 24); attributes: (m, k), the setup's attributes
in the setup's order; generator: where all random numbers come from. To add a model: a module here, and its
name and hyperparameters under `models` (and in `setups`) in params.yaml.
"""

import importlib
from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor, nn

from arvae import losses
from arvae.params import Setup

Terms = dict[str, Tensor]
Objective = Callable[[nn.Module, Tensor, Tensor, Setup, torch.Generator], Terms]


def module(name: str) -> ModuleType:
    """The module of an objective; params.yaml has been checked to name one there is."""
    return importlib.import_module(f"{__name__}.{name}")


def find(name: str) -> Objective:
    """The function that an objective's module is about."""
    return getattr(module(name), name)


def sample(mean: Tensor, log_std: Tensor, generator: torch.Generator) -> Tensor:
    """One code (m, d) from N(mean, exp(log_std)^2), differentiable in both (reparametrisation)."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + log_std.exp() * noise


def reconstruct(model: nn.Module, z: Tensor, x: Tensor) -> Tensor:
    """The reconstruction term of the model's kind, in nats."""
    if model.kind == "images":
        return losses.reconstruction_images(model.decode(z), x)
    return losses.reconstruction_music(model.decode(z, x), x)
