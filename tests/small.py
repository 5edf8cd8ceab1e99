"""Small data sets and models as the tests take them: real in shape, quick in size."""

import numpy as np
import torch

from arvae import models, params, paths
from arvae.datasets import dsprites
from arvae.datasets.contract import Dataset, Split
from arvae.music import coding as music
from arvae.trained import TrainedModel

PARAMS = params.load(paths.root(__file__) / "params.yaml")
HEAD = "X:1\nT:a tune\nM:4/4\nL:1/4\nK:C\n"


def abc(folder, body, head=HEAD, name="tune.abc"):
    """A tune in ABC, as a file."""
    path = folder / name
    path.write_text(head + body + "\n")
    return path


def sprites_dataset(train=256, validation=64, test=80):
    """Shapes drawn from random factors."""
    generator = np.random.default_rng(0)

    def split(n):
        factors = np.stack([generator.integers(0, c, n) for c in dsprites.COUNTS], axis=1).astype(np.uint8)
        return Split(dsprites.render_packed(factors), dsprites.attributes(factors), {"factors": factors})

    return Dataset(
        "dsprites", "images", split(train), split(validation), split(test), dsprites.NAMES, dsprites.UNITS,
        provenance={"source": "drawn"},
    )  # fmt: skip


def music_dataset(train=256, validation=256, test=80):
    """Measures of random notes."""
    generator = np.random.default_rng(0)

    def split(n):
        x = np.where(generator.random((n, 24)) < 0.3, generator.integers(60, 70, (n, 24)), music.CONTINUE)
        x[:, 0] = 62
        x = x.astype(np.int16)
        return Split(x, music.attributes(x), {})

    return Dataset(
        "bach", "music", split(train), split(validation), split(test), music.ATTRIBUTE_NAMES,
        music.ATTRIBUTE_UNITS, vocabulary=music.Vocabulary(), provenance={"source": "test"},
    )  # fmt: skip


def small_setup(dataset, model, **hyperparameters):
    """A setup of params.yaml with two seeds and two epochs, on the processor in float32."""
    setup = PARAMS.setup(dataset, model)
    engine = {"executor": "serial", "precision": "float32", "device": "cpu"}
    changes = {
        "engine": setup.engine.model_copy(update=engine),
        "schedule": setup.schedule.model_copy(update={"epochs": 2.0}),
        "seeds": (0, 1),
        "hyperparameters": setup.hyperparameters.model_copy(update=hyperparameters),
    }
    return setup.model_copy(update=changes)


def fresh_model(data, model="arvae", **hyperparameters):
    """A TrainedModel that was not trained: fresh weights, no controls."""
    setup = small_setup(data.name, model, **hyperparameters)
    network = models.build(setup, data.vocabulary and data.vocabulary.size).eval()
    if hasattr(network, "fit_attributes"):
        network.fit_attributes(torch.from_numpy(data.train.attributes))
    return TrainedModel.of(setup, "seed0", network, data)
