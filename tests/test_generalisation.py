"""Beyond what training saw: models that are known to be able, or not, are found to be so."""

from types import SimpleNamespace

import numpy as np
import pytest

from arvae.datasets import dsprites, partial
from arvae.evaluation import pick
from arvae.evaluation.scores import Items
from compendium.tables import generalisation
from tests.small import PARAMS, sprites_dataset

REGION = PARAMS.sources["dsprites-gap"].leave_out


def test_sprites_that_are_lost_where_they_were_not_seen_count_there_alone():
    items = pick(sprites_dataset(test=300), 300)
    unseen = partial.inside(dsprites.NAMES, items.attributes, REGION)
    assert 5 < unseen.sum() < 100
    perfect = SimpleNamespace(
        attribute_names=dsprites.NAMES,
        dimension_of=dsprites.NAMES.index,
        sample=lambda x, seed: items.attributes.astype(float),
        decode=lambda z: items.x,
    )
    blind = SimpleNamespace(**vars(perfect))
    blind.sample = lambda x, seed: np.where(unseen[:, None], -1.0, 1.0) * items.attributes
    blind.decode = lambda z: np.where(unseen[:, None, None], 0, items.x)
    for model, lost in ((perfect, 1), (blind, 0)):
        found = generalisation.combinations(model, items, unseen)
        assert found["items"].to_dict() == {"seen": 300 - unseen.sum(), "unseen": unseen.sum()}
        assert found.loc["seen", ["IoU", "pixels right"]].tolist() == [1, 1]
        assert found.loc["seen", "own shape"] > 0.98 and found.loc["seen", "scale"] == pytest.approx(1)
        assert found.loc["unseen", "IoU"] == lost and round(found.loc["unseen", "own shape"]) == lost
        assert found.loc["unseen", "y"] == pytest.approx(1 if lost else -1)
        assert np.isnan(found.loc["unseen", "shape"])  # all are hearts


@pytest.mark.parametrize(
    ("most", "entered", "reached"), [(4.0, 1, 1), (3.1, 1, 0.6), (2.9, 0, 0.4), (2.0, 0, 0)]
)
def test_a_band_is_entered_as_far_as_the_decoder_goes(most, entered, reached):
    """An attribute that follows its dimension, but not beyond `most`; the band, 3 to 4, holds a fifth."""
    values = np.linspace(-1, 4, 501)
    items = Items(np.arange(501), np.zeros((501, 24)), values[:, None].astype(np.float32), {})
    model = SimpleNamespace(
        attribute_names=("a",),
        range_of=lambda name: (-4.0, 4.0),
        sample=lambda x, seed: np.zeros((len(x), 1)),
        traverse=lambda z, name, steps: np.minimum(steps, most)[:, None, None].repeat(len(z), axis=1),
        measure=lambda outputs: outputs,
    )
    model.decode = lambda z: np.full((len(z), 1), 3.5)  # so that it is kept at one of the places, 3, 3.5, 4
    realism = SimpleNamespace(judge=None, plausible=lambda outputs: outputs[..., 0] > 3.05)
    found = generalisation.into_band(model, items, "a", (3.0, None), 50, realism)
    assert found["items"] == 50 and found["left alone"] == 0
    assert found["entered"] == entered
    assert found["reached"] == pytest.approx(reached)  # wishes 3.1, 3.3, ... 3.9, met to 0.475
    inside = [found["content kept"], found["plausible"], found["test items plausible"]]
    expected = [(most == 4) / 3, 2 / 3, 0] if entered else [np.nan, np.nan, 0]
    np.testing.assert_allclose(inside, expected)


def test_digits_are_kept_in_a_band_where_the_classifier_reads_them_again(monkeypatch):
    items = Items(np.arange(4), np.zeros((4, 2, 2)), np.zeros((4, 1)), {"label": np.array([3, 5, 7, 9])})
    outputs, item = np.zeros((3, 2, 2)), np.array([0, 0, 1])  # two made of the second item, one of the fourth
    monkeypatch.setattr(generalisation.classifiers, "predict", lambda judge, images: np.array([5, 7, 9]))
    judged = SimpleNamespace(judge=object())
    found = generalisation._kept(items.x[[1, 3]], items, np.array([1, 3]), outputs, item, judged)
    assert found == pytest.approx(2 / 3)
