"""The paper's claims, each checked against our numbers by a rule written down beforehand.

A claim is about numbers; its verdict follows from them at the scale they were made, and says nothing about
other scales. Verdicts: "holds" (on every data set, and every run on the better side is better than every
run on the other), "holds in the mean" (on every data set, runs overlap), "holds in part", "does not hold",
"not tested" (a setup it needs was not run). With few runs a side that is not much: `statistics.luck` is the
chance that two setups alike would be told apart so.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from arvae.report import tables
from arvae.report.figures import style
from arvae.report.tables import statistics

SAME = 0.1  # modularity: differences up to this count as "about the same"
OURS = "this project"
STEERED = 0.9  # monotonicity from which a dimension counts as steering its attribute


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One data set's part of a claim: does it hold, clearly (separated runs) or in the mean; the numbers."""

    dataset: str
    holds: bool
    clearly: bool
    text: str


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement, what it is about, the test that gives an outcome a data set, and whose statement it is."""

    statement: str
    about: str
    test: Callable[[tables.Reports], list[Outcome]]
    needs: int  # data sets it is about
    whose: str = "the paper"


def check(reports: tables.Reports, all_claims: Sequence[Claim] | None = None) -> pd.DataFrame:
    """Claims (None: CLAIMS): columns claim, verdict, evidence, about, whose; one row a claim."""
    rows = []
    for claim in CLAIMS if all_claims is None else all_claims:
        outcomes = claim.test(reports)
        found = verdict(outcomes, claim.needs), evidence(outcomes)
        rows.append((claim.statement, *found, claim.about, claim.whose))
    return pd.DataFrame(rows, columns=["claim", "verdict", "evidence", "about", "whose"])


def verdict(outcomes: Sequence[Outcome], needs: int) -> str:
    """The one word for a claim about `needs` data sets."""
    if len(outcomes) < needs:
        return "not tested"
    held = sum(outcome.holds for outcome in outcomes)
    if held == len(outcomes):
        return "holds" if all(outcome.clearly for outcome in outcomes) else "holds in the mean"
    if held == 0:
        return "does not hold"
    return f"holds in part ({held} of {len(outcomes)})"


def evidence(outcomes: Sequence[Outcome]) -> str:
    """The numbers behind a verdict, a data set after the other."""
    return "; ".join(f"{style.dataset_label(outcome.dataset)} {outcome.text}" for outcome in outcomes)


def runs_of(reports: tables.Reports, dataset: str, model: str, name: str) -> list[float]:
    """A scalar of a setup, one value a run that has it; none where the setup was not run."""
    runs = reports.get(f"{dataset}-{model}", {}).get("runs", {})
    return [values[name] for values in runs.values() if values.get(name) is not None]


def higher(
    name: str,
    datasets: Sequence[str] = tables.ORDER,
    better: str = "arvae",
    worse: str = "betavae",
    factor: float = 1,
    digits: int = 3,
) -> Callable[[tables.Reports], list[Outcome]]:
    """A test that `better` has the higher scalar `name` than `worse`."""

    def test(reports: tables.Reports) -> list[Outcome]:
        outcomes = []
        for dataset in datasets:
            a, b = (runs_of(reports, dataset, model, name) for model in (better, worse))
            if not a or not b:
                continue
            one = statistics.difference([factor * v for v in a], [factor * v for v in b])
            effect = "" if one.hedges_g is None else f", g = {one.hedges_g:.1f}"
            text = f"{one.value:+.{digits}f}{effect}"
            outcomes.append(
                Outcome(dataset, one.value > 0, min(a) > max(b), text.replace("-", "\N{MINUS SIGN}"))
            )
        return outcomes

    return test


def about_the_same(name: str, within: float = SAME) -> Callable[[tables.Reports], list[Outcome]]:
    """A test that AR-VAE and beta-VAE differ by at most `within` in the mean of the scalar `name`."""

    def test(reports: tables.Reports) -> list[Outcome]:
        outcomes = []
        for dataset in tables.ORDER:
            a, b = (runs_of(reports, dataset, model, name) for model in ("arvae", "betavae"))
            if a and b:
                gap = statistics.difference(a, b).value
                far = max(max(a) - min(b), max(b) - min(a))
                text = f"{gap:+.3f}".replace("-", "\N{MINUS SIGN}")
                outcomes.append(Outcome(dataset, abs(gap) <= within, far <= within, text))
        return outcomes

    return test


def carried_by_own_dimension(reports: tables.Reports) -> list[Outcome]:
    """Does the regularized dimension know most of its attribute? Number of attributes, over all runs."""
    outcomes = []
    for dataset in tables.ORDER:
        report = reports.get(f"{dataset}-arvae")
        if report is None:
            continue
        hits = [hit for run in report["runs"].values() for hit in _hits(run["details"])]
        share = sum(hits) / len(hits) if hits else 0.0
        outcomes.append(Outcome(dataset, share == 1, share == 1, f"{sum(hits)} of {len(hits)}"))
    return outcomes


def _hits(details: Mapping[str, Any]) -> list[bool]:
    tied = (details["regularized"] or {"per_attribute": {}})["per_attribute"]
    chosen = details["per_attribute"]
    return [values["dimension"] == chosen[name]["dimension"] for name, values in tied.items()]


def steers(reports: tables.Reports) -> list[Outcome]:
    """Does the attribute measured on the output grow along its dimension, monotonicity at least STEERED?"""
    outcomes = []
    for dataset in tables.ORDER:
        values = runs_of(reports, dataset, "arvae", "monotonicity")
        if values:
            mean = statistics.summary(values).mean
            text = f"{mean:.3f}".replace("-", "\N{MINUS SIGN}")
            outcomes.append(Outcome(dataset, mean >= STEERED, min(values) >= STEERED, text))
    return outcomes


CLAIMS = (
    Claim(
        "AR-VAE is more interpretable than β-VAE on every data set",
        "disentanglement",
        higher("interpretability"),
        4,
    ),
    Claim(
        "AR-VAE has the higher Spearman correlation (SCC) on every data set",
        "disentanglement",
        higher("scc"),
        4,
    ),
    Claim("AR-VAE has the higher SAP on every data set", "disentanglement", higher("sap"), 4),
    Claim("AR-VAE has the higher MIG on every data set", "disentanglement", higher("mig"), 4),
    Claim(
        f"Modularity is about the same (within {SAME})", "disentanglement", about_the_same("modularity"), 4
    ),
    Claim(
        "On images AR-VAE reconstructs better than β-VAE, whose β is four times as large (points of pixels)",
        "reconstruction",
        higher("reconstruction_accuracy", ("dsprites", "mnist"), factor=100, digits=2),
        2,
    ),
    Claim(
        "On music AR-VAE pays for its order with some reconstruction: β-VAE's is better (points of symbols)",
        "reconstruction",
        higher(
            "reconstruction_accuracy", ("bach", "folk"), better="betavae", worse="arvae", factor=100, digits=2
        ),
        2,
    ),
    Claim(
        "AR-VAE keeps the digit better than that β-VAE when reconstructing (points of digits read right)",
        "content",
        higher("content_reconstructed", ("mnist",), factor=100, digits=1),
        1,
    ),
    Claim(
        "AR-VAE keeps the digit better than that β-VAE along traversals (points of digits read right)",
        "content",
        higher("content_traversed", ("mnist",), factor=100, digits=1),
        1,
    ),
    Claim(
        "Each attribute is carried by the dimension it is tied to (attributes, all runs)",
        "disentanglement",
        carried_by_own_dimension,
        4,
        OURS,
    ),
    Claim(
        f"Moving the dimension moves the attribute: monotonicity on the output of at least {STEERED}",
        "control",
        steers,
        4,
        OURS,
    ),
    Claim(
        "Moving AR-VAE's dimension steers more monotonically than moving β-VAE's best one, either way",
        "control",
        higher("monotonicity_either_way"),
        4,
        OURS,
    ),
)
