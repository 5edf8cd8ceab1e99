"""Directions of a plain VAE: nothing is trained, each attribute is regressed on codes and moved along.

The code gets another basis, whose first dimensions are the linear predictions of the attributes (least
squares on codes of training examples); the rest is orthogonal to these. To move one of them and nothing else
is to change one prediction and leave the others, by the shortest way: the conditional direction of Shen et
al., "Interpreting the Latent Space of GANs for Semantic Face Editing" (CVPR 2020). So a VAE that was trained
without attributes has a dimension for each, and is evaluated as any model is.
"""

import dataclasses
from pathlib import Path
from typing import Self

import numpy as np
from scipy.linalg import null_space

from arvae.datasets import examples
from arvae.datasets.contract import Dataset
from arvae.evaluation import scores
from arvae.evaluation.scores import SEED, Codes, EvaluationError, Items
from arvae.metrics import CODES
from arvae.params import Setup
from arvae.trained import TrainedModel


@dataclasses.dataclass(frozen=True, eq=False)
class Turned(TrainedModel):
    """A model whose code is (the network's code - centre) @ matrix; matrix (d, d), centre (d,): of mean 0 and
    variance 1 in every dimension, over the codes they were made from."""

    matrix: np.ndarray | None = None
    centre: np.ndarray | None = None

    @classmethod
    def from_codes(cls, model: TrainedModel, z: np.ndarray, attributes: np.ndarray) -> Self:
        """The model turned by the regression of attributes (n, k) on its codes z (n, d). EvaluationError: of
        predictions that are not k independent directions."""
        centre = z.mean(axis=0, dtype=np.float64)
        codes, wanted = z - centre, attributes.astype(np.float64)
        slopes = np.linalg.lstsq(codes, wanted - wanted.mean(axis=0), rcond=None)[0]  # (d, k)
        lengths = np.linalg.norm(slopes, axis=0)
        slopes = slopes / np.where(lengths > 0, lengths, 1)
        matrix = np.concatenate([slopes, null_space(slopes.T)], axis=1)
        if matrix.shape[0] != matrix.shape[1]:
            raise EvaluationError(
                f"{model.setup.name} {model.run}: its {z.shape[1]} dimensions have no direction for each of "
                f"{', '.join(model.attribute_names)}: leave out one that is constant or given twice"
            )
        matrix /= (codes @ matrix).std(axis=0)
        fields = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
        return cls(**fields, matrix=matrix, centre=centre)

    @property
    def regularized(self) -> dict[str, int]:
        """Attribute -> its prediction's dimension."""
        return {name: place for place, name in enumerate(self.attribute_names)}

    def turn(self, z: np.ndarray) -> np.ndarray:
        """Codes of the network (n, d) -> turned ones, float32 (n, d)."""
        return ((z - self.centre) @ self.matrix).astype(np.float32)

    def encode(self, x: np.ndarray, attributes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """See `TrainedModel.encode`; the standard deviations are those of each turned dimension by itself."""
        mean, std = super().encode(x, attributes)
        return self.turn(mean), np.sqrt(std**2 @ self.matrix**2).astype(np.float32)

    def decode(self, z: np.ndarray, allowed: np.ndarray | None = None) -> np.ndarray:
        """Turned codes (n, d) -> examples, see `TrainedModel.decode`."""
        return super().decode(z @ np.linalg.inv(self.matrix) + self.centre, allowed)


def encoded(setup: Setup, dataset: Dataset, items: Items, directory: Path | str, run: str) -> Codes:
    """`scores.encoded`, turned by the regression on at most CODES sampled codes of training examples."""
    plain = scores.encoded(setup, dataset, items, directory, run)
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(dataset.train))[:CODES])
    attributes = dataset.train.attributes[chosen]
    z = plain.model.sample(examples(dataset.train, chosen), SEED, attributes)
    model = Turned.from_codes(plain.model, z, attributes)
    return scores.scored(model, model.turn(plain.z), model.turn(plain.mean), items)
