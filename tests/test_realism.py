"""Realism, targets, reconstruction, bounds: on outputs whose scores are known."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from arvae import evaluation
from arvae.datasets import dsprites, sprites
from arvae.evaluation import content, realism, reconstruction, targets
from arvae.evaluation.bounds import visible
from arvae.evaluation.control import Traversals, data_range
from arvae.music import coding as music
from tests.small import music_dataset, small_setup, sprites_dataset
from tests.test_control import painter

LINE = np.array(
    [60, -1, -1, -1, -1, -1, 62, -1, -1, 64, -1, -1, 65, -1, -1, -1, -1, -1, 67] + [-1] * 5, np.int16
)


def test_measures_are_recognised_in_every_key_and_likely_where_they_occur():
    generator = np.random.default_rng(0)
    rhythm = generator.random((300, 24)) < 0.2
    walk = 65 + np.cumsum(generator.choice([-2, -1, 1, 2], (300, 24)), axis=1)
    measures = np.where(rhythm, np.clip(walk, 55, 84), -1).astype(np.int16)
    corpus = realism.Corpus(np.concatenate([measures, LINE[None]]))
    moved = music.transpose(LINE, 5)
    assert corpus.contains(np.stack([moved, np.where(LINE == 64, 63, LINE)])).tolist() == [True, False]
    silent = np.full((1, 24), -1, np.int16)
    assert np.isfinite(corpus.log_likelihood(silent)).all()
    wild = np.where(rhythm, generator.integers(55, 85, (300, 24)), -1).astype(np.int16)
    usual = corpus.log_likelihood(measures)
    assert usual.mean() > corpus.log_likelihood(wild).mean() + 0.3
    np.testing.assert_allclose(corpus.log_likelihood(moved[None]), corpus.log_likelihood(LINE[None]))
    total = np.exp(corpus.log_probability).sum(axis=2)  # a distribution, whatever came before
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_notes_in_the_scale():
    off = LINE.copy()
    off[1] = 61
    assert realism.in_scale(np.stack([LINE, off, np.full(24, -1, np.int16)])).tolist() == [1, 5 / 6, 1]


@pytest.fixture(scope="module")
def sprites_realism():
    data = sprites_dataset()
    items = evaluation.pick(data, 60)
    return realism.Realism(data, items), items


def test_the_nearest_example_is_found(sprites_realism):
    known, items = sprites_realism
    scores = known.scores(items.x[:3])["nearest_distance"]
    np.testing.assert_allclose(scores, 0, atol=2e-3)
    x = items.x.reshape(60, -1) / 255.0
    others = np.sqrt(((x[5] - np.delete(x, 5, axis=0)) ** 2).mean(axis=1)).min()
    assert known.usual["nearest_distance"][5] == pytest.approx(others, abs=1e-4)


def test_no_item_is_its_own_nearest_however_many_there_are():
    """Items on a lattice: the next one is 30 of 255 away in one of three pixels."""
    places = np.stack(np.unravel_index(np.random.default_rng(0).permutation(729), (9, 9, 9)), axis=1)
    items = SimpleNamespace(x=(30 * places).astype(np.uint8)[:, None])
    known = realism.Realism(None, items)
    np.testing.assert_allclose(known.usual["nearest_distance"], 30 / 255 / np.sqrt(3), rtol=1e-3)


def test_what_is_made_of_an_item_is_compared_with_the_others(sprites_realism):
    """Else every traversal would look nearer to the data than test items are to one another."""
    known, items = sprites_realism
    outputs = np.repeat(items.x[None, :4, None], 3, axis=2)  # one attribute, four items, three points each
    along = known.along(SimpleNamespace(outputs=outputs, names=("x",)))
    assert along["nearest_distance"] == pytest.approx(known.usual["nearest_distance"][:4].mean(), abs=1e-6)
    assert along["per_attribute"] == {"x": {"nearest_distance": along["nearest_distance"]}}


def test_the_density_test_can_fail(sprites_realism):
    known, items = sprites_realism
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64)).astype(np.uint8)
    assert known.plausible(items.x[:20]).all() and not known.plausible(noise).any()
    data = music_dataset()
    items = evaluation.pick(data, 60)
    known = realism.Realism(data, items)
    noise = np.random.default_rng(0).integers(55, 85, (20, 24)).astype(np.int16)
    assert known.plausible(items.x).mean() > 0.85 and known.plausible(noise).mean() < 0.2


def test_wishes_are_reached_by_a_decoder_with_perfect_control():
    generator = np.random.default_rng(1)
    factors = np.stack([generator.integers(0, c, 400) for c in dsprites.COUNTS], axis=1)
    factors[:, 0] = 0
    a = dsprites.attributes(factors)
    z = np.zeros((400, 6), np.float32)
    # The painter draws x at 32 + 3 z1 pixels, y likewise; x and y of the data are (pixels - 16) / 32.
    z[:, 1], z[:, 2] = (32 * a[:, 3] - 16) / 3, (32 * a[:, 4] - 16) / 3
    found = targets.reached(painter(), z, a, 5)["per_attribute"]
    for name in ("x", "y"):
        assert found[name]["hit"] == 1 and found[name]["error"] < 0.06
        assert found[name]["floor"] < 0.5
    assert targets.reached(painter(None), z, a, 5) is None


def test_a_value_is_where_the_nearest_hundredth_of_the_items_are():
    value = np.arange(1000.0)
    assert targets._place(value**2, value, 500) == pytest.approx(np.mean(np.arange(495, 505) ** 2))


def test_an_orientation_counts_up_to_the_shapes_symmetry():
    measured = np.array([[0.0, 1.0, 0.1, 0, 0], [2.0, 1.0, 0.1, 0, 0]])[None]  # a square, a heart
    gap = targets._away(measured, np.array([np.pi / 2 + 0.1] * 2), 2, sprites.NAMES)
    np.testing.assert_allclose(gap, [[0, np.pi / 2]], atol=1e-9)


def test_what_the_data_explain_is_no_side_change():
    generator = np.random.default_rng(0)
    first = generator.uniform(0, 1, 4000)
    data = np.stack([first, 2 * first + 0.01 * generator.normal(size=4000)], axis=1)
    path = np.linspace(0.2, 0.8, 9)
    bound = np.stack([path, 2 * path], axis=1)  # (p, k): the second follows as in the data
    loose = np.stack([path, 2 - 2 * path], axis=1)
    for rows, beyond in ((bound, 0), (loose, 2)):
        measured = np.stack([rows[None], rows[None, :, ::-1] * 0])  # only the first is looked at
        moved = Traversals(("a", "b"), (0, 1), np.stack([path, path]), measured[..., 0], measured)
        one = targets.side_change(moved, data)["per_attribute"]["a"]
        assert one["moved"] == pytest.approx(2 * np.abs(path - 0.5).mean() / data_range(data)[1], rel=1e-6)
        assert one["beyond"] == pytest.approx(beyond * one["moved"], abs=0.01)


def test_reconstruction_by_hand():
    x = np.stack([LINE, LINE, music.transpose(LINE, 1)])
    again = x.copy()
    again[0, 6] = 63  # one of 5 notes of a known measure
    found = reconstruction.scores(x, again, np.array([True, True, False]))
    assert found["notes_right"] == pytest.approx(14 / 15) and found["measures_right"] == pytest.approx(2 / 3)
    assert found["notes_right_seen"] == pytest.approx(9 / 10) and found["measures_right_unseen"] == 1
    assert found["measures_seen"] == pytest.approx(2 / 3)
    image = np.zeros((2, 4, 4), np.uint8)
    image[0, :2] = 255
    other = np.roll(image, 1, axis=1)
    found = reconstruction.scores(image, other)
    assert found == {"reconstruction_accuracy": 0.75, "iou": pytest.approx((4 / 12 + 1) / 2)}


def test_floors_and_ceilings_of_sprites():
    data = sprites_dataset()
    items = evaluation.pick(data, 80)
    found = evaluation.limits(small_setup("dsprites", "arvae"), data, items)
    assert found["floor"]["scc"] < found["ceiling"]["scc"] < 1  # an orientation cannot be read off a square
    assert found["ceiling"]["interpretability"] < 0.95 and found["floor"]["iou"] == 0
    assert found["floor"]["reconstruction_accuracy"] == pytest.approx((items.x == 0).mean())
    assert found["floor"]["content_traversed"] == 1 / 3 and 0 < found["floor"]["orientation_circular"] < 0.6
    seen = visible(sprites.NAMES, items.attributes)
    np.testing.assert_allclose(np.delete(seen, 2, axis=1), np.delete(items.attributes, 2, axis=1))
    assert seen.shape == items.attributes.shape
    tunes = music_dataset()
    found = evaluation.limits(small_setup("bach", "arvae"), tunes, evaluation.pick(tunes, 60))
    assert found["ceiling"]["interpretability"] == pytest.approx(1)
    assert "content_traversed" not in found["floor"]
    assert found["floor"]["measures_right_unseen"] == 0 < found["floor"]["reconstruction_accuracy_unseen"] < 1


def test_digits_kept_lie_between_guessing_and_what_the_judge_reads_right(monkeypatch):
    data = dataclasses.replace(sprites_dataset(), attribute_names=("a", "b", "c", "d", "e"))
    items = evaluation.pick(data, 50)
    items.extra["label"] = np.arange(50) % 10
    read = np.where(np.arange(50) < 5, 0, items.extra["label"])  # 1, 2, 3 and 4 are read as 0
    monkeypatch.setattr("arvae.evaluation.judge.predict", lambda judge, x: read)
    found = evaluation.limits(small_setup("dsprites", "arvae"), data, items, judge=object())
    names = ("digit_accuracy_interpolated", "content_traversed", "content_traversed_relative")
    assert [found["floor"][name] for name in names] == pytest.approx([0.1, 0.1, 0.1 / 0.92])
    assert [found["ceiling"][name] for name in names] == pytest.approx([0.92, 0.92, 1])


def test_ties_limit_what_a_continuous_code_can_reach():
    """Two halves of equal values share two ranks: rho of any code in their order is the root of 3/4."""
    data = music_dataset()
    items = evaluation.pick(data, 60)
    halves = np.repeat([0.0, 1.0], len(items.index) // 2)[:, None]
    items = dataclasses.replace(items, attributes=np.repeat(halves, len(data.attribute_names), axis=1))
    found = evaluation.limits(small_setup("bach", "arvae"), data, items)
    assert found["ceiling"]["scc"] == pytest.approx(np.sqrt(3 / 4), abs=1e-3)


def test_an_orientation_is_seen_up_to_the_shapes_symmetry():
    """Of the variance a square shows 1/16, an ellipse 1/4, a heart all."""
    angle = np.tile(np.linspace(0, 2 * np.pi, 40), 3)
    a = np.column_stack([np.repeat([0, 1, 2], 40), np.ones(120), angle, np.ones((120, 2))])
    seen = visible(sprites.NAMES, a)[:, 2]
    assert np.corrcoef(seen, angle)[0, 1] ** 2 == pytest.approx((1 / 16 + 1 / 4 + 1) / 3, abs=0.03)
    assert stats.spearmanr(seen, angle).statistic == pytest.approx(0.66, abs=0.02)
    np.testing.assert_allclose(seen[80:], angle[80:])


def test_content_is_set_against_the_range_covered():
    data = sprites_dataset()
    items = evaluation.pick(data, 6)
    values = np.tile(np.linspace(-1, 1, 6), (5, 1))
    measured = np.zeros((5, 6, 6, 5))
    measured[..., 0] = items.extra["factors"][:, 0, None]
    measured[3, :, 5, 0] = 3  # far out along x the shape is lost
    measured[3, ..., 3] = np.linspace(0, 1, 6)
    moved = Traversals(
        sprites.NAMES, tuple(range(5)), values, np.zeros((5, 6, 6, 64, 64), np.uint8), measured
    )
    kept = content.along(items, items.x, moved, None)
    assert list(kept) == ["scale", "orientation", "x", "y"] and kept["x"].shape == (6, 6)
    points = content.curve(kept, moved, np.ones(5))
    assert [point["content"] for point in points] == pytest.approx([1, 1 - 1 / 24])
    assert [point["range_covered"] for point in points] == pytest.approx([0.6 / 4, 1 / 4])
