"""All models: `build(setup)` gives the network of a setup, freshly initialised.

A model is a network and a loss. The networks of the paper are image.py and measure.py. A module <name> with a
loss, whose name is what `objective` is in params.yaml, has

* a function loss(model, x, attributes, setup, generator), which gives a dict of scalar tensors: "loss", what
  is minimised, and the terms it is made of ("reconstruction", "kl", "regularization", ...), to be logged;
* KINDS, the kinds of data it is for;
* if the networks of the paper will not do, a function network(setup, vocabulary_size, image_size).

x: images float (m, 1, h, w) in 0..1, or music tokens int64 (m, 24); attributes: (m, k), the setup's
attributes in the setup's order; generator: where the loss draws its random numbers.

A network has `kind` ("images" or "music"), `latent_dim`, `encode(x)` -> (mean, log_std) and `decode(z)` ->
logits, and is trained in float32 by torch's own means; what `arvae.fast` knows it makes faster. To add a
model: a module here, and its name and hyperparameters under `models` (and in `setups`) in params.yaml; then
`make repro`. Its label and colour in figures: compendium/labels.py (without them: its name, in black).
"""

import importlib
from types import ModuleType

import torch
from torch import nn

from arvae.models.image import image_vae
from arvae.models.measure import MeasureVAE
from arvae.params import Setup


def objective(name: str) -> ModuleType:
    """The module of a loss; params.yaml has been checked to name one there is."""
    return importlib.import_module(f"{__name__}.{name}")


def build(
    setup: Setup,
    vocabulary_size: int | None = None,
    generator: torch.Generator | None = None,
    image_size: int | None = None,
) -> nn.Module:
    """The network of a setup, Xavier-normal weights drawn from `generator` (default: one seeded with 0).

    Args:
        vocabulary_size: number of symbols, needed for music.
        image_size: height = width of the images; None: 64 or 28, as the architecture says.

    Raises:
        ValueError: where there is no such model for this kind of data, or the vocabulary is missing.
    """
    name = setup.hyperparameters.objective
    module = objective(name)
    if setup.kind not in module.KINDS:
        raise ValueError(
            f"setup {setup.name}: objective {name!r} is for {' and '.join(module.KINDS)}, not for "
            f"{setup.kind}: take the setup out of params.yaml, or give the model another objective"
        )
    # torch's own initialisation draws from the global generator: keep that from leaking out.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(module, "network", network)(setup, vocabulary_size, image_size)
    return initialise(model, generator or torch.Generator().manual_seed(0))


def network(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The paper's network for the setup's kind of data."""
    architecture = setup.architecture.model_dump()
    if setup.kind == "images":
        return image_vae(setup.latent_dim, **architecture, image_size=image_size)
    if vocabulary_size is None:
        raise ValueError(
            f"setup {setup.name}: a music model needs vocabulary_size (the data set's vocabulary.size)"
        )
    return MeasureVAE(vocabulary_size, setup.latent_dim, **architecture)


def initialise(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Xavier-normal weights (everything with two or more dimensions), as in the paper; zero biases."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                nn.init.xavier_normal_(parameter, generator=generator)
            else:
                parameter.zero_()
    return model


def set_generator(model: nn.Module, generator: torch.Generator | None) -> None:
    """Give every part of the model that has a `generator` the one to draw its random numbers from."""
    for module in model.modules():
        if hasattr(module, "generator"):
            module.generator = generator


def parameter_count(model: nn.Module) -> int:
    """How many numbers the model learns."""
    return sum(parameter.numel() for parameter in model.parameters())
