"""Edited melodies back in their files: what was not edited stays as it is written; other formats."""

import io
import re
import zipfile
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mido import Message, MetaMessage, MidiFile, MidiTrack

from arvae.edit import melody
from arvae.edit.faults import EditError
from arvae.music import abc, files, grid, midi, notation, score, write_abc, write_musicxml
from arvae.music import coding as music
from arvae.music.beside import Beside, beside_of
from arvae.music.keys import Key
from tests.conftest import ROOT

INPUTS = ROOT / "tests" / "inputs" / "music"
KEPT = "all but the edited notes with their ornaments and slurs"
SONG = """X:1
T:A Song
C:Trad.
M:C
L:1/8
Q:1/4=90
K:G
% a comment
D2|"G"G2 A>B "D"(3cBA .G2|"C"{f}e4- "G"e2 d2|1 "D"^c2 z2 d4 :|2 d8||
w:The cat sat down on a ma-ny mats * and _ slept | a-way for good
G2 B2 d2 B2|[K:D]"D"f2 f2 a4- | a6|]
w:oh ye ma-ny mats of mi-ne now
"""


def read(folder, content, name="song.abc"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return melody.read(path, music.Vocabulary(0, 127))


def edited(tune, **rows):
    """Its measures with other ones: m1=[(tick, pitch), ...]."""
    new = tune.measures.copy()
    for name, notes in rows.items():
        row = new[int(name[1:])]
        row[:] = music.CONTINUE
        row[0] = music.REST
        for tick, pitch in notes:
            row[tick] = pitch
    return new


def test_abc_keeps_every_other_bar_and_line(tmp_path):
    tune = read(tmp_path, SONG)
    new = edited(tune, m1=[(0, 62), (6, 64), (12, 66), (18, 73)])
    content, kept = tune.render(".abc", new)
    assert content.decode() == SONG.replace(
        '"G"G2 A>B "D"(3cBA .G2', '"G"D2 E2 "D"F2 ^c2'
    ).replace(
        "w:The cat sat down on a ma-ny mats * and _ slept | a-way for good",
        "w: The | cat sat down on | mats * and | _ slept | a-",
    )  # fmt: skip
    assert kept == KEPT
    again = read(tmp_path, content)
    assert np.array_equal(again.measures, new) and again.key == tune.key and again.title == "A Song"
    assert tune.render(".abc", tune.measures)[0].decode() == SONG


@pytest.mark.parametrize(
    "bar, patched",
    [
        ("!segno!GABc!D.S.!|", "!segno!G4!D.S.!|"),
        ("+coda+.G(AB)c +fine+ |", "+coda+G4 +fine+ |"),
        ("S GABcO|", "S G4O|"),
        ("~SGABc|", "SG4|"),
        ("!trill!!segno!G !p!A{g}B!fermata!c) !D.C. al Fine!|", "!segno!G4 !D.C. al Fine!|"),
        ('"Am"!dacoda!(GABc "^Fine"|', '"Am"!dacoda!G4 "^Fine"|'),
        ("GA !coda!Bc|", "!coda!G4|"),  # where no note starts in its place: before the last
        ("!D.C.!\nGABc|", "!D.C.!\nG4|"),  # behind the bar line before, at the end of a line
    ],
)
def test_navigation_marks_of_an_edited_bar_stay(tmp_path, bar, patched):
    head = "X:1\nM:4/4\nL:1/4\nK:C\nCDEF|"
    tune = read(tmp_path, f"{head}{bar}cBAG|\n")
    content, kept = tune.render(".abc", edited(tune, m1=[(0, 67)]))
    assert content.decode() == f"{head}{patched}cBAG|\n" and kept == KEPT


def test_a_navigation_mark_within_an_edited_bar_keeps_its_time(tmp_path):
    tune = read(tmp_path, "X:1\nM:4/4\nL:1/4\nK:C\nCD !coda!EF|GABc|\n")
    text = tune.render(".abc", edited(tune, m0=[(0, 67), (12, 69), (18, 71)]))[0].decode()
    assert "\nG2 !coda!A B|GABc|" in text


def test_a_pick_up_that_gets_more_notes_becomes_a_bar(tmp_path):
    tune = read(tmp_path, SONG)
    text = tune.render(".abc", edited(tune, m0=[(18, 67)]))[0].decode()
    assert "\nG2|" in text  # as short as before
    text = tune.render(".abc", edited(tune, m0=[(12, 67), (18, 69)]))[0].decode()
    assert '\nz4 G2 A2|"G"G2' in text


def test_ties_into_and_out_of_edited_bars(tmp_path):
    tune = read(tmp_path, "X:1\nM:4/4\nL:1/4\nK:C\nCDEF-|F2 G2|A2 B2-|B4|\n")
    text = tune.render(".abc", edited(tune, m1=[(0, 67)]))[0].decode()
    assert "CDEF|G4|A2 B2-|B4|" in text
    held = tune.measures.copy()
    held[1, 1:] = music.CONTINUE  # F is held for the whole of the second bar
    text = tune.render(".abc", held)[0].decode()
    assert "CDEF-|F4|A2 B2-|B4|" in text
    cut = edited(tune, m2=[(0, 69)])
    text = tune.render(".abc", cut)[0].decode()  # B is no longer held into the last bar: it starts there
    assert "|A4|B4|" in text


def test_an_accidental_that_came_by_a_tie_is_written_where_the_tie_ends(tmp_path):
    tune = read(tmp_path, "X:1\nT:t\nM:4/4\nL:1/4\nK:C\nCDE^F-|F2 G2|\n")
    content, _ = tune.render(".abc", edited(tune, m0=[(0, 60)]))
    assert "C4|^F2 G2|" in content.decode()


def test_what_cannot_stay_is_written_anew_and_that_is_said(tmp_path):
    tune = melody.read(INPUTS / "15_pickup_as_1_4.mid", music.Vocabulary())
    new = edited(tune, m0=[(0, 60)])  # before the file's first tick
    content, kept = tune.render(".mid", new)
    assert kept.startswith("tempo: what else is in the file cannot be kept")
    assert np.array_equal(grid.measures(midi.read(content).parts[0]), tune.written(new))
    song = read(tmp_path, SONG.replace("=90", "=92.5").replace("d2 B2|[K:D]", "[K:D]d2 B2|"))
    content, kept = song.render(".abc", edited(song, m5=[(0, 67)]))
    assert "changes its key" in kept and "\nQ:1/4=92.5\n" in content.decode()


@pytest.fixture(scope="module")
def pool():
    generator = np.random.default_rng(3)
    rows = np.full((60, 24), music.CONTINUE, np.int16)
    for row in rows:
        ticks = np.sort(generator.permutation(24)[: generator.integers(1, 9)])
        row[ticks] = generator.integers(55, 85, len(ticks))
        row[0] = row[0] if row[0] >= 0 else music.REST
    return rows


@pytest.mark.parametrize(
    "name", ["03_options_before_wish.abc", "10_tie_after_edited_measure.abc", "14_pickup_and_endings.abc",
             "18b_third_ending.abc", "07_key_with_accidentals.abc", "23_repeat_counts.abc",
             "21_clarinet_in_Bb.musicxml", "19_triplet_rounded.musicxml",
             "16_overlapping_repeated_note.mid"],
)  # fmt: skip
def test_whatever_is_edited_is_read_again(name, pool):
    tune = melody.read(INPUTS / name, music.Vocabulary(0, 127))
    ending, whole = "." + name.split(".")[1], 0
    for number in range(len(tune.measures)):
        new = tune.measures.copy()
        new[number] = pool[number]
        wanted = tune.written(new)
        content, kept = tune.render(ending, new)
        again = files.read_score(content, ending)
        assert notation.notes(grid.measures(again.parts[0])) == notation.notes(wanted)
        whole += kept == KEPT
    assert whole >= 0.7 * len(tune.measures)


XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" "http://x/partwise.dtd">
<score-partwise><work><work-title>A Song</work-title></work>
<part-list><score-part id="P1"><part-name>Voice</part-name></score-part>
<score-part id="P2"><part-name>Bass</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>2</divisions><key><fifths>-3</fifths></key>
<time><beats>4</beats><beat-type>4</beat-type></time></attributes>
<harmony><root><root-step>C</root-step></root><kind>minor</kind></harmony>
<note><pitch><step>C</step><octave>5</octave></pitch><duration>4</duration><lyric><text>Oh</text></lyric></note>
<harmony><root><root-step>G</root-step></root><kind>major</kind></harmony>
<note><pitch><step>G</step><octave>4</octave></pitch><duration>4</duration><lyric><text>yes</text></lyric></note>
</measure><measure number="2"><barline location="left"><repeat direction="forward"/></barline>
<note><pitch><step>E</step><alter>-1</alter><octave>5</octave></pitch><duration>8</duration>
<type>whole</type><notations><fermata/></notations></note>
<barline location="right"><repeat direction="backward"/></barline></measure></part>
<part id="P2"><measure number="1">
<note><pitch><step>C</step><octave>3</octave></pitch><duration>4</duration></note>
</measure><measure number="2"/></part></score-partwise>
"""


def test_what_no_reader_looked_at_may_be_wrong(tmp_path):
    """A triplet makes the file's divisions finer, and every offset with them: this one is no number."""
    harmony = "<harmony><root><root-step>C</root-step></root><kind>major</kind><offset>x</offset></harmony>"
    (tmp_path / "song.musicxml").write_text(XML.replace("<note>", f"{harmony}<note>", 1))
    tune = melody.read(tmp_path / "song.musicxml", music.Vocabulary(0, 127), part="Voice")
    content, kept = tune.render(".musicxml", edited(tune, m0=[(0, 60), (2, 63), (4, 68), (6, 66), (18, 67)]))
    assert "cannot be kept ('x' is no number)" in kept and files.musicxml._root(content) is not None


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("CDEF|GABc|\n% verse\nw: a b c d e f g h", 0),  # the verse is not below its notes
        ("CDEF|z4|GABc|\nw: a b c d|e f g h", 1),  # nothing is sung in a rest
        ("CDEF|GA\nw: a b c d|e f\nBc|dcBA|\nw: g h|i j k l", 1),  # a bar on two lines
    ],
)
def test_syllables_of_other_measures_stay_where_they_are(tmp_path, body, place):
    """Where the lines of lyrics cannot be put back into their file, the tune is written anew, with them."""
    (tmp_path / "song.abc").write_text(f"X:1\nM:4/4\nL:1/4\nK:C\n{body}\n")
    tune = melody.read(tmp_path / "song.abc", music.Vocabulary(0, 127))
    new = edited(tune, **{f"m{place}": [(0, 60), (3, 62), (6, 64), (9, 65), (12, 67), (15, 69), (18, 71)]})
    content, kept = tune.render(".abc", new)
    assert kept.endswith("cannot be kept (syllables of other measures would move)")
    before = beside_of(tune.source.score.parts[0])
    after = beside_of(files.read_score(content, ".abc").parts[0])
    others = [m for m in range(len(new)) if m != place and m in before]
    assert [after[m].lyrics for m in others] == [before[m].lyrics for m in others]


def test_musicxml_keeps_everything_but_the_notes(tmp_path):
    (tmp_path / "song.musicxml").write_text(XML)
    tune = melody.read(tmp_path / "song.musicxml", music.Vocabulary(0, 127), part="Voice")
    content, kept = tune.render(".musicxml", edited(tune, m0=[(0, 60), (2, 63), (4, 68), (6, 66), (18, 67)]))
    text = content.decode()
    assert kept == KEPT and "MusicXML 3.1" in text and "<fermata />" in text
    assert text.count("<harmony>") == 2 and text.count('direction="backward"') == 1 and "Bass" in text
    root = files.musicxml._root(content)
    first = root.find("part/measure")
    order = [node.findtext("pitch/step") or node.findtext("root/root-step") for node in first][1:]
    assert order == ["C", "C", "E", "A", "G", "G", "G"]  # chord, three of a triplet, G flat, chord, G
    assert [node.findtext("offset") for node in first.findall("harmony")] == [None, "6"]
    assert [node.findtext("lyric/text") for node in first.findall("note")] == ["Oh", "yes", None, None, None]
    assert [node.findtext("accidental") for node in first.findall("note")] == [
        None,
        None,
        None,
        "flat",
        "natural",
    ]
    assert root.findtext("part/measure/attributes/divisions") == "6"  # so that triplets are whole numbers
    assert root.find("part/measure[2]/note").findtext("duration") == "24"
    assert root.find("part[2]/measure/note").findtext("duration") == "4"


@pytest.mark.parametrize("ending", [".mxl", ".musicxml"])
@pytest.mark.parametrize("source", [".mxl", ".musicxml"])
def test_compressed_musicxml_is_read_and_written(tmp_path, source, ending):
    content = write_musicxml.packed(XML.encode(), source)
    (tmp_path / f"song{source}").write_bytes(content)
    tune = melody.read(tmp_path / f"song{source}", music.Vocabulary(0, 127), part="Voice")
    new = edited(tune, m0=[(0, 60), (12, 62)])
    content, kept = tune.render(ending.upper(), new)
    assert kept == KEPT and content == tune.render(ending, new)[0]
    if ending == ".mxl":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None and archive.namelist()[0] == "META-INF/container.xml"
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            path = files.musicxml._parse(archive.read("META-INF/container.xml")).find("*/rootfile")
            content = archive.read(path.get("full-path"))
    text = content.decode()
    assert "DTD MusicXML 3.1" in text and "<fermata />" in text and "Bass" in text
    again = files.choose(files.read_score(content, ".musicxml"), "Voice")
    assert np.array_equal(grid.measures(again), tune.written(new))


def test_midi_keeps_tempo_key_and_the_other_notes_to_the_tick(tmp_path):
    track = MidiTrack([MetaMessage("track_name", name="Song"), MetaMessage("set_tempo", tempo=700_000)])
    track += [MetaMessage("key_signature", key="D"), Message("program_change", program=73)]
    for number in range(8):  # played: a little late, each with a loudness of its own
        track.append(Message("note_on", note=62 + number, velocity=60 + number, time=9))
        track.append(Message("note_off", note=62 + number, time=471))
    MidiFile(tracks=[track], ticks_per_beat=480).save(tmp_path / "song.mid")
    tune = melody.read(tmp_path / "song.mid", music.Vocabulary(0, 127))
    assert str(tune.key) == "D major" and len(tune.measures) == 2
    content, kept = tune.render(".mid", edited(tune, m1=[(0, 74), (12, 69)]))
    (tmp_path / "out.mid").write_bytes(content)
    out = MidiFile(tmp_path / "out.mid")
    assert kept == KEPT
    now, heard = 0, []
    for message in out.tracks[0]:
        now += message.time
        if message.type == "note_on":
            heard.append((now, message.note, message.velocity))
    assert heard[:4] == [(9 + 480 * n, 62 + n, 60 + n) for n in range(4)]
    assert [one[:2] for one in heard[4:]] == [(4 * 480, 74), (6 * 480, 69)]
    kinds = [message.type for message in out.tracks[0]]
    assert {"set_tempo", "key_signature", "program_change", "track_name"} <= set(kinds)


# ------------------------------------------------------------------ from one format to another


@pytest.mark.parametrize("tempo", ["90", "92.5"])
@pytest.mark.parametrize("ending", [".musicxml", ".abc", ".mid"])
def test_title_composer_tempo_and_key_go_to_other_formats(tmp_path, ending, tempo):
    tune = read(tmp_path, SONG.replace("K:G", "K:Edor").replace("=90", f"={tempo}"))
    other = next(end for end in (".musicxml", ".mid") if end != ending)
    through = read(tmp_path, tune.render(other, tune.measures)[0], f"through{other}")
    content, kept = through.render(ending, through.measures)
    again = files.read_score(content, ending)
    assert "tempo, key" in kept or ending == other
    assert "chord symbols" in kept or ending == other
    assert (again.title, round(again.tempo, 3)) == ("A Song", float(tempo))
    said = {".abc": f"Q:1/4={tempo}\n", ".musicxml": f'<sound tempo="{tempo}" />', ".mid": ""}
    assert said[ending].encode() in content
    assert again.parts[0].key.fifths == 2 and np.array_equal(grid.measures(again.parts[0]), tune.measures)
    if ".mid" not in (ending, other):
        assert again.composer == "Trad." and str(again.parts[0].key) == "E dorian"


def test_chord_symbols_repeats_and_endings_go_from_abc_to_musicxml_and_back(tmp_path):
    tune = read(tmp_path, SONG.replace('"D"^c2 z2', '"Bbm7/F"^c2 "^slow"z2'))
    content, kept = tune.render(".musicxml", edited(tune, m2=[(0, 67)]))
    full = "incomplete bars are written as full ones: measures 1, 8"
    assert kept.endswith(f"key (the first), chord symbols, lyrics, repeats; {full}")
    xml = files.read_score(content, ".musicxml").parts[0]
    part = tune.source.score.parts[0]
    pick_up = Fraction(3)  # it is a whole measure now
    assert xml.signs.chords == tuple((time + pick_up, name) for time, name in part.signs.chords)
    assert dict(xml.signs.chords)[Fraction(12)] == "Bbm7/F" and xml.played == (
        0,
        1,
        2,
        3,
        0,
        1,
        2,
        4,
        5,
        6,
        7,
    )
    (tmp_path / "song.musicxml").write_bytes(content)
    again = melody.read(tmp_path / "song.musicxml", music.Vocabulary(0, 127))
    text = again.render(".abc", again.measures)[0].decode()
    assert "|[1 " in text and ":|[2" in text and abc.read(text)[0].parts[0].signs == xml.signs
    assert abc.read("X:1\nM:4/4\nL:1/4\nK:C\n|: CDEF ::GABc :|\n")[0].parts[0].signs == score.Signs(
        (), frozenset({0, 1}), frozenset({0, 1})
    )
    odd = XML.replace("<root-step>G</root-step>", "").encode()  # a chord symbol that cannot be read
    assert [name for _, name in files.read_score(odd, ".xml").parts[0].signs.chords][0] == "Cm"


def test_only_what_a_file_holds_is_said_to_be_kept(tmp_path):
    bare = read(tmp_path, "X:1\nM:4/4\nL:1/4\nK:none\nCDEF|GABc|\n")
    assert [bare.render(ending, bare.measures)[1] for ending in (".musicxml", ".mid", ".wav")] == [""] * 3
    content = bare.render(".mid", bare.measures)[0]
    assert b"\xff\x59" in content  # the key that was estimated is written
    through = read(tmp_path, content.replace(b"\xff\x59\x02", b"\xff\x7f\x02"), "through.mid")
    assert through.render(".musicxml", through.measures)[1] == "title, tempo"
    song = read(tmp_path, SONG)
    full = "; incomplete bars are written as full ones: measures 1, 8"
    kept = "lyrics, chord symbols, title, tempo, key (the first)"
    assert song.render(".mid", song.measures)[1] == kept + full
    assert song.render(".mid", song.measures, 120)[1] == kept.replace(" tempo,", "") + full
    assert song.render(".wav", song.measures)[1] == "tempo" and not song.render(".wav", song.measures, 99)[1]


FOUR = "G2 AB d2 BA"
BRACKETS = [
    # the tune, in measures A; the bars, from 0, in which an ending starts and stops
    ("A|1 A:|2 A||A|A|A|A|]", [(1, 1), (2, 2)]),
    ("A|1 A:|[2 A|]\nP:B\nA|A|]", [(1, 1), (2, 2)]),
    ("A|1 A|A:|2 A|A||A|A|]", [(1, 2), (3, 4)]),
    ("|:A|1 A:|2 A|:A|1 A:|2 A|A:|", [(1, 1), (2, 2), (4, 4), (5, 6)]),
    ("A|1 A:|2 A|A|]", [(1, 1), (2, 3)]),
    ("A|1 A:|2 G6||Bc|A|A2 G4|]", [(1, 1), (2, 2)]),  # stops within the measure that a pick-up fills
]


@pytest.mark.parametrize(("body", "expected"), BRACKETS)
def test_the_bracket_of_an_ending_stops_where_it_does_in_the_tune(tmp_path, body, expected):
    bars = body.replace("A|", f"{FOUR}|").replace("A:|", f"{FOUR}:|")
    tune = read(tmp_path, f"X:1\nT:t\nM:4/4\nL:1/8\nK:G\n{bars}\n")
    xml = tune.render(".musicxml", tune.measures)[0]
    again = read(tmp_path, xml, "song.musicxml")
    back = read(tmp_path, again.render(".abc", again.measures)[0], "back.abc")
    for one in (again, back):
        signs = one.source.score.parts[0].signs
        assert list(zip(dict(signs.endings), sorted(signs.stops), strict=True)) == expected
        assert np.array_equal(one.measures, tune.measures)
    found = []
    for place, measure in enumerate(files.musicxml._root(xml).iter("measure")):
        found += [(node.get("type"), place) for node in measure.iter("ending")]
    assert found == [one for start, stop in expected for one in (("start", start), ("stop", stop))]


WORDS = """X:1
M:4/4
L:1/8
K:G
"G"G2 A2- A2 "D"c2|"C"e4- e2 d2|"D"^c2 z2 d4|1 "D"f2 f2 a4:|2 a6 z2|]
w:The cat _ sat | down~by _ on | mats _ | ma-ny | mi- *
w:2.~A dog * lay | up- * on | two mats
"""


def test_lyrics_go_from_abc_to_musicxml_and_back(tmp_path):
    tune = read(tmp_path, WORDS)
    sung = tune.source.score.parts[0].signs.lyrics
    assert [text for _, verse, text in sung if verse == 1] == [
        "The", "cat", "sat", "down by", "on", "mats_", "ma-", "ny", "mi-"
    ]  # fmt: skip
    assert [text for _, verse, text in sung if verse == 2] == [
        "2. A",
        "dog",
        "lay",
        "up-",
        "on",
        "two",
        "mats",
    ]
    xml = tune.render(".musicxml", tune.measures)[0]
    found = files.read_score(xml, ".musicxml").parts[0]
    assert found.signs.lyrics == sung and found.signs == tune.source.score.parts[0].signs
    words = [
        (node.findtext("text"), node.findtext("syllabic")) for node in files.musicxml._root(xml).iter("lyric")
    ]
    assert ("ma", "begin") in words and ("ny", "end") in words and ("The", "single") in words
    (tmp_path / "song.musicxml").write_bytes(xml)
    again = melody.read(tmp_path / "song.musicxml", music.Vocabulary(0, 127))
    text = again.render(".abc", again.measures)[0].decode()
    assert abc.read(text)[0].parts[0].signs == found.signs
    assert "w: The cat sat | down~by on | mats _ | ma- ny *\n" in text


def test_lyrics_and_chord_symbols_go_through_midi(tmp_path):
    tune = read(tmp_path, WORDS)
    content, kept = tune.render(".mid", tune.measures)
    assert kept == "lyrics, chord symbols, key"  # it has no title and no tempo
    (tmp_path / "song.mid").write_bytes(content)
    file = MidiFile(tmp_path / "song.mid")
    first, second = ([message.text for message in track if message.type == "lyrics"] for track in file.tracks)
    assert first == ["The ", "cat ", "sat ", "down by ", "on ", "mats ", "ma", "ny ", "mi"]  # RP-017
    assert second[:2] == ["2. A ", "dog "] and file.tracks[1].name == "Verse 2"
    symbols = [message.text for message in file.tracks[0] if message.type == "marker"]
    assert symbols == ["G", "D", "C", "D", "D"]
    again = melody.read(tmp_path / "song.mid", music.Vocabulary(0, 127))
    whole, own = again.source.score.parts[0].signs, tune.source.score.parts[0].signs
    # held over a rest, not held over the next note, going on behind the last syllable: MIDI has no sign
    unsaid = {"mats_": "mats", "ny": "ny_", "mi-": "mi"}
    sung = [(time, verse, unsaid.get(text, text)) for time, verse, text in own.lyrics]
    assert whole.chords == own.chords and list(whole.lyrics) == sung
    back = abc.read(again.render(".abc", again.measures)[0].decode())[0].parts[0].signs
    assert back.chords == own.chords and back.lyrics == whole.lyrics
    # edited: put back into the file, every event stays; written anew, syllables go to the notes there are
    new = edited(tune, m0=[(0, 60), (3, 62), (12, 64)])
    (tmp_path / "new.mid").write_bytes(again.render(".mid", new)[0])
    events = [message for message in MidiFile(tmp_path / "new.mid").tracks[0] if message.is_meta]
    assert [m.text for m in events if m.type in ("lyrics", "marker")][:4] == ["G", "The ", "cat ", "D"]
    anew = midi.read(tune.render(".mid", new)[0]).parts[0].signs.lyrics
    assert [(time, text) for time, verse, text in anew if verse == 1][:3] == [
        (0, "The"), (Fraction(1, 2), "cat"), (2, "sat")
    ]  # fmt: skip


def test_what_players_write_beside_the_notes_of_midi_is_read():
    """Words as karaoke files, notation programs and standards have them; chords, not rehearsal letters."""
    import io

    def signs(*events, own=True, texts=("C", "Am7/G")):
        notes = MidiTrack([MetaMessage("marker", text=text) for text in texts])
        words = notes if own else MidiTrack()
        for number, word in enumerate(events):
            words.append(MetaMessage("lyrics", text=word, time=0 if own else 480 * bool(number)))
            if own:
                notes += [
                    Message("note_on", note=60 + number),
                    Message("note_off", note=60 + number, time=480),
                ]
        if not own:
            for number in range(len(events)):
                notes += [
                    Message("note_on", note=60 + number),
                    Message("note_off", note=60 + number, time=480),
                ]
        file = io.BytesIO()
        MidiFile(tracks=[notes] if own else [notes, words]).save(file=file)
        return midi.read(file.getvalue()).parts[0].signs

    sung = [(Fraction(n), 1, text) for n, text in enumerate(["Oh", "ma-", "ny", "mats"])]
    for own in (True, False):
        assert signs("Oh ", "ma", "ny ", "mats ", own=own).lyrics == tuple(sung)
        assert signs("Oh", "ma-", "ny", "mats", own=own).lyrics == tuple(sung)
        assert signs("Oh ", "ma", "ny\r", "mats", own=own).lyrics == tuple(sung)
        assert signs("\\Oh ", "ma", "ny", "/mats ", own=own).lyrics == tuple(sung)
        assert signs("{@LATIN}", "\x01", "Oh ", "a\x01b ", own=own).lyrics[-1] == (3, 1, "a b")
    assert signs("Oh ", "", "", "no ").lyrics == ((0, 1, "Oh_"), (3, 1, "no"))
    assert signs("a ").chords == ((0, "Am7/G"), (0, "C"))
    for other in ((), ("A", "B"), ("Intro", "Fine", "Coda", "D.C.")):
        assert signs("a ", texts=other).chords == ()


def test_chord_symbols_of_a_transposing_instrument_do_not_go_to_midi():
    found = melody.read(INPUTS / "21_clarinet_in_Bb.musicxml", music.Vocabulary(0, 127))
    chord = {0: Beside(chords=[(0, "Am")], lyrics=[(0, 1, "la")])}
    content = files.render(".mid", found.measures[:1], transpose=found.transpose, signs=chord)
    assert found.transpose == -2 and midi.read(content).parts[0].signs.chords == ()


def test_notes_that_are_edited_take_the_syllables_of_their_measure_in_order(tmp_path):
    tune = read(tmp_path, WORDS)
    fewer, more = edited(tune, m0=[(0, 60), (3, 62)]), edited(tune, m0=[(6 * n, 60 + n) for n in range(4)])
    for new, sung in ((fewer, ["The", "cat"]), (more, ["The", "cat", "sat"])):
        lyrics = files.read_score(tune.render(".musicxml", new)[0], ".musicxml").parts[0].signs.lyrics
        own = [text for time, verse, text in lyrics if verse == 1 and time < 4]
        assert own == sung and [text for time, verse, text in lyrics if verse == 1 and time >= 4][:2] == [
            "down by",
            "on",
        ]


@pytest.mark.parametrize("sign", ["!D.C.!", '"^D.S. al Coda"', "!dacapo!", '"Fine"'])
def test_jumps_are_said_not_to_be_followed(tmp_path, sign):
    tune = read(tmp_path, f"X:1\nM:4/4\nL:1/4\nK:C\nCDEF|GABc{sign}|\n")
    assert (melody.JUMPS in tune.adapted) == (sign != '"Fine"') and not tune.source.score.parts[
        0
    ].signs.chords
    (tmp_path / "song.musicxml").write_text(
        XML.replace("<harmony>", f"<direction><words>{sign}</words></direction><harmony>")
    )
    found = melody.read(tmp_path / "song.musicxml", music.Vocabulary(0, 127), part="Voice")
    assert (melody.JUMPS in found.adapted) == (sign != '"Fine"')


def test_accidentals_are_spelled_by_the_key():
    measures = np.full((1, 24), music.CONTINUE, np.int16)
    measures[0, ::6] = 66, 70, 66, 73
    assert "F ^A F ^c" not in write_abc.to_abc(measures, key=Key.of(1, "major"))
    assert "F2 _B2 F2 ^c2 |]" in write_abc.to_abc(measures, key=Key.of(1, "major"))
    assert "G2 B2 G2 d2 |]" in write_abc.to_abc(measures, key=Key.of(-5, "major"))
    text = write_musicxml.to_musicxml(measures, key=Key.of(1, "major"))
    assert re.findall(r"<accidental>(\w+)<", text) == ["flat", "sharp"] and "<fifths>1</fifths>" in text


SYMBOLS = st.sampled_from([music.CONTINUE] * 8 + [music.REST]) | st.integers(48, 96)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(SYMBOLS, min_size=24, max_size=24), min_size=1, max_size=3), st.integers(-7, 7))
def test_measures_to_abc_and_back_sound_the_same(rows, fifths):
    measures = np.array(rows, np.int16)
    again = (
        files.choose(abc.read(write_abc.to_abc(measures, key=Key.of(fifths)))[0])
        if (measures >= 0).any()
        else None
    )
    if again is not None:
        assert notation.notes(grid.measures(again)) == notation.notes(measures)


@pytest.mark.parametrize(
    ("key", "written"), [("G", "G"), ("Em", "Em"), ("D mix", "D mix"), ("Bb", "Bb"), ("D phr ^f", "D phr ^f")]
)
def test_keys_are_written_as_they_are_read(key, written):
    assert write_abc.key_field(abc.read_key(key)) == written and abc.read_key(written) == abc.read_key(key)
    assert write_abc.key_field(Key.of(-2)) == "Bb"


def test_a_bar_is_written_in_its_own_unit():
    measure = np.full((1, 24), music.CONTINUE, np.int16)
    measure[0, [0, 9, 12, 14, 18]] = 60, 62, 64, 65, 67
    (glyphs,) = notation.notate(measure)
    words = [(0, '"C"'), (30, '"F"')]
    for unit, text in ((1, '"C"C3/2D/2 (3:2:2E/2F "F"G'), (Fraction(1, 2), '"C"C3D (3:2:2EF2 "F"G2')):
        written = write_abc.bar_text(glyphs, write_musicxml.PLAIN_KEY, Fraction(unit), words)
        assert written == text


def test_other_endings_are_refused(tmp_path):
    tune = read(tmp_path, SONG)
    with pytest.raises(EditError, match="written as .*.abc, .wav, .mp3, not .pdf"):
        tune.save(tmp_path / "out.pdf", tune.measures)


@pytest.mark.parametrize("ending", [".abc", ".musicxml", ".mid"])
def test_another_tempo_is_put_into_the_file_as_it_is(tmp_path, ending):
    """Also where there is none; later tempi change in proportion, all else stays."""
    for first, later in (("Q:1/4=90\n", "[Q:1/8=90]"), ("Q:1/4=90\n", ""), ("", "")):
        text = f"X:1\nT:a tune\nM:4/4\nL:1/4\n{first}K:C\n~C(DEF)|{later}G{{A}}ABc|\n"
        expected = text.replace("Q:1/4=90", "Q:1/4=150").replace("Q:1/8=90", "Q:1/8=150")
        tune = read(tmp_path, text)
        if ending == ".abc":
            text = text if first else text.replace("K:C", "Q:1/4=150\nK:C")
            content, kept = tune.render(ending, tune.measures, 150)
            assert content.decode() == (expected if first else text)
        else:
            marked = tune.render(ending, tune.measures)[0]
            if ending == ".mid":
                file = MidiFile(file=io.BytesIO(marked))
                file.tracks[0] = MidiTrack(m for m in file.tracks[0] if first or m.type != "set_tempo")
                file.tracks[0].insert(0, Message("program_change", program=40))
                if later:
                    file.tracks[0].insert(9, MetaMessage("set_tempo", tempo=1_000_000))
                file.save(tmp_path / "tune.mid")
            else:
                marked = marked.replace(b"</note>", b"<notations><fermata/></notations></note>", 1)
                sound = b'<sound tempo="60"/>' if later else b""
                whole = marked.replace(b"</measure>", sound + b"</measure>", 1)
                (tmp_path / "tune.musicxml").write_bytes(whole)
            tune = melody.read(tmp_path / f"tune{ending}", music.Vocabulary())
            content, kept = tune.render(ending, tune.measures, 150)
            if ending == ".mid":
                again = MidiFile(file=io.BytesIO(content))
                tempi = [m.tempo for m in again.tracks[0] if m.type == "set_tempo"]
                before = [m.tempo for m in file.tracks[0] if m.type == "set_tempo"]
                assert tempi == [round(one * 90 / 150) for one in before] or tempi == [400_000]
                assert [m.program for m in again.tracks[0] if m.type == "program_change"] == [40]
            else:
                assert b"<fermata" in content and content.count(b"tempo=") == 1 + bool(later)
                assert (b'tempo="100"' in content) == bool(later)
                assert (b"<per-minute>150<" in content) == bool(first)
        assert files.read_score(content, ending).tempo == pytest.approx(150, abs=0.01)
        assert kept == "all but the tempo and the edited notes with their ornaments and slurs"
