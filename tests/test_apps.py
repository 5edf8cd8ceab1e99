"""The playground in a notebook: sliders that pictures, scores and sound follow; files of one's own in and
out."""

import datetime
import re

import nbformat
import numpy as np
import pytest
import torch

from arvae import paths
from arvae.edit import EditError
from arvae.music import coding as music
from arvae.music import files as scores
from compendium.playground import apps, effects, items
from tests.test_edit import drawn, save, toy
from tests.test_edit import tune as tune_of
from tests.test_playground import run

torch.set_num_threads(1)
ROOT = paths.root(__file__)


@pytest.fixture(scope="module")
def digit():
    trained, data = run("mnist")
    return apps.ImageApp(trained, items.digits(trained, data))


@pytest.fixture
def tune():
    trained, data = run("folk")
    return apps.MelodyApp(trained, items.melodies(trained, data))


def file(name, content):
    """What the upload button hands over."""
    now = datetime.datetime.now(datetime.UTC)
    return ({"name": name, "content": content, "type": "", "size": len(content), "last_modified": now},)


def end(slider):
    """Move a slider to one of its ends, to whichever it is not."""
    slider.value = slider.min if slider.value > (slider.min + slider.max) / 2 else slider.max


def test_the_picture_follows_the_slider(digit):
    digit.picker.value = 2
    start, before = digit.codes(), bytes(digit.picture.value)
    control = digit.trained.controls[4]
    digit.sliders[4].value = digit.sliders[4].max
    start[:, control.dimension] = max(control.high, start[0, control.dimension])
    assert np.allclose(digit.codes(), start) and bytes(digit.picture.value) != before
    assert np.array_equal(digit.decoded, digit.trained.decode(start))
    digit.reset.click()
    assert bytes(digit.picture.value) == before


def test_a_shift_moves_the_chosen_measures_within_the_range(tune):
    given = tune.item.z
    tune.scope.value = 2
    end(tune.sliders[0])
    moved = tune.codes() - given
    assert np.argwhere(np.abs(moved) > 1e-6).tolist() == [[2, tune.trained.controls[0].dimension]]
    tune.scope.value = -1
    end(tune.sliders[1])
    control = tune.trained.controls[1]
    at = tune.codes()[:, control.dimension]
    assert (at >= min(control.low, given[:, control.dimension].min()) - 1e-6).all()
    assert np.array_equal(tune.decoded, tune.trained.decode(tune.codes()))
    assert "<svg" in tune.score.value and "<audio" in tune.sound.value
    tune.reset.click()
    assert np.array_equal(tune.codes(), given)


def test_what_one_hears_is_saved(tune, tmp_path):
    end(tune.sliders[2])
    tune.file.value = str(tmp_path / "mine" / "edited.musicxml")
    tune.saver.click()
    assert "written" in tune.said.value
    shown = np.where(tune.decoded < music.REST, music.REST, tune.decoded)
    assert scores.read(tmp_path / "mine" / "edited.musicxml").shape == shown.shape
    tune.file.value = str(tmp_path / "edited.pdf")
    tune.saver.click()
    assert "<b>" in tune.said.value


def test_a_melody_of_ones_own(tune):
    abc = "X:1\nT:mine\nM:4/4\nL:1/4\nK:C\nC,,D,,E,,F,,|G,,A,,B,,C,|\n"
    tune.upload.value = file("mine.abc", abc.encode())
    assert tune.picker.options[-1][0] == "mine" and tune.picker.value == len(tune.items) - 1
    assert tune.item.original.shape == (2, 24) and len(tune.scope.options) == 3
    waltz = abc.replace("4/4", "3/4")
    count = len(tune.items)
    tune.upload.value = file("w.abc", waltz.encode())
    assert "metre" in tune.said.value and len(tune.items) == count


def test_a_digit_of_ones_own(digit, tmp_path):
    content = save(tmp_path / "two.png", drawn(100, 0, 255)).read_bytes()
    digit.upload.value = file("two.png", content)
    assert digit.picker.label.startswith("two – inverted") and digit.items[-1].original.shape == (1, 28, 28)
    digit.file.value = str(tmp_path / "out.png")
    digit.saver.click()
    assert (tmp_path / "out.png").is_file()


def test_where_nothing_is_trained_the_remedy_is_shown(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    book = nbformat.read(ROOT / "notebooks" / "playground.ipynb", as_version=4)
    asked = re.findall(
        r'open_app\("([a-z]+)", run\)', "".join(c.source for c in book.cells if c.cell_type == "code")
    )
    assert asked == ["mnist", "dsprites", "folk", "bach"]
    for name in asked:
        assert f"dvc repro train@{name}-arvae" in apps.open_app(name).value


# ---------------------------------------------------------------- what the tutorial is made of


def test_a_tune_is_found_by_its_title():
    model, (_, data) = toy(), run("folk")
    assert items.melodies(model, data, 1, 8, "THIRD")[0].name == "third"
    with pytest.raises(EditError, match="no tune of the test split has 'waltz'"):
        items.melodies(model, data, 1, 8, "waltz")


def test_side_effects_are_measured():
    model = toy()
    table = effects.side_effects(model, tune_of(4, 5, 6))
    assert table.loc["note density", "note density"] == pytest.approx(2 / 24)  # one sd is two notes
    assert table.loc["pitch range", "pitch range"] == pytest.approx(2 / 26)
    assert table.loc["note density", "pitch range"] == pytest.approx(0)


def test_leaps():
    measures = np.full((3, 24), music.CONTINUE, np.int16)
    measures[[0, 2], 0] = 60, 65
    assert items.leaps(measures) == 5 and items.leaps(measures[:1]) == 0
