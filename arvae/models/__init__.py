"""All models behind one door: `build(setup)` gives the network of a setup, freshly initialised.

Every model is an `nn.Module` with `kind` ("images" or "music"), `latent_dim`, `encode(x)` -> (mean, log_std)
and `decode(z)` -> logits. A part that draws random numbers while training has an attribute `generator`,
set for all of them at once by `set_generator`. How to add a model: arvae/objectives/__init__.py.
"""

import torch
from torch import nn

from arvae import objectives
from arvae.models.image import image_vae
from arvae.params import Setup


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
    objective = objectives.module(setup.hyperparameters.objective)
    if setup.kind not in objective.KINDS:
        raise ValueError(
            f"setup {setup.name}: objective {setup.hyperparameters.objective!r} is for {' and '.join(objective.KINDS)}, "
            f"not for {setup.kind}: take the setup out of params.yaml, or give the model another objective"
        )
    builder = getattr(objective, "network", NETWORKS[setup.kind])
    # torch's own initialisation draws from the global generator: keep that from leaking out.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = builder(setup, vocabulary_size, image_size)
    return initialise(model, generator or torch.Generator().manual_seed(0))


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
    """Give every part of the model that draws random numbers the generator it draws them from."""
    for module in model.modules():
        if hasattr(module, "generator"):
            module.generator = generator


def parameter_count(model: nn.Module) -> int:
    """How many numbers the model learns."""
    return sum(parameter.numel() for parameter in model.parameters())


def _image_vae(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    architecture = setup.architecture.model_dump()
    return image_vae(setup.latent_dim, **architecture, image_size=image_size)


def _measure_vae(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    if vocabulary_size is None:
        raise ValueError(
            f"setup {setup.name}: a music model needs vocabulary_size (the data set's vocabulary.size)"
        )
    from arvae.models.measure import MeasureVAE

    return MeasureVAE(vocabulary_size, setup.latent_dim, **setup.architecture.model_dump())


NETWORKS = {"images": _image_vae, "music": _measure_vae}
