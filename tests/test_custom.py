"""Your own folder of images with a table; attributes of your own; the page that explains both."""

import csv
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from arvae import datasets, params
from arvae.datasets import custom
from arvae.datasets.contract import DataError

PAGE = "docs/your_own_data.md"


def write_table(folder, rows, header=("file", "weight [g]", "left")):
    with open(folder / "attributes.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def folder(tmp_path):
    """A hundred pictures of a bright square, with its size and place in the table."""
    place = tmp_path / "squares"
    (place / "more").mkdir(parents=True)
    rows = []
    for i in range(100):
        size, left = 3 + i % 7, 2 + i % 11
        pixels = np.full((28, 28), 20, np.uint8)
        pixels[10 : 10 + size, left : left + size] = 100 + i
        name = f"more/{i}.png" if i % 2 else f"{i}.png"
        Image.fromarray(pixels).save(place / name)
        rows.append((name, size, left / 2))
    write_table(place, rows)
    return place


def prepare(folder, **more):
    return custom.prepare("squares", folder, log=lambda line: None, **more)


def rows_of(folder):
    with open(folder / "attributes.csv", newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def test_a_folder_becomes_a_data_set(folder, tmp_path):
    datasets.prepare("squares", {"test": 4}, folder=folder, directory=tmp_path / "out", log=lambda line: None)
    data = datasets.load("squares", tmp_path / "out")
    assert data.kind == "images" and data.attribute_names == ("weight", "left")
    assert data.attribute_units == ("g", "")
    assert [len(data.split(part)) for part in datasets.SPLITS] == [70, 10, 4]
    seen = np.concatenate([data.split(part).extra["row"] for part in datasets.SPLITS])
    assert len(set(seen)) == 84
    for split in (data.train, data.test):
        for image, (size, left) in zip(split.x, split.attributes, strict=True):
            ys, xs = np.nonzero(image > 60)
            assert np.ptp(ys) + 1 == np.ptp(xs) + 1 == size and xs.min() == 2 * left


def test_the_same_folder_gives_the_same_data_set(folder):
    first, second = prepare(folder), prepare(folder)
    np.testing.assert_array_equal(first.train.x, second.train.x)
    assert first.provenance == second.provenance


def test_every_kind_of_picture_is_read_as_it_looks(folder):
    """16 bits, EXIF, transparency, palette, CMYK: the same data set as from plain grey files."""
    expected = prepare(folder, side=28)
    rows = rows_of(folder)
    for i, row in enumerate(rows):
        plain = Image.open(folder / row[0])
        name = f"{i}.{('png', 'tif', 'jpg', 'gif')[i % 4]}"
        if i % 4 == 0:  # 16 bits, up to 60,000
            grey = np.asarray(plain).astype(np.uint16) * 200
            grey[0, 0], grey[0, 1] = 0, 255 * 200
            Image.fromarray(grey).save(folder / name)
        elif i % 4 == 1:
            plain.convert("RGB").convert("CMYK").save(folder / name)
        elif i % 4 == 2:
            exif = Image.Exif()
            exif[0x0112] = 6
            plain.transpose(Image.Transpose.ROTATE_90).save(folder / name, exif=exif, quality=100)
        else:
            plain.convert("P").save(folder / name)
        rows[i] = (name, *row[1:])
    write_table(folder, rows)
    data = prepare(folder, side=28)
    away = np.abs(data.train.x.astype(int) - expected.train.x)
    away[:, 0, :2] = 0
    assert away.max() <= 4
    assert data.provenance["changed in reading"] == {
        "more than 8 bits a pixel, scaled by their own range": 25, "turned upright, as its EXIF data say": 25,
    }  # fmt: skip


def test_files_without_a_line_and_twins_are_named(folder):
    (folder / "more" / "notes.txt").write_text("x")
    rows = rows_of(folder)
    (folder / "twin.png").write_bytes((folder / rows[7][0]).read_bytes())
    write_table(folder, [*rows[1:], ("twin.png", 4, 2)])
    lines = []
    data = custom.prepare("squares", folder, log=lines.append)
    assert data.provenance["files passed over"] == [
        f"{name}: no line in attributes.csv" for name in ("0.png", "more/notes.txt")
    ]
    assert data.provenance["pictures that are the same"] == [f"twin.png: the same picture as {rows[7][0]}"]
    assert any("0.png: no line in attributes.csv, and 1 files more" in line for line in lines)


@pytest.mark.parametrize(("side", "mode"), [(28, "RGB"), (64, "L"), (64, "RGBA"), (64, "P")])
def test_images_are_made_grey_and_resized_where_asked_for(folder, side, mode):
    for name, *_ in rows_of(folder):
        with Image.open(folder / name) as image:
            larger = image.resize((90, 70)).convert(mode)
        larger.save(folder / name)
    with pytest.raises(DataError, match="90 x 70 pixels, the models take 28 x 28 or 64 x 64: resize"):
        prepare(folder)
    data = prepare(folder, side=side)
    assert data.train.x.shape[1:] == (side, side) and data.train.x.dtype == np.uint8
    assert data.provenance["resized to"] == f"{side} x {side}"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: [("ghost.png", 1, 2), *rows], "ghost.png is named in attributes.csv but missing"),
        (lambda rows: [("../x.png", 1, 2), *rows], "names ../x.png, which is outside"),
        (lambda rows: [("/etc/passwd", 1, 2), *rows], "names /etc/passwd, which is outside"),
        (lambda rows: [*rows, rows[3]], "3.png is listed in more than one line"),
        (lambda rows: rows[:99], "has 99 images: at least 100"),
        (lambda rows: [], "has 0 images"),
        (
            lambda rows: [(rows[0][0], "heavy", 2), *rows[1:]],
            "line 2, weight is 'heavy': it must be a number",
        ),
        (lambda rows: [*rows[:5], (rows[5][0], "nan", 2), *rows[6:]], "line 7, weight is 'nan'"),
        (lambda rows: [*rows[:5], (rows[5][0], 1, "inf"), *rows[6:]], "line 7, left is 'inf'"),
        (lambda rows: [*rows[:5], (rows[5][0], 1, ""), *rows[6:]], "line 7, left is ''"),
        (lambda rows: [*rows[:5], rows[5][:2], *rows[6:]], "line 7 has 2 columns, the first line 3"),
        (lambda rows: [(row[0], 5, row[2]) for row in rows], "weight is 5 in every line"),
        (lambda rows: [("attributes.csv", 1, 2), *rows], "is not a readable picture"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(folder, change, says):
    write_table(folder, change(rows_of(folder)))
    with pytest.raises(DataError, match=re.escape(says)):
        prepare(folder)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (("name", "weight"), "must be `file`, then the attributes' names"),
        (("file",), "must be `file`"),
        (("file", "weight", "weight"), "must be distinct"),
        (("file", "weight", ""), "'' is not a valid name"),
        (("file", "weight [g", "left"), "'weight [g' is not a valid name"),
    ],
)
def test_first_lines_that_cannot_be_used_are_refused(folder, header, says):
    write_table(folder, [row[: len(header)] for row in rows_of(folder)], header)
    with pytest.raises(DataError, match=re.escape(says)):
        prepare(folder)


def test_files_that_are_no_tables_are_refused(folder):
    path = folder / "attributes.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a table in UTF-8"):
        prepare(folder)
    path.write_text("")
    with pytest.raises(DataError, match=r"begins with \[\]"):
        prepare(folder)
    path.unlink()
    with pytest.raises(DataError, match="attributes.csv is missing"):
        prepare(folder)
    with pytest.raises(DataError, match="is not a folder"):
        prepare(folder / "nowhere")
    with pytest.raises(DataError, match="or give the folder of your own"):
        datasets.prepare("squares")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a readable picture"),
        (b"<html>404</html>", "is not a readable picture"),
        ("half", "is not a readable picture"),
        ("black", "shows nothing: every pixel is 0"),
        ("white", "shows nothing: every pixel is 255"),
        ("grey", "shows nothing: every pixel is 100"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\n",
            "is not a readable picture",
        ),
        ("huge", "has 9000 x 1 pixels: at most 8,192 a side"),
        ("other", "images of 28 x 28 and 64 x 64 pixels; set side"),
    ],
)
def test_images_that_cannot_be_used_are_named(folder, content, says):
    path = folder / "4.png"
    if content == "half":
        path.write_bytes(path.read_bytes()[:-40])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        size, value = {
            "black": ((28, 28), 0), "white": ((28, 28), 255), "grey": ((28, 28), 100),
            "huge": ((9000, 1), 0), "other": ((64, 64), 0),
        }[content]  # fmt: skip
        image = Image.new("L", size, value)
        if content == "other":
            image.putpixel((3, 3), 200)
        image.save(path)
    with pytest.raises(DataError, match=re.escape(says)) as error:
        prepare(folder)
    assert content == "other" or "4.png" in str(error.value)


def test_wrong_sides_and_sizes_are_refused(folder):
    with pytest.raises(DataError, match="side is 32, the image models take 28 or 64"):
        prepare(folder, side=32)
    with pytest.raises(DataError, match="squares, train: 71 images asked for, there are 70"):
        prepare(folder, sizes={"train": 71})


def test_an_attribute_of_your_own_is_added(folder, monkeypatch):
    monkeypatch.setattr("arvae.datasets.contract.BATCH", 5)
    seen = []

    def brightness(images):
        seen.append(len(images))
        return images.mean(axis=(1, 2))

    data = prepare(folder).with_attribute("brightness", brightness, "grey levels")
    assert data.attribute_names == ("weight", "left", "brightness")
    assert data.attribute_units[-1] == "grey levels" and max(seen) == 5 and sum(seen) == 100
    np.testing.assert_allclose(data.test.attributes[:, 2], data.test.x.mean((1, 2)), rtol=1e-6)
    with pytest.raises(DataError, match="distinct"):
        data.with_attribute("left", brightness)
    with pytest.raises(DataError, match=r"attribute sum, given uint8 \(5, 28, 28\), returned uint64 \(\)"):
        data.with_attribute("sum", np.sum)
    with pytest.raises(DataError, match="example 0"):
        data.with_attribute("nan", lambda images: np.full(len(images), np.nan))


def test_the_page_on_your_own_data_works_as_written(request, tmp_path):
    root = request.config.rootpath
    blocks = re.findall(r"```python\n(.*?)```", (root / PAGE).read_text(), re.DOTALL)
    assert len(blocks) >= 3
    (tmp_path / "page.py").write_text("\n".join(blocks))
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "'symmetry')" in done.stdout and "'syncopation') {}" in done.stdout
    assert datasets.load("discs", tmp_path / "prepared" / "discs").attribute_names[-1] == "symmetry"


def test_the_entries_of_the_page_are_sound_parameters(request, tmp_path):
    def merge(old, new):
        for key, value in new.items():
            if isinstance(value, dict) and key in old:
                merge(old[key], value)
            else:
                old[key] = value

    root, yaml = request.config.rootpath, YAML(typ="safe")
    blocks = re.findall(r"```yaml\n(.*?)```", (root / PAGE).read_text(), re.DOTALL)
    hyperparameters = yaml.load((root / "params.yaml").read_text())
    for block in blocks:
        merge(hyperparameters, yaml.load(block))
    with open(tmp_path / "params.yaml", "w") as file:
        yaml.dump(hyperparameters, file)
    loaded = params.load(tmp_path / "params.yaml")
    assert len(blocks) == 5
    assert "discs-betavae" not in loaded.setups
    assert loaded.setup("discs", "arvae").attributes == ("radius", "brightness")
    assert loaded.sources["discs"].folder == "discs"
    assert loaded.setup("tunes", "arvae").attributes[-1] == "syncopation"
    assert loaded.sources["tunes"].own == ("syncopation",)
    assert loaded.setup("bach-own", "arvae").attributes[-1] == "tonal tension"
    assert loaded.sources["bach-own"].like == "bach"
    assert loaded.sources["mnist-upright"].leave_out == {"slant": (0.4, None)}
    assert loaded.setup("mnist-few", "semisupervised").hyperparameters.objective == "semisupervised"
