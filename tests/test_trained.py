"""TrainedModel: which dimension belongs to which attribute, codes, traversals, controls that are kept."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

from arvae import datasets, machine
from arvae.datasets import dsprites, examples
from arvae.datasets.contract import PackedImages
from arvae.files import read_json, sha256, write_json
from arvae.trained import ModelError, TrainedModel, as_bytes, as_shown, find, same
from arvae.training.checkpoints import read_tensors, write_tensors
from arvae.training.runs import Run, describe
from compendium import weights
from compendium.labels import dataset_label
from tests.conftest import ROOT
from tests.small import fresh_model, music_dataset, small_setup, sprites_dataset


@pytest.fixture(scope="module")
def fitted():
    data = sprites_dataset()
    model = fresh_model(data)
    return model.fitted(*model.test_codes(data, 60))


@pytest.fixture
def home(tmp_path):
    """A project with a trained beta-VAE and AR-VAE on a few measures."""
    data = music_dataset()
    data.save(tmp_path / "data" / "prepared" / "bach")
    for name in ("arvae", "betavae"):
        model = fresh_model(data, name)
        record = {
            "setup": describe(model.setup, Run("seed0", 0)),
            "build": {"vocabulary_size": data.vocabulary.size, "image_size": None},
        }
        for run in ("seed2", "seed10"):
            path = tmp_path / "data" / "models" / model.setup.name / f"{run}.safetensors"
            write_tensors(path, model.network.state_dict(), record)
    return tmp_path


# ------------------------------------------------------------------ which attribute, which dimension


def test_arvae_regularizes_what_params_say():
    assert fresh_model(sprites_dataset()).regularized == dict(zip(dsprites.NAMES, range(1, 6), strict=True))


def test_nothing_is_regularized_at_gamma_0():
    assert fresh_model(sprites_dataset(), "betavae").regularized == {}
    assert fresh_model(music_dataset(), objective="glsr", gamma=0.0).regularized == {}


def test_glsr_vae_regularizes_only_what_it_can_express():
    assert fresh_model(music_dataset(), objective="glsr").regularized == {
        "rhythmic complexity": 0,
        "note density": 2,
    }


def test_a_fader_networks_attributes_are_inputs_behind_the_code():
    model = fresh_model(sprites_dataset(), objective="fader")
    assert model.regularized == dict(zip(dsprites.NAMES, range(10, 15), strict=True))
    assert fresh_model(sprites_dataset(), objective="fader", gamma=0.0).regularized == model.regularized
    assert model.range_of("scale") == (0, 1) and fresh_model(sprites_dataset()).range_of("scale") == (-4, 4)


def test_where_none_is_regularized_the_dimension_with_the_largest_mutual_information_is_turned():
    model = dataclasses.replace(fresh_model(sprites_dataset(), "betavae"), information=np.eye(10, 5)[::-1])
    assert [model.dimension_of(name) for name in dsprites.NAMES] == [9, 8, 7, 6, 5]
    with pytest.raises(ModelError, match="is not known yet"):
        fresh_model(sprites_dataset(), "betavae").dimension_of("scale")


def test_two_attributes_of_one_dimension_are_turned_by_two():
    information = np.zeros((10, 5))
    information[3], information[7] = 1, 0.5
    model = dataclasses.replace(fresh_model(sprites_dataset(), "betavae"), information=information)
    assert model.dimension_of("x") == model.dimension_of("y") == 3 and model.pair("x", "y") == (3, 7)


def test_attributes_are_found_by_name_however_spaces_are_written():
    data = music_dataset()
    model = fresh_model(data)
    model = model.fitted(*model.test_codes(data, 40))
    assert model.control(" Rhythmic_complexity").attribute == "rhythmic complexity"
    with pytest.raises(ModelError, match="note density"):
        model.control("note densty")


# ------------------------------------------------------------------ examples, codes, attributes


def test_images_are_encoded_as_bits_or_bytes_alike():
    data = sprites_dataset()
    bits = examples(data.test, np.arange(4))
    assert bits.dtype == bool and isinstance(data.test.x, PackedImages)
    model = fresh_model(data)
    for one, other in zip(model.encode(bits), model.encode(as_shown(bits)), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == np.float32 and one.shape == (4, 10)
    assert model.encode(bits[:0])[0].shape == (0, 10)


def test_codes_are_sampled_around_their_means_and_repeat():
    data = music_dataset()
    model = fresh_model(data)
    mean, std = model.encode(data.test.x)
    z = model.sample(data.test.x, seed=3)
    noise = (z - mean) / std
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.1
    np.testing.assert_array_equal(z, model.sample(data.test.x, seed=3))
    assert not np.array_equal(z, model.sample(data.test.x, seed=4))


def test_a_fader_networks_codes_carry_the_scaled_attributes():
    data = sprites_dataset()
    model = fresh_model(data, objective="fader")
    x = examples(data.test, np.arange(6))
    mean, std = model.encode(x, data.test.attributes[:6])
    assert mean.shape == std.shape == (6, 15) and (std[:, 10:] == 0).all()
    assert mean[:, 10:].min() >= 0 and mean[:, 10:].max() <= 1
    assert model.encode(x)[0].shape == (6, 15)  # attributes measured on the pictures
    assert model.decode(mean).shape == (6, 64, 64)


def test_decoded_examples_are_as_the_data_are():
    images, music_ = fresh_model(sprites_dataset()), fresh_model(music_dataset())
    assert images.decode(np.zeros((3, 10))).dtype == np.uint8
    decoded = music_.decode(np.zeros((3, 32)))
    assert decoded.dtype == np.int16 and decoded.shape == (3, 24)
    assert music_.measure(decoded).shape == (3, 4) and images.measure(
        images.decode(np.zeros((2, 10)))
    ).shape == (2, 5)


def test_a_byte_of_128_is_a_probability_of_one_half():
    shown = as_bytes(torch.tensor([-20.0, -1e-3, 0.0, 1e-3, 20.0]).reshape(5, 1, 1, 1)).ravel()
    assert (shown >= 128).tolist() == [False, False, True, True, True]
    assert shown[0] == 0 and shown[4] == 255


def test_what_two_sets_of_examples_share():
    images = np.array([[[0, 127, 128, 255]]] * 2, np.uint8)
    assert same(images, np.array([[[255, 128, 127, 0]], [[1, 1, 200, 1]]])).tolist() == [0, 0.75]
    assert same(np.array([[60, -1, -1, -2]]), np.array([[60, -1, 61, -2]])).tolist() == [0.75]


def test_attributes_that_are_not_computed_from_the_example_cannot_be_measured():
    data = dataclasses.replace(sprites_dataset(), attribute_names=tuple("abcde"))
    model = TrainedModel.of(
        small_setup("dsprites", "arvae"), "seed0", fresh_model(sprites_dataset()).network, data
    )
    assert not model.measurable and np.isnan(model.measure(np.zeros((2, 64, 64), np.uint8))).all()


# ------------------------------------------------------------------ turning dimensions


def test_a_traversal_sets_one_dimension_and_keeps_the_rest(fitted):
    z = np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32)
    decoded = fitted.traverse(z, "scale", [-1.0, 2.0])
    assert decoded.shape == (2, 3, 64, 64)
    z[:, 2] = 2
    np.testing.assert_array_equal(decoded[1], fitted.decode(z))


def test_a_plane_sets_two_and_a_surface_is_measured_on_it(fitted):
    z = np.zeros(10)
    plane = fitted.plane(z, "x", "y", [-1, 0, 1], [0, 3])
    assert plane.shape == (2, 3, 64, 64)
    z[4], z[5] = 1, 3  # x along a row, y down the rows
    np.testing.assert_array_equal(plane[1, 2], fitted.decode(z[None])[0])
    surface = fitted.surface(z, "x", "y", [-1, 0, 1], [0, 3])
    np.testing.assert_array_equal(surface[1, 2], fitted.measure(plane[1, 2:3])[0])


# ------------------------------------------------------------------ controls


def test_controls_say_where_codes_and_attributes_lie():
    data = sprites_dataset()
    model = fresh_model(data)
    z = np.random.default_rng(0).normal(size=(80, 10))
    z[:, 2] = -3 * data.test.attributes[:, 1] + 1  # scale falls with its dimension
    control = model.fitted(z, data.test.attributes).control("scale")
    assert (control.dimension, control.regularized, control.correlation) == (2, True, -1)
    assert control.sign == 1  # regularized: which way it was asked to grow
    assert control.mean == pytest.approx(z[:, 2].mean()) and control.sd == pytest.approx(z[:, 2].std())
    assert (control.low, control.high) == pytest.approx(tuple(np.quantile(z[:, 2], [0.005, 0.995])))
    free = fresh_model(data, "betavae").fitted(z, data.test.attributes).control("scale")
    assert (free.dimension, free.regularized, free.sign) == (2, False, -1)


def test_an_inputs_control_goes_from_0_to_1_and_knows_where_95_percent_of_the_data_are():
    model = fresh_model(sprites_dataset(), objective="fader")
    attributes = np.linspace(0, 40, 41)[:, None] * np.ones(5)
    z = np.random.default_rng(0).uniform(0.3, 0.7, (41, 15))
    control = model.fitted(z, attributes, np.zeros((10, 5))).control("scale")
    assert (control.dimension, control.low, control.high) == (11, 0, 1)
    assert (control.least, control.most) == (pytest.approx(1), pytest.approx(39))


def test_controls_are_measured_once_and_then_kept(home, monkeypatch):
    first = TrainedModel.load("bach", home=home)
    assert (first.setup.name, first.run) == ("bach-arvae", "seed2")
    monkeypatch.setattr(TrainedModel, "fitted", None)
    again = TrainedModel.load("bach", home=home)
    assert again.controls == first.controls
    np.testing.assert_array_equal(again.information, first.information)


def test_damaged_controls_are_measured_again(home):
    first = TrainedModel.load("bach-betavae", "seed10", home=home)
    (path,) = (home / "data" / "cache" / "controls").glob("*.json")
    assert len(read_json(path)["controls"]) == 4
    path.write_text('{"controls": [{"attribute"')
    assert TrainedModel.load("bach-betavae", "seed10", home=home).controls == first.controls


@pytest.mark.parametrize(
    ("name", "run", "words"),
    [
        ("folk", None, "dvc repro train@folk-arvae"),
        ("bach", "seed3", "seed2"),
        ("bach-glsr", None, "bach-betavae"),
    ],
)
def test_what_is_not_there_is_named_with_the_remedy(home, name, run, words):
    with pytest.raises(ModelError, match=words):
        TrainedModel.load(name, run, home=home)


def test_without_the_data_set_there_are_no_controls(home):
    (home / "data" / "prepared" / "bach" / "manifest.json").unlink()
    with pytest.raises(ModelError, match="dvc repro data@bach"):
        TrainedModel.load("bach", home=home)


def test_damaged_weights_are_refused(home):
    path = home / "data" / "models" / "bach-arvae" / "seed2.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="dvc repro -f train@bach-arvae"):
        TrainedModel.load("bach", home=home)


def test_a_folder_with_weights_is_a_name_too(home):
    folder = home / "data" / "models" / "bach-betavae"
    assert find(str(folder), home=home) == (folder, "seed2")  # seed2 before seed10


# ------------------------------------------------------------------ weights that come with the project


@pytest.fixture
def shipped(home):
    """The same project, whose two models were evaluated and shipped, and are then trained here no more."""
    (home / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    for name in ("bach-arvae", "bach-betavae"):
        path = home / "data" / "models" / name / "seed2.safetensors"
        tensors, record = read_tensors(path)
        write_tensors(path, tensors, record | {"fast": True})
        report = {
            "runs": {"seed2": dict.fromkeys(weights.SCORES, 0.5)},
            "provenance": {"weights": {"seed2": sha256(path)}},
        }
        write_json(home / "reports" / "metrics" / f"{name}.json", report)
        assert weights.ship(name, home) == home / "data" / "weights" / f"{name}.safetensors"
    weights.sample("bach", home)
    return home


def test_shipped_weights_speak_where_nothing_is_trained_or_prepared(shipped, monkeypatch):
    monkeypatch.chdir(shipped)
    prepared = datasets.at_hand("bach").test
    assert len(prepared) == len(datasets.load("bach").test)
    here = TrainedModel.load("bach", home=shipped)
    assert here.origin.startswith("trained here")
    shutil.rmtree(shipped / "data" / "models")
    shutil.rmtree(shipped / "data" / "prepared")
    model = TrainedModel.load("bach", home=shipped)
    assert "comes with the project" in model.origin and "seed2" in model.origin
    assert (model.run, model.controls, model.regularized) == (here.run, here.controls, here.regularized)
    assert TrainedModel.load("bach-betavae", home=shipped).setup.model == "betavae"
    x = datasets.at_hand("bach").test.x
    with pytest.raises(datasets.DataError, match="dvc repro"):
        datasets.load("bach")
    np.testing.assert_allclose(model.encode(x)[0], here.encode(x)[0], atol=2e-3)
    assert (model.decode(here.encode(x)[0]) == here.decode(here.encode(x)[0])).mean() > 0.99
    with pytest.raises(ModelError, match="bach-glsr"):
        TrainedModel.load("bach-glsr", home=shipped)


def test_shipped_weights_are_tied_to_the_report_of_their_run_and_to_the_code(shipped):
    setups = ("bach-betavae", "bach-arvae")
    assert weights.stale(shipped, setups) == []
    path = shipped / "reports" / "metrics" / "bach-arvae.json"
    write_json(path, read_json(path) | {"provenance": {"weights": {"seed2": "0" * 64}}})
    (line,) = weights.stale(shipped, setups)
    assert "bach-arvae.safetensors: not the run that reports tells of" in line
    path = shipped / "data" / "weights" / "bach-betavae.safetensors"
    tensors, record = read_tensors(path)
    write_tensors(path, tensors, record | {"code": "0" * 64})
    assert "bach-betavae.safetensors: the code of training has changed" in weights.stale(shipped, setups)[-1]
    # Another Python writes the same syntax otherwise, so nothing can be said of code by the hash of one.
    machine.write(shipped, shipped / "reports" / "notebooks" / "train-bach-betavae.ipynb", 1.0, [])
    note = shipped / "reports" / "machine" / "train-bach-betavae.json"
    told = read_json(note)
    assert "the code of training has changed" in weights.stale(shipped, setups)[-1]
    write_json(note, told | {"machine": told["machine"] | {"python": "3.99.1"}})
    assert [line for line in weights.stale(shipped, setups) if "code of training" in line] == []


@pytest.mark.parametrize("arguments", [["overnight", "x"], ["--hlep"]])
def test_weights_are_shipped_of_one_folder(arguments, capsys):
    assert weights.main(arguments) == 2 and "one argument is a folder" in capsys.readouterr().err


def test_what_is_missing_edited_or_damaged_among_the_shipped_files_is_said(shipped):
    folder, setups = shipped / "data" / "weights", ("bach-betavae", "bach-arvae")
    assert [line for line in weights.stale(shipped) if not line.startswith("samples of ")] == [
        f"{name}.safetensors: missing" for name in weights.SETUPS if name not in setups
    ]
    text = folder / "bach-arvae.md"
    text.write_text(text.read_text().replace("interpretability 0.500", "interpretability 0.900"))
    said = "bach-arvae.md: not the card of these weights and their report"
    assert weights.stale(shipped, setups) == [said]
    text.unlink()
    assert weights.stale(shipped, setups) == [said]
    weights.ship("bach-arvae", shipped)
    for path in (folder / "samples" / "bach" / "test.npz", folder / "bach-betavae.safetensors"):
        path.write_bytes(path.read_bytes()[:-10])
    damaged, sample = weights.stale(shipped, setups)
    assert damaged.startswith("bach-betavae.safetensors: ") and sample.startswith("samples of bach: ")


@pytest.mark.parametrize(("runs", "said"), [(1, "The only run, trained"), (3, "One of 3 runs, trained")])
def test_a_card_says_how_many_runs_there_are(shipped, runs, said):
    path = shipped / "reports" / "metrics" / "bach-betavae.json"
    scores = {run: dict.fromkeys(weights.SCORES, 0.5) for run in ("seed2", "seed3", "seed10")[:runs]}
    write_json(path, read_json(path) | {"runs": scores})
    card = weights.ship("bach-betavae", shipped).with_suffix(".md").read_text()
    assert f"\nβ-VAE on {dataset_label('bach')}; seed" in card and said in card


def test_damaged_shipped_weights_are_refused(shipped):
    shutil.rmtree(shipped / "data" / "models")
    path = shipped / "data" / "weights" / "bach-arvae.safetensors"
    content = bytearray(path.read_bytes())
    content[-5000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="git checkout"):
        TrainedModel.load("bach", home=shipped)
