"""From the notes and bars of a part to measures: pick-ups, sections, the grid, voices; the chorales."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arvae.datasets import bach
from arvae.music import grid, score
from arvae.music.coding import CONTINUE as HOLD
from arvae.music.coding import REST, TICKS
from arvae.music.score import Bar, Note, Part, TuneError

GOLDEN = "tests/golden/chorale_lines.npz"  # computed with the paper's released implementation (2020)


def part(*bars, sections=(), nominal=4):
    """A part from bars of (duration in quarter notes, pitch or None) pairs; sections: the bars, from 0, that
    start one."""
    notes, made, now = [], [], Fraction(0)
    for index, bar in enumerate(bars):
        start = now
        for duration, pitch in bar:
            if pitch is not None:
                notes.append(Note(now, Fraction(duration), pitch))
            now += Fraction(duration)
        metre = f"{nominal}/4"
        made.append(Bar(str(index + 1), start, now - start, Fraction(nominal), metre, index in sections))
    return Part("", tuple(notes), tuple(made))


def voices(*notes, bars=4):
    """A part of notes (pitch, start, end), that may sound together."""
    made = tuple(Note(Fraction(start), Fraction(end) - Fraction(start), pitch) for pitch, start, end in notes)
    four = Fraction(4)
    return Part("", made, tuple(Bar(str(i + 1), i * four, four, four) for i in range(bars)))


def at(measure):
    """Tick -> symbol, without the ticks that only continue."""
    return {tick: int(symbol) for tick, symbol in enumerate(measure) if symbol != HOLD}


def read(*bars, sections=(), nominal=4):
    return [at(measure) for measure in grid.measures(part(*bars, sections=sections, nominal=nominal))]


# ------------------------------------------------------------------ the grid


def test_a_plain_measure():
    measures = grid.measures(part([(1, 60), (1, 62), (2, 64)]))
    assert (measures.dtype, measures.shape) == (np.int16, (1, 24))
    assert at(measures[0]) == {0: 60, 6: 62, 12: 64}


def test_every_tick_of_a_beat_is_reached():
    sixteenths = [(Fraction(1, 4), 60 + i) for i in range(4)]
    triplets = [(Fraction(1, 3), 70 + i) for i in range(3)]
    (measure,) = read([*sixteenths, *triplets, (2, None)])
    assert measure == {0: 60, 1: 61, 3: 62, 5: 63, 6: 70, 8: 71, 10: 72, 12: REST}


def test_a_rest_starts_anew_in_every_measure_and_a_held_note_does_not():
    assert read([(2, 60), (2, None)], [(4, None)], [(4, 62)]) == [{0: 60, 12: REST}, {0: REST}, {0: 62}]
    assert read([(6, 60), (2, 62)]) == [{0: 60}, {12: 62}]


def test_the_end_of_a_note_may_lie_off_the_grid_its_onset_may_not():
    sixteenth = Fraction(1, 4)
    assert read([(Fraction(9, 10), 60), (Fraction(1, 10), None), (3, 62)]) == [{0: 60, 6: 62}]
    assert read([(Fraction(19, 5), 60), (Fraction(1, 5), None)], [(4, 62)]) == [{0: 60}, {0: 62}]
    assert read([(sixteenth, 60), (3 * sixteenth, None), (3, 62)]) == [{0: 60, 1: REST, 6: 62}]
    with pytest.raises(TuneError, match="bar 1, 1/8 quarter notes in"):
        read([(Fraction(1, 8), 60), (Fraction(31, 8), 62)])


# ------------------------------------------------------------------ bars


def test_a_pick_up_gets_rests_before_it():
    assert read([(1, 60)], [(4, 62)]) == [{0: REST, 18: 60}, {0: 62}]


def test_short_bars_around_a_repeat_are_joined():
    assert read([(4, 60)], [(3, 62)], [(1, 64)], [(4, 65)]) == [{0: 60}, {0: 62, 18: 64}, {0: 65}]


def test_short_bars_between_sections_are_completed_as_a_tune_is():
    held = [{0: 60}, {0: 62}, {0: 65}]
    assert read([(4, 60)], [(3, 62)], [(4, 65)], sections=[2]) == held
    both = read([(4, 60)], [(Fraction(7, 2), 62)], [(1, 63)], [(4, 64)], sections=[2])
    assert both == [{0: 60}, {0: 62}, {0: REST, 18: 63}, {0: 64}]


def test_a_pick_up_and_the_endings_of_a_repeat():
    half, seven = Fraction(1, 2), Fraction(7, 2)
    endings = read([(half, 60)], [(4, 62)], [(seven, 64)], [(seven, 65)], sections=[0, 2, 3])
    assert endings == [{0: REST, 21: 60}, {0: 62}, {0: 64}, {0: 65}]
    again = read([(half, 60)], [(seven, 62)], [(half, 60)], [(seven, 62)], sections=[0, 2])
    assert again == [{0: REST, 21: 60}, {0: 62, 21: 60}, {0: 62}]


def test_the_last_note_is_held_to_the_end_of_its_bar():
    assert read([(4, 60)], [(1, 62), (2, 64)])[1] == {0: 62, 6: 64}


def test_long_bars_are_cut():
    assert read([(3, 60), (2, 62), (3, 64)], [(4, 65)]) == [{0: 60, 18: 62}, {6: 64}, {0: 65}]


def test_two_four_is_read_as_pairs_of_bars():
    assert read([(2, 60)], [(1, 62), (1, 64)], [(2, 65)], nominal=2) == [
        {0: 60, 12: 62, 18: 64},
        {0: 65, 12: REST},
    ]
    assert read(
        [(1, 59)], [(2, 60)], [(1, 62)], [(1, 59)], [(2, 60)], [(1, 62)], nominal=2, sections=[3]
    ) == [
        {0: REST, 18: 59},
        {0: 60, 12: 62, 18: 59},
        {0: 60, 12: 62},
    ]


def test_unfolded_a_part_is_as_it_is_played():
    from dataclasses import replace

    tune = replace(part([(1, 59)], [(4, 60)], [(3, 62)]), played=(0, 1, 2, 0, 1, 2))
    found = [at(measure) for measure in grid.measures(score.unfold(tune))]
    assert found == [{0: REST, 18: 59}, {0: 60}, {0: 62, 18: 59}, {0: 60}, {0: 62}]
    assert score.unfold(part([(4, 60)])) == part([(4, 60)])


@pytest.mark.parametrize(
    ("tune", "reason", "words"),
    [
        (part([(Fraction(1, 5), 60), (Fraction(19, 5), 62)]), score.OFF_GRID, "bar 1, 1/5.*quantize"),
        (part([(5, 60)]), score.IRREGULAR, "bar 1 lasts 5 quarter notes"),
        (part([(4, 60)], [(3, 62)], [(4, 65)]), score.IRREGULAR, "bar 2 lasts 3 quarter notes.*rests"),
        (part([(2, 60)], [(1, 62)], [(2, 65)], nominal=2), score.IRREGULAR, "bar 2 lasts 1 .* needed are 2"),
        (part([(4, None)]), score.SILENT, "1 bars"),
        (Part("", (), ()), score.SILENT, "0 bars"),
        (part([(3, 60)], nominal=3), score.OTHER_METRE, "bar 1 has metre 3/4"),
        (part([(4 * score.LONGEST + 4, 60)]), score.BROKEN, "10,000 measures"),
        (voices((60, 0, 2), (64, 1, 4), bars=1), score.CHORDS, "bar 1, 1 quarter notes in.*one voice"),
    ],
)
def test_what_cannot_be_coded_says_where_and_why(tune, reason, words):
    with pytest.raises(TuneError, match=words) as caught:
        grid.measures(tune)
    assert caught.value.reason == reason


# ------------------------------------------------------------------ voices and quantizing

HELD = voices((72, 0, 4), (74, 4, 6), (60, 4, 10), (76, 6, 10), (77, 10, 12), (79, 12, 16))


def test_the_highest_sounding_note_across_bar_lines():
    found = [at(measure) for measure in grid.measures(HELD, monophonic=True)]
    assert found == [{0: 72}, {0: 74, 12: 76}, {12: 77}, {0: 79}]


def test_what_starts_under_a_higher_note_is_not_struck_when_that_one_ends():
    tune = voices((72, 0, 2), (60, 1, 4), (55, 3, 4), bars=1)
    assert at(grid.measures(tune, monophonic=True)[0]) == {0: 72, 12: REST}


def test_legato_overlap_is_no_second_voice():
    tune = voices((72, 0, Fraction(21, 20)), (70, 1, Fraction(41, 20)), (69, 2, 4), bars=1)
    assert at(grid.measures(tune)[0]) == {0: 72, 6: 70, 12: 69}
    assert np.array_equal(grid.measures(tune), grid.measures(tune, monophonic=True))


def test_of_two_onsets_on_one_tick_the_longer_note_stays():
    tune = part([(Fraction(1, 8), 60), (Fraction(31, 8), 62)])
    assert at(grid.measures(tune, quantize=True)[0]) == {0: 62}


NOTES = st.lists(
    st.tuples(st.integers(40, 90), st.fractions(0, 15, max_denominator=24), st.integers(1, 96)), min_size=1
)


@settings(max_examples=200, deadline=None)
@given(NOTES)
def test_the_line_of_any_notes(found):
    """Every onset is one of a note that nothing above it covers; quantizing one voice never fails."""
    tune = voices(*((pitch, start, min(start + Fraction(length, 24), 16)) for pitch, start, length in found))
    measures = grid.measures(tune, monophonic=True, quantize=True)
    assert measures.shape[1] == TICKS and set(measures[measures >= 0]) <= {pitch for pitch, _, _ in found}
    top = max(found, key=lambda note: (note[0], -note[1]))
    assert top[0] in measures


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 6]), st.integers(55, 84)), min_size=1, max_size=30))
def test_options_that_are_not_needed_change_nothing(lengths):
    tune = part(*([(Fraction(length, 2), pitch), (4 - Fraction(length, 2), 70)] for length, pitch in lengths))
    plain = grid.measures(tune)
    for options in ({"monophonic": True}, {"quantize": True}, {"monophonic": True, "quantize": True}):
        assert np.array_equal(grid.measures(tune, **options), plain)


# ------------------------------------------------------------------ chorales


@pytest.fixture(scope="module")
def by_number():
    return {int(tune.number): tune for tune in bach.find()}


def test_soprano_lines_equal_the_released_implementation(request, by_number):
    """In any metre: the notes on the grid, a short first bar with rests before it, the last note held."""
    with np.load(request.config.rootpath / GOLDEN, allow_pickle=False) as file:
        numbers, offsets, golden = file["riemenschneider"], file["offsets"], file["ticks"]
    for i, number in enumerate(numbers):
        tune = score.unfold(bach.soprano(by_number[int(number)].content))
        lead = max(tune.bars[0].nominal - tune.bars[0].length, 0)
        end = tune.bars[-1].start + tune.bars[-1].length + lead
        line = golden[offsets[i] : offsets[i + 1]]
        shifted = [Note(note.start + lead, note.duration, note.pitch) for note in tune.notes]
        assert [(note.start * 12, note.pitch) for note in shifted] == onsets(line), f"chorale {number}"
        assert end <= len(line) // 6 < end + tune.bars[0].nominal


def onsets(line):
    """[(time in twelfths of a quarter note, pitch)] of ticks in a row."""
    twelfths = (0, 3, 4, 6, 8, 9)
    return [(12 * (tick // 6) + twelfths[tick % 6], line[tick]) for tick in np.flatnonzero(line >= 0)]


def test_chorales_that_are_not_usable_say_why(by_number):
    reasons = {}
    for number in (1, 11, 86, 130):
        with pytest.raises(TuneError) as caught:
            bach.read(by_number[number])
        reasons[number] = caught.value.reason
    assert reasons == {1: score.OTHER_METRE, 11: bach.NOT_FOUR, 86: score.OFF_GRID, 130: score.IRREGULAR}
