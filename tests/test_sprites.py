"""The factors read off sprites that were drawn with known factors."""

import numpy as np
import pytest

from arvae.datasets import dsprites, sprites


@pytest.fixture(scope="module")
def drawn():
    generator = np.random.default_rng(0)
    factors = np.stack([generator.integers(0, count, 600) for count in dsprites.COUNTS], axis=1)
    return factors, dsprites.attributes(factors), sprites.estimate(dsprites.render(factors))


def test_factors_are_read_back(drawn):
    _, truth, read = drawn
    assert (read[:, 0] == truth[:, 0]).mean() > 0.99
    assert np.abs(read[:, 1] - truth[:, 1]).mean() < 0.01
    assert np.abs(read[:, 3:] - truth[:, 3:]).max() < 0.02


def test_orientation_is_read_up_to_symmetry(drawn):
    _, truth, read = drawn
    known = read[:, 0] == truth[:, 0]
    period = np.take(sprites.PERIODS, truth[known, 0].astype(int))
    error = sprites.angle_difference(read[known, 2], truth[known, 2], period)
    assert np.degrees(np.abs(error)).mean() < 2
    assert (read[known, 2] < period).all()


def test_nothing_drawn_is_not_measured():
    images = np.zeros((2, 64, 64))
    images[1, 3, 3:6] = 1
    assert np.isnan(sprites.estimate(images)).all()
    assert sprites.estimate(np.zeros((0, 64, 64))).shape == (0, 5)


def test_a_disc_has_a_place_and_a_size_but_no_shape():
    at = np.arange(64) + 0.5
    disc = ((at[:, None] - 24) ** 2 + (at - 40) ** 2 < 49)[None]
    shape, scale, orientation, x, y = sprites.estimate(disc)[0]
    assert np.isnan(shape) and np.isnan(orientation)
    assert 0.5 < scale < 1 and x == pytest.approx(0.75, abs=0.01) and y == pytest.approx(0.25, abs=0.01)


def test_wrong_size_is_named():
    with pytest.raises(ValueError, match=r"\(2, 28, 28\)"):
        sprites.estimate(np.zeros((2, 28, 28)))


def test_turns_are_followed():
    steps = np.linspace(0, 3 * np.pi, 20)
    for shape, period in enumerate(sprites.PERIODS):
        seen = (steps * period / 7) % period
        turned = sprites.unwrapped(seen[None], np.full((1, 20), shape))
        np.testing.assert_allclose(turned[0], steps * period / 7, atol=1e-9)


def test_turns_are_followed_over_gaps():
    angles = np.array([np.nan, 0.1, np.nan, 1.5, 0.2])
    turned = sprites.unwrapped(angles, np.zeros(5))  # a square: 1.5 is -0.07, 0.2 is 0.2
    np.testing.assert_allclose(turned, [np.nan, 0.1, np.nan, 1.5 - np.pi / 2, 0.2], atol=1e-9)
