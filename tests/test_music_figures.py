"""Engraving, sound, piano rolls: what is drawn and heard is what the measures say."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree
from collections import Counter

import numpy as np
import pytest
import soundfile

from arvae.music import audio, midi, notation
from arvae.music import coding as music
from arvae.music.files import to_musicxml
from arvae.music.grid import measures as measures_of
from arvae.music.keys import Key
from compendium.figures import engraving, style
from compendium.figures import music as figures
from compendium.labels import signed

SVG = "{http://www.w3.org/2000/svg}"
NAMES = music.ATTRIBUTE_NAMES


@pytest.fixture(scope="module")
def measures():
    generator = np.random.default_rng(0)
    rows = np.full((5, 24), music.CONTINUE, np.int16)
    rows[:, ::3] = generator.integers(60, 77, (5, 8))
    rows[1, 6:12:2] = 70
    rows[2, 12] = music.REST
    rows[3, :6] = music.START
    return rows


@pytest.fixture(scope="module")
def rows(measures):
    return {name: np.roll(measures, shift, axis=0) for shift, name in enumerate(NAMES)}


def curves(rows):
    """Each row's own attribute, as measured on its measures."""
    return figures.curves(rows, NAMES, music.attributes)


# ------------------------------------------------------------------ engraving


def test_an_engraved_staff_is_small_whole_and_alone(measures):
    svg = engraving.engrave(measures, alt="a < b & 'c'")
    root = ElementTree.fromstring(svg)
    assert (
        root.get("role") == "img" and root.get("aria-label") == root.find(f"{SVG}title").text == "a < b & 'c'"
    )
    assert len(svg) < 25_000
    for forbidden in (" id=", "href", "<style", "url(", "<script", "Verovio", "font-face"):
        assert forbidden not in svg
    assert engraving.engrave(measures, alt="a < b & 'c'") == svg


def test_every_note_is_drawn(measures):
    for measure in measures:
        root = ElementTree.fromstring(engraving.engrave(measure[None]))
        drawn = Counter(path.get("d") for path in root.iter(f"{SVG}path") if path.get("transform"))
        assert drawn.most_common(1)[0][1] >= (measure >= 0).sum()


def test_labels_columns_and_captions_stand_above_their_measures(rows):
    root = ElementTree.fromstring(figures.score(rows, curves(rows)))
    texts = [(text.text, float(text.get("x")), float(text.get("y"))) for text in root.iter(f"{SVG}text")]
    words = [word for word, _, _ in texts]
    assert words[:5] == ["z = −4", "z = −2", "z = 0", "z = 2", "z = 4"]
    for name in rows:
        index = words.index(name)
        captions = texts[index + 1 : index + 6]
        assert [word for word, _, _ in captions] == [signed(value, 2) for value in curves(rows)[name]]
        assert len({y for _, _, y in texts[index : index + 6]}) == 1
        assert sorted(x for _, x, _ in captions) == [x for _, x, _ in captions]
    _, _, width, height = (float(number) for number in root.get("viewBox").split())
    assert all(0 <= x <= width and 0 <= y <= height for _, x, y in texts)


def test_what_cannot_be_measured_is_a_dash(rows):
    values = curves(rows)
    name = next(iter(rows))
    values[name] = np.where(np.arange(5) == 2, np.nan, values[name])
    svg = figures.score(rows, values)
    assert svg.count(">–<") == 1 and "nan" not in svg


def test_high_music_gets_a_higher_clef():
    def drawn(pitch):
        measure = np.full((1, 24), music.CONTINUE, np.int16)
        measure[0, ::6] = pitch
        return engraving.engrave(measure)

    def height(svg):
        return float(ElementTree.fromstring(svg).get("viewBox").split()[3])

    lines = {pitch: drawn(pitch).count("<path") for pitch in (79, 84, 91, 103)}  # G5, C6, G6, G7
    assert lines[79] == lines[91] == lines[103] < lines[84]  # C6: ledger lines, the clef stays
    assert height(drawn(103)) < 1.2 * height(drawn(79))


def test_padding_is_grey(measures):
    svg = engraving.engrave(measures[3:4])
    assert "#8F8F8F" in svg and "#8F8F8F" not in engraving.engrave(measures[:1])


def test_long_music_breaks_into_lines(measures):
    def lines(svg):
        return len(list(ElementTree.fromstring(svg).iter(f"{SVG}g")))

    many = np.tile(measures, (3, 1))
    assert lines(engraving.engrave(many)) == 1 and lines(engraving.engrave(many, width=120)) > 2


def test_a_key_signature_is_drawn_and_spells_the_accidentals():
    measure = np.full((1, 24), music.CONTINUE, np.int16)
    measure[0, ::6] = 66, 67, 66, 73  # F sharp, G, F sharp, C sharp
    plain, in_g = engraving.engrave(measure), engraving.engrave(measure, key=Key.of(1))
    d_major = engraving.engrave(measure, key=Key.of(2))
    count = {name: svg.count("<path") for name, svg in (("C", plain), ("G", in_g), ("D", d_major))}
    assert count["C"] == count["G"] == count["D"]  # sharps: 0, 1, 2 of two in the signature
    assert plain != in_g != d_major


def test_engraving_refuses_what_it_cannot_set(measures):
    with pytest.raises(ValueError, match="no measures"):
        engraving.engrave(measures[:0])
    with pytest.raises(ValueError, match="only one staff"):
        engraving.engrave([measures, measures], width=100)
    with pytest.raises(ValueError, match="as many columns"):
        engraving.engrave(measures, columns=["one"])
    with pytest.raises(ValueError, match="as many columns"):
        engraving.engrave([measures], captions=[["one"]])
    with pytest.raises(ValueError, match="no symbol"):
        engraving.engrave(measures - 9)


def test_a_notebook_shows_a_score_in_a_frame_that_scrolls(rows):
    shown = figures.show(figures.score(rows, curves(rows))).data
    assert shown.startswith("<div") and "overflow-x:auto" in shown and "min-width" in shown


# ------------------------------------------------------------------ sound


def loudness(measures, tempo=60):
    """Root mean square in each tick's time of the sound of measures."""
    sound = audio.synthesize(measures, tempo, 8_000)
    edges = [round(8_000 * (48 * m + p) / 12) for m in range(len(measures)) for p in notation.POSITIONS[:24]]
    parts = np.split(sound[: len(measures) * 32_000], edges[1:])
    return np.array([np.sqrt((part**2).mean()) for part in parts]).reshape(len(measures), 24)


def test_sound_where_there_are_notes_and_silence_where_there_are_none():
    measures = np.full((2, 24), music.CONTINUE, np.int16)
    measures[0, [0, 12]] = music.REST, 69
    measures[1, 0], measures[1, 6:] = music.REST, music.END
    heard = loudness(measures)
    assert heard[0, :12].max() == 0 and heard[0, 12:].min() > 0.01 and heard[1, 2:].max() == 0


@pytest.mark.parametrize("pitch", [55, 69, 84])
def test_a_note_has_its_pitch(pitch):
    measure = np.full((1, 24), music.CONTINUE, np.int16)
    measure[0, 0] = pitch
    sound = audio.synthesize(measure, 60)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    found = spectrum.argmax() * audio.RATE / len(sound)
    assert abs(found / (440 * 2 ** ((pitch - 69) / 12)) - 1) < 0.003


def test_sound_is_the_same_every_time_and_never_too_loud(measures):
    sound = audio.synthesize(measures)
    assert sound.dtype == np.float32 and np.abs(sound).max() == pytest.approx(0.8)
    np.testing.assert_array_equal(sound, audio.synthesize(measures.copy()))
    assert len(sound) == round((5 * 2.4 + 0.4) * audio.RATE)
    assert not audio.synthesize(np.full((1, 24), music.REST)).any()
    assert len(audio.synthesize(measures[:0])) == round(0.4 * audio.RATE)


@pytest.mark.parametrize(("ending", "faithful"), [(".wav", 80), (".mp3", 25)])
def test_files_and_player_hold_the_sound_and_the_midi(measures, ending, faithful):
    expected, content = audio.synthesize(measures), audio.encode(measures, ending=ending)
    heard, rate = soundfile.read(io.BytesIO(content))
    assert rate == audio.RATE >= 22_000 and content == audio.encode(measures, ending=ending)
    error = heard[: len(expected)] - expected
    assert 10 * np.log10((expected**2).mean() / (error**2).mean()) > faithful  # decibels
    if ending == ".mp3":  # smaller than a byte a sample at 8 kHz
        assert len(content) < 8_000 * len(expected) / rate
    shown = figures.player(measures, 'contour <"1">', tempo=120)
    assert '<"1">' not in shown and "contour-1.mid" in shown
    score = base64.b64decode(re.search(r"audio/midi;base64,([^\"]+)", shown).group(1))
    assert notation.notes(measures_of(midi.read(score).parts[0])) == notation.notes(measures)


@pytest.mark.parametrize(("tempo", "rate", "words"), [(0, 8000, "tempo 0"), (100, 10, "rate 10")])
def test_impossible_sound_is_refused(measures, tempo, rate, words):
    with pytest.raises(ValueError, match=words):
        audio.synthesize(measures, tempo, rate)


def test_a_roll_shows_every_note_and_the_measured_curve(rows, tmp_path):
    figure = figures.roll(rows, curves(rows))
    axes = np.array(figure.axes).reshape(4, 2)
    for (left, right), (name, measures) in zip(axes, rows.items(), strict=True):
        assert len(left.patches) == (measures >= 0).sum()
        np.testing.assert_array_equal(right.lines[0].get_ydata(), curves(rows)[name])
        low, high = left.get_ylim()
        assert low < measures[measures >= 0].min() and measures.max() < high
    assert style.save(figure, tmp_path / "roll").stat().st_size < style.LIMIT


def test_listening_gives_a_player_a_traversal(rows):
    shown = figures.listen(rows, "AR-VAE").data
    assert shown.count("<audio") == 4 and "AR-VAE: note density" in shown


def test_listening_keeps_sound_and_score_as_files(rows, tmp_path):
    shown = figures.listen(rows, folder=tmp_path).data
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name.replace(' ', '-')}.{suffix}" for name in rows for suffix in ("mp3", "mid")
    }
    name, measures = next(iter(rows.items()))
    score = (tmp_path / f"{name.replace(' ', '-')}.mid").read_bytes()
    assert notation.notes(measures_of(midi.read(score).parts[0])) == notation.notes(measures)
    sound = (tmp_path / f"{name.replace(' ', '-')}.mp3").read_bytes()
    assert base64.b64encode(sound).decode() in shown  # so that the site links the file


@pytest.mark.parametrize(("value", "text"), [(-4, "−4"), (0.0, "0"), (-0.0, "0"), (2.5, "2.5")])
def test_numbers_have_a_real_minus(value, text):
    assert signed(value) == text
    assert signed(-0.001, 2) == "0.00"


def test_staves_are_not_joined_and_their_words_do_not_collide(measures):
    staves = engraving._staves(engraving._verovio(to_musicxml([measures[:1], measures[:1]]), None))
    assert len(staves) == 2 and staves[0].bottom < staves[1].top
    apart = {}
    for label in ("a", "a label much wider than a single measure of music can be when it is engraved"):
        text = engraving.engrave([measures[:1]], [label], captions=[["0.12"]])
        apart[label[:3]] = [int(y) for y in re.findall(r"<text x='-?\d+' y='(\d+)'", text)]
    assert len(set(apart["a"])) == 1 and len(set(apart["a l"])) == 2
