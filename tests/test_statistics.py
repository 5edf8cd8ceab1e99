"""Statistics over runs, against numbers counted by hand or by scipy, and the verdicts that follow."""

import itertools

import numpy as np
import pytest
from scipy import stats

from compendium.tables.statistics import (
    beside_range,
    direction,
    paired,
    permutation,
    summary,
    verdict,
)


def test_summary_is_the_bootstraps_interval():
    values = np.random.default_rng(1).normal(0.8, 0.05, 10)
    one = summary(values)
    assert (one.n, one.mean, one.sd) == (10, pytest.approx(values.mean()), pytest.approx(values.std(ddof=1)))
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=3)
    assert (one.low, one.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.002)
    assert (summary([1, 2, 4]).low, summary([1, 2, 4]).high) == (1, 4)


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.7]])
def test_few_values_have_no_spread(values):
    one = summary(values)
    assert (one.n, one.mean) == (len(values), pytest.approx(np.mean(values)))
    assert one.sd is one.low is one.high is None


def test_nearly_identical_values_do_not_warn():
    x = 0.9 + 1e-17 * np.arange(4)
    assert summary(x).low == pytest.approx(0.9) and permutation([x - 0.9, x]) <= 1
    assert summary([0.3] * 3).sd == pytest.approx(0)


def test_only_equal_seeds_are_paired():
    assert paired({"seed0": 3.0, "seed1": 5.0}, {"seed1": 1.0, "seed2": 9.0}) == [4.0]


def test_permutation_counts_all_exchanges():
    assert permutation([[1, 1]]) is None and permutation([]) is None
    assert permutation([[0.1, 0.2, 0.3]]) == 2 / 8
    assert permutation([[0.2], [0.1, 0.3], [0.2, 0.2], [0.4, 0.1]]) == 2 / 2**7
    one = np.array([0.3, -0.1, 0.25, 0.12, -0.05])
    ours = permutation([one])
    theirs = stats.permutation_test((one,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert ours == pytest.approx(theirs.pvalue)
    # Stratified: every data set counts alike, however many runs it has.
    groups = [[0.5], [0.1, -0.2, 0.1]]
    found = [abs(s[0] * 0.5 + np.dot(s[1:], groups[1]) / 3) for s in itertools.product((1, -1), repeat=4)]
    assert permutation(groups) == pytest.approx(np.mean(np.array(found) >= found[0] - 1e-12))


def test_many_pairs_are_drawn():
    x = np.random.default_rng(0).normal(0.1, 0.3, 30)
    assert permutation([x]) == pytest.approx(stats.ttest_1samp(x, 0).pvalue, abs=0.02)
    assert permutation([x]) == permutation([x])


def test_directions():
    assert direction([0.1]) == "higher (one run)" and direction([-1, -2]) == "lower in every run"
    assert direction([0.1, -0.1]) == "mixed" and direction([0.0]) == "mixed"


@pytest.mark.parametrize(
    ("groups", "limit", "word"),
    [
        ([[0.2], [0.1, 0.3]], False, "same direction in every run"),
        ([[-0.2], [-0.1, -0.3]], False, "opposite direction in every run"),
        ([[0.2], [0.1, -0.3]], False, "mixed over runs"),
        ([[0.2, 0.1]], True, "within the limit in every run"),
        ([[0.2]], False, "same direction (one run)"),
        ([[-0.2], [-0.1]], True, "beyond the limit (one run each)"),
        ([[0.2, 0.1, 0.3]] * 2, False, "holds"),
        ([[0.2, 0.1, 0.3]], False, "undecided"),  # three pairs cannot give less than p = 0.25
        ([[0.2, 0.1, 0.3]], True, "holds"),
        ([[0.2, 0.1, 0.3], [-0.2, 0.1, 0.3]], False, "holds in part (1 of 2)"),
        ([[-0.2, -0.1, -0.3]] * 2, False, "does not hold"),
        ([[-0.2, 0.1, 0.3]] * 2, False, "undecided"),
    ],
)
def test_verdicts(groups, limit, word):
    assert verdict(groups, limit) == word


@pytest.mark.parametrize(
    ("ours", "word"),
    [
        ([0.5], "in range"),
        ([0.49, 0.55], "in range"),
        ([0.47], "near"),
        ([0.4], "below"),
        ([0.4, 0.41], "below"),
        ([0.45, 0.47], "undecided"),  # one beyond the margin, one within
        ([0.56, 0.58], "undecided"),
        ([0.4, 0.7], "undecided"),  # runs that scatter are not "as published" because they do
        ([0.2, 0.5, 0.9], "undecided"),
        ([0.9, 0.91, 0.92], "above"),
        ([0.51, 0.5, 0.52], "in range"),
    ],
)
def test_where_runs_stand_to_the_published_range(ours, word):
    assert beside_range(ours, [0.48, 0.55, 0.5], 0.02) == word


@pytest.mark.parametrize("values", [[], [0.5, float("nan")]])
def test_bad_values_are_named(values):
    with pytest.raises(ValueError, match="at least one, all finite"):
        summary(values)
