"""MIDI and MusicXML as other programs write them, and as they arrive damaged."""

import io
import random
import re
import struct
import time
import zipfile

import mido
import numpy as np
import pytest

from arvae.music import coding, files, grid, midi, musicxml, notation, score, write_midi
from arvae.music.score import TuneError
from tests.conftest import ROOT

INPUTS = ROOT / "tests" / "inputs" / "music"


def sounding(measures):
    """[(pitch, start, end)] in quarter notes."""
    return [(pitch, start / 12, end / 12) for pitch, start, end in notation.notes(measures)]


def melody(content, ending, part=None, **options):
    return sounding(grid.measures(files.choose(files.read_score(content, ending), part), **options))


def line(pitches, length=1.0, first=0.0):
    """Notes one after the other."""
    return [(pitch, first + i * length, first + (i + 1) * length) for i, pitch in enumerate(pitches)]


SCALE = [60, 62, 64, 65, 67, 69, 71, 72]
EIGHT = line(range(60, 68))

# ---------------------------------------------------------------- the small inputs: what is right

RIGHT = {
    "01_two_staves.musicxml": ({"part": "1"}, line([72, 74, 76, 77])),
    "09a_two_voices_tie.musicxml": ({"monophonic": True}, [(72, 0, 2), (76, 2, 6), (74, 6, 8), (72, 8, 12)]),
    "09b_chord_over_barline.mid": (
        {"monophonic": True},
        [(72, 0, 4), (74, 4, 6), (76, 6, 10), (77, 10, 12), (79, 12, 16)],
    ),
    "12a_part_gate95.mid": ({"part": "whistle"}, line(SCALE)),
    "12b_format0_with_drums.mid": ({}, line(SCALE)),
    "15_pickup_as_1_4.mid": ({}, line([67, 60, 62, 64, 65], first=3)),
    "16_overlapping_repeated_note.mid": ({}, [(60, 0, 1), (60, 1, 2), (62, 2, 4)]),
    "17_long_notes_gate95.mid": ({}, [(60, 0, 3), (62, 3, 4), (64, 4, 8)]),
    "19_triplet_rounded.musicxml": ({}, [*line([72, 74, 76], 1 / 3), (77, 1, 2), (79, 2, 4)]),
    "20_trailing_bytes.mid": ({}, EIGHT),
    "21_clarinet_in_Bb.musicxml": ({}, line([70, 72, 74, 75])),
}


@pytest.mark.parametrize("name", RIGHT)
def test_inputs_that_were_read_wrong(name):
    options, right = RIGHT[name]
    path = INPUTS / name
    assert melody(path.read_bytes(), path.suffix, **options) == pytest.approx(np.array(right))


def test_a_staccato_a_little_late_is_quantized_when_asked():
    for options in ({}, {"quantize": True}):
        notes = melody((INPUTS / "11_quantize_staccato.mid").read_bytes(), ".mid", **options)
        assert [(pitch, start) for pitch, start, _ in notes] == [(60 + i, i) for i in range(8)]


# ---------------------------------------------------------------- MIDI


def file(*tracks, kind=1, division=480):
    """A MIDI file; a track is (time in ticks, message) pairs in any order."""
    made = []
    for track in tracks:
        now, messages = 0, mido.MidiTrack()
        for tick, message in sorted(track, key=lambda item: item[0]):
            messages.append(message.copy(time=tick - now))
            now = tick
        made.append(messages)
    buffer = io.BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=division, tracks=made).save(file=buffer)
    return buffer.getvalue()


def played(notes, division=480, gate=1.0, channel=0, velocity=80, off=None):
    """Messages of (pitch, start, end) in quarter notes; off: the velocity of a note-on that ends a note."""
    messages = []
    for pitch, start, end in notes:
        on = mido.Message("note_on", note=pitch, velocity=velocity, channel=channel)
        stop = mido.Message("note_off", note=pitch, channel=channel) if off is None else on.copy(velocity=off)
        messages.append((round(start * division), on))
        messages.append((round((start + (end - start) * gate) * division), stop))
    return messages


def meta(kind, tick=0, **values):
    return [(tick, mido.MetaMessage(kind, **values))]


LINE = [(60, 0, 3), (62, 3, 4), (64, 4, 5.5), (65, 5.5, 6), (67, 6, 8), (69, 8, 12)]
RESTS = [(60, 0, 1.75), (62, 2, 3), (64, 3, 3.75), (64, 4, 4.5), (64, 4.5, 5), (65, 6, 7.5), (67, 8, 11)]


@pytest.mark.parametrize("gate", [0.9, 11 / 12, 15 / 16, 0.95, 0.97, 0.99, 1.0, 1.03, 1.05])
@pytest.mark.parametrize("division", [96, 480])
@pytest.mark.parametrize("notes", [LINE, RESTS])
def test_how_long_notes_are_held_down_is_no_rest(notes, division, gate):
    assert melody(file(played(notes, division, gate), division=division), ".mid") == notes


def test_rests_that_are_written_stay():
    notes = [(60, 0, 1), (62, 2, 2.5), (64, 3, 3.75), (65, 4, 8)]
    assert melody(file(played(notes)), ".mid") == notes


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_formats(kind):
    assert melody(file(played(LINE), kind=kind), ".MID") == LINE


def test_a_note_on_without_velocity_ends_a_note_also_in_running_status():
    content = file(played(LINE, off=0))
    assert content.count(b"\x90") == 1 and melody(content, ".mid") == LINE


def test_frames_a_second_are_counted_by_the_tempo():
    thousand = file(played(LINE, division=500), meta("set_tempo", tempo=500_000))  # 25 x 40 a second
    content = thousand[:12] + struct.pack(">bB", -25, 40) + thousand[14:]
    assert melody(content, ".mid") == LINE


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c + b"\r\n",
        lambda c: c[:18] + struct.pack(">I", 9999) + c[22:],  # the track is shorter than it says
        lambda c: c[:18] + struct.pack(">I", 20) + c[22:],  # longer
        lambda c: c[:10] + struct.pack(">H", 7) + c[12:],  # more tracks than there are
        lambda c: c[:14] + b"XFIH\0\0\0\3abc" + c[14:],  # a chunk of another kind
        lambda c: b"RIFF" + struct.pack("<I", len(c) + 12) + b"RMIDdata" + struct.pack("<I", len(c)) + c,
        lambda c: c[:4] + struct.pack(">I", 8) + c[8:14] + b"\0\0" + c[14:],  # a longer header
        lambda c: b"\0" * 128 + c,  # an old Macintosh's header before it
    ],
)
def test_what_players_do_not_mind(change):
    assert melody(change(file(played(LINE))), ".kar") == LINE


def test_half_a_file_is_no_whole_one():
    content = file(played(LINE))
    for length in (10, 30, len(content) - 8):
        with pytest.raises(TuneError, match="cut short|no MIDI file"):
            midi.read(content[:length])


def test_strikes_of_one_pitch_before_it_was_let_go():
    strikes = [(60, 0, 1.1), (60, 1, 2), (62, 2, 4)]
    assert melody(file(played(strikes)), ".mid") == [(60, 0, 1), (60, 1, 2), (62, 2, 4)]
    lost = played([(60, 0, 1), (62, 2, 4)]) + played([(60, 1, 2)])[:1]  # one note-off is missing
    assert melody(file(lost), ".mid", monophonic=True) == [(60, 0, 1), (60, 1, 2), (62, 2, 4)]
    nothing = played(LINE) + played([(80, 2, 2)])
    assert melody(file(nothing), ".mid") == LINE


def test_tracks_and_channels_are_parts_and_drums_are_none():
    name = meta("track_name", name="Tune")
    content = file(name + played(LINE), played([(36, 0, 1)], channel=9), played([(48, 0, 4)], channel=1))
    names = [part.name for part in midi.read(content).parts]
    assert names == ["Tune", "part 2 (drums)", "part 3"]
    with pytest.raises(TuneError, match=r"3 parts.*1 \(Tune\), 2 \(part 2 \(drums\)\), 3 \(part 3\)"):
        melody(content, ".mid")
    with pytest.raises(TuneError, match="part 2 has no note with a pitch"):
        melody(content, ".mid", part="2")
    assert melody(content, ".mid", part="Tune") == LINE
    mixed = file(played(LINE) + played([(36, 0, 1)], channel=9), kind=0)
    assert melody(mixed, ".mid") == LINE
    with pytest.raises(TuneError, match="no note with a pitch"):
        melody(file(played([(36, 0, 1)], channel=9)), ".mid")


@pytest.mark.parametrize(
    "wrong", [b"\xff\x59\x02\x0c\x00", b"\xff\x59\x02\x00\x07", b"\xff\x54\x05\xff\0\0\0\0"]
)
def test_keys_and_offsets_that_cannot_be_change_no_note(wrong):
    content = file(played(LINE))
    length = len(content) - 22 + len(wrong) + 1
    content = content[:18] + struct.pack(">I", length) + b"\0" + wrong + content[22:]
    assert melody(content, ".mid") == LINE


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_names_of_tracks_in_both_encodings(encoding):
    name = mido.MetaMessage("track_name", name="Fl\xf6te".encode(encoding).decode("latin-1"))
    assert midi.read(file([(0, name), *played(LINE)])).parts[0].name == "Fl\xf6te"


def test_a_first_bar_of_another_metre_is_a_pick_up():
    metres = meta("time_signature", numerator=2, denominator=4)
    metres += meta("time_signature", tick=960, numerator=4, denominator=4)
    content = file(metres + played([(60, 1, 2), (62, 2, 6)]))
    # as two bars of 2/4 would be: a bar of 2/4 before one of 4/4 is the end of a measure
    assert melody(content, ".mid") == [(60, 3, 4), (62, 4, 8)]
    # a last bar that lacks what the pick-up has is completed as it is in ABC
    content = file(metres + played([(60, 0, 2), (62, 2, 6), (64, 6, 7), (65, 7, 8)]))
    assert melody(content, ".mid") == [(60, 2, 4), (62, 4, 8), (64, 8, 9), (65, 9, 12)]
    assert melody(content, ".mid") == melody(b"X:1\nM:4/4\nL:1/4\nK:C\nC2|D4|EF|]", ".abc")
    waltz = file(meta("time_signature", numerator=3, denominator=4) + played(LINE))
    with pytest.raises(TuneError, match="bar 1 has metre 3/4"):
        melody(waltz, ".mid")


# ---------------------------------------------------------------- MusicXML


def note(step, octave=5, duration=2, more="", voice=1, staff=1, before=""):
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>" if step else "<rest/>"
    body = f"{before}{pitch}<duration>{duration}</duration><voice>{voice}</voice>{more}<staff>{staff}</staff>"
    return f"<note>{body}</note>"


def xml(*bars, first="", name="Flute", attributes="<divisions>2</divisions>", time="4"):
    """A score of one part; each bar the text of its notes."""
    metre = f"<time><beats>{time}</beats><beat-type>4</beat-type></time>"
    head = f"<attributes>{attributes}{metre}{first}</attributes>"
    measures = "".join(
        f'<measure number="{n}">{head if n == 1 else ""}{bar}</measure>' for n, bar in enumerate(bars, 1)
    )
    listed = f'<part-list><score-part id="P1"><part-name>{name}</part-name></score-part></part-list>'
    return f'<score-partwise version="4.0">{listed}<part id="P1">{measures}</part></score-partwise>'


FOUR = "".join(note(step) for step in "CDEF")
TUNE = line([72, 74, 76, 77])


def read(text, **options):
    return melody(text.encode(), ".musicxml", **options)


def test_a_voice_of_rests_and_an_empty_staff_are_none():
    rests = "<backup><duration>8</duration></backup>" + note("", duration=8, voice=2, staff=2)
    assert read(xml(FOUR + rests)) == TUNE


def test_grace_and_cue_notes_take_no_part():
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch><voice>1</voice></note>"
    assert read(xml(grace + FOUR)) == TUNE
    assert read(xml(note("C", duration=4) + note("G", before="<cue/>") + note("F"))) == [
        (72, 0, 2),
        (77, 3, 4),
    ]


def test_transposing_instruments_sound_as_they_do():
    sign = "<transpose><chromatic>-2</chromatic><octave-change>{}</octave-change></transpose>"
    assert read(xml(FOUR, first=sign.format(0))) == line([70, 72, 74, 75])
    assert read(xml(FOUR, first=sign.format(-1))) == line([58, 60, 62, 63])


@pytest.mark.parametrize("divisions", [1, 10, 100, 256, 480, 10080])
def test_rounded_triplets(divisions):
    third = "<actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
    third = f"<type>eighth</type><time-modification>{third}</time-modification>"
    three = "".join(note(step, duration=round(divisions / 3), more=third) for step in "CDE")
    rest = note("F", duration=3 * divisions)
    attributes = f"<divisions>{divisions}</divisions>"
    right = [*line([72, 74, 76], 1 / 3), (77, 1, 4)]
    assert read(xml(three + rest, attributes=attributes)) == pytest.approx(np.array(right))


@pytest.mark.parametrize(("divisions", "durations"), [(8, "332"), (10, "334"), (16, "556")])
def test_rounded_triplets_of_few_divisions(divisions, durations):
    third = "<actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
    third = f"<type>eighth</type><time-modification>{third}</time-modification>"
    three = "".join(note(step, 5, n, third) for step, n in zip("CDE", durations, strict=True))
    text = xml(three + note("F", 5, 3 * divisions), attributes=f"<divisions>{divisions}</divisions>")
    assert read(text) == pytest.approx(np.array([*line([72, 74, 76], 1 / 3), (77, 1, 4)]))


def test_a_note_without_duration_lasts_as_its_type_says_and_none_lasts_less_than_nothing():
    four = "".join(note(s, more="<type>quarter</type>") for s in "CDEF")
    assert read(xml(four.replace("<duration>2</duration>", ""))) == TUNE
    with pytest.raises(TuneError, match="bar 1.*duration of -1"):
        read(xml(note("C", duration=-2) + note("D")))


@pytest.mark.parametrize("empty", ["", '<note><rest measure="yes"/></note>'])
def test_an_empty_bar_is_a_rest_and_moves_no_bar_behind_it(empty):
    behind = [(pitch, start + 8, end + 8) for pitch, start, end in TUNE]
    assert read(xml(FOUR, empty, FOUR)) == [*TUNE, *behind]
    whole = xml(FOUR, empty, FOUR)
    (first,) = re.findall('(?s)<part id="P1">.*</part>', whole)
    other = first.replace("P1", "P2").replace(f'number="2">{empty}', f'number="2">{FOUR}')
    two = whole.replace("</score-partwise>", f"{other}</score-partwise>")
    assert read(two, part="1") != read(two, part="2")
    assert read(two, part="1") == [*TUNE, *behind]


def test_what_a_broken_file_lacks_is_named():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(TuneError, match="archive holds no MusicXML"):
        musicxml.read(buffer.getvalue())
    with pytest.raises(TuneError, match="0 ticks"):
        midi.read(file(division=480)[:12] + b"\0\0" + file()[14:])


def test_a_triplet_that_is_not_marked_as_one():
    three = "".join(note(step, duration=1, more="<type>eighth</type>") for step in "CDE")
    right = [*line([72, 74, 76], 1 / 3), (77, 1, 4)]
    text = xml(three + note("F", duration=9), attributes="<divisions>3</divisions>")
    assert read(text) == pytest.approx(np.array(right))


def test_ties_join_notes_also_across_bar_lines_but_not_other_pitches():
    start, stop = '<tie type="start"/>', '<tie type="stop"/>'
    held = xml(FOUR[: -len(note("F"))] + note("F", more=start), note("F", duration=8, more=stop))
    assert read(held) == [*TUNE[:3], (77, 3, 8)]
    assert read(held.replace(stop, '<notations><tied type="stop"/></notations>')) == [*TUNE[:3], (77, 3, 8)]
    lost = xml(note("C", duration=4) + note("D", duration=4, more=stop))
    assert read(lost) == [(72, 0, 2), (74, 2, 4)]


def test_quarter_tones_and_broken_values_are_refused_by_bar():
    for wrong, said in (
        (("<octave>5", "<alter>0.5</alter><octave>5"), "altered by 0.5"),
        (("<octave>5", "<octave>x"), "'x'"),
    ):
        with pytest.raises(TuneError, match=f"bar 1 cannot be read.*{said}"):
            read(xml(FOUR.replace(*wrong)))
    with pytest.raises(TuneError, match="no number"):
        read(xml(FOUR.replace("<duration>2", "<duration>1e999999999")))


def test_a_tempo_may_have_decimals_and_what_is_none_is_left_out():
    for written, tempo in (("92.5", 92.5), ("120.000000", 120), ("0", None), ("92.5.1", None), (".", None)):
        content = xml(f'<sound tempo="{written}"/>{FOUR}').encode()
        assert musicxml.read(content).tempo == tempo and melody(content, ".xml") == TUNE


REPEAT = '<barline location="{}"><repeat direction="{}"/></barline>'


def bracket(number, kind="start"):
    where = "left" if kind == "start" else "right"
    return f'<barline location="{where}"><ending number="{number}" type="{kind}"/></barline>'


def order(text):
    return [bar.number for bar in score.unfold(musicxml.read(text.encode()).parts[0]).bars]


def test_repeats_and_endings_as_they_are_played():
    a, b, c, d = (note(step, duration=8) for step in "CDEF")
    left, right = REPEAT.format("left", "forward"), REPEAT.format("right", "backward")
    assert order(xml(a, b)) == ["1", "2"]
    assert order(xml(a, b + right, c)) == ["1", "2", "1", "2", "3"]
    assert order(xml(a, left + b + right, c)) == ["1", "2", "2", "3"]
    first = bracket("1") + b + right + bracket("1", "stop")
    second = bracket("2") + c + bracket("2", "discontinue")
    assert order(xml(a, first, second, d)) == ["1", "2", "1", "3", "4"]
    twice = bracket("1, 2") + b + right + bracket("1, 2", "stop")
    assert order(xml(a, twice, second.replace('"2"', '"3"'), d)) == ["1", "2", "1", "2", "1", "3", "4"]
    again = left + d + right
    assert order(xml(a, first, second, again)) == ["1", "2", "1", "3", "4", "4"]
    three = '<barline location="right"><repeat direction="backward" times="3"/></barline>'
    assert order(xml(a + three, b)) == ["1", "1", "1", "2"]
    lost = bracket("1") + b + bracket("1", "stop")  # no repeat sign: the second ending would never come
    assert order(xml(a, lost, second, d)) == ["1", "2", "3", "4"]
    with pytest.raises(TuneError, match="repeats make more than"):
        order(xml(a + three.replace('"3"', '"99999999"'), b))


def test_bars_first_then_parts():
    partwise = xml(FOUR, note("G", duration=8))
    inside = partwise.split('<part id="P1">')[1].removesuffix("</part></score-partwise>")
    bars = inside.replace("</measure>", "</part></measure>").replace('">', '"><part id="P1">')
    timewise = f'<score-timewise version="4.0"><part-list/>{bars}</score-timewise>'
    assert read(timewise) == read(partwise)


def packed(name, text, container=True, flag=True):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if container:
            archive.writestr("META-INF/container.xml", f'<c><rootfile full-path="{name}"/></c>')
        archive.writestr(name if flag else name.encode().decode("cp437"), text)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["score.xml", "мелодия.xml", "曲/旋律.musicxml", "Dvořák — Humoreska.xml"])
@pytest.mark.parametrize("container", [True, False])
@pytest.mark.parametrize("flag", [True, False])
def test_archives_with_names_in_any_script(name, container, flag):
    assert melody(packed(name, xml(FOUR), container, flag), ".MXL") == TUNE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1", "windows-1252", "shift_jis", "utf-8-sig"])
def test_text_in_any_encoding(encoding):
    name = "旋律" if encoding == "shift_jis" else "Fl\xf6te"
    declared = encoding.removesuffix("-sig")
    text = f'\n<?xml version="1.0" encoding="{declared}"?>' + xml(FOUR, name=name)
    content = (text if encoding.startswith("latin") else text.lstrip()).encode(encoding)
    assert musicxml.read(content).parts[0].name == name
    wrong = text.lstrip().replace(declared, "utf-8").encode("latin-1") if name.startswith("Fl") else content
    assert musicxml.read(wrong).parts[0].name == name


# ---------------------------------------------------------------- the same tune in three formats

ABC = b"X:1\nM:4/4\nL:1/8\nK:G\nd2|G2AB c2d2|(3efg f2 e>dB2-|B8|\n"


def test_abc_midi_and_musicxml_of_one_tune_are_the_same_measures():
    tune = grid.measures(files.choose(files.read_score(ABC, ".abc")))
    assert len(tune) == 4 and sounding(tune)[0] == (74, 3, 4) and sounding(tune)[-1] == (71, 11, 16)
    written = {".mid": write_midi.encode(tune), ".xml": files.to_musicxml(tune).encode()}
    for ending, content in written.items():
        np.testing.assert_array_equal(grid.measures(files.choose(files.read_score(content, ending))), tune)


# ---------------------------------------------------------------- damaged


def mutated(content, generator):
    """A copy with bytes changed, left out, put in, or cut off, or with elements left out or swapped."""
    changed, kind = bytearray(content), generator.random()
    if content.lstrip().startswith(b"<") and kind < 0.4:
        pieces = content.split(b"<")
        one, other = (generator.randrange(len(pieces)) for _ in range(2))
        pieces[one], pieces[other] = (b"", pieces[other]) if kind < 0.2 else (pieces[other], pieces[one])
        return b"<".join(pieces)
    for _ in range(generator.randint(1, 4)):
        place = generator.randrange(len(changed) or 1)
        if kind < 0.7 and changed:
            changed[place] = generator.randrange(256)
        elif kind < 0.8:
            del changed[place : place + generator.randint(1, 30)]
        elif kind < 0.9:
            changed[place:place] = generator.randbytes(generator.randint(1, 6))
        else:
            del changed[place:]
    return bytes(changed)


@pytest.mark.parametrize("count", [400, pytest.param(2_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("ending", [".mid", ".musicxml", ".mxl"])  # .abc: in test_abc.py
def test_damaged_files_are_read_or_refused_by_name_at_once(ending, count):
    generator = random.Random(ending)
    contents = [path.read_bytes() for path in sorted(INPUTS.iterdir()) if path.suffix == ending]
    contents = contents or [packed("a.xml", xml(FOUR))]
    for _ in range(count):
        content, start = mutated(generator.choice(contents), generator), time.process_time()
        try:
            part = files.choose(files.read_score(content, ending))
            assert grid.measures(part, True, True).shape[1] == coding.TICKS
        except TuneError as error:
            assert error.reason and error.detail
        assert time.process_time() - start < 2
