"""I-VAE: each attribute is classified from its latent dimension alone, by a linear classifier.

"Interpretable VAE" of Pati & Lerch, "Is Disentanglement enough?" (ISMIR 2021), after Adel et al.,
"Discovering Interpretable Representations for Both Deep Generative and Discriminative Models" (ICML 2018). An
attribute of more than CLASSES values is cut into as many classes of equal size. Nothing says which way a
dimension runs. Written from the idea: we had no access to the first paper itself.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arvae.losses import at_least_float32
from arvae.models import value
from arvae.params import Setup

KINDS, CLASSES = value.KINDS, 32
NEVER = 1e30  # the end of a class that an attribute does not have; finite, as all that is trained has to be


def loss(
    model: nn.Module, x: Tensor, attributes: Tensor, setup: Setup, generator: torch.Generator
) -> dict[str, Tensor]:
    """Reconstruction + beta |KL - C| + gamma * sum over attributes of the classifiers' cross-entropy."""
    return value.loss(model, x, attributes, setup, generator)


def network(setup: Setup, vocabulary_size: int | None, image_size: int | None) -> nn.Module:
    """The paper's network with a `Classifier` for each attribute."""
    return value.with_head(Classifier(len(setup.attributes)), setup, vocabulary_size, image_size)


class Classifier(value.Head):
    """Cross-entropy of k classifiers of k attributes; logits: z * slope + intercept, a pair for a class."""

    def __init__(self, attributes: int) -> None:
        super().__init__(attributes)
        self.register_buffer("edges", torch.full((attributes, CLASSES - 1), NEVER))  # classes end there
        self.slope = nn.Parameter(torch.zeros(attributes, CLASSES))
        self.intercept = nn.Parameter(torch.zeros(attributes, CLASSES))

    def fit(self, values: Tensor) -> None:
        """Learn the classes of the attributes (n, k): their values, or as many quantiles."""
        for edges, column in zip(self.edges, values.T, strict=True):
            known = torch.unique(column)
            ends = (known[1:] + known[:-1]) / 2
            if len(known) > CLASSES:
                at = torch.arange(1, CLASSES) * len(column) // CLASSES
                ends = torch.unique(column.sort().values[at - 1])
            edges[: len(ends)] = ends

    def forward(self, z: Tensor, attributes: Tensor) -> Tensor:
        """Mean over the examples, sum over the attributes, of the cross-entropy: a scalar."""
        classes = (attributes[..., None] > self.edges).sum(dim=-1)  # (m, k)
        logits = at_least_float32(z)[..., None] * at_least_float32(self.slope) + at_least_float32(
            self.intercept
        )
        none = F.pad(self.edges >= NEVER / 2, (1, 0))  # classes that an attribute does not have
        logits = logits.masked_fill(none, -torch.inf)  # (m, k, classes)
        return F.cross_entropy(logits.flatten(0, 1), classes.flatten(), reduction="sum") / len(z)
