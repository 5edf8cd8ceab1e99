"""dMelodies: all melodies are different, every factor can be read off them again, splits, refusals."""

import numpy as np
import pytest

from arvae.datasets import catalogue, dmelodies
from arvae.datasets.combinations import factors_of
from arvae.datasets.contract import SPLITS, DataError
from arvae.datasets.measuring import measurer
from arvae.music.coding import CONTINUE, REST


@pytest.fixture(scope="module")
def every():
    """All factors and all melodies."""
    factors = factors_of(np.arange(dmelodies.TOTAL), dmelodies.COUNTS)
    return factors, dmelodies.draw(factors)


def test_all_melodies_are_different(every):
    factors, melodies = every
    assert len(melodies) == 1_354_752 == 12 * 3 * 3 * 28 * 28 * 2**4
    np.testing.assert_array_equal(factors.max(axis=0) + 1, dmelodies.COUNTS)
    rows = np.ascontiguousarray(melodies[:, dmelodies.EIGHTHS].astype(np.int8)).view("V16").ravel()
    assert len(np.unique(rows)) == dmelodies.TOTAL


def test_every_bar_has_six_notes_within_the_vocabulary(every):
    starts = every[1] >= 0
    assert (starts.reshape(-1, 2, 12).sum(axis=2) == 6).all()
    assert not np.delete(starts, dmelodies.EIGHTHS, axis=1).any()
    pitches = every[1][starts]
    vocabulary = dmelodies.VOCABULARY
    assert (pitches.min(), pitches.max()) == (vocabulary.lowest, vocabulary.highest) == (60, 109)


def test_every_factor_is_read_off_the_melody_again(every):
    factors, melodies = (array[::11] for array in every)  # 11 divides no count: every value of every factor
    np.testing.assert_array_equal(dmelodies.read(melodies), dmelodies.attributes(factors))


def test_the_28_rhythms_go_from_early_to_late():
    places = dmelodies.RHYTHMS @ np.arange(8)
    assert len(np.unique(dmelodies.RHYTHMS, axis=0)) == 28 and (np.diff(places) >= 0).all()
    assert dmelodies.RHYTHMS[0, :6].all() and dmelodies.RHYTHMS[-1, 2:].all()


@pytest.mark.parametrize(
    ("mode", "chords"),
    [
        (0, [(60, 64, 67), (72, 69, 65), (67, 71, 74), (60, 64, 67)]),
        (1, [(60, 63, 67), (72, 68, 65), (67, 71, 74), (60, 63, 67)]),
        (2, [(60, 63, 66), (72, 69, 65), (66, 70, 74), (60, 63, 66)]),
    ],
)
def test_a_melody_in_c_is_as_a_musician_writes_it(mode, chords):
    melody = dmelodies.draw(np.array([[0, 0, mode, 0, 27, 1, 0, 1, 1]]))[0, dmelodies.EIGHTHS]
    wanted = [*chords[0], *chords[1], CONTINUE, CONTINUE, CONTINUE, CONTINUE, *chords[2], *chords[3]]
    assert melody.tolist() == wanted
    assert dmelodies.draw(np.array([[0, 0, mode, 27, 0, 1, 0, 1, 1]]))[0, 0] == REST


def test_what_a_decoder_gets_wrong_is_unknown_and_the_rest_is_not():
    factors = np.array([[7, 1, 0, 5, 20, 1, 0, 0, 1]])
    right, melody = dmelodies.attributes(factors)[0], dmelodies.draw(factors)
    first = np.flatnonzero(melody[0] >= 0)[0]
    wrong = melody.copy()
    wrong[0, first] -= 1  # one of twelve notes: still in its key
    np.testing.assert_array_equal(dmelodies.read(wrong)[0], right)
    wrong[0, 2] = 70  # a note between the eighths of the first bar
    found = dmelodies.read(wrong)[0]
    assert np.isnan(found[[0, 1, 2, 3, 5, 6]]).all()
    np.testing.assert_array_equal(found[[4, 7, 8]], right[[4, 7, 8]])
    noise = np.where(melody >= 0, np.random.default_rng(0).integers(60, 110, melody.shape), melody)
    found = dmelodies.read(noise)[0]
    assert np.isnan(found[:3]).all() and found[3] == 5 and found[4] == 20
    assert np.isnan(dmelodies.read(np.full((2, 24), CONTINUE))).all()
    assert dmelodies.read(np.empty((0, 24), np.int16)).shape == (0, 9)


def test_splits_are_disjoint_drawn_and_measured(tmp_path):
    sizes = {"train": 3000, "validation": 400, "test": 800, "tunes": None}
    data = dmelodies.prepare(sizes, "drawn", tmp_path, tmp_path, log=lambda line: None)
    rows = [data.split(part).x for part in SPLITS]
    assert [len(row) for row in rows] == [3000, 400, 800]
    assert len(np.unique(np.concatenate(rows), axis=0)) == 4200
    measure = measurer(data.kind, data.attribute_names, data.provenance)
    for part in SPLITS:
        np.testing.assert_array_equal(measure(data.split(part).x), data.split(part).attributes)
    np.testing.assert_allclose(np.corrcoef(data.train.attributes.T), np.eye(9), atol=0.1)
    fewer = dmelodies.prepare(sizes | {"train": 10}, "drawn", tmp_path, tmp_path, log=lambda line: None)
    assert set(map(bytes, fewer.train.x)) <= set(map(bytes, data.train.x))


def test_kinds_of_the_factors_are_declared():
    assert catalogue.kinds(dmelodies.NAMES) == ["continuous"] * 2 + ["discrete"] * 7
    sprites = ("shape", "scale", "orientation", "x", "y")
    assert catalogue.kinds(sprites)[:3] == ["discrete", "continuous", "circular"]
    assert catalogue.kinds(("scale", "slant")) == ["continuous", "continuous"]


@pytest.mark.parametrize(
    ("factors", "says"),
    [
        ([[0, 3, 0, 0, 0, 0, 0, 0, 0]], "octave of melody 0 is index 3: give 0 to 2"),
        ([[0] * 9, [0, 0, 0, 0, -1, 0, 0, 0, 0]], "rhythm 2 of melody 1 is index -1: give 0 to 27"),
        ([[0] * 8], r"integers \(n, 9\), not int64 \(1, 8\)"),
        ([[0.5] * 9], "float64"),
    ],
)
def test_impossible_factors_are_refused(factors, says):
    with pytest.raises(DataError, match=says):
        dmelodies.draw(np.array(factors))


def test_more_melodies_than_there_are_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"135476 melodies of dmelodies \(validation\) asked for, there are"):
        dmelodies.prepare({"train": 5, "validation": 135_476}, "drawn", tmp_path, tmp_path, lambda line: None)
