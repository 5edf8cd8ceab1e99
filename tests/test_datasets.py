"""The contract: packed images, splits, saving, loading, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from arvae import datasets
from arvae.datasets import contract
from arvae.datasets.contract import DataError, Dataset, PackedImages, Split, manifest_digest
from arvae.files import sha256


def split(n=4, packed=False, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 2, (n, 8, 16), dtype=np.uint8)
    values = generator.normal(size=(n, 2)).astype(np.float32)
    return Split(PackedImages.pack(x) if packed else x, values, {"label": np.arange(n, dtype=np.uint8)})


def small(packed=False, **changes):
    fields = {
        "name": "small",
        "kind": "images",
        "train": split(5, packed),
        "validation": split(2, packed, 1),
        "test": split(3, packed, 2),
        "attribute_names": ("a", "b"),
        "attribute_units": ("px", "rad"),
        "provenance": {"source": "a test"},
    }
    return Dataset(**(fields | changes))


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 9), st.just(16)), elements=st.integers(0, 1))
)
def test_packed_images_unpack_to_themselves(images):
    packed = PackedImages.pack(images)
    assert packed.shape == images.shape and len(packed) == len(images)
    assert packed.packed.nbytes * 8 == images.nbytes
    np.testing.assert_array_equal(np.asarray(packed), images)
    np.testing.assert_array_equal(packed[0], images[0])
    np.testing.assert_array_equal(packed[[-1, 0]], images[[-1, 0]])
    np.testing.assert_array_equal(packed[::2], images[::2])
    assert np.asarray(packed, dtype=np.float32).dtype == np.float32


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=9)))
def test_images_whose_rows_are_no_whole_bytes_are_refused(images):
    if images.shape[-1] % 8:
        with pytest.raises(DataError, match="multiple of 8"):
            PackedImages.pack(images)


@pytest.mark.parametrize("packed", [False, True])
def test_saved_data_loads_as_it_was(tmp_path, packed):
    before = small(packed)
    before.save(tmp_path / "small")
    after = datasets.load("small", tmp_path / "small")
    assert (after.name, after.kind, after.attribute_names, after.attribute_units, after.provenance) == (
        before.name,
        before.kind,
        before.attribute_names,
        before.attribute_units,
        before.provenance,
    )
    for part in contract.SPLITS:
        old, new = before.split(part), after.split(part)
        assert type(old.x) is type(new.x) and len(new) == len(old)
        np.testing.assert_array_equal(np.asarray(new.x), np.asarray(old.x))
        np.testing.assert_array_equal(new.attributes, old.attributes)
        np.testing.assert_array_equal(new.extra["label"], old.extra["label"])


def test_the_same_data_gives_the_same_bytes(tmp_path):
    small().save(tmp_path / "first")
    small().save(tmp_path / "second")
    for name in ("train.npz", "validation.npz", "test.npz", "manifest.json"):
        assert sha256(tmp_path / "first" / name) == sha256(tmp_path / "second" / name)


def test_images_are_compressed(tmp_path):
    blank = Split(np.zeros((1000, 28, 28), np.uint8), np.zeros((1000, 2), np.float32))
    small(train=blank, validation=blank, test=blank).save(tmp_path)
    assert (tmp_path / "train.npz").stat().st_size < 784_000 / 20


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def html(path):
    path.write_text("<html>404</html>")


@pytest.mark.parametrize(
    "harm", [truncate, flip, html, lambda path: path.unlink(), lambda path: path.write_bytes(b"")]
)
@pytest.mark.parametrize("name", ["train.npz", "test.npz", "manifest.json"])
def test_a_harmed_file_is_named_with_the_remedy(tmp_path, harm, name):
    small().save(tmp_path)
    harm(tmp_path / name)
    with pytest.raises(DataError, match=r"dvc repro -f data@small") as error:
        datasets.load("small", tmp_path)
    assert "manifest" in str(error.value) or name in str(error.value)


def test_wrong_contents_under_right_checksums_are_refused(tmp_path):
    small().save(tmp_path)
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text())
    for change in (
        {"format": 99},
        {"files": {}},
        {"kind": "films"},
        {"attribute_names": ["a"]},
    ):
        changed = manifest | change
        path.write_text(json.dumps(changed | {"sha256": manifest_digest(changed)}))
        with pytest.raises(DataError):
            datasets.load("small", tmp_path)


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    small().save(tmp_path)
    np.savez(tmp_path / "train.npz", x=np.array([{"a": 1}], dtype=object))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["files"]["train.npz"]["sha256"] = sha256(tmp_path / "train.npz")
    manifest["sha256"] = manifest_digest(manifest)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="not a prepared data set"):
        datasets.load("small", tmp_path)


def test_half_a_data_set_is_not_taken_for_a_whole(tmp_path, monkeypatch):
    small().save(tmp_path)
    calls = []

    def fail(path, arrays):
        calls.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(contract, "write_npz", fail)
    with pytest.raises(OSError, match="No space"):
        small().save(tmp_path)
    with pytest.raises(DataError, match="no prepared data set"):
        datasets.load("small", tmp_path)
    assert len(calls) == 1 and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.zeros((4, 2)), "float32"),
        (np.zeros(4, np.float32), "float32"),
        (np.zeros((3, 2), np.float32), "must pair"),
        (np.array([[0, 0], [0, 0], [np.nan, 0], [0, 0]], np.float32), "example 2"),
        (np.array([[0, 0], [0, np.inf], [0, 0], [0, 0]], np.float32), "example 1"),
    ],
)
def test_attributes_that_cannot_be_used_are_refused(values, says):
    with pytest.raises(DataError, match=says):
        Split(np.zeros((4, 8, 8), np.uint8), values)


def test_other_faults_are_refused():
    with pytest.raises(DataError, match="no examples"):
        Split(np.zeros((0, 8, 8), np.uint8), np.zeros((0, 2), np.float32))
    with pytest.raises(DataError, match="label has 3 rows"):
        Split(np.zeros((4, 8, 8), np.uint8), np.zeros((4, 2), np.float32), {"label": np.zeros(3)})
    with pytest.raises(DataError, match="distinct"):
        small(attribute_names=("a", "a"))
    with pytest.raises(DataError, match="units"):
        small(attribute_units=("px",))
    with pytest.raises(DataError, match="kind is 'film'"):
        small(kind="film")
    with pytest.raises(DataError, match="columns of attributes"):
        small(attribute_names=("a",), attribute_units=("px",))
    wide = dataclasses.replace(split(), x=np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(DataError, match="test: examples are"):
        small(test=wide)
    with pytest.raises(DataError, match="no split 'dev'"):
        small().split("dev")
    with pytest.raises(DataError, match="uint8"):
        PackedImages(np.zeros((2, 8)))


def test_unknown_data_set_is_refused(tmp_path):
    with pytest.raises(DataError, match="no data set 'cifar'"):
        datasets.prepare("cifar", directory=tmp_path)
    with pytest.raises(DataError, match="dvc repro -f data@cifar"):
        datasets.load("cifar", tmp_path / "cifar")


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 3))
def test_smaller_choices_are_part_of_larger_ones(first, second, seed):
    few, many = sorted((first, second))
    chosen = contract.choose(60, few, seed), contract.choose(60, many, seed)
    assert [len(c) for c in chosen] == [few, many] and set(chosen[0]) <= set(chosen[1])
    assert np.all(np.diff(chosen[1]) > 0)


@pytest.mark.parametrize("size", [0, -1, 61])
def test_more_than_there_are_is_refused(size):
    with pytest.raises(DataError, match=f"{size} examples asked for, there are 60"):
        contract.choose(60, size, 0)
