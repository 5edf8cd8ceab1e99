"""Claims about AR-VAE, each checked against our numbers by a rule written down beforehand.

A claim is about numbers; its verdict follows from them at the scale they were made, and says nothing about
other scales. Verdicts: "holds" (on every data set, and every run on the better side is better than every
run on the other), "holds in the mean" (on every data set, runs overlap), "holds in part", "does not hold",
"not tested" (a setup it needs was not run). With few runs a side that is not much:
`statistics.separated_by_chance` is how often two setups alike would be told apart so.
"""

import dataclasses
from collections.abc import Callable, Sequence

import pandas as pd

from arvae.metrics import statistics
from arvae.report import labels
from arvae.report.tables.scores import Reports, per_attribute

SAME = 0.1  # modularity: differences up to this count as "about the same"
STEERED = 0.9  # monotonicity from which a dimension counts as steering its attribute
CHEAP = 0.5  # percentage points of reconstruction that count as no loss
OURS = "this project"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One data set's part of a claim: does it hold, clearly (separated runs) or in the mean; the numbers."""

    holds: bool
    clearly: bool
    text: str


Test = Callable[[Reports, str], Outcome | None]  # of one data set; None where a setup it needs was not run


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement, its subject and data sets, the test of each data set, and whose statement it is."""

    statement: str
    about: str
    datasets: Sequence[str]
    test: Test
    whose: str = "the paper"


def check(reports: Reports, claims: Sequence[Claim]) -> pd.DataFrame:
    """PAPER, BASELINES or other claims: columns claim, verdict, evidence, about, whose; one row a claim."""
    rows = []
    for claim in claims:
        tested = {dataset: claim.test(reports, dataset) for dataset in claim.datasets}
        outcomes = {dataset: outcome for dataset, outcome in tested.items() if outcome is not None}
        evidence = "; ".join(
            f"{labels.dataset_label(dataset)} {one.text}" for dataset, one in outcomes.items()
        )
        found = verdict(list(outcomes.values()), len(claim.datasets))
        rows.append((claim.statement, found, evidence, claim.about, claim.whose))
    return pd.DataFrame(rows, columns=["claim", "verdict", "evidence", "about", "whose"])


def verdict(outcomes: Sequence[Outcome], needs: int) -> str:
    """The one word for a claim about `needs` data sets."""
    if len(outcomes) < needs:
        return "not tested"
    held = sum(outcome.holds for outcome in outcomes)
    if held == len(outcomes):
        return "holds" if all(outcome.clearly for outcome in outcomes) else "holds in the mean"
    return f"holds in part ({held} of {len(outcomes)})" if held else "does not hold"


def _values(reports: Reports, dataset: str, model: str, name: str, on: str = "all") -> list[float]:
    """A scalar of a setup, one value a run that has it; none where the setup was not run.

    on: "all"; "shared", "alone": its mean over the attributes GLSR-VAE can regularize, or over the others.
    """
    report = reports.get(f"{dataset}-{model}")
    if report is None:
        return []
    if on == "all":
        return [run[name] for run in report["runs"].values() if run.get(name) is not None]
    shared = glsr_attributes(reports, dataset)
    alone = [
        per_attribute({"": report | {"runs": {run: values}}}, name) for run, values in report["runs"].items()
    ]
    parts = [rows[rows.attribute.isin(shared) == (on == "shared")].value for rows in alone]
    return [float(values.mean()) for values in parts if len(values)]


def glsr_attributes(reports: Reports, dataset: str) -> list[str]:
    """The attributes that GLSR-VAE regularizes: those it can express, as its own report names them."""
    runs = reports.get(f"{dataset}-glsr", {"runs": {}})["runs"].values()
    return sorted({name for run in runs for name in (run["details"]["regularized"] or {})["per_attribute"]})


def higher(name: str, better="arvae", worse="betavae", factor=1, digits=3, on="all", margin=0.0) -> Test:
    """A test that `better` has the higher scalar `name`, or at most `margin` less; see `_values`."""

    def test(reports: Reports, dataset: str) -> Outcome | None:
        a, b = ([factor * v for v in _values(reports, dataset, model, name, on)] for model in (better, worse))
        if not a or not b:
            return None
        one = statistics.difference(a, b)
        effect = "" if one.hedges_g is None else f", g = {labels.signed(one.hedges_g, 1)}"
        text = labels.signed(one.value, digits, plus=True) + effect
        return Outcome(one.value > -margin, min(a) - max(b) > -margin, text)

    return test


def modularity_alike(reports: Reports, dataset: str) -> Outcome | None:
    """Do AR-VAE and beta-VAE differ by at most SAME in the mean?"""
    a, b = (_values(reports, dataset, model, "modularity") for model in ("arvae", "betavae"))
    if not a or not b:
        return None
    gap = statistics.difference(a, b).value
    far = max(max(a) - min(b), max(b) - min(a))
    return Outcome(abs(gap) <= SAME, far <= SAME, labels.signed(gap, 3, plus=True))


def carried_by_own_dimension(reports: Reports, dataset: str) -> Outcome | None:
    """Does the regularized dimension know most of its attribute? Number of attributes, over all runs."""
    runs = reports.get(f"{dataset}-arvae", {"runs": {}})["runs"].values()
    hits = [
        one["dimension"] == run["details"]["per_attribute"][name]["dimension"]
        for run in runs
        for name, one in (run["details"]["regularized"] or {"per_attribute": {}})["per_attribute"].items()
    ]
    if not hits:
        return None
    return Outcome(all(hits), all(hits), f"{sum(hits)} of {len(hits)}")


def steers(reports: Reports, dataset: str) -> Outcome | None:
    """Does the attribute measured on the output grow along its dimension, monotonicity at least STEERED?"""
    values = _values(reports, dataset, "arvae", "monotonicity")
    if not values:
        return None
    mean = statistics.summary(values).mean
    return Outcome(mean >= STEERED, min(values) >= STEERED, labels.signed(mean, 3))


_ALL, _IMAGES, _MUSIC, _DIGITS = labels.DATASETS, labels.IMAGES, labels.MUSIC, ("mnist",)
_ORDER, _CONTENT = "disentanglement", "content"
_FADER, _GLSR, _FAIR = "Fader network", "GLSR-VAE", "equal β"
# fmt: off
PAPER = (
    Claim("AR-VAE is more interpretable than β-VAE on every data set", _ORDER, _ALL,
          higher("interpretability")),
    Claim("AR-VAE has the higher Spearman correlation (SCC) on every data set", _ORDER, _ALL, higher("scc")),
    Claim("AR-VAE has the higher SAP on every data set", _ORDER, _ALL, higher("sap")),
    Claim("AR-VAE has the higher MIG on every data set", _ORDER, _ALL, higher("mig")),
    Claim(f"Modularity is about the same (within {SAME})", _ORDER, _ALL, modularity_alike),
    Claim("On images AR-VAE reconstructs better than β-VAE, whose β is four times as large (points)",
          "reconstruction", _IMAGES, higher("reconstruction_accuracy", factor=100, digits=2)),
    Claim("On music AR-VAE pays for its order with some reconstruction: β-VAE's is better (points)",
          "reconstruction", _MUSIC,
          higher("reconstruction_accuracy", "betavae", "arvae", factor=100, digits=2)),
    Claim("AR-VAE keeps the digit better than that β-VAE when reconstructing (points of digits read right)",
          _CONTENT, _DIGITS, higher("content_reconstructed", factor=100, digits=1)),
    Claim("AR-VAE keeps the digit better than that β-VAE along traversals (points of digits read right)",
          _CONTENT, _DIGITS, higher("content_traversed", factor=100, digits=1)),
    Claim("Each attribute is carried by the dimension regularized for it (attributes, all runs)",
          _ORDER, _ALL, carried_by_own_dimension, OURS),
    Claim(f"Moving the dimension moves the attribute: monotonicity on the output of at least {STEERED}",
          "control", _ALL, steers, OURS),
    Claim("Moving AR-VAE's dimension steers more monotonically than moving β-VAE's best one, either way",
          "control", _ALL, higher("monotonicity_either_way"), OURS),
)
BASELINES = (
    Claim("At equal β AR-VAE is more interpretable than β-VAE",
          _FAIR, _IMAGES, higher("interpretability", worse="betavae1"), OURS),
    Claim("At equal β AR-VAE has the higher Spearman correlation (SCC)",
          _FAIR, _IMAGES, higher("scc", worse="betavae1"), OURS),
    Claim("A smaller β alone, without regularization, reconstructs better (points of pixels)",
          _FAIR, _IMAGES,
          higher("reconstruction_accuracy", "betavae1", "betavae", factor=100, digits=2), OURS),
    Claim(f"At equal β the regularization costs at most {CHEAP} points of reconstruction", _FAIR, _IMAGES,
          higher("reconstruction_accuracy", worse="betavae1", factor=100, digits=2, margin=CHEAP), OURS),
    Claim("The Fader network's code hides the attributes better than β-VAE's (β = 1)",
          _FADER, _IMAGES, higher("interpretability", "betavae1", "fader"), OURS),
    Claim("AR-VAE's dimensions steer continuous attributes more monotonically than a Fader network's inputs",
          _FADER, _IMAGES, higher("monotonicity", worse="fader"), OURS),
    Claim("AR-VAE's dimensions reach more of the attributes' range than a Fader network's inputs",
          _FADER, _IMAGES, higher("range_covered", worse="fader"), OURS),
    Claim("AR-VAE's dimensions move other attributes less than a Fader network's inputs (selectivity)",
          _FADER, _IMAGES, higher("selectivity", worse="fader"), OURS),
    Claim("AR-VAE keeps the digit along traversals better than a Fader network (points of digits read right)",
          _FADER, _DIGITS, higher("content_traversed", worse="fader", factor=100, digits=1), OURS),
    Claim("On the two attributes GLSR-VAE can regularize, AR-VAE's codes have the higher SCC (means)",
          _GLSR, _MUSIC, higher("scc", worse="glsr", on="shared"), OURS),
    Claim("On the two attributes GLSR-VAE can regularize, AR-VAE steers more monotonically (means)",
          _GLSR, _MUSIC, higher("monotonicity", worse="glsr", on="shared"), OURS),
    Claim("Attributes that cannot be differentiated, pitch range and contour, AR-VAE alone can regularize: "
          "higher SCC (means)", _GLSR, _MUSIC, higher("scc", worse="glsr", on="alone"), OURS),
)
