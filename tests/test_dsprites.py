"""dSprites: the drawing against published frames, reading of a published file, splits."""

import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arvae.datasets import dsprites, sources
from arvae.datasets.combinations import factors_of
from arvae.datasets.contract import DataError

FACTORS = st.tuples(*(st.integers(0, count - 1) for count in dsprites.COUNTS))


def overlap(first, second):
    return (first & second).sum((1, 2)) / (first | second).sum((1, 2))


@pytest.fixture(scope="module")
def published(request):
    path = request.config.rootpath.parent / "shared" / "dsprites" / "original_frames.npz"
    if not path.is_file():
        pytest.skip("no original dSprites frames beside the project (../shared/dsprites)")
    with np.load(path, allow_pickle=False) as file:
        return np.unpackbits(file["frames"], axis=-1), file["factors"]


@pytest.mark.parametrize(("kind", "pixels"), [(0, 0), (1, 0), (2, 4)])
def test_drawings_equal_the_published_frames(published, kind, pixels):
    frames, factors = published
    chosen = factors[:, 0] == kind
    drawn, frames = dsprites.render(factors[chosen]), frames[chosen]
    scores = overlap(drawn, frames)
    assert scores.mean() > 0.9997 and scores.min() > 0.98
    assert (drawn != frames).sum() <= pixels  # of all frames of this shape together


@given(FACTORS)
@settings(max_examples=50)
def test_one_image_alone_is_drawn_as_in_a_batch(factors):
    others = factors_of(np.arange(0, dsprites.TOTAL, 60_000), dsprites.COUNTS)
    batch = np.concatenate([others, [factors], others])
    image = dsprites.render(np.array([factors]))[0]
    np.testing.assert_array_equal(dsprites.render(batch)[len(others)], image)
    np.testing.assert_array_equal(dsprites.render_packed(batch)[len(others)], image)


@given(FACTORS)
@settings(max_examples=100)
def test_shapes_have_their_size_and_place(factors):
    shape, scale, _, x, y = factors
    image = dsprites.render(np.array([factors]))[0]
    assert image.dtype == np.uint8 and image.shape == (64, 64)
    area = (
        (2 * dsprites.SQUARE) ** 2,
        np.pi * np.prod(dsprites.ELLIPSE),
        180 * np.pi * dsprites.HEART[0] * dsprites.HEART[1] / 256,  # the curve itself encloses 180 pi
    )[shape] * dsprites.VALUES[1][scale] ** 2
    assert abs(image.sum() - area) < 0.1 * area + 4
    rows, columns = np.nonzero(image)
    away = np.hypot(columns.mean() + 0.5 - 16 - 32 * x / 31, rows.mean() + 0.5 - 16 - 32 * y / 31)
    assert away < (0.71, 0.71, 3)[shape]  # a pixel, across; a heart's mass lies above its centre


def test_orientation_turns_counter_clockwise():
    upright, quarter = dsprites.render(np.array([[2, 5, 0, 16, 16], [2, 5, 10, 16, 16]]))
    rows, columns = (
        np.arange(64) @ upright.sum(1) / upright.sum(),
        np.arange(64) @ quarter.sum(0) / quarter.sum(),
    )
    # the heavy lobes, above the centre at first, are left of it after a quarter turn
    assert rows < 32 - 1 and columns < 32 - 1
    first, last = dsprites.render(np.array([[2, 3, 0, 5, 9], [2, 3, 39, 5, 9]]))
    np.testing.assert_array_equal(first, last)  # 0 and 2 pi


def test_every_combination_has_its_place_in_the_published_order():
    factors = factors_of(
        np.array([0, 1, 32, 1024, 40 * 1024, 240 * 1024, dsprites.TOTAL - 1]), dsprites.COUNTS
    )
    expected = [[0] * 5, [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]
    np.testing.assert_array_equal(factors, [*expected, [2, 5, 39, 31, 31]])
    np.testing.assert_allclose(dsprites.attributes(factors)[-1], [2, 1, 2 * np.pi, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(dsprites.attributes(factors)[0], [0, 0.5, 0, 0, 0])


@pytest.mark.parametrize(
    ("factors", "says"),
    [
        ([[3, 0, 0, 0, 0]], "shape of image 0 is index 3: give 0 to 2"),
        ([[0, 0, 0, 0, 0], [0, 0, -1, 0, 0]], "orientation of image 1 is index -1: give 0 to 39"),
        ([[0, 0, 0, 0, 32]], "y of image 0 is index 32: give 0 to 31"),
        ([[0, 0, 0, 0]], r"integers \(n, 5\), not int64 \(1, 4\)"),
        ([0, 0, 0, 0, 0], r"integers \(n, 5\)"),
        ([[0.0, 0, 0, 0, 0]], "float64"),
    ],
)
def test_impossible_factors_are_refused(factors, says):
    with pytest.raises(DataError, match=says):
        dsprites.render(np.array(factors))


def test_no_images_is_no_error():
    assert dsprites.render(np.empty((0, 5), int)).shape == (0, 64, 64)


def test_splits_are_disjoint_and_shares_of_all(tmp_path):
    sizes = {"train": 3000, "validation": 400, "test": 800}
    whole = dsprites.prepare(sizes, "drawn", tmp_path, tmp_path, log=lambda line: None)
    rows = [whole.split(part).extra["factors"] for part in ("train", "validation", "test")]
    assert [len(row) for row in rows] == [3000, 400, 800]
    assert len(np.unique(np.concatenate(rows), axis=0)) == 4200
    for split in (whole.train, whole.test):
        np.testing.assert_array_equal(split.attributes, dsprites.attributes(split.extra["factors"]))
        np.testing.assert_array_equal(split.x[:20], dsprites.render(split.extra["factors"][:20]))
        np.testing.assert_allclose(np.corrcoef(split.attributes.T), np.eye(5), atol=0.15)
    fewer = dsprites.prepare(sizes | {"train": 10}, "drawn", tmp_path, tmp_path, log=lambda line: None)
    np.testing.assert_array_equal(fewer.train.extra["factors"], rows[0][:10])
    assert whole.provenance["source"] == "drawn" and whole.provenance["address"] is None


def test_more_images_than_there_are_is_refused(tmp_path):
    with pytest.raises(DataError, match="dsprites, validation: 73729 images asked for, there are 73728"):
        dsprites.prepare({"validation": 73_729}, "drawn", tmp_path, tmp_path)
    with pytest.raises(DataError, match="dsprites, train: 0 images asked for"):
        dsprites.prepare({"train": 0}, "drawn", tmp_path, tmp_path)


# A published file in small: three shapes, two scales, four orientations, places two apart.
SMALL = (3, 2, 4, 4, 4)


@pytest.fixture
def small_world(monkeypatch, tmp_path):
    monkeypatch.setattr(dsprites, "COUNTS", SMALL)
    monkeypatch.setattr(dsprites, "TOTAL", int(np.prod(SMALL)))
    monkeypatch.setenv(sources.FOLDER, str(tmp_path))
    return tmp_path / dsprites.FILE


def publish(path, images=None, metadata=b"\x80\x04cos\nsystem\n"):
    images = (
        dsprites.render(factors_of(np.arange(dsprites.TOTAL), dsprites.COUNTS)) if images is None else images
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("imgs.npy", "w") as file:
            np.lib.format.write_array(file, images, allow_pickle=False)
        archive.writestr("metadata.npy", metadata)  # not even a pickle: opening it would fail


def test_a_published_file_gives_the_same_data_set_as_the_drawing(small_world, tmp_path):
    publish(small_world)
    lines = []
    read = dsprites.prepare({}, "auto", tmp_path, tmp_path, log=lines.append)
    drawn = dsprites.prepare({}, "drawn", tmp_path, tmp_path, log=lines.append)
    assert read.provenance["source"] == "folder" and len(read.provenance["sha256"]) == 64
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(read.split(part).x.packed, drawn.split(part).x.packed)
        np.testing.assert_array_equal(read.split(part).attributes, drawn.split(part).attributes)


def test_a_file_that_is_not_dsprites_is_refused(small_world, tmp_path):
    good = dsprites.render(factors_of(np.arange(dsprites.TOTAL), dsprites.COUNTS))

    def refused(says):
        with pytest.raises(DataError, match=says):
            dsprites.prepare({}, "folder", tmp_path, tmp_path, log=lambda line: None)

    publish(small_world, images=good[::-1])
    refused("overlap only")
    publish(small_world, images=good * 255)
    refused("image values up to 255")
    publish(small_world, images=good[:, :32])
    refused(r"holds uint8 \(384, 32, 64\)")
    publish(small_world, images=np.roll(good, 1, axis=0))
    refused("overlap only")
    publish(small_world)
    whole = small_world.read_bytes()
    small_world.write_bytes(whole[: len(whole) // 2])
    refused("not the dSprites file")
    small_world.write_bytes(b"<html>404</html>")
    refused("not the dSprites file")
    flipped = bytearray(whole)
    flipped[1000] ^= 0xFF
    small_world.write_bytes(flipped)
    refused("damaged|image values|overlap")
