"""Directions of a plain VAE: its code, turned until a dimension is the prediction of each attribute."""

import json

import numpy as np
import pytest

from arvae import evaluation, params
from arvae.training import Run
from compendium.directions import Turned, encoded
from tests.small import fresh_model, music_dataset
from tests.test_studies import leave


@pytest.fixture(scope="module")
def data():
    return music_dataset()


@pytest.fixture(scope="module")
def plain(data):
    return fresh_model(data, "betavae")


@pytest.fixture(scope="module")
def known(plain):
    """Codes with a spread of their own, and four attributes that are linear in them, but for noise."""
    random = np.random.default_rng(0)
    z = random.normal(2, np.linspace(0.5, 3, 32), (400, 32))
    attributes = z @ random.normal(size=(32, 4)) + [[5, 0, -3, 1]] + 0.1 * random.normal(size=(400, 4))
    return z, attributes, Turned.from_codes(plain, z, attributes)


def test_the_first_dimensions_are_the_predictions(known):
    z, attributes, model = known
    turned = model.turn(z)
    assert turned.mean(0) == pytest.approx(np.zeros(32), abs=1e-5)
    assert turned.std(0) == pytest.approx(np.ones(32), abs=1e-5)
    design = np.concatenate([z, np.ones((400, 1))], axis=1)
    for k, column in enumerate(attributes.T):
        told = design @ np.linalg.lstsq(design, column, rcond=None)[0]
        assert np.corrcoef(turned[:, k], told)[0, 1] == pytest.approx(1, abs=1e-9)
    names = list(model.attribute_names)
    assert model.regularized == {name: k for k, name in enumerate(names)}
    assert [model.dimension_of(name) for name in names] == [0, 1, 2, 3]


def test_moving_one_changes_one_prediction_by_the_shortest_way(known):
    z, attributes, model = known
    codes, wanted = z - z.mean(0), attributes - attributes.mean(0)
    slopes = np.linalg.lstsq(codes, wanted, rcond=None)[0]
    for k in range(4):
        step = np.linalg.inv(model.matrix)[k]  # of the network's code, for a unit of dimension k
        changes = step @ slopes
        assert np.delete(changes, k) == pytest.approx(np.zeros(3), abs=1e-9) and changes[k] > 0.1
        shortest = np.linalg.pinv(slopes.T) @ changes  # the least norm with these changes
        assert step == pytest.approx(shortest, abs=1e-9)


def test_it_decodes_what_the_network_does(plain, known, data):
    _, _, model = known
    z = np.random.default_rng(1).normal(size=(5, 32)).astype(np.float32)
    assert np.array_equal(model.decode(model.turn(z)), plain.decode(z))
    (mean, std), (turned, spread) = (one.encode(data.test.x[:5]) for one in (plain, model))
    assert np.allclose(turned, model.turn(mean))
    noise = np.random.default_rng(2).normal(size=(20_000, 32))
    drawn = model.turn(mean[0] + std[0] * noise)
    assert drawn.std(0) == pytest.approx(spread[0], rel=0.05)


def test_an_attribute_without_a_direction_is_refused(plain, known):
    z, attributes, _ = known
    for column in (np.full(400, 3.0), attributes[:, 1]):
        wrong = np.concatenate([attributes[:, :3], column[:, None]], axis=1)
        with pytest.raises(evaluation.EvaluationError, match="leave out one that is constant or given twice"):
            Turned.from_codes(plain, z, wrong)


def test_directions_get_all_metrics(plain, data, tmp_path):
    build = {"vocabulary_size": data.vocabulary.size, "image_size": None}
    leave(tmp_path, plain.setup, plain.network, build, Run("seed0", 0))
    sizes = params.EvaluationSizes(codes=60, traversal_items=3, traversal_points=4)
    items = evaluation.pick(data, 60)
    (one,) = evaluation.evaluate_setup(
        plain.setup, data, items, tmp_path, sizes, log=lambda _: None, encode=encoded
    )
    (other,) = evaluation.evaluate_setup(plain.setup, data, items, tmp_path, sizes, log=lambda _: None)
    assert list(one.result["details"]["regularized"]["per_attribute"]) == list(data.attribute_names)
    assert other.result["details"]["regularized"] is None
    for name in ("interpretability", "scc", "monotonicity", "target_hit", "side_change_observed"):
        assert one.result[name] is not None
    assert np.array_equal(one.reconstructions, other.reconstructions)  # the same codes, in another basis
    json.dumps(one.result)
