"""Power-transformed attributes: the order stays, the skew shrinks, outputs are measured alike."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from arvae.datasets import transform
from arvae.datasets.contract import Dataset, Split
from arvae.datasets.measuring import measurer
from arvae.music import coding as music


@pytest.fixture
def dataset():
    """Measures of music whose note density is far from normally distributed."""
    generator = np.random.default_rng(0)
    splits = {}
    for part, n in {"train": 400, "validation": 50, "test": 80}.items():
        x = np.where(generator.random((n, 24)) < generator.beta(1, 5, (n, 1)), 60, -1).astype(np.int16)
        x[:, 0] = 62
        splits[part] = Split(x, np.asarray(music.attributes(x), np.float32))
    names = ("rhythmic complexity", "pitch range", "note density", "contour")
    return Dataset("toy", "music", **splits, attribute_names=names, attribute_units=("",) * 4,
                   vocabulary=music.Vocabulary(), provenance={"source": "drawn"})  # fmt: skip


def test_the_order_of_values_stays_and_the_skew_shrinks(dataset):
    made = transform.power(dataset)
    before, after = dataset.train.attributes, made.train.attributes
    for k in range(before.shape[1]):
        assert stats.spearmanr(before[:, k], after[:, k]).statistic > 0.999
    assert abs(stats.skew(after[:, 2])) < abs(stats.skew(before[:, 2]))
    assert np.allclose(after.mean(0), 0, atol=1e-3) and np.allclose(after.std(0), 1, atol=1e-3)


def test_the_fit_is_of_the_training_split_alone(dataset):
    other = dataclasses.replace(dataset, test=dataset.validation)
    assert transform.power(dataset).provenance["transform"] == transform.power(other).provenance["transform"]


def measure(dataset):
    return measurer(dataset.kind, dataset.attribute_names, dataset.provenance)


def test_outputs_are_measured_on_the_transformed_scale(dataset):
    made = transform.power(dataset)
    assert np.allclose(measure(made)(made.test.x), made.test.attributes, atol=1e-5)
    assert np.allclose(measure(dataset)(made.test.x), dataset.test.attributes, atol=1e-5)


def test_what_cannot_be_measured_stays_unknown(dataset):
    fit = transform.power(dataset).provenance["transform"]
    values = dataset.test.attributes.copy()
    values[3, 1] = np.nan
    found = transform.apply(values, fit)
    assert np.isnan(found[3, 1]) and np.isfinite(np.delete(found, 3, axis=0)).all()
