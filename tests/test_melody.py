"""Melodies from files, ready to be edited, and back: what is adapted, what is refused with which remedy."""

import io
import struct
import zipfile

import mido
import numpy as np
import pytest
from mido.midifiles.meta import encode_variable_int

from arvae.edit import melody
from arvae.edit.faults import EditError
from arvae.music import abc as abc_reader
from arvae.music import coding as music
from arvae.music import files as scores
from arvae.music import keys, notation
from tests.conftest import ROOT
from tests.small import HEAD, abc

INPUTS = ROOT / "tests" / "inputs" / "music"
SCALE = np.array([60, 62, 64, 65, 67, 69, 71, 72])
ANY_PITCH = music.Vocabulary(0, 127)


def notes(measures):
    return [int(symbol) for symbol in measures.ravel() if symbol >= 0]


def test_a_melody_comes_and_goes(tmp_path):
    read = melody.read(abc(tmp_path, "CDEF|GABc|"), music.Vocabulary())
    assert notes(read.measures) == SCALE.tolist() and read.shift == 0 and read.adapted == ()
    for name in ("out.mid", "out.musicxml"):
        assert np.array_equal(scores.read(read.save(tmp_path / name, read.measures)), read.measures)
    with pytest.raises(EditError, match="written as .*not .pdf"):
        read.save(tmp_path / "out.pdf", read.measures)


@pytest.mark.parametrize(
    ("body", "head", "said"),
    [
        ("CDE|CDE|", HEAD.replace("4/4", "3/4"), "metre 3/4, needed is 4/4"),
        ("[CE]DEF|", HEAD, "chord.*--monophonic"),
        ("C/8D/8E/8F/8 G/2 A B c|", HEAD, "off the grid.*--quantize"),
        ("C,,DEF|", HEAD, "C2 to F4.*--transpose"),
        ("C,,DEc''|", HEAD, "too wide"),
        ("zzzz|", HEAD, "no complete measure"),
        ("CDEF|CDE|CDEF|CDEF|", HEAD, "irregular.*rests"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(tmp_path, body, head, said):
    with pytest.raises(EditError, match=f"(?s){said}"):
        melody.read(abc(tmp_path, body, head), music.Vocabulary())


def test_files_that_are_none(tmp_path):
    with pytest.raises(EditError, match="no file"):
        melody.read(tmp_path / "nothing.mid", music.Vocabulary())
    (tmp_path / "broken.mid").write_bytes(b"MThd rubbish")
    (tmp_path / "broken.musicxml").write_bytes(b"<score")
    for name in ("broken.mid", "broken.musicxml"):
        for options in ({}, {"monophonic": True}):
            with pytest.raises(EditError, match=name):
                melody.read(tmp_path / name, music.Vocabulary(), **options)


def packed(container, **runs):
    """A .mxl archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container)
        for name, content in runs.items():
            archive.writestr(f"{name}.xml", content)
    return buffer.getvalue()


def midi_note_after(ticks):
    """A MIDI file of one note, so many 480ths of a quarter note in."""
    events = bytes(encode_variable_int(ticks)) + b"\x90\x3c\x50" + b"\x60\x80\x3c\x00" + b"\x00\xff\x2f\x00"
    return struct.pack(">4sIHHH4sI", b"MThd", 6, 0, 1, 480, b"MTrk", len(events)) + events


CONTAINER = '<c><rootfile full-path="a.xml"/></c>'
ATTACKS = {
    "bomb.mxl": (lambda: packed(CONTAINER, a=b" " * (17 << 20)), "more than 12 MB"),
    "cut.mxl": (lambda: packed(CONTAINER, a=b"<score-partwise/>" * 99)[:-40], "no MusicXML"),
    "flipped.mxl": (lambda: b"PK" + packed(CONTAINER, a=b"<a/>" * 99)[2:36] + b"\xff" * 99, "no MusicXML"),
    "empty.mxl": (lambda: packed(CONTAINER), "no MusicXML"),
    "page.mxl": (lambda: b"<!DOCTYPE html><html>Sign in</html>", "<html>, needed is"),
    "page.mid": (lambda: b"<!DOCTYPE html><html>Sign in</html>", "no MIDI header"),
    "page.musicxml": (lambda: b"<!DOCTYPE html><html>Sign in</html>", "<html>, needed is"),
    "nothing.mid": (lambda: b"", "0 bytes, a melody has 1 to"),
    "late.mid": (lambda: midi_note_after(400_000 * 480), "100,001 measures, a melody has at most"),
    "huge.abc": (lambda: b"X:1\n" + b"%" * (5 << 20), "5,242,884 bytes"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_files_are_refused_whatever_is_asked(tmp_path, name):
    content, said = ATTACKS[name]
    (tmp_path / name).write_bytes(content())
    for options in ({"monophonic": True}, {"part": "1"}, {"quantize": True}):
        with pytest.raises(EditError, match=f"{name}.*{said}"):
            melody.read(tmp_path / name, music.Vocabulary(), **options)


def test_choosing_a_tune_needs_a_file_with_tunes(tmp_path):
    with pytest.raises(EditError, match="there is no file"):
        melody.read(tmp_path / "none.abc", music.Vocabulary(), tune="1")
    with pytest.raises(EditError, match="--tune is for ABC files"):
        melody.read(INPUTS / "15_pickup_as_1_4.mid", music.Vocabulary(), tune="1")
    (tmp_path / "latin.ABC").write_bytes((HEAD.replace("a tune", "\xe9t\xe9") + "CDEF|").encode("latin-1"))
    for tune in (None, "1", "\xe9t\xe9"):
        assert notes(melody.read(tmp_path / "latin.ABC", music.Vocabulary(), tune=tune).measures) == [
            60,
            62,
            64,
            65,
        ]


def test_transposed_there_and_back(tmp_path):
    path = abc(tmp_path, "C,,D,,E,,F,,|G,,A,,B,,C,|")
    read = melody.read(path, music.Vocabulary(), transpose=True)
    assert read.shift == 24 and notes(read.measures) == SCALE.tolist()
    assert notes(scores.read(read.save(tmp_path / "back.mid", read.measures))) == (SCALE - 24).tolist()
    assert "moved by +24 semitones" in read.adapted[0]


def test_the_highest_voice_is_kept_when_asked(tmp_path):
    read = melody.read(abc(tmp_path, "[CE][DF]GA|[EG]2 c2|"), music.Vocabulary(), monophonic=True)
    assert notes(read.measures) == [64, 65, 67, 69, 67, 72]


def test_onsets_are_moved_to_the_grid_when_asked(tmp_path):
    read = melody.read(abc(tmp_path, "C15/8D9/8E|FGAB|c4|"), music.Vocabulary(), quantize=True)
    assert notes(read.measures) == SCALE.tolist() and "1 of 8 onsets" in read.adapted[0]
    assert np.flatnonzero(read.measures[0] >= 0).tolist() == [0, 11, 18]


def test_one_part_of_several(tmp_path):
    from music21 import converter, stream

    lines = [converter.parse(f"tinyNotation: 4/4 {line}") for line in ("c4 d e f g1", "c'4 b a g c'1")]

    whole = stream.Score(lines)
    whole.parts[0].partName, whole.parts[1].partName = "Alto", "Soprano"
    path = tmp_path / "two.musicxml"
    whole.write("musicxml", path)
    with pytest.raises(EditError, match="2 parts.*--part N"):
        melody.read(path, music.Vocabulary())
    with pytest.raises(EditError, match=r"1 \(Alto\), 2 \(Soprano\)"):
        melody.read(path, music.Vocabulary(), part="Bass")
    for part in ("2", "soprano"):
        assert notes(melody.read(path, music.Vocabulary(), part=part).measures) == [72, 71, 69, 67, 72]
    path = tmp_path / "two.mid"
    whole.write("midi", path)
    with pytest.raises(EditError, match="keep one voice|--part N"):
        melody.read(path, music.Vocabulary())
    assert notes(melody.read(path, music.Vocabulary(), part="1").measures) == [60, 62, 64, 65, 67]


def test_one_tune_of_several(tmp_path):
    path = abc(tmp_path, "CDEF|", HEAD + "GGGG|\n\n" + HEAD.replace("X:1", "X:7"))
    with pytest.raises(EditError, match="2 tunes.*--tune N"):
        melody.read(path, music.Vocabulary())
    assert notes(melody.read(path, music.Vocabulary(), tune="7").measures) == [60, 62, 64, 65]
    with pytest.raises(EditError, match=r"no tunes 3, needed is one: of 1 \(a tune\), 7 \(a tune\)$"):
        melody.read(path, music.Vocabulary(), tune="3")


@pytest.mark.parametrize("path", sorted(INPUTS.glob("[0-9]*")), ids=lambda path: path.name)
def test_options_that_a_file_does_not_need_change_nothing(path):
    try:
        plain = melody.read(path, ANY_PITCH)
    except EditError:
        return
    for options in ({"part": "1"}, {"monophonic": True}, {"quantize": True}, {"transpose": True}):
        np.testing.assert_array_equal(melody.read(path, ANY_PITCH, **options).measures, plain.measures)


def test_only_remedies_that_work_and_were_not_given_are_named(tmp_path):
    both = abc(tmp_path, "[CE]5/8D11/8EF|")
    with pytest.raises(EditError, match="--monophonic .* and --quantize"):
        melody.read(both, ANY_PITCH)
    with pytest.raises(EditError, match="--quantize") as refused:
        melody.read(both, ANY_PITCH, monophonic=True)
    assert "--monophonic" not in str(refused.value)
    assert notes(melody.read(both, ANY_PITCH, monophonic=True, quantize=True).measures) == [64, 62, 64, 65]
    with pytest.raises(EditError) as refused:
        melody.read(INPUTS / "12a_part_gate95.mid", ANY_PITCH, part="Flute")
    assert "1 (Whistle), 2 (Bass)" in str(refused.value) and "--part" not in str(refused.value)


def test_what_has_no_pitch_and_several_staves_are_refused():
    with pytest.raises(EditError, match="no note with a pitch"):
        melody.read(INPUTS / "02_unpitched.musicxml", ANY_PITCH)
    with pytest.raises(EditError, match=r"2 parts.*1 \(Piano, staff 1\), 2 \(Piano, staff 2\)\. --part N"):
        melody.read(INPUTS / "01_two_staves.musicxml", ANY_PITCH)


def test_a_note_held_into_a_measure_that_was_not_edited_still_sounds_there(tmp_path):
    given = melody.read(INPUTS / "10_tie_after_edited_measure.abc", music.Vocabulary())
    edited = given.measures.copy()
    edited[2] = music.CONTINUE
    edited[2, ::6] = [60, 64, 67, 67]
    for name in ("out.mid", "out.musicxml"):
        again = notation.notes(scores.read(given.save(tmp_path / name, edited)))
        assert again[-2:] == [(79, 144, 168), (71, 168, 192)] and again[-3] == (67, 132, 144)
    assert notation.notes(given.written(given.measures))[-2] == (79, 132, 168)  # nothing edited: still tied


def test_a_transposing_instrument_is_written_as_it_came(tmp_path):
    given = melody.read(INPUTS / "21_clarinet_in_Bb.musicxml", music.Vocabulary())
    assert notes(given.measures) == [70, 72, 74, 75]
    text = given.save(tmp_path / "out.musicxml", given.measures).read_text()
    assert "<chromatic>-2</chromatic>" in text
    assert [text.split("<step>")[n][0] for n in (1, 2, 3, 4)] == list("CDEF")
    for name in ("out.mid", "out.musicxml"):
        assert notes(scores.read(given.save(tmp_path / name, given.measures))) == [70, 72, 74, 75]


def test_long_notes_that_were_played_are_written_without_rests(tmp_path):
    given = melody.read(INPUTS / "17_long_notes_gate95.mid", music.Vocabulary())
    assert "<rest" not in given.save(tmp_path / "out.musicxml", given.measures).read_text()


def keys_change(ending):
    """A tune of four measures, in C major and from the third in E major, as the bytes of a file."""
    tune = HEAD.replace("K:C", "K:C clef=bass") + "CDEF|GABc|\nK:E\nEFGA|B[K:E clef=treble]edc|\n"
    if ending == ".abc":
        return tune.encode()
    measures = scores.measures(abc_reader.read_tune(tune).parts[0])
    content = scores.render(ending, measures, key=keys.Key.of(0, "major"))
    if ending == ".mid":
        file = mido.MidiFile(file=io.BytesIO(content))
        file.tracks.append(mido.MidiTrack([mido.MetaMessage("key_signature", key="E", time=8 * 480)]))
        file.type, written = 1, io.BytesIO()
        file.save(file=written)
        return written.getvalue()
    sign = b"<attributes><key><fifths>4</fifths></key></attributes>"
    return content.replace(b'<measure number="3">', b'<measure number="3">' + sign)


@pytest.mark.parametrize("ending", [".abc", ".musicxml", ".mid"])
def test_a_key_that_changes_is_said(tmp_path, ending):
    path = tmp_path / f"tune{ending}"
    path.write_bytes(keys_change(ending))
    tune = melody.read(path, music.Vocabulary())
    note = "the key changes in measure 3; --in-key keeps to C major"
    assert str(tune.key) == "C major" and note in tune.in_key() and note in tune.in_key((1, 3))
    for said in (tune.in_key((1, 2)), melody.read(path, music.Vocabulary(), key="E").in_key()):
        assert "changes" not in said
    same = abc(tmp_path, "CDEF|[K:Am]GABc|", name="same.abc")
    assert "changes" not in melody.read(same, music.Vocabulary()).in_key()


def test_what_is_kept_is_said_as_it_is(tmp_path):
    """Of a tempo or key that changes the first; of incomplete bars that they become full ones."""
    head = HEAD.replace("K:C", "Q:1/4=90\nK:C")
    for body, said in (
        ("CDEF|GABc|", "title, tempo, key"),
        ("CDEF|[Q:1/4=120]GABc|", "title, tempo (the first), key"),
        ("CDEF|\nK:G\nGABc|", "title, tempo, key (the first)"),
        ("CDEF|[Q:1/4=90]GAB|", "title, tempo, key; incomplete bars are written as full ones: measure 2"),
    ):
        tune = melody.read(abc(tmp_path, body, head), music.Vocabulary())
        content, kept = tune.render(".musicxml", tune.measures)
        assert kept == said
    path = tmp_path / "tune.musicxml"
    path.write_bytes(content.replace(b"</part>", b'<measure><sound tempo="60"/></measure></part>'))
    tune = melody.read(path, music.Vocabulary())
    assert "tempo (the first)" in tune.render(".abc", tune.measures)[1]
    file = mido.MidiFile(file=io.BytesIO(tune.render(".mid", tune.measures)[0]))
    file.tracks[0].append(mido.MetaMessage("set_tempo", tempo=400_000))
    file.save(tmp_path / "tune.mid")
    tune = melody.read(tmp_path / "tune.mid", music.Vocabulary())
    assert "tempo (the first)" in tune.render(".abc", tune.measures)[1]
