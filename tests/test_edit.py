"""Editing: wishes, the search for a wished value, files in and out, refusals; the command as a whole."""

import dataclasses
import json
import re
import runpy
import shutil
import zipfile

import numpy as np
import pytest
import soundfile
import torch
from PIL import ExifTags, Image

from arvae import models, params, paths
from arvae.datasets import custom, dsprites, pictures
from arvae.datasets.contract import Dataset, PackedImages, Split
from arvae.edit import __main__ as command
from arvae.edit import melody, picture, report, search, wishes
from arvae.edit.faults import EditError
from arvae.music import coding as music
from arvae.music import files as scores
from arvae.music import keys
from arvae.trained import Control, ModelError, TrainedModel
from arvae.training import checkpoints
from arvae.training.runs import Run, describe
from compendium.playground import effects
from tests.small import HEAD, abc, fresh_model, sprites_dataset

torch.set_num_threads(1)
ROOT = paths.root(__file__)
PARAMS = params.load(ROOT / "params.yaml")
SCALE = np.array([60, 62, 64, 65, 67, 69, 71, 72])


class Toy(torch.nn.Module):
    """A decoder one can calculate by hand: dimension 2 is the number of notes (4 + z), 1 their spread in
    semitones (10 + z), 5 does nothing; from 8 notes on each one more widens the spread too."""

    kind, latent_dim = "music", 32

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.vocabulary = music.Vocabulary()

    def encode(self, tokens):
        x = self.vocabulary.decode(tokens.numpy())
        z = torch.zeros(len(x), 32)
        for row, measure in zip(z, x, strict=True):
            pitches = measure[measure >= 0]
            row[2] = len(pitches) - 4
            row[1] = (np.ptp(pitches) if len(pitches) else 0) - 10 - max(len(pitches) - 8, 0)
        return z, torch.full((len(x), 32), -5.0)

    def decode(self, z):
        x = np.full((len(z), 24), music.CONTINUE, np.int16)
        for row, code in zip(x, z.numpy(), strict=True):
            count = int(np.clip(np.rint(4 + code[2]), 1, 24))
            spread = int(np.clip(np.rint(10 + code[1] + max(count - 8, 0)), 0, 24))
            row[:count] = 60 + np.rint(np.linspace(0, spread, count)) if count > 1 else 60
        logits = torch.zeros(len(z), 24, self.vocabulary.size)
        return logits.scatter_(2, torch.from_numpy(self.vocabulary.encode(x))[..., None], 1.0)


def toy():
    """Controls whose sd is 2 and whose codes lie within -4 .. 12; contour's grows the other way."""
    setup = PARAMS.setup("folk", "arvae")
    names, tied = music.ATTRIBUTE_NAMES, (5, 1, 2, 1)
    controls = tuple(
        Control(
            name,
            "",
            dimension,
            sign,
            sign > 0,
            0.9,
            mean=0.0,
            sd=2.0,
            low=-4.0,
            high=12.0,
            least=0.0,
            most=1.0,
        )
        for name, dimension, sign in zip(names, tied, (1, 1, 1, -1), strict=True)
    )
    units = ("",) * len(names)
    return TrainedModel(setup, "seed0", Toy(), names, units, music.Vocabulary(), music.attributes, controls)


def tune(*counts, spread=10):
    """Measures that Toy reconstructs exactly."""
    rows = []
    for count in counts:
        row = np.full(24, music.CONTINUE, np.int16)
        row[:count] = 60 + np.rint(np.linspace(0, spread + max(count - 8, 0), count)) if count > 1 else 60
        rows.append(row)
    return np.array(rows)


def run(model, measures, *texts, **options):
    return search.edit(model, measures, wishes.parse(texts, model, len(measures)), **options)


# ---------------------------------------------------------------- wishes


def test_wishes_are_read():
    model = toy()
    parsed = wishes.parse(["note_density=+1.5", "3-5, 7:contour==-0.3", "pitch range=0.5"], model, 8)
    assert [(w.attribute, w.turn, w.target, w.measures) for w in parsed] == [
        ("note density", 1.5, None, None),
        ("contour", None, -0.3, (3, 4, 5, 7)),
        ("pitch range", None, 0.5, None),
    ]
    assert str(parsed[0]) == "note density +1.5 sd" and str(parsed[1]) == "contour to -0.3 in measures 3-5, 7"
    assert wishes.parse(["contour=\N{MINUS SIGN}1"], model, 1)[0].turn == -1
    assert wishes.places("4-", 6) == (4, 5, 6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("louder", "is not a valid request: write NAME="),
        ("density=1", "did you mean note density"),
        ("contour=up", "'up' is not a number"),
        ("contour=nan", "not a number"),
        ("contour=+99", "at most 10"),
        ("9:contour=+1", "measures 1 to 8"),
        ("5-3:contour=+1", "measures 1 to 8"),
        ("3-x:contour=+1", "is not a valid request|write them like"),
    ],
)
def test_other_wishes_are_refused(text, said):
    with pytest.raises((EditError, ModelError), match=said):
        wishes.parse([text], toy(), 8)


def test_wishes_that_contradict_are_refused():
    with pytest.raises(EditError, match="two requests for the same attribute and measure"):
        wishes.parse(["contour=+1", "3:contour=0.5"], toy(), 8)
    assert len(wishes.parse(["1-2:contour=+1", "3:contour=0.5"], toy(), 8)) == 2
    with pytest.raises(EditError, match="an image has no measures"):
        wishes.parse(["3:contour=+1"], toy())
    with pytest.raises(EditError, match="turn the control instead"):
        wishes.parse(["contour=0.5"], dataclasses.replace(toy(), measurer=None), 8)


# ---------------------------------------------------------------- the search


def test_a_turn_moves_one_dimension_by_standard_deviations():
    model, measures = toy(), tune(4, 6, 8)
    edited = run(model, measures, "2:note_density=+1", "pitch_range=+0.5")
    moved = edited.z_after - edited.z
    assert np.flatnonzero(moved.any(axis=0)).tolist() == [1, 2]
    assert moved[:, 1].tolist() == [1, 1, 1] and moved[:, 2].tolist() == [0, 2, 0]
    exact = run(model, measures, "contour=+0.5", search=False)
    assert np.allclose((exact.z_after - exact.z)[:, 1], -1)  # contour falls with its dimension
    assert edited.after[1, 2] == pytest.approx(8 / 24) and not edited.searched.any()


@pytest.mark.parametrize("count", [3, 7, 12])
def test_a_wished_value_is_found(count):
    edited = run(toy(), tune(4, 8), f"note_density={count / 24}")
    assert np.allclose(edited.after[:, 2], count / 24)
    assert any("reached" in line for line in report.findings(edited))


def test_of_equal_places_the_nearest_is_kept():
    edited = run(toy(), tune(6), "note_density=0.25")  # that is what it has
    assert np.array_equal(edited.z, edited.z_after) and np.array_equal(edited.result, edited.original)
    edited = run(toy(), tune(4), "note_density=0.25")
    assert 1.5 <= edited.z_after[0, 2] <= 1.9  # the first place that rounds to six notes


def test_several_wished_values_are_reached_together():
    edited = run(
        toy(), tune(4), "pitch_range=0.5", "note_density=0.5"
    )  # 12 notes, which add 4 semitones to the spread
    assert edited.after[0, 2] == pytest.approx(0.5) and edited.after[0, 1] == pytest.approx(0.5)


def test_what_cannot_be_reached_is_said_to_be_missed():
    edited = run(toy(), tune(4, 5), "note_density=0.9")
    assert np.allclose(edited.after[:, 2], 16 / 24)  # 12, the end of the range
    assert "missed in measures 1-2 by up to 0.23, closest reachable value" in "\n".join(
        report.findings(edited)
    )
    assert not any("Beyond" in line for line in report.findings(edited))


def test_a_turn_that_moved_nothing_is_searched_further():
    model, measures = toy(), tune(4, 8)
    exact = run(model, measures, "note_density=+0.1", search=False)
    assert np.array_equal(exact.after, exact.before)
    assert "up in 0 of 2 measures, unchanged in measures 1-2" in "\n".join(report.findings(exact))
    edited = run(model, measures, "note_density=+0.1")
    assert np.allclose(edited.after[:, 2], [5 / 24, 9 / 24])  # one note more, the nearest that there is
    said = "\n".join(report.findings(edited))
    assert "up in 2 of 2 measures" in said and "turn alone did not raise it in measures 1-2" in said
    assert report.as_json(edited)["searched"] == [[1, 2]]


def test_a_turn_the_wrong_way_is_searched_and_what_cannot_be_is_said():
    """The toy's contour grows with dimension 1, its control says the contrary; one note has no contour."""
    edited = run(toy(), tune(4, 1), "contour=+1")
    assert edited.after[0, 3] > edited.before[0, 3] and edited.after[1, 3] == 0
    said = "\n".join(report.findings(edited))
    assert "up in 1 of 2 measures, unchanged in measure 2" in said
    assert "No setting in the data's range raises it in measure 2: closest reachable value" in said
    down = run(toy(), tune(4), "contour=+1", search=False)
    assert "up in 0 of 1 measures, down in measure 1" in "\n".join(report.findings(down))


def test_no_measure_is_left_to_edit():
    with pytest.raises(EditError, match="no measure is left to edit: .*measure 3, and only measures 1-2 may"):
        run(toy(), tune(4, 5, 6), "3:note_density=+1", only=(1, 2))
    edited = run(toy(), tune(4, 5, 6), "3:note_density=+1", "contour=-1", only=(1, 2))
    assert "note density +1 sd in measure 3: no measure is left to edit" in report.findings(edited)


def test_beyond_the_range_is_said():
    said = "\n".join(report.findings(run(toy(), tune(4, 12), "2:note_density=+5")))
    assert "Outside the range of the data's codes in measure 2: the decoder was not trained there" in said


def test_other_measures_stay_as_they_are():
    measures = tune(4, 5, 6, 7)
    measures[3, 5] = 84  # something the toy cannot draw
    edited = run(toy(), measures, "note_density=+1", only=(2, 3))
    assert edited.touched.tolist() == [False, True, True, False]
    assert np.array_equal(edited.result[[0, 3]], measures[[0, 3]])
    assert len(report.table(edited)) == 2


def test_without_a_wish_the_faithfulness_of_each_measure_is_said():
    measures = tune(4, 5)
    measures[1, 20] = 84
    edited = run(toy(), measures)
    assert np.array_equal(edited.result, edited.reconstruction)
    table = report.table(edited)
    assert table["same as given", "rebuilt"].iloc[0] == 1 and table["same as given", "rebuilt"].iloc[1] < 1
    assert any("1 of 2 measures exactly" in line for line in report.findings(edited))


def test_the_report_has_before_wished_and_after():
    edited = run(toy(), tune(4, 8), "1:note_density=0.5", "pitch_range=+1")
    table = report.table(edited)
    assert table["note density", "requested"].tolist() == ["0.5", ""]
    assert table["pitch range", "requested"].tolist() == ["+1 sd", "+1 sd"]
    assert table["note density", "given"].tolist() == pytest.approx([4 / 24, 8 / 24])
    text = report.text(edited)
    assert max(map(len, text.splitlines())) <= 80 and "Other changes" in text
    assert json.loads(json.dumps(report.as_json(edited), allow_nan=False))["now"][0][2] == pytest.approx(0.5)


# ---------------------------------------------------------------- melodies from files


# ---------------------------------------------------------------- pictures


def drawn(side, ink=255, paper=0):
    """A slanted bar, somewhere."""
    grey = np.full((side, side), paper, np.uint8)
    for row in range(side // 4, side * 3 // 4):
        start = side // 3 + (side * 3 // 4 - row) // 3
        grey[row, start : start + max(2, side // 10)] = ink
    return grey


def save(path, grey, mode="L"):
    Image.fromarray(grey).convert(mode).save(path)
    return path


def test_a_digit_is_made_to_look_like_mnist(tmp_path):
    same, adapted = picture.read(save(tmp_path / "small.png", drawn(28)), "mnist")
    assert np.array_equal(same[0], drawn(28)) and adapted == ()
    large, adapted = picture.read(save(tmp_path / "large.png", drawn(200), "RGB"), "mnist")
    assert large.shape == (1, 28, 28) and large.dtype == np.uint8 and "centred by mass" in adapted[0]
    rows, columns = np.nonzero(large[0] > 60)
    assert 18 <= np.ptp(rows) + 1 <= 20 and np.ptp(columns) < 20
    mass = large[0].astype(float)
    assert abs((mass.sum(1) @ np.arange(28)) / mass.sum() - 13.5) < 0.6
    inverted, adapted = picture.read(save(tmp_path / "ink.png", drawn(200, 0, 255)), "mnist", invert=True)
    assert np.abs(inverted.astype(int) - large).max() <= 1 and adapted[0] == "inverted"


@pytest.mark.parametrize(
    ("grey", "options", "said"),
    [
        (drawn(28, 0, 255), {}, "--invert"),
        (drawn(28), {"invert": True}, "leave --invert out"),
        (drawn(20), {}, "at least 28 x 28"),
        *(
            (
                np.full((28, 28), value, np.uint8),
                options,
                f"shows nothing .*{value} to {value}.*choose a picture",
            )
            for value in (0, 100, 255)
            for options in ({}, {"invert": True})
        ),
    ],
)
def test_other_pictures_are_refused(tmp_path, grey, options, said):
    with pytest.raises(EditError, match=said):
        picture.read(save(tmp_path / "x.png", grey), "mnist", **options)


def test_an_eps_named_png_starts_no_ghostscript(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started")
    )
    (tmp_path / "evil.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n(pwned) (w) file\n%%EOF\n"
    )
    for read in (picture.model_for, lambda path: picture.read(path, "mnist")):
        with pytest.raises(EditError, match="evil.png is not a readable picture.*save it as PNG"):
            read(tmp_path / "evil.png")


def test_frames_of_dsprites(tmp_path):
    frame = dsprites.render(np.array([[2, 5, 3, 10, 20]]))[0]
    seen, _ = picture.read(save(tmp_path / "frame.png", frame * 255), "dsprites")
    assert seen.dtype == bool and np.array_equal(seen[0], frame)
    with pytest.raises(EditError, match="64 x 64"):
        picture.read(save(tmp_path / "small.png", drawn(28)), "dsprites")
    with pytest.raises(EditError, match="not a readable picture"):
        (tmp_path / "text.png").write_text("hello")
        picture.read(tmp_path / "text.png", "mnist")
    with pytest.raises(EditError, match="no file"):
        picture.read(tmp_path / "nothing.png", "mnist")
    path = picture.write(tmp_path / "out.png", frame * 255, enlarge=3)
    assert np.array_equal(np.asarray(Image.open(path)), (frame * 255).repeat(3, 0).repeat(3, 1))


def upright(tmp_path, kind):
    """A file with the digit of `drawn(120)`, written as people have it; whether it is dark on light."""
    ink = Image.fromarray(drawn(120))
    path = tmp_path / f"digit.{'jpg' if kind in ('turned', 'CMYK') else 'gif' if kind == 'GIF' else 'png'}"
    if kind == "16 bits":
        ink = Image.fromarray((drawn(120) / 255 * 57_000 + 3_000).astype(np.uint16))
    elif kind == "turned":
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        ink.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
        return path, False
    elif kind in ("RGBA", "LA"):
        clear = Image.new(kind, ink.size, 0)
        clear.putalpha(ink)  # black ink on a transparent ground
        ink = clear
    elif kind == "uneven light":
        paper = np.linspace(250, 140, 120)[None] * (1 - 0.8 * drawn(120) / 255)
        ink = Image.fromarray(paper.astype(np.uint8))
    else:
        ink = ink.convert({"GIF": "P"}.get(kind, kind))
    ink.save(path)
    return path, kind == "uneven light"


@pytest.mark.parametrize(
    "kind", ["16 bits", "turned", "RGBA", "LA", "uneven light", "CMYK", "P", "1", "GIF", "RGB"]
)
def test_pictures_are_read_as_a_person_sees_them(tmp_path, kind):
    expected = picture.read(save(tmp_path / "plain.png", drawn(120)), "mnist")[0].astype(float)
    path, dark = upright(tmp_path, kind)
    read = picture.read(path, "mnist", invert=dark)[0].astype(float)
    assert np.corrcoef(read.ravel(), expected.ravel())[0, 1] > 0.95 and read.max() > 200


# ---------------------------------------------------------------- real architectures, end to end


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A project folder with small data sets and untrained runs of real setups."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(ROOT / "params.yaml", folder)
    random = np.random.default_rng(0)
    factors = np.stack([random.integers(0, count, 80) for count in dsprites.COUNTS], axis=1)
    split = Split(
        PackedImages.pack(dsprites.render(factors)), dsprites.attributes(factors), {"factors": factors}
    )
    images = Dataset("dsprites", "images", split, split, split, dsprites.NAMES, dsprites.UNITS)
    x = np.where(random.random((80, 24)) < 0.4, random.integers(60, 80, (80, 24)), music.CONTINUE).astype(
        np.int16
    )
    part = Split(x, music.attributes(x))
    folk = Dataset(
        "folk", "music", part, part, part, music.ATTRIBUTE_NAMES, music.ATTRIBUTE_UNITS, music.Vocabulary()
    )
    for data in (images, folk):
        data.save(folder / "data" / "prepared" / data.name)
    for name, model, build in (
        ("folk", "arvae", {"vocabulary_size": 34}),
        ("folk", "betavae", {"vocabulary_size": 34}),
        ("dsprites", "arvae", {"image_size": 64}),
    ):
        setup = PARAMS.setup(name, model)
        network = models.build(setup, **build, generator=torch.Generator().manual_seed(1))
        for run in (Run("seed10", 10), Run("seed2", 2)):
            path = folder / "data" / "models" / setup.name / f"{run.name}.safetensors"
            checkpoints.write_tensors(
                path, network.state_dict(), {"setup": describe(setup, run), "build": build}
            )
    return folder


@pytest.fixture
def inside(home, monkeypatch):
    monkeypatch.chdir(home)
    return home


def test_the_command_on_a_melody(inside, tmp_path, capsys):
    source = abc(tmp_path, "CDEF|GABc|cBAG|FEDC|")
    out, numbers = tmp_path / "out.musicxml", tmp_path / "out.json"
    asked = [str(source), "2-3:note_density=+1", "contour=0.2", "--measures", "1-3"]
    assert command.main([*asked, "-o", str(out), "--json", str(numbers)]) == 0
    said = capsys.readouterr().out
    assert "4 measures, model folk-arvae, run seed2" in said and "contour to 0.2" in said and str(out) in said
    read = scores.read(out)
    given = scores.read(source)
    assert read.shape == given.shape and np.array_equal(read[3], given[3])
    assert json.loads(numbers.read_text())["edited"] == [1, 2, 3]
    assert command.main([str(source)]) == 0
    assert "symbols as given" in capsys.readouterr().out


def test_without_a_request_the_tune_itself_is_written(inside, tmp_path, capsys):
    source, numbers = abc(tmp_path, "CDEF|G>AB/c/d|cBAG|FEDC|"), tmp_path / "out.json"
    given = scores.read(source)
    for name, asked in (
        ("same.abc", []),
        ("out.musicxml", ["--in-key"]),
        ("out.mid", ["--measures", "2-3"]),
        ("faster.abc", ["--tempo", "140"]),
    ):
        arguments = [str(source), *asked, "-o", str(tmp_path / name), "--json", str(numbers)]
        assert command.main(arguments) == 0
        np.testing.assert_array_equal(scores.read(tmp_path / name), given)
        found = json.loads(numbers.read_text())
        assert found["now"] == found["given"] and set(found["same as given, now"]) == {1.0}
        said = capsys.readouterr().out
        assert "rebuilt" in said and "Reconstruction without edits: " in said
    assert (tmp_path / "same.abc").read_text() == source.read_text()


def test_of_a_book_the_tune_is_named_that_is_written(inside, tmp_path, capsys):
    body = "M:4/4\nL:1/4\nK:C\nCDEF|\n"
    (tmp_path / "many.abc").write_text(f"X:1\nT:one\n{body}\nX:2\nT:two\n{body}")
    asked = [str(tmp_path / "many.abc"), "--tune", "2", "note_density=+1", "-o", str(tmp_path / "out.abc")]
    assert command.main(asked) == 0
    assert "Kept of many.abc, tune 2 only: all but" in capsys.readouterr().out


def test_options_for_melodies_are_refused_for_pictures(inside, tmp_path, capsys):
    picture = tmp_path / "frame.png"
    Image.fromarray(dsprites.render(np.array([[1, 5, 0, 16, 16]]))[0].astype(np.uint8) * 255).save(picture)
    given = [["--in-key"], ["--tempo", "90"], ["--measures", "1"], ["--part", "1"], ["--tune", "1"]]
    for option in [*given, ["--transpose"], ["--monophonic"], ["--quantize"], ["--key", "C"]]:
        assert command.main([str(picture), *option]) == 1
        said = capsys.readouterr().err
        assert said == f"arvae.edit: frame.png is a picture: leave out {option[0]} (for melodies)\n"


def test_options_and_wishes_in_any_order(inside, tmp_path, capsys):
    source = abc(tmp_path, "CDEF|GABc|cBAG|FEDC|", name="TUNE.ABC")
    asked = [
        "--model",
        "folk",
        str(source),
        "1-2:contour==-0.3",
        "--exact",
        "note_density=+1",
        "--run",
        "seed10",
    ]
    assert command.main([*asked, "-o", str(tmp_path / "OUT.MID"), "3:contour==-.1"]) == 0
    said = capsys.readouterr().out
    assert "TUNE.ABC: 4 measures, model folk-arvae, run seed10" in said and (tmp_path / "OUT.MID").is_file()
    assert "contour to -0.3 in measures 1-2" in said and "contour to -0.1 in measure 3" in said
    assert not [line for line in said.splitlines() if len(line) > 80 and not line.startswith("Written: ")]


def test_the_command_says_where_no_measure_is_left(inside, tmp_path, capsys):
    source = abc(tmp_path, "CDEF|GABc|cBAG|")
    assert command.main([str(source), "3:note_density=+1", "--measures", "1-2"]) == 1
    assert "no measure is left to edit" in capsys.readouterr().err


def test_the_command_on_a_shape(inside, tmp_path, capsys):
    source = save(tmp_path / "frame.png", dsprites.render(np.array([[1, 5, 3, 10, 20]]))[0] * 255)
    wishes = ["scale=+1", "orientation=0.4", "x=-1"]
    assert command.main([str(source), *wishes, "-o", str(tmp_path / "out.png"), "--enlarge", "2"]) == 0
    assert pictures.read(tmp_path / "out.png").size == (128, 128)
    assert "dsprites-arvae" in capsys.readouterr().out
    assert command.main([str(source)]) == 0, "without a request"
    assert "of the pixels as given" in capsys.readouterr().out


def test_a_model_of_pictures_of_ones_own_takes_them_as_they_are_prepared(tmp_path):
    sprites = fresh_model(sprites_dataset())
    grey = np.tile(np.arange(100, dtype=np.uint8), (80, 1))  # neither a digit's size nor a frame's, nor black
    path = save(tmp_path / "own.png", grey)
    with pytest.raises(EditError, match="a dSprites frame is 64 x 64"):
        picture.read_for(sprites, path)
    own = dataclasses.replace(sprites, attribute_names=("radius",))
    image, _ = picture.read_for(own, path)
    np.testing.assert_array_equal(image[0], custom.read_image(tmp_path, "own.png", 64)[0])
    assert own.encode(image)[0].shape == (1, own.setup.latent_dim)
    with pytest.raises(EditError, match="no file"):
        picture.read_for(own, tmp_path / "none.png")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tune.abc", "-o", "out.pdf"], "melodies are written as"),
        (["tune.abc", "note_density", "+1.5"], "write NAME=+1.5, without blanks"),
        (["notes.txt", "note_density=+1"], "a melody: as .musicxml"),
        (["."], "is a folder"),
        (["tune.abc", "--model", "dsprites"], "edits pictures"),
        (["tune.abc", "--model", "shoes"], "no trained model 'shoes'"),
        (["tune.abc", "loudness=+1"], "is unknown"),
        (["nothing.png"], "no file"),
    ],
)
def test_the_command_refuses(inside, capsys, arguments, said):
    abc(inside, "CDEF|")
    abc(inside, "CDEF|", name="notes.txt")
    assert command.main(arguments) == 1
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert not (inside / "out.pdf").exists()


def test_several_files_each_in_its_own_format(inside, tmp_path, capsys):
    first = abc(tmp_path, "CDEF|GABc|", name="first.abc")
    second = tmp_path / "second.mid"
    scores.write(second, scores.read(first))
    (tmp_path / "third.abc").write_text("X:1\nM:3/4\nK:C\nCDE|\n")
    asked = [str(first), str(tmp_path / "third.abc"), "note_density=+1", str(second)]
    assert command.main([*asked, "-o", f"{tmp_path}/out/"]) == 1
    said = capsys.readouterr()
    assert "third.abc" in said.err and "metre 3/4" in said.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["first.abc", "second.mid"]
    assert said.out.count("Written:") == 2 and "trained here: " in said.out
    both = [str(first), str(second), "note_density=+1", "-o"]
    assert command.main([*both, str(tmp_path / "busy-*.musicxml")]) == 0
    assert (tmp_path / "busy-second.musicxml").is_file()
    assert command.main([*both, str(tmp_path / "one.mid")]) == 1
    assert "one file for several" in capsys.readouterr().err
    assert command.main([str(first), "-o", str(first)]) == 1
    assert "is an input file" in capsys.readouterr().err
    assert command.main(["note_density=+1"]) == 1
    assert "name a file to edit" in capsys.readouterr().err
    assert command.main([str(first), "--tempo", "0"]) == 1
    assert "--tempo 0 must be 4 to 1000" in capsys.readouterr().err


def test_no_file_is_written_over_another(inside, tmp_path, capsys):
    names = [abc(tmp_path, "CDEF|", name="tune.abc"), tmp_path / "tune.mid"]
    scores.write(names[1], scores.read(names[0]))
    read = names[1].read_bytes()
    asked = [*map(str, names), "note_density=+1", "-o"]
    assert command.main([*asked, f"{tmp_path}/*.mid"]) == 1  # tune.abc's result would be the second input
    assert names[1].read_bytes() == read
    capsys.readouterr()
    assert command.main([*asked, f"{tmp_path}/*-busy.mid"]) == 1
    said = capsys.readouterr()
    assert said.out.count("Written:") == 1 and "another result" in said.err


@pytest.mark.parametrize("option", ["--variations", "--seed"])
def test_a_negative_number_of_variations_or_seed_is_refused(inside, tmp_path, capsys, option):
    assert command.main([str(abc(tmp_path, "CDEF|")), option, "-1"]) == 1
    assert f"{option}" in capsys.readouterr().err


def test_variations_are_drawn_from_the_distribution_of_the_code(inside, tmp_path, capsys):
    source, numbers = abc(tmp_path, "CDEF|GABc|cBAG|"), tmp_path / "n.json"
    asked = [str(source), "--measures", "2-", "--variations", "3", "--seed", "7", "--json", str(numbers)]
    assert command.main([*asked, "-o", str(tmp_path / "var.mid")]) == 0
    said = capsys.readouterr().out
    assert said.count("Written:") == 3 and "variation 3" in said
    assert max(map(len, said.partition("Written")[0].splitlines()[2:])) <= 80
    model = TrainedModel.load("folk", home=inside)
    measures = scores.read(source)
    found = json.loads(numbers.read_text())
    assert [one["edited"] for one in found] == [[2, 3]] * 3
    for number, one in enumerate(found):
        z = model.sample(measures, 7 + number)
        np.testing.assert_allclose(one["codes"], z, rtol=1e-6)
        expected = np.concatenate([measures[:1], model.decode(z[1:])])
        np.testing.assert_array_equal(search.edit(model, measures, only=(2, 3), z=z).result, expected)
        assert (tmp_path / f"var-{number + 1}.mid").is_file()
    assert len({tuple(one["codes"][1]) for one in found}) == 3


def test_a_result_without_notes_is_said_to_be_silent(inside, tmp_path, capsys, monkeypatch):
    source, said = abc(tmp_path, "CDEF|GABc|"), "No notes remain: the result is silent"
    assert command.main([str(source), "note_density=-1"]) == 0
    assert said not in capsys.readouterr().out
    rests = np.full(24, music.CONTINUE, np.int16)
    rests[0] = music.REST
    monkeypatch.setattr(TrainedModel, "decode", lambda self, z, allowed=None: np.tile(rests, (len(z), 1)))
    assert command.main([str(source), "note_density=-1"]) == 0
    assert said in capsys.readouterr().out
    assert command.main([str(source), "2:note_density=-1"]) == 0  # the first measure has its notes
    assert said not in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".abc", ".wav", ".mp3"])
def test_abc_and_sound_are_written(inside, tmp_path, capsys, ending):
    source, out = abc(tmp_path, "CDEF|GABc|"), tmp_path / f"out{ending}"
    assert command.main([str(source), "2:note_density=+1", "-o", str(out)]) == 0
    if ending == ".abc":
        assert (
            out.read_text().startswith(HEAD + "CDEF|")
            and "all but the edited notes" in capsys.readouterr().out
        )
    else:
        samples, rate = soundfile.read(out)
        assert rate >= 22_000 and len(samples) > 4.8 * rate and np.abs(samples).max() > 0.5


def test_compressed_musicxml_is_written_as_it_came(inside, tmp_path, capsys):
    source, out = abc(tmp_path, "CDEF|GABc|"), tmp_path / "out" / "tune.mxl"
    scores.write(tmp_path / "tune.mxl", scores.read(source))
    assert command.main([str(tmp_path / "tune.mxl"), "2:note_density=+1", "-o", f"{out.parent}/"]) == 0
    assert zipfile.is_zipfile(out) and "all but the edited notes" in capsys.readouterr().out
    np.testing.assert_array_equal(scores.read(out)[0], scores.read(source)[0])


# ---------------------------------------------------------------- in key


def test_the_decoder_chooses_among_the_notes_of_the_scale_tick_by_tick(inside):
    model = TrainedModel.load("folk", home=inside)
    scale = {0, 2, 4, 5, 7, 9, 11}
    allowed = search.symbols(model, scale)
    assert allowed.sum() == model.vocabulary.size - 30 + sum(pitch % 12 in scale for pitch in range(55, 85))
    z = np.random.default_rng(0).normal(size=(40, 32)).astype(np.float32) * 3
    free, kept = model.decode(z), model.decode(z, allowed)
    network, tokens = model.network, []
    with torch.inference_mode():  # by hand: what is chosen is what the next tick is chosen after
        before = network.first_symbol.expand(len(z), -1)
        for beat in network.beats(torch.from_numpy(z)):
            state, constant = network._states(network.tick_start(beat)), network.tick_input(beat)
            for _ in range(6):
                x = torch.cat([before, torch.nn.functional.selu(constant)], 1)[None]
                out, state = network.tick(x, state)
                logits = network.logits(out[0]).relu()
                tokens.append(logits.masked_fill(torch.from_numpy(~allowed), -1).argmax(1))
                before = network.embed_out(tokens[-1])
    expected = model.vocabulary.decode(torch.stack(tokens, 1).numpy())
    np.testing.assert_array_equal(kept, expected)
    assert keys.outside(kept, scale)[0] == 0 < keys.outside(free, scale)[0]
    np.testing.assert_array_equal(model.decode(z, np.ones_like(allowed)), free)
    np.testing.assert_array_equal(model.decode(z), free)  # the model itself is as it was


def test_an_edit_in_key_says_what_that_costs(inside, tmp_path, capsys):
    source = abc(tmp_path, "DEFG|AGFE|D^CDE|F2D2|", HEAD.replace("K:C", "K:Ddor"))
    out = tmp_path / "out.musicxml"
    assert command.main([str(source), "2:note_density=+1", "--in-key", "-o", str(out)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "key: D dorian; 1 of its own 14 notes lie outside the scale" in said
    cost = re.search(r"In key: 0 of (\d+) notes outside the scale; unrestricted, (\d+) of (\d+)", said)
    model = TrainedModel.load("folk", home=inside)
    measures = melody.read(source, model.vocabulary).measures
    edited = search.edit(
        model, measures, wishes.parse(["2:note_density=+1"], model, 4), scale={0, 2, 4, 5, 7, 9, 11}
    )
    assert keys.outside(edited.result[1:2], edited.scale) == (0, int(cost[1]))
    assert keys.outside(edited.free.result[1:2], edited.scale) == (int(cost[2]), int(cost[3]))
    assert np.array_equal(scores.read(out)[1], edited.result[1])
    assert report.as_json(edited)["scale"] == [0, 2, 4, 5, 7, 9, 11]
    assert command.main([str(source), "--in-key", "--key", "Dm"]) == 0
    said = capsys.readouterr().out
    assert "D minor; 0 of its own" in said  # the raised seventh belongs to it, as the tune has it
    assert command.main([str(source), "--key", "H"]) == 1
    said = capsys.readouterr().err
    assert "--key 'H' is no key: write a note A to G" in said and "bar 1" not in said


def test_what_it_costs_to_stay_in_the_scale_over_several_tunes(inside, tmp_path):
    model = TrainedModel.load("folk", home=inside)
    tunes = [
        melody.read(abc(tmp_path, body, name=f"{number}.abc"), model.vocabulary)
        for number, body in enumerate(("CDEF|GABc|", "cBAG|"))
    ]
    table = effects.scale_costs(model, tunes, ["note_density=+1"])
    edits = [run(model, tune.measures, "note_density=+1", scale=tune.scale) for tune in tunes]
    free = np.sum([keys.outside(one.free.result, one.scale) for one in edits], axis=0)
    assert table["notes outside the scale"].loc["note_density=+1"].tolist() == [free[0] / free[1], 0]
    changed = np.concatenate([one.after - one.free.after for one in edits]).mean(axis=0)
    np.testing.assert_allclose(table["in key minus free (mean)"].to_numpy()[0], changed)


# ---------------------------------------------------------------- the documentation


def test_the_documentation_names_what_there_is():
    text = (ROOT / "docs" / "editing.md").read_text(encoding="utf-8")
    known = {option for action in command._parser()._actions for option in action.option_strings}
    named = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", text))
    assert named <= known
    assert {option for option in known if option.startswith("--")} - named == {"--help", "--output"}
    music_wishes = [w for w in re.findall(r"`((?:[\d,-]+:)?[a-z_]+==?[+-]?[\d.]+)`", text)]
    assert len(music_wishes) == 5
    for wish in music_wishes:
        wishes.parse([wish], toy(), 8)


def test_the_python_of_the_documentation_runs(inside, tmp_path):
    text = (ROOT / "docs" / "editing.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    abc(tmp_path, "CDEF|GABc|cBAG|FEDC|")
    script = tmp_path / "script.py"
    script.write_text(
        code.replace('"tune.abc"', repr(str(tmp_path / "tune.abc"))).replace('"edited', f'"{tmp_path}/edited')
    )
    runpy.run_path(str(script))
    assert (tmp_path / "edited.musicxml").is_file()
