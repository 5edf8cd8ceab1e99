"""Figures and tables of the data reports, on small data sets of both kinds."""

import numpy as np
import pytest

from arvae.datasets import catalogue, dsprites, morphology
from arvae.datasets.contract import Dataset, Split
from arvae.metrics import spearman_matrix
from arvae.music import coding as music
from compendium.figures import data
from compendium.tables import data as tables


@pytest.fixture(scope="module")
def sprites(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sprites")
    sizes = {"train": 300, "validation": 20, "test": 4000}
    return dsprites.prepare(sizes, "drawn", folder, folder, log=lambda line: None)


@pytest.fixture(scope="module")
def tunes():
    generator = np.random.default_rng(0)

    def split(n):
        x = generator.choice([-1, -1, -1, 60, 64, 67], (n, music.TICKS)).astype(np.int16)
        x[:, 0] = 60
        return Split(x, music.attributes(x), {"tune": np.arange(n, dtype=np.int32)})

    return Dataset(
        name="bach",
        kind="music",
        train=split(60),
        validation=split(10),
        test=split(80),
        attribute_names=music.ATTRIBUTE_NAMES,
        attribute_units=music.ATTRIBUTE_UNITS,
        vocabulary=music.Vocabulary(),
        provenance={
            "source": "a test",
            "tunes": [str(i) for i in range(100)],
            "tunes left out": {"chords": {"tunes": 1200, "examples": ["a", "b"]}},
        },
    )


def test_ordered_examples_raise_one_attribute_and_leave_the_others(sprites):
    values = sprites.test.attributes
    for k, name in enumerate(sprites.attribute_names):
        climbed = values[data.evenly_ranked(values, k, 8)]
        assert np.all(np.diff(climbed[:, k]) >= 0) and np.ptp(climbed[:, k]) > 0.9 * np.ptp(values[:, k]), (
            name
        )
        others = np.delete(climbed, k, axis=1) - np.median(np.delete(values, k, axis=1), axis=0)
        assert (np.abs(others).mean(0) <= 0.15 * np.ptp(np.delete(values, k, axis=1), axis=0)).all(), name


def test_roundings_of_a_value_share_a_bar_of_a_histogram():
    near = np.float32(0.0762864)
    edges = data._edges(np.array([0, near, np.nextafter(near, np.float32(1)), 0.1, 0.2], np.float32))
    assert np.diff(edges).min() > 0.01 and len(edges) == 5  # four values


def test_reports_on_images_are_written(sprites, tmp_path):
    for show in (data.show_samples, data.show_ordered):
        assert show(sprites, tmp_path).shown.alt and "dSprites" in show(sprites, tmp_path).caption
    assert {path.name for path in tmp_path.iterdir()} == {"samples.png", "ordered.png"}
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    data.show_samples(sprites, tmp_path), data.show_ordered(sprites, tmp_path)
    assert first == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(data.distributions(sprites).axes) >= 5
    assert tables.left_out(sprites) is None
    table = tables.attribute_table(sprites)
    assert list(table.index) == list(dsprites.NAMES) and table.loc["orientation", "unit"] == "rad"
    assert list(tables.sizes(sprites)["examples"]) == ["300", "20", "4,000"]


def test_captions_state_what_the_data_hold(sprites):
    shape = sprites.train.attributes[:, 0]
    same = np.mean(shape[:, None] == shape[None])
    assert data.shared(sprites).startswith(
        f"Equal values are most common in shape: {100 * same:.1f} % of all"
    )
    values = np.random.default_rng(0).normal(size=(200, 3))
    values[:, 2] = -(values[:, 0] ** 3)
    most = "The most closely related attributes are a and c d (−1.00)"
    assert data.closest(values, ["a", "b", "c_d"]).startswith(most)
    even = np.array([(x, y) for x in range(5) for y in range(5)])
    assert data.closest(even, ["a", "b"]).startswith("No two attributes are related")
    assert data.closest(values[:, :1], ["a"]) == ""


def test_reports_on_music_are_written(tunes, tmp_path):
    for show in (data.show_samples, data.show_ordered):
        assert "<svg" in show(tunes, tmp_path).shown.data
    assert "note density" in (tmp_path / "ordered.svg").read_text()
    assert tables.left_out(tunes).loc["chords", "tunes"] == "1,200"
    table = tables.provenance(tunes)
    assert table.loc["tunes", "value"] == "100 entries, listed in the manifest"
    assert not any("chords" in name for name in table.index)
    assert tables.record(tunes)["provenance"]["tunes"] == "100 entries, listed in the manifest"


def test_correlations_are_spearmans():
    generator = np.random.default_rng(0)
    a = generator.normal(size=500)
    attributes = np.stack([a, np.exp(a), -a, generator.normal(size=500), np.ones(500)], axis=1)
    texts = [text.get_text() for text in data.correlations(attributes, list("abcde")).axes[0].texts]
    assert (
        len(texts) == 10
        and "1.00" in texts
        and "\N{MINUS SIGN}1.00" in texts
        and "\N{MINUS SIGN}0.00" not in texts
    )


def test_oracle_codes_order_every_attribute(sprites):
    generator = np.random.default_rng(0)
    values = (
        sprites.test.attributes.astype(float) + generator.normal(size=sprites.test.attributes.shape) * 1e-6
    )
    exact, noisy = (tables.oracle(values, noise, generator) for noise in (0.0, 0.3))
    both = np.diag(spearman_matrix(exact, values))
    np.testing.assert_allclose(both, 1)
    both = np.diag(spearman_matrix(noisy, values))
    np.testing.assert_allclose(both, 0.95, atol=0.01)


def test_every_data_set_and_attribute_is_described(sprites):
    known = catalogue.data_sets()
    assert set(known) == {"dsprites", "mnist", "bach", "folk", "dmelodies"}
    assert all(facts.about.strip().startswith("**") for facts in known.values())
    assert tables.describe(sprites).startswith("**dSprites**")
    units = tuple((name, unit) for name, (unit, _) in known["mnist"].attributes.items())
    assert units == tuple(zip(morphology.COLUMNS, morphology.UNITS, strict=True))
    assert tuple(known["folk"].attributes) == music.ATTRIBUTE_NAMES
