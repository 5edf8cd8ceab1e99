"""Statistics over seeds: spread, confidence intervals, effect sizes, and the distance to published values."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Summary:
    """n values: mean, standard deviation (n - 1; None for one value), 95 % confidence interval of the mean.

    The interval is Student's t with n - 1 degrees of freedom: honest about few seeds, and therefore wide
    (with two seeds 12.7 standard errors to either side).
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


def summary(values: Sequence[float]) -> Summary:
    """Summarise values, one a seed; ValueError when there are none or one is not finite."""
    x = _finite(values, "values")
    if len(x) == 1:
        return Summary(1, float(x[0]), None, None, None)
    low, high = stats.t.interval(CONFIDENCE, len(x) - 1, x.mean(), stats.sem(x)) if x.std() else (x[0], x[0])
    return Summary(len(x), float(x.mean()), float(x.std(ddof=1)), float(low), float(high))


@dataclasses.dataclass(frozen=True)
class Difference:
    """Mean of a minus mean of b, its 95 % interval (Welch), and Hedges' g, None where they are undefined."""

    value: float
    low: float | None
    high: float | None
    hedges_g: float | None


def difference(a: Sequence[float], b: Sequence[float]) -> Difference:
    """How far two groups of independent runs are apart.

    Hedges' g (Hedges 1981): difference / pooled standard deviation, times 1 - 3 / (4 (n_a + n_b) - 9) for
    small samples. None with fewer than two values a group, or where neither group varies.
    """
    x, y = _finite(a, "a"), _finite(b, "b")
    value = float(x.mean() - y.mean())
    if min(len(x), len(y)) < 2 or not (np.ptp(x) or np.ptp(y)):
        return Difference(value, None, None, None)
    freedom = len(x) + len(y) - 2
    pooled = np.sqrt(((len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)) / freedom)
    interval = stats.ttest_ind(x, y, equal_var=False).confidence_interval(CONFIDENCE)
    g = value / pooled * (1 - 3 / (4 * (len(x) + len(y)) - 9))
    return Difference(value, float(interval.low), float(interval.high), float(g))


def separated(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether every value of one group lies above every value of the other."""
    return bool(min(a) > max(b) or max(a) < min(b))


def separated_by_chance(a: int, b: int) -> float:
    """How often a and b runs that do not differ are separated all the same."""
    return 2 / math.comb(a + b, a)


def verdict(gap: float, tolerance: float) -> str:
    """ "as published" where an obtained value differs by at most `tolerance`, else "above" or "below"."""
    return "as published" if abs(gap) <= tolerance else "above" if gap > 0 else "below"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One obtained value beside the published one; verdict: "as published", "above" or "below"."""

    obtained: Summary
    published: float
    difference: float
    tolerance: float
    verdict: str


def compare(
    values: Sequence[float], published: Sequence[float], independent: bool, least: float
) -> Comparison:
    """Our runs beside the published ten, in run order.

    independent: whether the published runs are; if not (images: each continued from the weights of the one
    before) the reference is run 0 alone, else their mean. The tolerance is two standard deviations of the
    difference of single runs, 2 sqrt(s_ours^2 + s_published^2), and at least `least`: within it the verdict
    is "as published". It says nothing about better or worse at another scale of training.
    """
    ours, theirs = summary(values), _finite(published, "published")
    reference = float(theirs.mean() if independent else theirs[0])
    spread = theirs.std(ddof=1) if len(theirs) > 1 else 0.0
    tolerance = max(least, 2 * float(np.hypot(ours.sd or 0.0, spread)))
    gap = ours.mean - reference
    return Comparison(ours, reference, gap, tolerance, verdict(gap, tolerance))


def _finite(values: Sequence[float], what: str) -> np.ndarray:
    x = np.asarray(list(values), dtype=np.float64)
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"{what} are {x.tolist()}: give at least one, all finite")
    return x
