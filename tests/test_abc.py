"""ABC as it is written in the wild: the standard's signs, real collections against other readers, damage."""

import csv
import hashlib
import random
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arvae.datasets import folk
from arvae.music import abc, abc_text, files, grid, score
from arvae.music.coding import CONTINUE as HOLD
from arvae.music.coding import REST
from arvae.music.score import TuneError
from tests.conftest import ROOT

INPUTS = ROOT / "tests" / "inputs" / "music"
READERS = ROOT / "tests" / "golden" / "abc_readers.csv"  # docs/reading.md says how it was made


def tune(body, metre="4/4", key="C", unit="1/8"):
    return f"X:1\nT:A tune\nM:{metre}\nL:{unit}\nK:{key}\n{body}\n"


def read(text, **options):
    """The measures of a tune, each as tick -> symbol without the ticks that only continue."""
    measures = grid.measures(files.choose(abc.read_tune(text)), **options)
    return [{tick: int(s) for tick, s in enumerate(row) if s != HOLD} for row in measures]


def notes(body, **header):
    """[(start in quarter notes, pitch)] of a body."""
    (part,) = abc.read_tune(tune(body, **header)).parts
    return [(float(note.start), note.pitch) for note in part.notes]


def pitches(body, **header):
    return [pitch for _, pitch in notes(body, **header)]


# ------------------------------------------------------------------ the small inputs: what is right

RIGHT = {  # onsets in quarter notes and pitches
    "04a_accent.abc": [(0, 60), (1, 62), (2, 64), (3, 65)],
    "04b_marcato.abc": [(0, 65)],
    "05a_fermata_H.abc": [(0, 60), (1, 62), (2, 64), (3, 65), (4, 67), (5, 65), (6, 64)],
    "05b_x_rest.abc": [(0, 60), (2, 64), (3, 65)],
    "06_note_before_double_repeat.abc": [
        *[(0, 74), (1, 71), (2, 67), (3, 66), (3.5, 69), (4, 71), (5, 72), (6, 74), (7, 76), (8, 74)]
    ],
    "07_key_with_accidentals.abc": [
        *[(0, 62), (1, 63), (2, 66), (3, 67), (4, 69), (5, 70), (6, 72), (7, 74)]
    ],
    "08_tied_accidental.abc": [(0, 60), (1, 62), (2, 64), (3, 66), (5, 67)],
    "14_pickup_and_endings.abc": [
        *[(3.5, 67), (4, 60), (5, 62), (6, 64), (7, 66), (7.5, 67), (8, 60), (9, 62), (10, 64), (11, 66)],
        *[(12, 60), (13, 62), (14, 64)],
    ],
    "18a_inline_part.abc": [
        *[(0, 67), (1, 69), (2, 71), (3, 72), (4, 74), (5, 72), (6, 71), (7, 69), (8, 67)]
    ],
    "18b_third_ending.abc": [
        *[(0, 67), (1, 71), (2, 69), (3, 72), (4, 74), (5, 72), (6, 71), (7, 69), (8, 67), (10, 67)]
    ],
    "18c_text_after_tune.abc": [(0, 60), (1, 62), (2, 64), (3, 65), (4, 67)],
    "18e_file_header.abc": [
        *[(0, 74), (1, 78), (1.5, 74), (2, 69), (2.5, 74), (3, 78), (3.5, 74), (4, 76), (6, 74)]
    ],
}
TWELFTHS = (0, 3, 4, 6, 8, 9)


def onsets(measures):
    return [
        (4 * row + tick // 6 + TWELFTHS[tick % 6] / 12, int(measures[row, tick]))
        for row, tick in np.argwhere(measures >= 0)
    ]


@pytest.mark.parametrize("name", RIGHT)
def test_inputs_that_were_read_wrong(name):
    for options in ({}, {"monophonic": True}, {"quantize": True}):
        (found,) = abc.read(abc_text.decode((INPUTS / name).read_bytes()))
        assert onsets(grid.measures(found.parts[0], **options))[: len(RIGHT[name])] == RIGHT[name]


def test_chords_and_overlays_need_one_voice():
    for name, line in (
        ("13_two_bars_monophonic.abc", [(0, 64), (2, 62), (4, 60)]),
        ("18d_overlay.abc", [(0, 67), (4, 67), (8, 69)]),
    ):
        (found,) = abc.read((INPUTS / name).read_text())
        with pytest.raises(TuneError, match="one voice"):
            grid.measures(found.parts[0])
        assert onsets(grid.measures(found.parts[0], monophonic=True)) == line


# ------------------------------------------------------------------ notes, lengths, accidentals


def test_notes_keys_and_lengths():
    assert read(tune("FGAB cdef|^F2 F2 =F2 _B,2|", key="G")) == [
        {0: 66, 3: 67, 6: 69, 9: 71, 12: 72, 15: 74, 18: 76, 21: 78},
        {0: 66, 6: 66, 12: 65, 18: 58},  # an accidental holds to the bar's end
    ]
    assert notes("C/ D/2 E// F3/2 G3/ A'2 B,, c,", unit="1/4") == [
        *[(0, 60), (0.5, 62), (1, 64), (1.25, 65), (2.75, 67), (4.25, 81), (6.25, 47), (7.25, 60)]
    ]


def test_rhythms_ties_tuplets_and_ornaments():
    assert read(tune('G>A {b}B<c "Am"(3def z2-|"^slow"!trill!g4- g2 [K:D] f2|')) == [
        {0: 67, 5: 69, 6: 71, 7: 72, 12: 74, 14: 76, 16: 77, 18: REST},
        {0: 79, 18: 78},
    ]
    assert notes("A>>B c<<d (3:2:4ABc/d/ e") == [
        *[(0, 69), (0.875, 71), (1, 72), (1.125, 74), (2, 69)],
        *[(pytest.approx(7 / 3), 71), (pytest.approx(8 / 3), 72), (pytest.approx(17 / 6), 74), (3, 76)],
    ]
    assert [start for start, _ in notes("(5ABcde f", metre="6/8")][-1] == 1.5
    assert [start for start, _ in notes("(5ABcde f", metre="3/4")][-1] == 1
    assert notes('c>"4".d e<!f!g') == [(0, 72), (0.75, 74), (1, 76), (1.25, 79)]


@pytest.mark.parametrize(
    ("key", "sharp"),
    [
        ("C", ""), ("Am", ""), ("A minor", ""), ("Ddor", ""), ("E Phrygian", ""), ("F lyd", ""), ("Gmix", ""),
        ("Bloc", ""), ("none", ""), ("", ""), ("HP", ""), ("Hp", "F+ C+"), ("G", "F+"), ("Dmix", "F+"),
        ("EDOR", "F+ C+"), ("Bb", "B- E-"), ("F#m", "F+ C+ G+"), ("Cb", "F- C- G- D- A- E- B-"),
        ("D phr ^f", "F+ B- E-"), ("D Phr^f", "F+ B- E-"), ("Dmix=c", "F+"), ("D exp _b ^c", "B- C+"),
        ("^f _b", "F+ B-"), ("A clef=bass", "F+ C+ G+"), ("C#", "F+ C+ G+ D+ A+ E+ B+"), ("Am % A", ""),
    ],
)  # fmt: skip
def test_keys(key, sharp):
    altered = {bit[0]: 1 if bit[1] == "+" else -1 for bit in sharp.split()}
    plain = dict(zip("CDEFGAB", (60, 62, 64, 65, 67, 69, 71), strict=True))
    assert pitches("CDEF|GAB", key=key) == [plain[step] + altered.get(step, 0) for step in "CDEFGAB"]


def test_accidentals_over_ties_octaves_and_bars():
    assert notes("^F4-F4-|F4 F4|") == [(0, 66), (6, 65)]
    assert notes("^F4-|F4 F4|") == [(0, 66), (4, 65)]
    assert notes("F4-^F4|F8|") == [(0, 65), (2, 66), (4, 65)]  # another pitch: a slur
    assert pitches("^F2 f2 F,2 =f2|f8|") == [66, 78, 54, 77, 77]
    octave = tune("^F2 f2 F2 z2|").replace("K:", "I:propagate-accidentals octave\nK:")
    assert [note.pitch for note in abc.read_tune(octave).parts[0].notes] == [66, 77, 66]
    assert pitches("^^C2 __D2 ^c/=c/|") == [62, 60, 73, 72]


def test_what_clefs_and_voices_do_to_the_sound():
    assert pitches("C", key="C octave=-1") == pitches("C", key="C clef=treble-8") == [48]
    assert pitches("C", key="C transpose=-2") == [58] and pitches("C", key="C treble+8") == [72]


# ------------------------------------------------------------------ decorations, rests, bars


@pytest.mark.parametrize(
    "sign",
    [
        *(f"!{name}!" for name in ("fermata", ">", "^", "+", "<(", "8va(", "D.C.", "1", "pp", "trill(", "/")),
        *"~.uvTHLMOPSJRKINQVWklnop", '"Am7"', '"^text | with |: bars"', "{g}", "{/gag}", "+fermata+", "`",
        "!", "y", "y3", "(", "[P:B]", "[Q:1/4=90]", "[r:a remark]", "[I:volume 3]", "$", "*", "\\",
    ],
)  # fmt: skip
def test_signs_that_change_no_note(sign):
    plain = "CDEF GABc|d>e f2 (3gab c'2-|c'4 [M:C]z4|"
    for place in (0, 4, 7, 9, 12, 14, 20, 23):
        assert notes(plain[:place] + sign + plain[place:]) == notes(plain), place


def test_exclamation_marks_that_end_lines():
    assert pitches("C2D2!EF!G4|") == [60, 62, 64, 65, 67] and pitches("C2!ff!D2 !f!E4|") == [60, 62, 64]


def test_rests_of_all_kinds():
    expected = [(0, 60), (12, 62), (14, 64)]
    for rest in ("z4|Z2|", "x4|X2|", "z4|z8|z8|", "z4|Z|Z|"):
        assert notes(f"C4 {rest}D4 E4|") == expected
    assert read(tune("C4 z4|Z|D8|")) == [{0: 60, 12: REST}, {0: REST}, {0: 62}]
    assert notes("C8x||D8|") == notes("C8||D8|")  # a place for a sign, in a bar that is full
    assert notes("C6x2|D8|") == notes("C6z2|D8|")


BARS = [
    "|",
    "||",
    "|]",
    "[|",
    ":|",
    "|:",
    "::",
    ":||:",
    ":|:",
    "|1",
    "|1,3",
    ":|2",
    "|[1",
    "[1",
    "[2,3",
    '["last"',
    "[|]",
]


@pytest.mark.parametrize("bar", BARS)
def test_bar_lines_repeats_and_endings_are_read_once_each(bar):
    assert notes(f"C2D2E2F2 {bar} G8|") == notes("C2D2E2F2|G8|")
    (part,) = abc.read_tune(tune(f"C2D2E2F2 {bar} G8|")).parts
    assert [one.section for one in part.bars] == [True, bar != "|"]


def test_pick_ups_whose_beats_stand_in_the_last_bar_or_before_an_ending():
    assert read(tune("G2|:c4 d4|e6:|G2|c8|]")) == [
        {0: REST, 18: 67},
        {0: 72, 12: 74},
        {0: 76, 18: 67},
        {0: 72},
    ]
    assert read(tune("|:G2|c8|[1 d6:|[2 e6|]")) == [{0: REST, 18: 67}, {0: 72}, {0: 74}, {0: 76}]
    assert read(tune("|:G2|c8|d6:||:A2|B8|c6:|")) == [
        *[{0: REST, 18: 67}, {0: 72}, {0: 74, 18: 69}, {0: 71}, {0: 72}]
    ]
    assert read(tune("c8|d6||e8|f8|]")) == [{0: 72}, {0: 74}, {0: 76}, {0: 77}]
    assert read(tune("G|c4|d3:|", metre="2/4")) == [{0: REST, 21: 67}, {0: 72, 12: 74}]


@pytest.mark.parametrize("metre", ["C", "C|", "4/4", "2/2", "4 / 4"])
def test_metres_of_four_quarters(metre):
    assert len(read(tune("c4 d4|", metre=metre))) == 1 and abc_text.is_common(metre)


# ------------------------------------------------------------------ files, fields, voices

BOOK = """%abc-2.1
M:C|
L:1/4
I:propagate-accidentals octave

free text, CDEF

X:1
T:One
% a remark
K:G
FGAB|^cCcF| % after a bar
w: la la la la
+: and more
s: * * !f! *

B|B|B|B|

X:2
T:Zwei (Tränen)
M:3/4
L:1/8
Q:3/8=61.25
K:C
C6|
%%begintext
CCCC
%%endtext
D6|
X:3
T:Three
K:D
F4|
"""


def test_a_book_with_a_header():
    found = abc.read(BOOK)
    assert [(one.number, one.title, one.metre) for one in found] == [
        *[("1", "One", "C|"), ("2", "Zwei (Tränen)", "3/4"), ("3", "Three", "C|")]
    ]
    assert [[note.pitch for note in one.parts[0].notes] for one in found] == [
        *[[66, 67, 69, 71, 73, 60, 73, 66], [60, 62], [66]]
    ]
    assert found[1].tempo == 91.875 and found[1].parts[0].bars[0].length == 3
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "latin-1"):
        assert abc.read(abc_text.decode(BOOK.encode(encoding))) == found
    assert abc.read(BOOK.replace("\n", "\r\n")) == found == abc.read(BOOK.replace("\n", "\r"))


def test_fields_that_look_like_notes_and_notes_that_look_like_fields():
    assert pitches("C4 D4|\nE:|\nF::G8|\nN:F4 G4\nr: C") == [60, 62, 64, 65, 67]
    assert notes("C4 D4|\nM:C\nL:1/4\nK:G\nF2 G2|\n") == [(0, 60), (2, 62), (4, 66), (6, 67)]
    assert pitches("CD\\\n% a remark\nEF|") == [60, 62, 64, 65]


def test_voices_are_parts():
    text = tune('V:1 name="Flute"\nc4 d4|e8|\nV:2 clef=bass octave=-1\nC8|[V:1]f8|[V:2]D8|')
    found = abc.read_tune(text)
    assert [part.name for part in found.parts] == ["Flute", "2"]
    assert [[note.pitch for note in part.notes] for part in found.parts] == [[72, 74, 76, 77], [48, 50]]
    with pytest.raises(TuneError, match="2 parts.*1 .Flute., 2 .2."):
        files.choose(found)
    drums = abc.read_tune(tune("V:1\nc8|\nV:2\nd8|\nV:3 clef=perc\ne8|"))
    with pytest.raises(TuneError, match=r"3 \(3 \(percussion\)\)"):
        files.choose(drums)
    one = tune("V:T\nc8|").replace("K:", "V:T nm=Tune\nV:B\nK:")
    assert len(abc.read_tune(one).parts) == 1  # the other voice has no note


# ------------------------------------------------------------------ what is left out


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        (tune("c3 d3|", metre="6/8"), score.OTHER_METRE, "metre 6/8"),
        (tune("c4 d4|", metre="none"), score.OTHER_METRE, "none"),
        ("X:1\nT:no metre\nL:1/8\nK:C\nc4 d4|\n", score.OTHER_METRE, "none"),
        ("", score.BROKEN, "no field K:"),
        (tune("c4 d4|\nM:3/4\nc6|"), score.OTHER_METRE, "bar 2 has metre 3/4"),
        (tune("c4 d4|[M:6/8]c6|"), score.OTHER_METRE, "6/8"),
        (tune("c4 [ceg]4|"), score.CHORDS, "bar 1, 2 quarter notes in"),
        (tune("V:1\nc4 d4|\nV:2\ne4 f4|"), files.PARTS, "2 parts"),
        (tune("c/4c/4c/2 c7|"), score.OFF_GRID, "bar 1, 1/8"),
        (tune("c4 d4 e4|"), score.IRREGULAR, "lasts 6"),
        (tune("z8|z8|"), score.SILENT, "no note"),
        (tune(""), score.SILENT, "no note"),
        (tune("c4/0 d4|"), score.BROKEN, "bar 1 has the length '4/0'"),
        (tune("=^c4 d4|"), score.BROKEN, "accidental '=.'"),
        (tune("c4 d4|c4 ^4|"), score.BROKEN, r"bar 2 has '\^4"),
        (tune("c4 d4|c4>d2 e2|"), score.BROKEN, "bar 2 has a broken rhythm"),
        (tune('c4 "Am d4|'), score.BROKEN, "bar 1 has '\"Am d4"),
        (tune("c8|", key="H"), score.BROKEN, "key 'H'"),
        (tune("c''''''8|"), score.BROKEN, "no pitch"),
        (tune("c4 Z|"), score.BROKEN, "whole bars"),
        (tune("c8|", unit="x"), score.BROKEN, "unit L:x"),
        (tune("c4 d4 (& e8|f8 &)|"), score.BROKEN, "overlay of several bars"),
        (tune("g8|e8|&& d8|c8|"), score.BROKEN, "bar 3 has an overlay of several bars"),
        (tune("(3:" + "9" * 5000 + "cde c2|"), score.BROKEN, "tuplet"),
        (tune("c99999999|"), score.BROKEN, "length"),
        (tune("c999999|"), score.BROKEN, "measures"),
    ],
)
def test_what_is_left_out_says_why(text, reason, words):
    with pytest.raises(TuneError, match=words) as caught:
        read(text)
    assert caught.value.reason == reason


# ------------------------------------------------------------------ music21's four collections


@pytest.fixture(scope="module")
def collections():
    """Tunes by collection, file and number."""
    from music21 import common

    found = {}
    for folder in folk.COLLECTIONS:
        for path in sorted((common.getCorpusFilePath() / folder).glob("*.abc")):
            for text in abc_text.tunes(abc_text.decode(path.read_bytes())):
                found[f"{folder}/{path.stem}/{abc_text.field(text, 'X')}"] = text
    return found


def test_tunes_that_were_compared_with_two_other_readers(collections):
    """Where both agree, and where we decided by hand who is right."""
    with open(READERS) as file:
        rows = list(csv.DictReader(file))
    assert len(collections) == 12_762 and len(rows) > 450
    for row in rows:
        try:
            parts = abc.read_tune(collections[row["tune"]]).parts
        except TuneError:
            assert row["kind"] == "refused", row["tune"]
            continue
        lines = [f"{note.start} {note.duration} {note.pitch}" for part in parts for note in part.notes]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
        assert (len(lines), digest) == (int(row["notes"]), row["sha256"]), row["tune"]


def test_no_tune_with_decorations_differs_from_itself_without_them(collections):
    signs, names = re.compile(r"[~.uvH-WY]"), re.compile(r'![^!|\s]{1,40}!|"[^"\n]*"|\{[^}\n]*\}')
    for name, text in list(collections.items())[::41]:
        head, body = re.split(r"(?m)(?<=\n)(?=K:)", text, maxsplit=1)
        lines = [
            line if re.match(r"[A-Za-z]:", line) or "[" in line else signs.sub("", names.sub("", line))
            for line in body.split("\n")
        ]
        try:
            before = abc.read_tune(text).parts
        except TuneError:
            continue
        assert abc.read_tune(head + "\n".join(lines)).parts == before, name


# ------------------------------------------------------------------ damage


@settings(max_examples=150, deadline=None)
@given(st.text("ABcdz,'^_=/123456789|:[]()<>-{}\"!~.V MKL%\n+xXZ&", max_size=60))
def test_any_abc_is_either_read_or_refused(body):
    try:
        measures = grid.measures(files.choose(abc.read_tune(tune(body))))
    except TuneError:
        return
    assert measures.shape[1] == 24 and len(measures)


@pytest.mark.parametrize("count", [400, pytest.param(2_000, marks=pytest.mark.slow)])
def test_damaged_files_are_read_or_refused_by_name_at_once(collections, count):
    """Files with bytes flipped, lines dropped, pieces doubled."""
    chance = random.Random(0)
    sources = [path.read_bytes() for path in sorted(INPUTS.glob("*.abc"))]
    sources += [text.encode() for text in list(collections.values())[::500]]
    for _ in range(count):
        content = bytearray(chance.choice(sources))
        for _ in range(chance.randint(1, 12)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        lines = bytes(content).split(b"\n")
        if chance.random() < 0.5:
            del lines[chance.randrange(len(lines))]
        if chance.random() < 0.2:
            lines *= chance.randint(2, 40)
        started = time.process_time()
        for text in abc_text.tunes(abc_text.decode(b"\n".join(lines))):
            try:
                for part in abc.read_tune(text).parts:
                    grid.measures(part, monophonic=True, quantize=chance.random() < 0.5)
            except TuneError:
                pass
        assert time.process_time() - started < 2, text
