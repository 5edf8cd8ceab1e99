"""Statistics over runs, and the one place where a verdict is computed.

Fewer than FEW runs are shown as they are: no spread, no interval, no test, and a verdict says no more than
what every run agrees on. From FEW on there are bootstrap intervals, and, of differences, an exact test.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

FEW = 3  # runs from which an interval is given
CONFIDENCE, RESAMPLES = 0.95, 10_000
MOST = 18  # pairs up to which every exchange is counted; of more, 2^MOST are drawn
LEVEL = 0.05

# What words in texts stand for, fixed beforehand like the margins of `scores.least`.
ALIKE = 0.05  # scores closer than this are called alike
WEAK = 0.5  # rank correlation below which an attribute is said not to follow
COST = 0.002  # of reconstruction accuracy, from which a loss is mentioned
CLEAR = 0.5  # mean rank correlation from which a value "rises" or "falls" with a hyperparameter
BEHIND = 0.9  # share of another's score below which a training is said not to have got as far

IN, NEAR, ABOVE, BELOW = "in range", "near", "above", "below"
UNDECIDED = "undecided"


@dataclasses.dataclass(frozen=True)
class Summary:
    """n values: their mean; with FEW and more the standard deviation (n - 1) and the 95 % interval of the
    mean, else None.

    The interval is the percentile bootstrap's (Efron & Tibshirani 1993, section 13.3), with a fixed seed. Of
    three values it reaches from the least to the greatest.
    """

    n: int
    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None


def summary(values: Sequence[float]) -> Summary:
    """Summarise values, one a run; ValueError when there are none or one is not finite."""
    x = _finite(values, "values")
    if len(x) < FEW:
        return Summary(len(x), float(x.mean()))
    means = np.random.default_rng(0).choice(x, (RESAMPLES, len(x))).mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Summary(len(x), float(x.mean()), float(x.std(ddof=1)), float(low), float(high))


def paired(a: Mapping[str, float], b: Mapping[str, float]) -> list[float]:
    """a - b of the runs (seeds) that both have: equal seeds share their initial weights and batches."""
    return [a[run] - b[run] for run in a if run in b]


def permutation(groups: Sequence[Sequence[float]]) -> float | None:
    """Two-sided p of paired differences that are 0 but for chance, stratified: a group a data set.

    In each pair the two models are exchanged, which turns its sign; the statistic is the mean over groups of
    the mean difference. All 2^n exchanges are counted, of more than MOST pairs 2^MOST drawn ones. None with
    fewer than FEW pairs; n pairs cannot give less than 2^(1 - n).
    """
    groups = [_finite(group, "differences") for group in groups if len(group)]
    shares = np.concatenate([group / len(group) / len(groups) for group in groups]) if groups else []
    if len(shares) < FEW:
        return None
    if len(shares) <= MOST:
        signs = np.array(list(itertools.product((1, -1), repeat=len(shares))))
    else:
        signs = np.random.default_rng(0).choice([1, -1], (2**MOST, len(shares)))
        signs[0] = 1
    found = np.abs(signs @ shares)
    return float((found >= found[0] * (1 - 1e-9)).mean())


def direction(differences: Sequence[float]) -> str:
    """Where a model's runs stand to another's of the same seeds, in words."""
    x = _finite(differences, "differences")
    if (x > 0).all() or (x < 0).all():
        return f"{'higher' if x[0] > 0 else 'lower'} {'in every run' if len(x) > 1 else '(one run)'}"
    return "mixed"


def verdict(groups: Sequence[Sequence[float]], limit: bool = False) -> str:
    """The word for a claim, from how far each run is on its side (positive: it is true): a group a data set.

    With fewer than FEW runs in any group it only says whether every run agrees. Else "holds": every group's
    interval lies above 0, and the test over all groups is significant; "does not hold": every interval lies
    below; "holds in part (k of n)"; "undecided". limit: the claim is of a limit kept, not of a difference.
    """
    every = np.concatenate([_finite(group, "differences") for group in groups])
    if min(map(len, groups)) < FEW:
        if (every > 0).any() and (every <= 0).any():
            alike = all(len({value > 0 for value in group}) == 1 for group in groups)
            return f"mixed over {'data sets' if alike else 'runs'}"
        words = ("within", "beyond") if limit else ("same", "opposite")
        what = "the limit" if limit else "direction"
        once = "(one run)" if len(every) == 1 else "(one run each)"
        seen = once if len(every) == len(groups) else "in every run"
        return f"{words[0] if (every > 0).all() else words[1]} {what} {seen}"
    ends = [summary(group) for group in groups]
    held = sum(one.low > 0 for one in ends)
    p = permutation(groups)
    if held == len(ends):
        return "holds" if limit or p <= LEVEL else UNDECIDED
    if held:
        return f"holds in part ({held} of {len(ends)})"
    return "does not hold" if all(one.high < 0 for one in ends) else UNDECIDED


def beside_range(values: Sequence[float], published: Sequence[float], margin: float) -> str:
    """Where our runs stand to the range of the published ones: IN it, NEAR (within `margin` of it), ABOVE,
    BELOW, or UNDECIDED.

    What has to lie there is, with FEW runs and more, the interval of our mean; with fewer, every run. The
    margin is fixed beforehand and does not depend on how our runs scatter, so that scatter decides nothing in
    our favour.
    """
    one, theirs = summary(values), _finite(published, "published values")
    low, high = (one.low, one.high) if one.low is not None else (min(values), max(values))
    least, most = theirs.min(), theirs.max()
    if least <= low and high <= most:
        return IN
    if least - margin <= low and high <= most + margin:
        return NEAR
    if high < least - margin:
        return BELOW
    return ABOVE if low > most + margin else UNDECIDED


def _finite(values: Sequence[float], what: str) -> np.ndarray:
    x = np.asarray(list(values), dtype=np.float64)
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"{what} are {x.tolist()}: give at least one, all finite")
    return x
