"""A trained model: encode, decode, measure, and turn the latent dimension of an attribute.

model = TrainedModel.load("folk")                       # the first run of the AR-VAE trained on folk tunes
z, _ = model.encode(measures)                           # means of the codes (n, d)
model.dimension_of("note density")                      # 2
model.traverse(z, "note density", [0.0, 1.0, 2.0])      # decoded measures (3, n, 24)

Which attribute is regularized along which dimension, and which dimension is turned where none is, is decided
here and nowhere else. A Fader network has no such dimension: its decoder takes the attributes themselves,
scaled to 0..1. They stand behind the latent code, so that its codes here are (n, d + inputs).
"""

from arvae.trained.controls import Control
from arvae.trained.decoded import as_bytes, as_shown, draw, same
from arvae.trained.model import TrainedModel
from arvae.trained.weights import SHIPPED, ModelError, find, manifest

__all__ = ["SHIPPED", "Control", "ModelError", "TrainedModel", "as_bytes", "as_shown", "draw", "find"]
__all__ += ["manifest", "same"]
