"""One tune: bars to the grid, music21 streams and ABC to bars, every reason for leaving a tune out."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arvae.datasets import bach as chorales
from arvae.datasets import folk
from arvae.music import abc as abc_notation
from arvae.music import tunes
from arvae.music.tunes import Bar, Event, TuneError

GOLDEN = "tests/golden/chorale_lines.npz"  # computed with the paper's released implementation (2020)
HOLD, REST = -1, -2


def bar(*notes, name="1", start=0):
    """A bar from (duration in quarter notes, pitch or None) pairs."""
    events, position = [], Fraction(start)
    for duration, pitch in notes:
        events.append(Event(position, Fraction(duration), pitch))
        position += Fraction(duration)
    return Bar(name, position, tuple(events))


def abc(body, metre="4/4", key="C"):
    return f"X:1\nT:A tune\nM:{metre}\nL:1/8\nK:{key}\n{body}\n"


def coded(body, **header):
    return tunes.code(abc_notation.bars(abc(body, **header)))


def at(measure):
    """Tick -> symbol, without the ticks that only continue."""
    return {tick: int(symbol) for tick, symbol in enumerate(measure) if symbol != HOLD}


# ------------------------------------------------------------------ bars to the grid


def test_a_plain_measure():
    measures, dropped = tunes.code([bar((1, 60), (1, 62), (2, 64))])
    assert (measures.dtype, measures.shape, dropped) == (np.int16, (1, 24), 0)
    assert at(measures[0]) == {0: 60, 6: 62, 12: 64}


def test_every_tick_of_a_beat_is_reached():
    sixteenths = [(Fraction(1, 4), 60 + i) for i in range(4)]
    triplets = [(Fraction(1, 3), 70 + i) for i in range(3)]
    measures, _ = tunes.code([bar(*sixteenths, *triplets, (2, None))])
    assert at(measures[0]) == {0: 60, 1: 61, 3: 62, 5: 63, 6: 70, 8: 71, 10: 72, 12: REST}


def test_a_pick_up_gets_rests_before_it():
    measures, dropped = tunes.code([bar((1, 60)), bar((4, 62))])
    assert [at(m) for m in measures] == [{0: REST, 18: 60}, {0: 62}] and dropped == 0


def test_short_bars_around_a_repeat_are_joined():
    measures, dropped = tunes.code([bar((4, 60)), bar((3, 62)), bar((1, 64)), bar((4, 65))])
    assert [at(m) for m in measures] == [{0: 60}, {0: 62, 18: 64}, {0: 65}] and dropped == 0


def test_a_short_bar_with_no_complement_is_dropped():
    measures, dropped = tunes.code([bar((4, 60)), bar((3, 62)), bar((4, 65))])
    assert [at(m) for m in measures] == [{0: 60}, {0: 65}] and dropped == 1


def test_the_last_note_is_held_to_the_end_of_the_measure():
    measures, _ = tunes.code([bar((4, 60)), bar((1, 62), (2, 64))])
    assert at(measures[1]) == {0: 62, 6: 64}


def test_a_bar_of_two_measures_is_cut_and_silence_dropped():
    measures, _ = tunes.code([bar((3, 60), (2, 62), (3, 64)), bar((4, None)), bar((4, 65))])
    assert [at(m) for m in measures] == [{0: 60, 18: 62}, {6: 64}, {0: 65}]


def test_a_held_measure_is_kept_and_gaps_are_rests():
    tied = Bar("2", Fraction(4), (Event(Fraction(0), Fraction(4), 60, tied=True),))
    gap = Bar("3", Fraction(4), (Event(Fraction(1), Fraction(1), 62),))
    measures, _ = tunes.code([bar((4, 60)), tied, gap])
    assert [at(m) for m in measures] == [{0: 60}, {}, {0: REST, 6: 62, 12: REST}]


@pytest.mark.parametrize(
    ("bars", "reason", "words"),
    [
        ([bar((Fraction(1, 8), 60), (Fraction(31, 8), 62), name="7")], tunes.OFF_GRID, "bar 7, 1/8"),
        ([bar((Fraction(1, 5), 60), (Fraction(19, 5), 62))], tunes.OFF_GRID, "quantize"),
        ([bar((5, 60), name="3")], tunes.IRREGULAR, "bar 3 lasts 5 quarter notes"),
        ([bar((4, None))], tunes.SILENT, "1 bars"),
        ([], tunes.SILENT, "0 bars"),
        (
            [
                Bar(
                    "2",
                    Fraction(4),
                    (Event(Fraction(0), Fraction(2), 60), Event(Fraction(1), Fraction(3), 64)),
                )
            ],
            tunes.CHORDS,
            "bar 2, 1 quarter notes in.*one voice",
        ),
    ],
)
def test_what_cannot_be_coded_says_where_and_why(bars, reason, words):
    with pytest.raises(TuneError, match=words) as caught:
        tunes.code(bars)
    assert caught.value.reason == reason


# ------------------------------------------------------------------ chorales


@pytest.fixture(scope="module")
def by_number():
    return {int(tune.number): tune for tune in chorales.find()}


def test_soprano_lines_equal_the_released_implementation(request, by_number):
    with np.load(request.config.rootpath / GOLDEN, allow_pickle=False) as file:
        numbers, offsets, golden = file["riemenschneider"], file["offsets"], file["ticks"]
    for i, number in enumerate(numbers):
        part = chorales.soprano(by_number[int(number)].content)
        bars = tunes.stream_bars(part, any_metre=True)
        full = Fraction(part.recurse().getElementsByClass("TimeSignature")[0].barDuration.quarterLength)
        lead = [tunes.silence(full - bars[0].length)] if bars[0].length < full else []
        short = -sum(b.length for b in [*lead, *bars]) % full
        line = tunes.ticks([*lead, *bars, *([tunes.held(short)] if short else [])])
        np.testing.assert_array_equal(line, golden[offsets[i] : offsets[i + 1]], err_msg=f"chorale {number}")


def test_repeats_are_expanded_as_music21_expands_them(by_number):
    from music21 import repeat

    expanded = 0
    for number in (2, 5, 20, 26, 32, 60):
        part = chorales.soprano(by_number[number].content)
        ours = [bar.events for bar in tunes.stream_bars(part)]
        if repeat.Expander(part).isExpandable():
            expanded += 1
            part = part.expandRepeats()
        whole = [note.pitch.midi for note in part.recurse().notes]
        assert [event.pitch for events in ours for event in events if event.pitch is not None] == whole
    assert expanded >= 3


def test_chorales_that_are_not_usable_say_why(by_number):
    reasons = {}
    for number in (1, 11, 86, 130):
        with pytest.raises(TuneError) as caught:
            chorales.read(by_number[number].content)
        reasons[number] = caught.value.reason
    assert reasons == {1: tunes.OTHER_METRE, 11: chorales.NOT_FOUR, 86: tunes.OFF_GRID, 130: tunes.IRREGULAR}


# ------------------------------------------------------------------ ABC


def test_abc_notes_keys_and_lengths():
    measures, _ = coded("FGAB cdef|^F2 F2 =F2 _B,2|", key="G")
    assert at(measures[0]) == {0: 66, 3: 67, 6: 69, 9: 71, 12: 72, 15: 74, 18: 76, 21: 78}
    assert at(measures[1]) == {0: 66, 6: 66, 12: 65, 18: 58}  # an accidental holds to the bar's end


def test_abc_rhythms_ties_triplets_and_ornaments():
    measures, _ = coded('G>A {b}B<c "Am"(3def z2-|"^slow"!trill!g4- g2 [K:D] f2|')
    assert at(measures[0]) == {0: 67, 5: 69, 6: 71, 7: 72, 12: 74, 14: 76, 16: 77, 18: REST}
    assert at(measures[1]) == {0: 79, 18: 78}


def test_abc_pick_up_and_repeat():
    measures, dropped = coded("G2|:c4 d4|e6:|G2|c8|]")
    assert [at(m) for m in measures] == [{0: REST, 18: 67}, {0: 72, 12: 74}, {0: 76, 18: 67}, {0: 72}]
    assert dropped == 0


@pytest.mark.parametrize("metre", ["C", "C|", "4/4", "2/2", "4 / 4"])
def test_abc_metres_of_four_quarters(metre):
    assert len(coded("c4 d4|", metre=metre)[0]) == 1


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        (abc("c3 d3|", metre="6/8"), tunes.OTHER_METRE, "metre 6/8"),
        (abc("c4 d4|", metre="none"), tunes.OTHER_METRE, "none"),
        ("X:1\nT:no metre\nL:1/8\nK:C\nc4 d4|\n", tunes.OTHER_METRE, "none"),
        ("", tunes.OTHER_METRE, "none"),
        (abc("c4 d4|\nM:3/4\nc6|"), tunes.OTHER_METRE, "bar 2 has metre 3/4"),
        (abc("c4 d4|[M:6/8]c6|"), tunes.OTHER_METRE, "6/8"),
        (abc("c4 [ceg]4|"), tunes.CHORDS, r"bar 1 has the chord \[ceg\]4"),
        (abc("V:1\nc4 d4|\nV:2\ne4 f4|"), tunes.CHORDS, r"voices \['1', '2'\]"),
        (abc("c/4c/4c/2 c7|"), tunes.OFF_GRID, "bar 1, 1/8"),
        (abc("c4 d4 e4|"), tunes.IRREGULAR, "lasts 6"),
        (abc("z8|z8|"), tunes.SILENT, "2 bars"),
        (abc(""), tunes.SILENT, "0 bars"),
        (abc("c4/0 d4|"), tunes.BROKEN, "cannot read"),
        (abc("=^c4 d4|"), tunes.BROKEN, "cannot read.*accidental"),
        (abc("c4 d4|c4 ^4|"), tunes.BROKEN, r"bar 2 has '\^4'"),
    ],
)
def test_abc_that_is_left_out_says_why(text, reason, words):
    with pytest.raises(TuneError, match=words) as caught:
        tunes.code(abc_notation.bars(text))
    assert caught.value.reason == reason


@settings(max_examples=150, deadline=None)
@given(st.text("ABcdz,'^_=/123456789|:[]()<>-{}\"!~.V MKL%\n+x&", max_size=60))
def test_any_abc_is_either_coded_or_refused(body):
    try:
        measures, _ = coded(body)
    except TuneError:
        return
    assert measures.shape[1] == 24 and len(measures)


def test_a_collection_is_cut_into_its_tunes():
    text = "% a book\r\nX:1\r\nT:One\r\nK:C\r\ncde|\r\n\r\nX:2\r\nT:Two % second\r\nK:C\r\nfga|\r\n"
    parts = list(abc_notation.tunes(text))
    assert [abc_notation.field(part, "T") for part in parts] == ["One", "Two"]
    assert abc_notation.field(parts[0], "M") is None


def test_tokens_give_the_notes_that_music21_streams_give():
    """The short way through music21's tokenizer against the long way through its streams."""
    from music21 import converter

    found = [tune for tune in folk.bundled() if folk._in_four(tune)]
    checked = 0
    for tune in found[::311]:
        text = tune.content.decode()
        try:
            bars = abc_notation.bars(text)
            tunes.code(bars)
        except TuneError:
            continue
        part = converter.parseData("%abc-2.1\n" + abc_notation.clean(text), format="abc").parts[0]
        theirs = [
            (None if note.isRest else note.pitch.midi, tunes.quarters(note.quarterLength))
            for note in part.recurse().notesAndRests
        ]
        assert [(event.pitch, event.duration) for bar in bars for event in bar.events] == theirs, tune.title
        checked += 1
    assert checked >= 9
