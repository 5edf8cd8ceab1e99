"""What is said of AR-VAE beside its other baselines, each statement checked as in `claims`."""

from collections.abc import Callable

import numpy as np

from arvae.models.glsr import EXPRESSIBLE
from arvae.report import tables
from arvae.report.tables import baselines, claims, statistics
from arvae.report.tables.claims import Claim, Outcome

CHEAP = 0.5  # percentage points of reconstruction that count as no loss


def _attribute_means(reports: tables.Reports, setup: str, metric: str, tied: bool) -> list[float]:
    """The mean over GLSR's tied (or its other) attributes of a metric, a value a run."""
    found = []
    for name, run in reports.get(setup, {}).get("runs", {}).items():
        one = {setup: reports[setup] | {"runs": {name: run}}}
        rows = tables.per_attribute(one, metric)
        values = rows[rows.attribute.isin(list(EXPRESSIBLE)) == tied].value
        if len(values):
            found.append(float(values.mean()))
    return found


def _higher_on(metric: str, tied: bool) -> Callable[[tables.Reports], list[Outcome]]:
    """A test that AR-VAE has the higher `metric` than GLSR-VAE on the attributes GLSR ties, or the rest."""

    def test(reports: tables.Reports) -> list[Outcome]:
        outcomes = []
        for dataset in ("bach", "folk"):
            a, b = (_attribute_means(reports, f"{dataset}-{m}", metric, tied) for m in ("arvae", "glsr"))
            if a and b:
                gap = statistics.difference(a, b).value
                text = f"{np.mean(a):.3f} and {np.mean(b):.3f}".replace("-", "\N{MINUS SIGN}")
                outcomes.append(Outcome(dataset, gap > 0, min(a) > max(b), text))
        return outcomes

    return test


def _costs_little(reports: tables.Reports) -> list[Outcome]:
    """Does AR-VAE reconstruct at most CHEAP points worse than the beta-VAE of equal beta?"""
    outcomes = []
    for dataset in tables.IMAGES:
        a, b = (
            [100 * value for value in claims.runs_of(reports, dataset, model, "reconstruction_accuracy")]
            for model in ("arvae", "betavae1")
        )
        if a and b:
            gap = statistics.difference(a, b).value
            outcomes.append(
                Outcome(dataset, gap >= -CHEAP, min(a) - max(b) >= -CHEAP, baselines.signed(gap, True))
            )
    return outcomes


def _blind(reports: tables.Reports) -> list[Outcome]:
    """Does a Fader network's code tell less about the attributes than the beta-VAE's (interpretability)?"""
    return claims.higher("interpretability", tables.IMAGES, better="betavae1", worse="fader")(reports)


_FADER, _GLSR, _FAIR = "Fader network", "GLSR-VAE", "equal β"
CLAIMS = (
    Claim(
        "At equal β AR-VAE is more interpretable than β-VAE",
        _FAIR,
        claims.higher("interpretability", tables.IMAGES, worse="betavae1"),
        2,
    ),
    Claim(
        "At equal β AR-VAE has the higher Spearman correlation (SCC)",
        _FAIR,
        claims.higher("scc", tables.IMAGES, worse="betavae1"),
        2,
    ),
    Claim(
        "A smaller β alone, without regularization, reconstructs better (points of pixels)",
        _FAIR,
        claims.higher("reconstruction_accuracy", tables.IMAGES, "betavae1", "betavae", 100, 2),
        2,
    ),
    Claim(
        f"At equal β the regularization costs at most {CHEAP} points of reconstruction",
        _FAIR,
        _costs_little,
        2,
    ),
    Claim("The Fader network's code hides the attributes better than β-VAE's (β = 1)", _FADER, _blind, 2),
    Claim(
        "AR-VAE's dimensions steer continuous attributes more monotonically than a Fader network's inputs",
        _FADER,
        claims.higher("monotonicity", tables.IMAGES, worse="fader"),
        2,
    ),
    Claim(
        "AR-VAE's dimensions reach more of the attributes' range than a Fader network's inputs",
        _FADER,
        claims.higher("range_covered", tables.IMAGES, worse="fader"),
        2,
    ),
    Claim(
        "AR-VAE's dimensions move other attributes less than a Fader network's inputs (selectivity)",
        _FADER,
        claims.higher("selectivity", tables.IMAGES, worse="fader"),
        2,
    ),
    Claim(
        "AR-VAE keeps the digit along traversals better than a Fader network (points of digits read right)",
        _FADER,
        claims.higher("content_traversed", ("mnist",), worse="fader", factor=100, digits=1),
        1,
    ),
    Claim(
        "On the two attributes GLSR-VAE can tie, AR-VAE's codes have the higher SCC (means)",
        _GLSR,
        _higher_on("scc", True),
        2,
    ),
    Claim(
        "On the two attributes GLSR-VAE can tie, AR-VAE steers the output more monotonically (means)",
        _GLSR,
        _higher_on("monotonicity", True),
        2,
    ),
    Claim(
        "Attributes that cannot be differentiated, pitch range and contour, AR-VAE alone can tie: higher SCC "
        "(means)",
        _GLSR,
        _higher_on("scc", False),
        2,
    ),
)
