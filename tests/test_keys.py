"""Keys: as files give them, as estimated, spelled, and kept to when a melody is edited."""

import numpy as np
import pytest

from arvae.music import abc, keys, midi, musicxml, write_midi
from arvae.music import coding as music
from arvae.music.grid import measures
from arvae.music.keys import Key
from arvae.music.score import TuneError
from tests.conftest import ROOT

INPUTS = ROOT / "tests" / "inputs" / "music"
A_MINOR = {9, 11, 0, 2, 4, 5, 7}


def melody(*pitches, ticks=6):
    """Quarter notes, in measures of four."""
    rows = np.full((-(-len(pitches) * ticks // 24), 24), music.CONTINUE, np.int16)
    rows.reshape(-1)[: len(pitches) * ticks : ticks] = pitches
    return rows


@pytest.mark.parametrize(
    ("fifths", "mode", "name", "scale"),
    [
        (0, "major", "C major", {0, 2, 4, 5, 7, 9, 11}),
        (1, "major", "G major", {7, 9, 11, 0, 2, 4, 6}),
        (-3, "minor", "C minor", {0, 2, 3, 5, 7, 8, 10}),
        (2, "dorian", "E dorian", {4, 6, 7, 9, 11, 1, 2}),
        (-7, "major", "Cb major", {11, 1, 3, 4, 6, 8, 10}),
        (7, "minor", "A# minor", {10, 0, 1, 3, 5, 6, 8}),
        (-1, "", "1 flat", {5, 7, 9, 10, 0, 2, 4}),
        (0, "", "no sharps or flats", {0, 2, 4, 5, 7, 9, 11}),
    ],
)
def test_a_signature_has_a_name_and_a_scale(fifths, mode, name, scale):
    key = Key.of(fifths, mode)
    assert (str(key), key.fifths, key.scale()) == (name, fifths, scale)


def test_a_minor_scale_has_the_raised_seventh_where_the_tune_has_it():
    assert Key.of(0, "minor").scale([69, 72]) == A_MINOR
    assert Key.of(0, "minor").scale([69, 68]) == A_MINOR | {8}
    assert Key.of(0, "major").scale([68]) == A_MINOR
    with pytest.raises(ValueError, match="8 sharps"):
        Key.of(8)


@pytest.mark.parametrize(
    ("fifths", "names"),
    [
        (0, "C C# D Eb E F F# G G# A Bb B"),
        (1, "C C# D D# E F F# G G# A Bb B"),
        (-3, "C Db D Eb E F Gb G Ab A Bb B"),
        (6, "B# C# D D# E E# F# G G# A A# B"),
        (-6, "C Db D Eb Fb F Gb G Ab A Bb Cb"),
    ],
)
def test_pitches_are_spelled_by_the_key(fifths, names):
    spelled = [Key.of(fifths).spell(pitch) for pitch in range(60, 72)]
    signs = {-1: "b", 0: "", 1: "#", 2: "x"}
    assert " ".join(step + signs[alter] for step, alter, _ in spelled) == names
    for pitch, (step, alter, octave) in zip(range(60, 72), spelled, strict=True):
        assert 12 * (octave + 1) + keys.SEMITONES[step] + alter == pitch


@pytest.mark.parametrize("tonic", range(12))
def test_the_key_of_a_scale_is_estimated_in_every_transposition(tonic):
    tune = melody(*(np.array([0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0, 0]) + 60 + tonic))
    key = keys.estimate(tune)
    assert key.estimated and key.mode == "major"
    assert key.scale() == {(pitch + tonic) % 12 for pitch in Key.of(0).scale()}
    minor = melody(*(np.array([0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0, 0]) + 57 + tonic))
    key = keys.estimate(minor)
    assert key.mode == "minor"
    assert key.scale() == {(pitch + tonic) % 12 for pitch in Key.of(0, "minor").scale()}


def test_long_notes_count_more_and_silence_has_a_key_too():
    held = np.full((1, 24), music.CONTINUE, np.int16)
    held[0, [0, 18, 20]] = 62, 66, 69  # D for three beats
    assert str(keys.estimate(held)) == "D major"
    assert str(keys.estimate(np.full((2, 24), music.REST))) == "C major"


ABC_KEYS = {
    "G": "G major", "Em": "E minor", "D mix": "D mixolydian", "Ador": "A dorian", "Bbmaj": "Bb major",
    "D phr ^f": "D phrygian with F#", "C exp ^f": "C major with F#",
    "Hp": "2 sharps", "none": "None", "HP": "None",
}  # fmt: skip


@pytest.mark.parametrize("written", ABC_KEYS)
def test_the_key_of_a_tune_in_abc(written):
    part = abc.read_tune(f"X:1\nM:4/4\nL:1/4\nK:{written}\nCDEF|\n[K:E]GABc|\n").parts[0]
    assert str(part.key) == ABC_KEYS[written] and abc.read_key(written) == part.key


def test_the_key_of_a_midi_file_and_of_musicxml():
    content = write_midi.encode(melody(60, 62, 64, 65))
    assert midi.read(content).parts[0].key is None
    sign = b"\x00\xff\x59\x02\xfd\x01"  # three flats, minor
    start = content.index(b"MTrk") + 8
    length = int.from_bytes(content[start - 4 : start], "big") + len(sign)
    signed = content[: start - 4] + length.to_bytes(4, "big") + sign + content[start:]
    part = midi.read(signed).parts[0]
    assert str(part.key) == "C minor" and np.array_equal(measures(part), melody(60, 62, 64, 65))

    def key(inside):
        text = (
            "<score-partwise><part-list/><part><measure><attributes><divisions>1</divisions>"
            f"{inside}<time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
            "<note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration></note>"
            "</measure></part></score-partwise>"
        )
        return musicxml.read(text.encode()).parts[0].key

    assert key("") is None and key("<key><fifths>lots</fifths></key>") is None
    assert str(key("<key><fifths>-2</fifths><mode>minor</mode></key>")) == "G minor"
    assert str(key("<key><fifths>3</fifths></key>")) == "3 sharps"
    odd = key("<key><key-step>B</key-step><key-alter>-1</key-alter></key>")
    assert odd == Key((0, 0, 0, 0, 0, 0, -1)) and str(odd) == "1 flat"


def test_what_is_no_key_is_refused():
    with pytest.raises(TuneError, match="the key 'H major'"):
        abc.read_key("H major")


def test_musicxml_with_a_namespace_is_read():
    content = (INPUTS / "21_clarinet_in_Bb.musicxml").read_bytes()
    named = content.replace(b"<score-partwise", b'<score-partwise xmlns="http://www.musicxml.org/ns"', 1)
    prefixed = b'<m:a xmlns:m="urn:m"><m:b/></m:a>'
    assert named != content and musicxml.read(named) == musicxml.read(content)
    assert [node.tag for node in musicxml._parse(prefixed).iter()] == ["a", "b"]
