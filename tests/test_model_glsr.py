"""GLSR-VAE: the attributes' expectations, the slope that is rewarded, what cannot be expressed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from arvae import models, params
from arvae.models import glsr
from arvae.models.glsr import EXPRESSIBLE, expected
from arvae.models.measure import MeasureVAE
from arvae.music import coding as music

# Values computed with the paper's released implementation (Pati & Lerch 2020).
GOLDEN = np.load(Path(__file__).parent / "golden" / "music_attributes.npz", allow_pickle=False)
NAMES = ["rhythmic complexity", "note density"]


def test_the_expectation_of_a_certain_measure_is_its_attribute() -> None:
    codes = GOLDEN["measures"]
    inside = ((codes < 0) | ((codes >= music.LOWEST) & (codes <= music.HIGHEST))).all(1)
    tokens = torch.from_numpy(music.Vocabulary().encode(codes[inside]))
    assert len(tokens) > 100
    logits = 200.0 * torch.nn.functional.one_hot(tokens, music.Vocabulary().size)
    wanted = GOLDEN["attributes"][inside][:, [0, 2]]
    np.testing.assert_allclose(expected(logits, NAMES), wanted, atol=1e-6)


def prepared() -> tuple:
    setup = params.load().setup("bach", "arvae")
    generator = torch.Generator().manual_seed(0)
    model = MeasureVAE(music.Vocabulary().size, setup.latent_dim, hidden=24, dense=24, dropout=0.0)
    models.initialise(model, generator)
    models.set_generator(model, generator)
    x = torch.randint(music.Vocabulary().size, (32, 24), generator=generator)
    attributes = music.attributes(music.Vocabulary().decode(x))
    return model.train(), x, attributes, setup, generator


def test_training_brings_the_slopes_up() -> None:
    model, x, attributes, setup, generator = prepared()
    adam = torch.optim.Adam(model.parameters(), lr=1e-2)
    slopes = []
    for _ in range(12):
        adam.zero_grad()
        terms = glsr.loss(model, x, attributes, setup, generator)
        terms["loss"].backward()
        adam.step()
        slopes.append(terms["slope"].item())
    assert all(torch.isfinite(value) for value in terms.values())
    assert abs(slopes[0]) < 0.2 and slopes[-1] > 0.5


def test_same_generator_same_terms() -> None:
    totals = [glsr.loss(*prepared())["loss"].item() for _ in range(2)]
    assert totals[0] == totals[1]


def test_attributes_that_are_not_differentiable_are_left_free_or_refused() -> None:
    model, x, attributes, setup, generator = prepared()
    assert set(EXPRESSIBLE) == set(NAMES)
    only = setup.model_copy(update={"attributes": ("pitch range",), "dimensions": (1,)})
    with pytest.raises(ValueError, match="differentiable.*got pitch range"):
        glsr.loss(model, x, attributes[:, 1:2], only, generator)
