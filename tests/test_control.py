"""Controllability and content preservation on decoders whose behaviour is known exactly."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from arvae.datasets import dsprites
from arvae.datasets.measuring import DRAWN, digits_morphology, sprites_factors
from arvae.evaluation import content, control
from arvae.evaluation import judge as classifier
from arvae.evaluation.control import Traversals, monotonicity, span, summarise, traverse
from arvae.evaluation.scores import Items
from arvae.music import coding as music
from arvae.params import ClassifierParams, ClassifierSchedule
from arvae.trained import TrainedModel
from tests.small import small_setup


def known(network, names, dimensions, latent_dim, measurer, vocabulary=None):
    """A model of a decoder that one knows, in which `dimensions` are turned for `names`."""
    setup = small_setup("bach" if vocabulary else "dsprites", "betavae").model_copy(
        update={"latent_dim": latent_dim}
    )
    information = np.zeros((latent_dim, len(names)))
    information[list(dimensions), range(len(names))] = 1
    units = ("",) * len(names)
    return TrainedModel(setup, "seed0", network, names, units, vocabulary, measurer, information=information)


class Painter(nn.Module):
    """Draws a square whose size, x and y follow dimensions 0, 1 and 2: a decoder with perfect control."""

    kind = "images"

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def decode(self, z):
        at = torch.arange(64) + 0.5
        half = (7 + z[:, 0])[:, None, None]
        x, y = (32 + 3 * z[:, 1])[:, None, None], (32 + 3 * z[:, 2])[:, None, None]
        inside = ((at[None, None, :] - x).abs() < half) & ((at[None, :, None] - y).abs() < half)
        return torch.where(inside, 9.0, -9.0)[:, None]


class Singer(nn.Module):
    """Writes as many notes as dimension 0 says, all on the pitch that dimension 1 says."""

    kind = "music"

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.vocabulary = music.Vocabulary()

    def decode(self, z):
        tokens = torch.full((len(z), 24), self.vocabulary.continuation)
        count = (z[:, 0] + 6).round().clamp(1, 24).long()
        pitch = (z[:, 1] + 10).round().long()
        for row, (n, p) in enumerate(zip(count, pitch, strict=True)):
            tokens[row, :n] = p
        return nn.functional.one_hot(tokens, self.vocabulary.size).float()


VALUES = np.tile(np.linspace(-4, 4, 10), (5, 1))


def painter(measurer=sprites_factors):
    return known(Painter(), dsprites.NAMES, (5, 0, 4, 1, 2), 6, measurer)


@pytest.fixture(scope="module")
def painted():
    z = 0.3 * np.random.default_rng(0).standard_normal((6, 6)).astype(np.float32)
    return traverse(painter(), z, VALUES)


def test_a_traversal_holds_every_attribute_item_and_point(painted):
    assert painted.outputs.shape == (5, 6, 10, 64, 64) and painted.outputs.dtype == np.uint8
    assert painted.measured.shape == (5, 6, 10, 5)


def test_a_decoder_with_perfect_control_scores_so(painted):
    generator = np.random.default_rng(1)
    data = dsprites.attributes(np.stack([generator.integers(0, c, 500) for c in dsprites.COUNTS], axis=1))
    result = summarise(painted, data)
    for name in ("scale", "x", "y"):
        one = result["per_attribute"][name]
        assert one["monotonicity"] > 0.99 and one["selectivity"] > 0.9
    for name in ("shape", "orientation"):  # their dimensions do nothing
        one = result["per_attribute"][name]
        assert one["monotonicity"] == 0 and one["range_covered"] == 0 and one["selectivity"] == 0
    change = np.array(result["change"])
    assert change[3, 3] == pytest.approx(24 / 32 / 0.95, rel=0.1)  # x moved by 3 px a unit over 8 units
    assert change[3, 4] < 0.05 and change[3, 1] < 0.05
    assert result["per_attribute"]["x"]["monotonicity_gamma"] == 1
    json.dumps(result, allow_nan=False)


def sprites_with(images, shapes):
    """Items with images of 0 and 1 and the shapes that they are said to have."""
    return Items(
        np.arange(len(images)),
        images * np.uint8(255),
        np.zeros((len(images), 5)),
        {"factors": shapes[:, None]},
    )


def test_a_shape_that_only_moves_is_kept(painted):
    square = dsprites.render(np.array([[0, 3, 0, 16, 16]] * 8))
    kept = content.preserved(sprites_with(square, np.zeros(8, int)), square * np.uint8(255), painted, None)
    assert kept["original"] == kept["reconstructed"] == kept["traversed"] == 1
    assert "shape" not in kept["per_attribute"]
    assert kept["per_class"]["heart"]["reconstructed"] is None
    other = content.preserved(sprites_with(square, np.full(8, 2)), square * np.uint8(255), painted, None)
    assert other["traversed"] == 0


def test_a_surface_measures_every_attribute_over_two_dimensions():
    values = np.linspace(-2, 2, 4)
    grid = painter().surface(np.zeros(6), "x", "y", values, values)
    assert grid.shape == (4, 4, 5)
    x, y = (dsprites.NAMES.index(name) for name in "xy")
    assert (np.diff(grid[:, :, x], axis=1) > 0).all() and np.ptp(grid[:, :, x], axis=0).max() < 0.01
    assert (np.diff(grid[:, :, y], axis=0) > 0).all()


def test_monotonicity_by_hand():
    values = np.arange(5.0)
    up, down, flat = values**3, -values, np.ones(5)
    holes = np.array([np.nan, 1, 5, np.nan, 7])
    lost = np.array([np.nan, 1, 5, np.nan, np.nan])
    np.testing.assert_allclose(
        monotonicity(values, np.stack([up, down, flat, holes, lost])), [1, -1, 0, 1, 0]
    )
    np.testing.assert_allclose(span(np.stack([up, down, flat, holes, lost])), [64, 4, 0, 6, 0])


def test_summarise_by_hand():
    """Two attributes, two items, three points; nothing about it is symmetric."""
    nan = np.nan
    first = [[[0, 0], [1, 0], [4, 3]], [[0, 1], [2, 1], [2, 1]]]  # items x points x attributes
    second = [[[5, 6], [9, 3], [5, 0]], [[0, 0], [-1, nan], [-2, 1]]]
    values = np.array([[0.0, 1, 2], [2, 1, 0]])
    moved = Traversals(("a", "b"), (3, 1), values, np.zeros((2, 2, 3)), np.array([first, second], float))
    result = summarise(moved, np.repeat([[0.0, 0.0], [2.0, 4.0]], 50, axis=0))
    tied = np.sqrt(3) / 2  # the rank correlation of three points of which two are tied
    np.testing.assert_allclose(result["change"], [[1.5, 0.375], [1.5, 0.75]])
    np.testing.assert_allclose(result["monotonicity_matrix"], [[(1 + tied) / 2, tied / 2], [0.5, 0.5]])
    a, b = (result["per_attribute"][name] for name in "ab")
    assert a == pytest.approx(
        {
            "dimension": 3,
            "monotonicity": (1 + tied) / 2,
            "monotonicity_either_way": (1 + tied) / 2,
            "monotonicity_gamma": 1,
            "monotonicity_gamma_either_way": 1,
            "smoothness": 0,
            "range_covered": 1.5,
            "selectivity": 0.8,
            "measurable": 1,
        }
    )
    assert b == pytest.approx(
        {
            "dimension": 1,
            "monotonicity": 0.5,
            "monotonicity_either_way": 0.5,
            "monotonicity_gamma": 0.5,
            "monotonicity_gamma_either_way": 0.5,
            "smoothness": 1,
            "range_covered": 0.75,
            "selectivity": 1 / 3,
            "measurable": 5 / 6,
        }
    )
    assert result["selectivity"] == pytest.approx(17 / 30) and result["range_covered"] == pytest.approx(1.125)
    assert (result["items"], result["points"]) == (2, 3)


def test_a_dimension_that_runs_backwards_steers_too():
    falling = np.array([[[[3.0], [1.0], [0.0]]]])  # attributes moved x items x points x attributes
    moved = Traversals(("a",), (0,), np.array([[-4.0, 0, 4]]), np.zeros((1, 1, 3)), falling)
    result = summarise(moved, np.linspace(0, 3, 40)[:, None])
    assert result["monotonicity"] == pytest.approx(-1)
    assert result["monotonicity_either_way"] == pytest.approx(1) and result["monotonicity_gamma"] == -1
    assert result["monotonicity_gamma_either_way"] == 1


class Echo(nn.Module):
    """Shows the code itself, one pixel a dimension."""

    kind = "images"

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def decode(self, z):
        return z[:, None, None, :]


def test_a_traversal_sets_one_dimension_and_keeps_the_others():
    z = np.array([[-9, 9, 0], [9, 9, -9]], np.float32)
    values = np.array([[-9.0, 0.0], [9.0, -9.0]])
    moved = traverse(known(Echo(), ("a", "b"), (2, 0), 3, None), z, values)
    shown = np.array(
        [
            [[[-9, 9, -9], [-9, 9, 0]], [[9, 9, -9], [9, 9, 0]]],
            [[[9, 9, 0], [-9, 9, 0]], [[9, 9, -9], [-9, 9, -9]]],
        ]
    )
    assert moved.measured is None
    np.testing.assert_array_equal(moved.outputs[:, :, :, 0] >= DRAWN, shown >= 0)
    np.testing.assert_array_equal(moved.outputs[:, :, :, 0] < 200, shown <= 0)


def test_data_range_is_never_zero():
    data = np.stack([np.linspace(0, 1, 1001), np.full(1001, 3.0), np.append(np.zeros(1000), 2.0)], axis=1)
    np.testing.assert_allclose(control.data_range(data), [0.95, 1, 2])


def test_blank_digits_are_not_measured():
    images = np.zeros((3, 28, 28), np.uint8)
    images[1, 5:20, 12:16] = 255
    images[2] = 20  # a haze
    measured = digits_morphology(images)
    assert np.isnan(measured[[0, 2]]).all() and np.isfinite(measured[1]).all()
    assert np.isnan(digits_morphology(images[:1])).all()
    assert digits_morphology(images[:0]).shape == (0, 6)


def test_the_density_ratio_falls_with_codes_that_decode_to_nothing_known():
    generator = np.random.default_rng(0)
    factors = np.stack([generator.integers(0, c, 400) for c in dsprites.COUNTS], axis=1)
    factors[:, :3] = [0, 3, 0]
    data = dsprites.attributes(factors)
    low, high = np.full(6, -1.0), np.full(6, 1.0)

    def ratio(measurer, decoder=painter):
        model = decoder(measurer)
        decoded = control.random_outputs(model, low, high, np.random.default_rng(0), 40)
        inside = control.within_data(model, decoded, data)
        return None if inside is None else inside.mean()

    assert 0 < ratio(sprites_factors) < 1  # sizes beyond the data's one size are outside
    assert ratio(lambda images: np.full((len(images), 5), np.nan)) == 0
    assert ratio(None) is None


def test_within_the_data_is_all_but_a_thousandth_at_each_end_and_a_tenth_of_the_range():
    """Of 0 to 1000: 1 to 999, and 95 more, a tenth of the 950 that hold 95 %."""
    model = SimpleNamespace(measurable=True, measure=lambda decoded: decoded)
    ends = np.array([-94.5, -93.5, 1093.5, 1094.5])[:, None]
    inside = control.within_data(model, ends, np.arange(1001.0)[:, None])
    assert inside.tolist() == [False, True, True, False]


# ------------------------------------------------------------------ music


@pytest.fixture(scope="module")
def sung():
    z = np.zeros((4, 4), np.float32)
    values = np.tile(np.linspace(-4, 4, 9), (4, 1))
    singer = known(Singer(), music.ATTRIBUTE_NAMES, (0, 1, 0, 2), 4, music.attributes, music.Vocabulary())
    return traverse(singer, z, values), singer.decode(z)


def test_turning_note_density_changes_onsets_and_nothing_keeps_them_all(sung):
    moved, base = sung
    assert moved.outputs.shape == (4, 4, 9, 24) and moved.outputs.dtype == np.int16
    result = summarise(moved, music.attributes(moved.outputs.reshape(-1, 24)))
    assert result["per_attribute"]["note density"]["monotonicity"] == pytest.approx(1)
    kept = content.melodies(base, base, moved)
    assert kept["reconstructed"] == kept["reconstructed_onsets"] == 1
    assert kept["per_attribute"]["contour"] == {"onsets": 1.0, "pitches": 1.0}  # its dimension does nothing
    assert kept["per_attribute"]["pitch range"]["onsets"] == 1.0
    assert kept["per_attribute"]["pitch range"]["pitches"] < 0.5
    assert kept["per_attribute"]["note density"]["onsets"] < 0.9


def test_what_sounds_and_what_is_kept_by_hand():
    measure = np.array([[60, -1, -2, -1, 62, 62], [-1, -1, 55, -1, -3, -4]])
    np.testing.assert_array_equal(
        content.sounding(measure), [[60, 60, -2, -2, 62, 62], [-2, -2, 55, 55, -2, -2]]
    )
    other = np.array([[60, -1, -1, -1, 62, -1], [-2, -1, -1, -1, -1, -1]])
    np.testing.assert_allclose(content.pitches_kept(measure, other), [4 / 6, 4 / 6])
    np.testing.assert_allclose(content.onsets_kept(measure, other), [2 / 3, 0])
    assert content.onsets_kept(other[1], other[1]) == 1


def test_melodies_kept_by_hand():
    """Two measures of four ticks, of which the first is traversed; the reconstruction is its measure."""
    originals = np.array([[60, 62, -1, -1], [-2, -1, -1, -1]])
    reconstructions = np.array([[60, -1, 64, -1], [-2, -1, 55, -1]])
    first = [[[60, -1, 64, -1], [60, -1, -1, -1]]]  # items x points x ticks: unchanged; a note less
    second = [[[61, -1, 65, 66], [-2, -1, -1, -1]]]  # other notes, and one more; nothing
    moved = Traversals(("a", "b"), (0, 1), np.zeros((2, 2)), np.array([first, second]), None)
    kept = content.melodies(originals, reconstructions, moved)
    assert kept["per_attribute"]["a"] == pytest.approx({"onsets": 3 / 4, "pitches": 3 / 4})
    assert kept["per_attribute"]["b"] == pytest.approx({"onsets": 1 / 3, "pitches": 0})
    assert kept["traversed"] == pytest.approx(3 / 8) and kept["traversed_onsets"] == pytest.approx(13 / 24)
    assert kept["reconstructed"] == pytest.approx((1 / 4 + 2 / 4) / 2)
    assert kept["reconstructed_onsets"] == pytest.approx((1 / 3 + 0) / 2)


# ------------------------------------------------------------------ digits


class Reader(nn.Module):
    """Reads the digit off the first pixel."""

    def forward(self, x):
        return nn.functional.one_hot((x[:, 0, 0, 0] * 255).round().long(), 10).float()


def written(digits):
    digits = np.array(digits, np.uint8)
    return np.broadcast_to(digits[..., None, None], (*digits.shape, 28, 28))


def test_digits_kept_by_hand():
    """Four digits, of which one is misread and two are lost on the way; the first two are traversed."""
    labels = np.array([3, 2, 1, 2])
    seen = written([[[3, 3, 0], [2, 2, 2]], [[3, 2, 2], [0, 0, 3]]])
    moved = Traversals(("a", "b"), (0, 1), np.zeros((2, 3)), seen, None)
    items = Items(np.arange(4), written([4, 2, 1, 2]), np.zeros((4, 2)), {"label": labels})
    kept = content.preserved(items, written([4, 1, 1, 2]), moved, Reader())
    assert (kept["original"], kept["reconstructed"], kept["traversed"]) == (0.75, 0.5, 0.5)
    assert kept["per_attribute"] == pytest.approx({"a": 5 / 6, "b": 1 / 6})
    assert kept["per_class"]["1"] == {"reconstructed": 1, "traversed": None}
    assert kept["per_class"]["2"] == {"reconstructed": 0.5, "traversed": 0.5}
    assert kept["per_class"]["3"] == {"reconstructed": 0, "traversed": 0.5}


def test_shapes_kept_by_hand():
    """Square and heart; the traversal of shape itself is left out."""
    drawn = dsprites.render(np.array([[0, 3, 0, 16, 16], [2, 3, 0, 16, 16], [0, 3, 0, 9, 9]]))
    items = sprites_with(drawn, np.array([0, 2, 2]))  # the last is no heart
    measured = np.full((2, 2, 3, 5), np.nan)
    measured[..., dsprites.NAMES.index("shape")] = [
        [[0, 0, 2], [2, np.nan, 0]], [[0, 1, 2], [0, 1, 1]],
    ]  # fmt: skip
    moved = Traversals(
        ("x", "shape"), (0, 1), np.zeros((2, 3)), np.zeros((2, 2, 3, 64, 64), np.uint8), measured
    )
    kept = content.preserved(items, items.x[[0, 0, 1]], moved, None)
    assert kept["original"] == pytest.approx(2 / 3) == kept["reconstructed"]
    assert kept["per_attribute"] == pytest.approx({"x": 0.5}) and kept["traversed"] == pytest.approx(0.5)
    assert kept["per_class"]["square"] == {"reconstructed": 1, "traversed": pytest.approx(2 / 3)}
    assert kept["per_class"]["heart"] == {"reconstructed": 0.5, "traversed": pytest.approx(1 / 3)}
    assert kept["per_class"]["ellipse"] == {"reconstructed": None, "traversed": None}


@pytest.fixture(scope="module")
def bars():
    """Ten easily told pictures: a bar at one of ten heights, shifted and noisy."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, 640).astype(np.uint8)
    images = generator.integers(0, 40, (640, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 + 2 * label : 5 + 2 * label, 6:22] = 255
    return images, labels


SIZES = ClassifierParams(batch_size=32, channels=(8, 16), hidden=32, dropout=0.5, seed=0)
SCHEDULE = ClassifierSchedule(epochs=5.0, peak=0.01)


@pytest.fixture(scope="module")
def judge(bars):
    images, labels = bars
    told = []
    trained = classifier.train(
        images[:512], labels[:512], (images[512:], labels[512:]), SIZES, SCHEDULE, log=told.append
    )
    assert "100.00 %" in told[-1]
    return trained


def test_the_classifier_learns_and_repeats_to_the_bit(bars, judge):
    images, labels = bars
    assert classifier.accuracy(judge.model, images[512:], labels[512:]) == 1
    assert judge.history[-1]["step"] == 80 and judge.history[-1]["validation_accuracy"] == 1
    assert judge.history[0]["loss"] > judge.history[-1]["loss"]
    short = SCHEDULE.model_copy(update={"epochs": 1.0})
    twice = [
        classifier.train(images[:128], labels[:128], (images[:9], labels[:9]), SIZES, short, log=str).model
        for _ in range(2)
    ]
    for a, b in zip(*(model.parameters() for model in twice), strict=True):
        assert torch.equal(a, b)


def test_the_classifier_is_saved_read_and_refused_where_it_does_not_fit(bars, judge, tmp_path):
    images, _ = bars
    classifier.save(judge.model, SIZES, tmp_path)
    read = classifier.load(tmp_path, SIZES)
    np.testing.assert_array_equal(
        classifier.predict(read, images[:50]), classifier.predict(judge.model, images[:50] / np.float32(255))
    )
    assert len(classifier.predict(read, images[:0])) == 0
    with pytest.raises(ValueError, match="does not fit"):
        classifier.load(tmp_path, SIZES.model_copy(update={"hidden": 16}))
    with pytest.raises(ValueError, match="dvc repro classifier"):
        classifier.load(tmp_path / "nowhere", SIZES)


def test_labels_that_are_no_digits_are_refused(bars):
    images, labels = bars
    with pytest.raises(ValueError, match="labels 0-9"):
        classifier.train(images[:9], labels[:9] + 20, (images, labels), SIZES, SCHEDULE)


def test_digits_kept(bars, judge):
    images, labels = bars
    traversals = Traversals(
        ("a", "b"), (0, 1), np.zeros((2, 3)),
        np.stack([np.repeat(images[:4, None], 3, axis=1), np.repeat(images[4:8, None], 3, axis=1)]), None,
    )  # fmt: skip
    items = Items(np.arange(len(images)), images, np.zeros((len(images), 2)), {"label": labels})
    kept = content.preserved(items, images, traversals, judge.model)
    assert kept["original"] == kept["reconstructed"] == 1
    assert kept["per_attribute"]["a"] == 1
    assert kept["per_attribute"]["b"] == pytest.approx(float((labels[:4] == labels[4:8]).mean()))
    absent = next(digit for digit in range(10) if digit not in labels[:4])
    assert kept["per_class"][str(absent)] == {"reconstructed": 1.0, "traversed": None}
    assert summarise(traversals, np.zeros((3, 2))) is None
