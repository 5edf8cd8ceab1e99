"""Attributes of your own: the two that ship, what is refused, and that what is decoded is measured too."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arvae import datasets
from arvae.datasets import added, catalogue, morphology, own, sprites
from arvae.datasets.contract import DataError, Dataset, Split
from arvae.datasets.measuring import measurer
from arvae.music import coding as music
from compendium.tables import data as tables

BEAT = len(music.GRID)
SYMBOL = st.sampled_from([*range(60, 73), -1, -1, -1, -1, -2])
MEASURE = st.lists(SYMBOL, min_size=24, max_size=24)


def rhythm(*ticks, rests=()):
    """A measure with a note at each of `ticks` and a rest at each of `rests`."""
    measure = np.full((1, music.TICKS), music.CONTINUE, np.int16)
    measure[0, list(ticks)], measure[0, list(rests)] = 60, music.REST
    return measure


def notes(*pitches):
    """As many equal notes as fit: one a measure, two, four or eight."""
    measure = np.full((1, music.TICKS), music.CONTINUE, np.int16)
    measure[0, :: music.TICKS // len(pitches)] = pitches
    return measure


def every(*places):
    """The ticks at these places of each beat."""
    return [beat * BEAT + place for beat in range(4) for place in places]


# ------------------------------------------------------------------------------------------ tonal tension


@settings(max_examples=60, deadline=None)
@given(MEASURE, st.integers(-12, 11))
def test_tension_is_the_same_in_every_key_and_octave(symbols, shift):
    measure = np.array([symbols], np.int16)
    moved = music.transpose(measure, shift)
    np.testing.assert_allclose(own.tonal_tension(moved), own.tonal_tension(measure), atol=1e-9)
    np.testing.assert_array_equal(own.syncopation(moved), own.syncopation(measure))


@settings(max_examples=60, deadline=None)
@given(MEASURE)
def test_values_are_finite_and_bounded(symbols):
    measure = np.array([symbols], np.int16)
    assert 0 <= own.tonal_tension(measure)[0] < 2.6
    assert own.syncopation(measure)[0] >= 0


def test_silence_and_what_is_held_from_before_have_no_tension():
    silent = np.array([[-2] + [-1] * 23, [-1] * 24, [-3] * 24, [-4] * 24, [-1] * 12 + [-2] + [-1] * 11])
    assert not own.tonal_tension(silent.astype(np.int16)).any()
    assert not own.syncopation(silent.astype(np.int16)).any()


def test_tension_grows_from_the_triad_to_the_scale_to_foreign_notes():
    calm = [notes(60, 60, 60, 60), notes(60, 67, 60, 67), notes(60, 64, 67, 72)]
    scale = [notes(60, 62, 64, 65, 67, 69, 71, 72), notes(65, 71, 62, 69)]
    foreign = [notes(60, 61, 60, 66), notes(60, 61, 62, 63, 64, 65, 66, 67)]
    steps = [[own.tonal_tension(one)[0] for one in group] for group in (calm, scale, foreign)]
    assert max(steps[0]) < min(steps[1]) and max(steps[1]) < max(steps[2])
    assert own.tonal_tension(notes(60, 67, 60, 67))[0] < 0.9


def test_tension_weighs_notes_by_their_length():
    passing = rhythm(0, 21)
    passing[0, 21] = 66  # F sharp as a short upbeat in C, then as long as the C
    lasting = rhythm(0, 12)
    lasting[0, 12] = 66
    assert own.tonal_tension(passing)[0] < own.tonal_tension(lasting)[0]


def test_the_spiral_array_is_chews():
    fifth = np.linalg.norm(own._place(1) - own._place(0))
    third = np.linalg.norm(own._place(4) - own._place(0))
    assert fifth == pytest.approx(third)  # what the height of the spiral is chosen for
    major, minor = own._distances()
    scale = [0, 2, 4, 5, 7, 9, 11]
    assert major[scale].max() < np.delete(major, scale).min()
    assert set(np.argsort(major)[:2]) == {0, 7} and set(np.argsort(minor)[:2]) == {0, 7}


# ------------------------------------------------------------------------------------------ syncopation

ON_THE_BEAT = {
    "four on the floor": rhythm(*every(0)),
    "whole": rhythm(0),
    "halves": rhythm(0, 12),
    "eighths": rhythm(*every(0, 3)),
    "sixteenths": rhythm(*every(0, 1, 3, 5)),
    "triplets": rhythm(*every(0, 2, 4)),
    "dotted": rhythm(0, 9, 12, 21),
    "dotted eighths": rhythm(*every(0, 5)),
    "with rests": rhythm(*every(0), rests=every(3)),
}
AGAINST_IT = {
    "between rests": (rhythm(*every(3), rests=every(0)), 4),
    "eighth, quarters, eighth": (rhythm(0, 3, 9, 15, 21), 4),
    "short, long, short": (rhythm(0, 6, 18), 1),
    "Scotch snaps": (rhythm(*every(0, 1)), 4),
    "tresillo": (rhythm(0, 9, 18), 2),
    "over the middle": (rhythm(0, 9), 2),
    "last triplet held": (rhythm(0, 4), 2),
}


@pytest.mark.parametrize("name", ON_THE_BEAT)
def test_rhythms_on_the_beat_are_hardly_syncopated(name):
    assert 0 <= own.syncopation(ON_THE_BEAT[name])[0] < 0.6
    assert own.syncopation(ON_THE_BEAT["four on the floor"])[0] < 0.1


@pytest.mark.parametrize("name", AGAINST_IT)
def test_off_beat_rhythms_count_levels_as_longuet_higgins_and_lee(name):
    measure, count = AGAINST_IT[name]
    assert count <= own.syncopation(measure)[0] < count + 1


def test_pitches_do_not_change_the_rhythm():
    measure = rhythm(0, 3, 9, 15, 21)
    other = np.where(measure >= 0, np.arange(60, 84), measure).astype(np.int16)
    assert own.syncopation(measure) == own.syncopation(other)


def test_both_do_not_depend_on_the_batch():
    generator = np.random.default_rng(0)
    x = generator.choice([60, 64, 67, 71, -1, -1, -1, -1, -2], (20_000, 24)).astype(np.int16)
    values = [added.compute(name, x) for name in ("tonal tension", "syncopation")]
    for function, whole in zip((own.tonal_tension, own.syncopation), values, strict=True):
        np.testing.assert_allclose(function(x[5:6]), whole[5:6], rtol=1e-6)
        assert function(x[:0]).shape == (0,)
    assert all(len(np.unique(whole.round(3))) > 100 for whole in values)


# ------------------------------------------------------------------------------------------ found by name


def test_the_catalogue_knows_the_functions_without_importing_them(tmp_path):
    assert list(catalogue.own_attributes()) == ["tonal tension", "syncopation"]
    file = tmp_path / "own.py"
    file.write_text(
        'raise SystemExit\n_x = 1\ndef my_sum(x):\n    "A sum."\ndef _no(x): ...\nclass No: ...\n'
    )
    assert catalogue.own_attributes(file) == {"my sum": "A sum."}
    file.write_text("def broken(:")
    assert catalogue.own_attributes(file) == {}
    four = music.ATTRIBUTE_NAMES
    assert catalogue.attributes_of("folk-own", ["syncopation", "no"], "folk") == (*four, "syncopation")
    assert catalogue.attributes_of("tunes", kind="music") == four and catalogue.attributes_of("discs") is None
    assert catalogue.sources_of("folk-own", "folk") == ("auto", "music21", "thesession")
    assert catalogue.sources_of("tunes") == ("auto", "folder")


def test_a_name_that_is_no_function_lists_those_that_are():
    says = "'tension' is not a function in arvae/datasets/own.py; there are: tonal tension, syncopation"
    with pytest.raises(DataError, match=says) as error:
        added.function("tension")
    assert "write the function `tension`" in str(error.value)
    for name in ("np", "TICKS", "_sounding", "CONTINUE"):
        with pytest.raises(DataError, match="is not a function"):
            added.function(name)


def small(kind="music"):
    generator = np.random.default_rng(0)

    def split(n):
        if kind == "images":
            x = generator.integers(0, 256, (n, 28, 28)).astype(np.uint8)
            return Split(x, generator.normal(size=(n, 6)).astype(np.float32))
        x = generator.choice([60, 64, 66, -1, -1, -2], (n, music.TICKS)).astype(np.int16)
        return Split(x, music.attributes(x))

    names = music.ATTRIBUTE_NAMES if kind == "music" else morphology.COLUMNS
    vocabulary = music.Vocabulary() if kind == "music" else None
    parts = (split(40), split(5), split(9))
    return Dataset("small", kind, *parts, names, ("",) * len(names), vocabulary, {"source": "a test"})


def test_own_attributes_become_columns_with_unit_and_meaning():
    data = added.add(small(), ["tonal tension", "syncopation"])
    assert data.attribute_names[4:] == ("tonal tension", "syncopation")
    assert data.attribute_units[4:] == ("radii", "levels")
    np.testing.assert_allclose(data.test.attributes[:, 4], own.tonal_tension(data.test.x), rtol=1e-6)
    assert tables.meanings(data)["syncopation"].startswith("how much notes begin on weak ticks")
    assert "*tonal tension*, *syncopation*" in tables.describe(data)
    assert "spiral" not in tables.provenance(data).loc["own attributes › tonal tension", "value"]
    with pytest.raises(DataError, match="already has an attribute 'contour'"):
        added.add(data, ["contour"])


def test_the_kind_of_an_attribute_is_read_off_its_docstring(monkeypatch):
    texts = {"tonal tension": "A mood.\n\n    Kind: discrete.\n", "syncopation": "Kind: round"}
    monkeypatch.setattr(added, "own_attributes", lambda: texts)
    names = (*music.ATTRIBUTE_NAMES, "tonal tension")
    assert catalogue.kinds(names) == ["continuous"] * 4 + ["discrete"]
    added.add(small(), ["tonal tension"])
    with pytest.raises(DataError, match="says `Kind: round`: write one of continuous, discrete, circular"):
        added.add(small(), ["syncopation"])


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: x.mean(), r"given int16 \(40, 24\), returned float64 \(\): return one number an example"),
        (lambda x: x, r"returned int16 \(40, 24\)"),
        (lambda x: ["much"] * len(x), r"returned <U4 \(40,\)"),
        (lambda x: np.where(np.arange(len(x)) == 3, np.nan, 1.0), "gives nan for 1 of 40 .* number 3"),
        (lambda x: np.full(len(x), np.inf), "gives inf for 40 of 40 examples of small, train"),
        (lambda x: np.full(len(x), 3), "is 3 for every training example of small, so there is nothing"),
        (lambda x: x @ x, "failed \\(ValueError: .*: correct it"),
    ],
)
def test_a_function_that_is_no_use_is_refused_by_name(monkeypatch, function, says):
    def wished(x):
        return function(x)

    wished.__module__ = own.__name__
    monkeypatch.setattr(own, "my_wish", wished, raising=False)
    with pytest.raises(DataError, match=says) as error:
        added.add(small(), ["my wish"])
    assert "'my wish': the function my_wish of arvae/datasets/own.py" in str(error.value)


def test_a_data_set_is_prepared_like_another_with_its_own_attributes(tmp_path):
    sizes = {"train": 64, "validation": 16, "test": 32, "tunes": 12}
    places = {"raw": tmp_path, "cache": tmp_path, "log": lambda line: None}
    first = datasets.prepare("folk", sizes, directory=tmp_path / "folk", **places)
    directory = tmp_path / "folk-own"
    datasets.prepare("folk-own", sizes, directory=directory, like="folk", own=["syncopation"], **places)
    second = datasets.load("folk-own", directory)
    assert second.name == "folk-own" and second.attribute_names == (*first.attribute_names, "syncopation")
    np.testing.assert_array_equal(second.test.x, first.test.x)
    np.testing.assert_array_equal(second.test.attributes[:, :4], first.test.attributes)
    assert second.provenance["like"] == "folk" and tables.describe(second).startswith("**Folk tunes**")
    with pytest.raises(
        DataError,
        match=re.escape("no data set 'jazz' to copy (`like`): use one of bach, dmelodies, dsprites, folk"),
    ):
        datasets.prepare("folk-own", sizes, directory=directory, like="jazz", **places)


# ------------------------------------------------------------------------------------------ what is decoded


def test_decoded_measures_have_their_own_attributes_measured():
    x = small().train.x
    names = (*music.ATTRIBUTE_NAMES, "syncopation", "tonal tension")
    measured = measurer("music", names, {})(x)
    np.testing.assert_allclose(measured[:, :4], music.attributes(x))
    np.testing.assert_allclose(measured[:, 4], own.syncopation(x), rtol=1e-6)
    np.testing.assert_allclose(measured[:, 5], own.tonal_tension(x), rtol=1e-6)
    assert measurer("music", names, {})(x[:0]).shape == (0, 6)
    assert measurer("music", (*music.ATTRIBUTE_NAMES, "charm"), {}) is None
    assert measurer("music", music.ATTRIBUTE_NAMES, {}) is music.attributes


@pytest.mark.parametrize(("names", "greatest"), [(morphology.COLUMNS, 255), (sprites.NAMES, 1)])
def test_decoded_images_have_their_own_attributes_measured(monkeypatch, names, greatest):
    seen = []

    def brightest(images):
        seen.append(images)
        return images.max(axis=(1, 2))

    brightest.__module__ = own.__name__
    monkeypatch.setattr(own, "brightest", brightest, raising=False)
    monkeypatch.setattr(catalogue, "own_attributes", lambda: {"brightest": ""})
    side = 28 if greatest == 255 else 64
    images = np.zeros((3, side, side), np.uint8)
    images[0, 5:20, 8:12] = images[2, 5:20, 8:24] = 255
    measured = measurer("images", (*names, "brightest"), {})(images)
    assert measured.shape == (3, len(names) + 1) and measured[[0, 2], -1].tolist() == [greatest] * 2
    assert np.isnan(measured[1, -1])  # nothing is drawn: nothing can be measured
    assert seen[0].dtype == np.uint8 and seen[0].shape == (2, side, side)
