"""Statistics over seeds, against textbook numbers."""

import itertools

import numpy as np
import pytest
from scipy import stats

from arvae.metrics.statistics import compare, difference, separated_by_chance, summary


def test_summary_is_students_interval():
    values = [0.81, 0.84, 0.79, 0.83]
    one = summary(values)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (one.n, one.mean, one.sd) == (4, pytest.approx(0.8175), pytest.approx(np.std(values, ddof=1)))
    assert (one.low, one.high) == (pytest.approx(low), pytest.approx(high))


def test_one_value_has_no_spread():
    one = summary([0.5])
    assert (one.n, one.mean, one.sd, one.low, one.high) == (1, 0.5, None, None, None)


def test_difference_is_welchs_and_hedges():
    a, b = [5.0, 6.0, 7.0, 9.0], [1.0, 2.0, 4.0]
    one = difference(a, b)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert one.value == pytest.approx(np.mean(a) - np.mean(b))
    assert (one.low, one.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    pooled = np.sqrt((3 * np.var(a, ddof=1) + 2 * np.var(b, ddof=1)) / 5)
    assert one.hedges_g == pytest.approx(one.value / pooled * (1 - 3 / (4 * 7 - 9)))


@pytest.mark.parametrize(("a", "b"), [([1.0], [2.0, 3.0]), ([1.0, 1.0], [2.0, 2.0])])
def test_difference_without_spread_has_no_effect_size(a, b):
    one = difference(a, b)
    assert one.hedges_g is None and one.low is None and one.value == np.mean(a) - np.mean(b)


def test_comparison_takes_run_0_where_runs_continue():
    runs = [0.80, 0.85, 0.86]
    dependent, independent = compare([0.9], runs, False, 0.0), compare([0.9], runs, True, 0.0)
    assert dependent.published == 0.80 and independent.published == pytest.approx(np.mean(runs))
    assert dependent.difference == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [([0.5], "as published"), ([0.53], "above"), ([0.46], "below"), ([0.45, 0.55], "as published")],
)
def test_verdicts(ours, verdict):
    assert compare(ours, [0.5, 0.5], True, 0.02).verdict == verdict


@pytest.mark.parametrize("values", [[], [0.5, float("nan")]])
def test_bad_values_are_named(values):
    with pytest.raises(ValueError, match="at least one, all finite"):
        summary(values)


def test_how_often_chance_separates_two_sides():
    """By counting: of all ways to deal ranks to two sides, those in which all of one are lower."""
    for a, b in ((1, 1), (2, 2), (3, 3), (2, 4)):
        hands = list(itertools.combinations(range(a + b), a))
        apart = [hand for hand in hands if hand in (tuple(range(a)), tuple(range(b, a + b)))]
        assert separated_by_chance(a, b) == pytest.approx(len(apart) / len(hands))
