"""Measures to written music and back, in every format, and what is refused when a file is read."""

import re
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mido.midifiles.meta import encode_variable_int

from arvae.music import files as scores
from arvae.music import midi, musicxml, notation, score, write_midi
from arvae.music.grid import measures as coded
from arvae.music.score import TuneError

# Mostly notes that last: what melodies are made of; all other symbols wherever they may fall.
SYMBOLS = st.sampled_from([-1] * 8 + [-2, -3, -4]) | st.integers(55, 84)
MEASURES = arrays(np.int16, (2, 24), elements=SYMBOLS)


def decode(content):
    """The measures of a MIDI file of one part."""
    return coded(midi.read(content).parts[0])


MELODY = np.array(
    [
        [60, -1, -1, -1, -1, -1, 62, -1, -1, 64, -1, -1, 65, -1, 67, -1, 69, -1, 71, 72, -1, 74, -1, 76],
        [-1, -1, -1, -1, -1, -1, -2, -1, -1, -1, -1, -1, 72, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1],
    ],
    np.int16,
)


@settings(max_examples=60, deadline=None)
@given(MEASURES)
@example(MELODY)
def test_written_measures_fill_the_time_with_real_note_values(measures):
    for glyphs in notation.notate(measures):
        position = 0
        for glyph in glyphs:
            assert glyph.start == position
            assert glyph.length in ((1, 2, 3, 4, 6, 8) if glyph.triplet else (3, 6, 9, 12, 18, 24, 36, 48))
            position += glyph.length
        assert position == 48


@settings(max_examples=30, deadline=None)
@given(MEASURES.filter(lambda measures: (measures >= 0).any()))
@example(MELODY)
@example(np.array([[-1, -2, 55, *[-1] * 21], [55] * 12 + [-3, -2] + [55] * 10], np.int16))
def test_measures_to_musicxml_and_back_is_the_identity(measures):
    part = musicxml.read(scores.to_musicxml(measures).encode()).parts[0]
    np.testing.assert_array_equal(coded(part), measures)


@settings(max_examples=60, deadline=None)
@given(MEASURES.filter(lambda measures: notation.notes(measures)))
@example(MELODY)
def test_midi_keeps_every_note_its_onset_and_its_end(measures):
    again = decode(write_midi.encode(measures))
    assert notation.notes(again) == notation.notes(measures)
    np.testing.assert_array_equal(decode(write_midi.encode(again)), again)
    onsets = (measures >= 0)[: len(again)]
    np.testing.assert_array_equal(np.where(onsets, measures[: len(again)], 0), np.where(again >= 0, again, 0))


def test_real_measures_go_through_every_format(tmp_path):
    for name in ("melody.musicxml", "melody.xml", "melody.mxl", "melody.mid", "melody.midi"):
        np.testing.assert_array_equal(scores.read(scores.write(tmp_path / name, MELODY)), MELODY)
    with zipfile.ZipFile(tmp_path / "melody.mxl", "w") as archive:
        container = '<container><rootfiles><rootfile full-path="a.xml"/></rootfiles></container>'
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("a.xml", scores.to_musicxml(MELODY))
    np.testing.assert_array_equal(scores.read(tmp_path / "melody.mxl"), MELODY)
    abc = "X:1\nM:4/4\nL:1/4\nK:C\nC D/E/ (3F/G/A/ B/c/4d/4-|d z c2|\n"
    (tmp_path / "melody.abc").write_text(abc)
    assert scores.read(tmp_path / "melody.abc").shape == (2, 24)


def test_files_are_the_same_every_time():
    assert scores.to_musicxml(MELODY, title="a") == scores.to_musicxml(MELODY.copy(), title="a")
    assert write_midi.encode(MELODY) == write_midi.encode(MELODY.copy())


def test_several_staves_have_their_names():
    text = scores.to_musicxml([MELODY, MELODY[:1]], names=["pitch range", "contour"])
    assert text.count("<score-part ") == 2 and "pitch range" in text
    assert text.count('<part id="P1"') == text.count('<part id="P2"') == 1


def test_unknown_ending_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="written as .musicxml, .*not .pdf"):
        scores.write(tmp_path / "a.pdf", MELODY)


@pytest.mark.parametrize("tempo", [0, -1, 2000])
def test_impossible_tempo_is_refused(tempo):
    with pytest.raises(ValueError, match=f"tempo {tempo}"):
        write_midi.encode(MELODY, tempo)


# ------------------------------------------------------------------ files that are refused


def track(*events):
    """A MIDI file of one track: (delta in 480ths of a quarter note, message) pairs."""
    ended = [*events, (0, b"\xff\x2f\x00")]
    data = b"".join(bytes(encode_variable_int(delta)) + message for delta, message in ended)
    return struct.pack(">4sIHHH4sI", b"MThd", 6, 0, 1, 480, b"MTrk", len(data)) + data


def on(pitch, channel=0):
    return bytes([0x90 + channel, pitch, 80])


def off(pitch, channel=0):
    return bytes([0x80 + channel, pitch, 0])


def waltz():
    from music21 import converter, meter, note, stream

    part = stream.Part([stream.Measure([meter.TimeSignature("3/4"), note.Note(60, quarterLength=3)])])
    assert converter
    return written(part)


def written(part):
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    return GeneralObjectExporter(part).parse()


def with_chord():
    from music21 import chord, meter, stream

    return written(
        stream.Part([stream.Measure([meter.TimeSignature("4/4"), chord.Chord([60, 64], type="whole")])])
    )


REFUSED = {
    "nothing.mid": (b"", score.BROKEN, "0 bytes.*export it again"),
    "html.mid": (b"<!DOCTYPE html>" * 9, score.BROKEN, "no MIDI file"),
    "cut.mid": (write_midi.encode(MELODY)[:40], score.BROKEN, "cut short"),
    "silent.mid": (track((480, off(60))), score.SILENT, "no note"),
    "waltz.mid": (
        track((0, b"\xff\x58\x04\x03\x02\x18\x08"), (0, on(60)), (480, off(60))),
        score.OTHER_METRE,
        "3/4",
    ),
    "chord.mid": (
        track((0, on(60)), (0, on(64)), (480, off(60)), (0, off(64))),
        score.CHORDS,
        "bar 1, 0 quarter notes in",
    ),
    "overlap.mid": (
        track((0, on(60)), (240, on(64)), (480, off(60)), (0, off(64))),
        score.CHORDS,
        "keep one voice",
    ),
    "channels.mid": (
        track((0, on(60)), (480, off(60)), (0, on(64, 1)), (480, off(64, 1))),
        scores.PARTS,
        r"2 parts.*1 \(channel 1\), 2 \(channel 2\)",
    ),
    "loose.mid": (track((90, on(60)), (480, off(60))), score.OFF_GRID, "bar 1, 3/16 .*quantize"),
    "film.mid": (
        struct.pack(">4sIHHh4sI", b"MThd", 6, 0, 1, -6360, b"MTrk", 4) + b"\x00\xff\x2f\x00",
        score.SILENT,
        "no note with a pitch",
    ),
    "broken.musicxml": (b"<score-partwise><part", score.BROKEN, "no MusicXML"),
    "other.xml": (b"<html/>", score.BROKEN, "<html>.*score-partwise"),
    "zip.mxl": (b"PK\x03\x04 nothing", score.BROKEN, "no MusicXML"),
    "waltz.musicxml": (waltz, score.OTHER_METRE, "metre 3/4, needed is 4/4"),
    "chord.musicxml": (with_chord, score.CHORDS, "bar 0, 0 quarter notes in.*one voice"),
    "two.musicxml": (
        lambda: scores.to_musicxml([MELODY, MELODY]).encode(),
        scores.PARTS,
        r"2 parts.*1 \(part 1\), 2 \(part 2\)",
    ),
    "long.musicxml": (
        lambda: re.sub("<duration>.*?<", "<duration>40320000000000<", scores.to_musicxml(MELODY)).encode(),
        score.BROKEN,
        "bar 1 cannot be read",
    ),
    "long.abc": (b"X:1\nM:4/4\nL:1/4\nK:C\nc4000000000|\n", score.BROKEN, "bar 1 has the length"),
    "empty.abc": (b"\n", score.BROKEN, "no field K:"),
    "jig.abc": (b"X:1\nM:6/8\nL:1/8\nK:C\nc3 d3|\n", score.OTHER_METRE, "metre 6/8"),
    "short.abc": (b"X:1\nM:4/4\nL:1/4\nK:C\ncdef|cd|cdef|\n", score.IRREGULAR, "bar 2 lasts 2"),
    "two.abc": (b"X:1\nM:4/4\nL:1/4\nK:C\ncdef|\nX:2\nM:4/4\nL:1/4\nK:C\nc4|\n", scores.TUNES, "2 tunes"),
    "sound.wav": (b"RIFF", score.BROKEN, "use one of .musicxml"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_files_are_refused_with_name_place_and_remedy(name, tmp_path):
    content, reason, words = REFUSED[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content())
    with pytest.raises(TuneError, match=f"(?s){name}.*({words})") as caught:
        scores.read(tmp_path / name)
    assert caught.value.reason == reason


def test_a_missing_and_a_huge_file_are_refused(tmp_path, monkeypatch):
    with pytest.raises(TuneError, match="there is no file"):
        scores.read(tmp_path / "no.mid")
    monkeypatch.setattr(scores, "LARGEST", 10)
    (tmp_path / "huge.abc").write_text("X:1\n" * 10)
    with pytest.raises(TuneError, match="40 bytes"):
        scores.read(tmp_path / "huge.abc")


def test_an_archive_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(musicxml, "_LARGEST", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.mxl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", " " * 10_000)
    with pytest.raises(TuneError, match="unpacks to more than"):
        scores.read(tmp_path / "bomb.mxl")


def test_played_midi_is_moved_onto_the_grid():
    played = track((5, on(60)), (440, off(60)), (30, on(62)), (250, off(62)), (720, on(64)), (480, off(64)))
    (measure,) = decode(played)
    assert {tick: int(code) for tick, code in enumerate(measure) if code != -1} == {
        0: 60,
        6: 62,
        9: -2,
        18: 64,
    }
