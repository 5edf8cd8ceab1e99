"""Pictures of every kind are read as a person sees them, or refused with the cause."""

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw, ImageOps

from arvae.datasets import pictures
from arvae.datasets.contract import DataError


def seven(side=200, ink=255, paper=0):
    """A seven, grey uint8 (side, side)."""
    image, scale = Image.new("L", (side, side), paper), side / 100
    corners = [(x * scale, y * scale) for x, y in ((30, 25), (65, 25), (45, 75))]
    ImageDraw.Draw(image).line(corners, fill=ink, width=max(2, side // 12))
    return np.asarray(image)


EXPECTED = pictures.digit(seven())


def digit_in(path):
    """The file's digit as MNIST would have it, and whether it was dark on light."""
    light, dark, _ = pictures.light_on_dark(pictures.read(path).grey)
    return pictures.digit(light), dark


def far(digit):
    return np.abs(digit.astype(int) - EXPECTED).mean()


@pytest.mark.parametrize(("ink", "paper"), [(60_000, 3_000), (65_535, 0), (4_000, 300), (200, 10)])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_deep_greys_are_scaled_by_their_own_range(tmp_path, ink, paper, ending):
    path = tmp_path / f"deep.{ending}"
    Image.fromarray(np.where(seven() > 0, ink, paper).astype(np.uint16)).save(path)
    assert pictures.read(path).grey.max() == 255
    assert far(digit_in(path)[0]) < 1


def test_deep_greys_keep_their_proportions(tmp_path):
    ramp = np.linspace(0, 65_535, 64).astype(np.uint16)[None].repeat(64, 0)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    read = pictures.read(tmp_path / "ramp.png")
    assert np.abs(read.grey - ramp / 257).max() <= 0.5 and "own range" in read.notes[0]
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(tmp_path / "nan.tif")
    with pytest.raises(DataError, match="not numbers"):
        pictures.read(tmp_path / "nan.tif")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_data_say(tmp_path, ending, orientation):
    exif, image = Image.Exif(), Image.fromarray(seven()[:150]).convert("RGB")
    exif[ExifTags.Base.Orientation] = orientation
    image.save(tmp_path / f"a.{ending}", exif=exif)
    image.info["exif"] = exif.tobytes()
    upright = ImageOps.exif_transpose(image).convert("L")
    read = pictures.read(tmp_path / f"a.{ending}")
    assert read.size == upright.size
    assert np.abs(read.grey.astype(int) - np.asarray(upright)).mean() < 6


@pytest.mark.parametrize("under", [0, 128, 255])
@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("kind", ["LA", "RGBA", "P", "P bytes", "P gif", "L colour", "RGB colour"])
def test_ink_on_a_transparent_ground_is_seen(tmp_path, kind, ink, under):
    if "colour" in kind and ink == under:
        return  # all would be transparent
    mask, path = seven() > 0, tmp_path / ("a.gif" if "gif" in kind else "a.png")
    grey = Image.fromarray(np.where(mask, ink, under).astype(np.uint8))
    if kind.startswith("P"):
        image = Image.fromarray(mask.astype(np.uint8), "P")
        image.putpalette([under] * 3 + [ink] * 3)
        image.save(path, transparency=bytes([0, 255]) if "bytes" in kind else 0)
    elif "colour" in kind:
        grey.convert(kind.split()[0]).save(path, transparency=under if kind[0] == "L" else (under,) * 3)
    else:
        alpha = Image.fromarray(seven())
        Image.merge(kind, [grey] * (len(kind) - 1) + [alpha]).save(path)
    read = pictures.read(path)
    assert read.transparent and "ground made" in read.notes[0]
    digit, dark = digit_in(path)
    assert far(digit) < 1 and dark == (ink == 0)


def test_a_card_cut_out_keeps_its_own_ground(tmp_path):
    card = np.dstack([seven(200, 0, 255)] * 3 + [np.zeros((200, 200), np.uint8)])
    card[20:180, 20:180, 3] = 255
    Image.fromarray(card).save(tmp_path / "card.png")
    assert far(digit_in(tmp_path / "card.png")[0]) < 1
    Image.new("RGBA", (40, 40), (200, 9, 9, 0)).save(tmp_path / "none.png")
    assert np.ptp(pictures.read(tmp_path / "none.png").grey) == 0


@pytest.mark.parametrize(
    ("mode", "name"),
    [("CMYK", "a.jpg"), ("CMYK", "a.tif"), ("P", "a.png"), ("P", "a.gif"), ("1", "a.png"), ("1", "a.gif")]
    + [("L", "a.bmp"), ("RGB", "a.webp"), ("RGBA", "a.png"), ("YCbCr", "a.jpg"), ("LAB", "a.tif")],
)
def test_other_kinds_are_read(tmp_path, mode, name):
    Image.fromarray(seven()).convert("RGB").convert(mode).save(tmp_path / name)
    digit, dark = digit_in(tmp_path / name)
    assert far(digit) < 1 and not dark and not pictures.read(tmp_path / name).transparent


def light(kind, side=400):
    y, x = np.mgrid[0:side, 0:side] / side
    return {
        "even": np.ones_like(x),
        "right": 1 - 0.8 * x,
        "corner": 1 - 0.6 * (x + y) / 2,
        "lamp": 1 / (1 + 2 * (x**2 + y**2)),
        "vignette": 1 - 1.2 * ((x - 0.5) ** 2 + (y - 0.5) ** 2),
        "shadow": np.where(x + 0.3 * y > 0.6, 0.4, 1.0),
    }[kind]


@pytest.mark.parametrize("kind", ["even", "right", "corner", "lamp", "vignette"])
@pytest.mark.parametrize("grain", [0, 5])
def test_a_digit_in_uneven_light_has_its_size(tmp_path, kind, grain):
    noise = np.random.default_rng(0).normal(0, grain, (400, 400))
    photo = np.clip(seven(400, 40, 230) * light(kind) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.jpg", quality=85)
    digit, dark = digit_in(tmp_path / "photo.jpg")
    assert dark and far(digit) < 20 and (digit > 100).any(axis=1).sum() >= 18
    if kind != "even":
        assert far(digit) < 5 and pictures.light_on_dark(photo)[2]


def test_a_hard_shadow_is_refused_with_the_cause():
    photo = (seven(400, 40, 230) * light("shadow")).astype(np.uint8)
    with pytest.raises(DataError, match="shows no even ground along its rim .a shadow"):
        pictures.light_on_dark(photo)


def test_an_even_picture_is_left_as_it_is():
    for side in (28, 200):
        light, dark, evened = pictures.light_on_dark(seven(side))
        np.testing.assert_array_equal(light, seven(side))
        assert not dark and not evened
        light, dark, evened = pictures.light_on_dark(seven(side, 0, 255))
        np.testing.assert_array_equal(light, seven(side))
        assert dark and not evened


def test_specks_are_not_part_of_the_digit():
    dusty = seven().copy()
    dusty[[3, 190, 100], [3, 5, 195]] = 255
    assert far(pictures.digit(dusty)) < 1


def test_large_pictures_are_brought_down_and_larger_ones_refused(tmp_path):
    Image.new("L", (5000, 400)).save(tmp_path / "large.png")
    read = pictures.read(tmp_path / "large.png")
    assert read.size == (5000, 400) and max(read.grey.shape) <= pictures.KEPT
    Image.new("1", (9000, 1)).save(tmp_path / "huge.png")
    with pytest.raises(DataError, match="huge.png has 9000 x 1 pixels: at most 8,192 a side"):
        pictures.read(tmp_path / "huge.png")


def test_what_is_no_picture_is_refused_and_starts_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started")
    )
    path = tmp_path / "a.png"
    Image.fromarray(seven()).save(path)
    whole = path.read_bytes()
    generator = np.random.default_rng(0)
    damaged = [whole[:-200], whole[:20], b"", b"<html>404</html>"]
    damaged.append(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\n")
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(DataError, match="a.png is not a readable picture"):
            pictures.read(path)
    for ending in ("jpg", "gif", "tif", "bmp", "webp", "png"):
        Image.fromarray(seven()).convert("RGB").save(tmp_path / f"b.{ending}")
        whole = bytearray((tmp_path / f"b.{ending}").read_bytes())
        for _ in range(40):
            content = whole.copy()
            for place in generator.integers(0, len(content), 3):
                content[place] = generator.integers(0, 256)
            path.write_bytes(content)
            try:
                assert pictures.read(path).grey.dtype == np.uint8
            except DataError as error:
                assert "a.png" in str(error)
