"""Claims about AR-VAE, each checked against our numbers by a rule written down beforehand.

A claim is about numbers; its verdict follows from them at the scale they were made, and says nothing about
other scales. Every run gives a number, how far it is on the claim's side: the difference of two models' runs
of the same seed, or the distance to a limit. `statistics.verdict` makes a word of them.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Sequence

import pandas as pd

from compendium import labels
from compendium.tables import statistics
from compendium.tables.scores import Reports, contents, fair, per_attribute

SAME = 0.1  # modularity: differences up to this count as "about the same"
STEERED = 0.9  # monotonicity from which a dimension counts as steering its attribute
CHEAP = 0.5  # percentage points of reconstruction that count as no loss
OURS = "this project"
FAIR = "fair"  # in place of a model: AR-VAE's own without its regularization, at its beta


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One data set's part of a claim: how far each run is on its side (positive), and the number to show."""

    sides: list[float]
    values: list[float]
    digits: int = 3
    plus: bool = True

    @property
    def text(self) -> str:
        """The runs, or from three on their mean with its interval."""
        if len(self.values) < statistics.FEW:
            return ", ".join(labels.signed(value, self.digits, self.plus) for value in self.values)
        one = statistics.summary(self.values)
        mean, low, high = (labels.signed(v, self.digits, self.plus) for v in (one.mean, one.low, one.high))
        return f"{mean} ({low} to {high})"


Test = Callable[[Reports, str], Outcome | None]  # of one data set; None where a setup it needs was not run


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement, its subject and data sets, the test of each data set, and whose statement it is.

    limit: it is about a limit kept, not about a difference, so that no test of differences applies.
    """

    statement: str
    about: str
    datasets: Sequence[str]
    test: Test
    whose: str = "the paper"
    limit: bool = False


def check(reports: Reports, claims: Sequence[Claim]) -> pd.DataFrame:
    """PAPER, BASELINES or other claims, a row a claim: claim, verdict, runs, evidence, p, about, whose.

    runs: in each data set of the claim; evidence: the runs, or means with 95 % intervals. Where only some
    data sets have enough runs for an interval, the verdict is on those, and of the others it says where their
    runs point, or that a setup it needs was not run. p: of all data sets together that have enough runs
    (`statistics.permutation`).
    """
    rows = []
    for claim in claims:
        tested = {dataset: claim.test(reports, dataset) for dataset in claim.datasets}
        outcomes = {dataset: outcome for dataset, outcome in tested.items() if outcome is not None}
        evidence = "; ".join(
            f"{labels.dataset_label(dataset)} {one.text}" for dataset, one in outcomes.items()
        )
        counts = [len(one.sides) for one in outcomes.values()]
        many = {name: one.sides for name, one in outcomes.items() if len(one.sides) >= statistics.FEW}
        few = {name: one.sides for name, one in outcomes.items() if name not in many}
        missing = [name for name in claim.datasets if name not in outcomes]
        parts = {
            statistics.verdict(list(part.values()), claim.limit): part for part in (many, few) if part
        } | ({"not run": missing} if missing else {})
        found = "; ".join(
            word + (f" on {', '.join(map(labels.dataset_label, part))}" if len(parts) > 1 else "")
            for word, part in parts.items()
        )
        p = f"{statistics.permutation(list(many.values())):.3g}" if many and not claim.limit else "–"
        runs = str(counts[0]) if len(set(counts)) == 1 else ", ".join(map(str, counts))
        rows.append((claim.statement, found, runs or "0", evidence, p, claim.about, claim.whose))
    return pd.DataFrame(rows, columns=["claim", "verdict", "runs", "evidence", "p", "about", "whose"])


def tally(checked: pd.DataFrame) -> str:
    """How many claims of a table (`check`) have which verdict: "holds: 6; holds in part: 1; undecided: 3".

    Of a verdict in parts the first is taken, that on data sets with enough runs; what is in brackets is left
    out.
    """
    words = (re.sub(r";.*| on .*| \(.*?\)", "", verdict) for verdict in checked.verdict)
    return "; ".join(f"{word}: {count}" for word, count in Counter(words).most_common())


def values(reports: Reports, dataset: str, model: str, name: str, on: str = "all") -> dict[str, float]:
    """A scalar of a setup, by run; none where the setup was not run.

    on: "all"; "shared", "alone": its mean over the attributes GLSR-VAE can regularize, or over the others.
    """
    report = reports.get(f"{dataset}-{model}")
    if report is None:
        return {}
    if on == "all":
        return {run: one[name] for run, one in report["runs"].items() if one.get(name) is not None}
    shared = glsr_attributes(reports, dataset)
    alone = {
        run: per_attribute({"": report | {"runs": {run: one}}}, name) for run, one in report["runs"].items()
    }
    parts = {run: rows[rows.attribute.isin(shared) == (on == "shared")].value for run, rows in alone.items()}
    return {run: float(values.mean()) for run, values in parts.items() if len(values)}


def glsr_attributes(reports: Reports, dataset: str) -> list[str]:
    """The attributes that GLSR-VAE regularizes: those it can express, as its own report names them."""
    runs = reports.get(f"{dataset}-glsr", {"runs": {}})["runs"].values()
    return sorted({name for run in runs for name in (run["details"]["regularized"] or {})["per_attribute"]})


def higher(*names: str, better="arvae", worse="betavae", factor=1, digits=3, on="all", margin=0.0) -> Test:
    """A test that `better` has the higher scalar of every name, or at most `margin` less; see `values`. Of
    several names a run's least difference counts, and is shown. worse: a model, or FAIR (`scores.fair`)."""

    def test(reports: Reports, dataset: str) -> Outcome | None:
        models = (better, _baseline(reports, dataset) if worse == FAIR else worse)
        gaps = [statistics.paired(*(values(reports, dataset, m, name, on) for m in models)) for name in names]
        least = [factor * min(several) for several in zip(*gaps, strict=True)]
        return Outcome([gap + margin for gap in least], least, digits) if least else None

    return test


def keeps(worse: str) -> Test:
    """A test that AR-VAE keeps more of the content where both cover as much of the range, in points."""

    def test(reports: Reports, dataset: str) -> Outcome | None:
        gaps = content_gaps(reports, dataset, _baseline(reports, dataset) if worse == FAIR else worse)
        return Outcome(gaps, gaps, 1) if gaps else None

    return test


def content_gaps(reports: Reports, dataset: str, model: str) -> list[float]:
    """How much more AR-VAE keeps than a model, see `contents`, in points, a value a seed."""
    return [100 * (mine - other) for mine, other in contents(reports, dataset, model)]


def _baseline(reports: Reports, dataset: str) -> str:
    return fair(reports, dataset) if f"{dataset}-arvae" in reports else ""


def modularity_alike(reports: Reports, dataset: str) -> Outcome | None:
    """Do AR-VAE and beta-VAE differ by at most SAME?"""
    gaps = statistics.paired(*(values(reports, dataset, m, "modularity") for m in ("arvae", "betavae")))
    return Outcome([SAME - abs(gap) for gap in gaps], gaps) if gaps else None


def steers(reports: Reports, dataset: str) -> Outcome | None:
    """Does the attribute measured on the output grow along its dimension, monotonicity at least STEERED?"""
    found = list(values(reports, dataset, "arvae", "monotonicity").values())
    return Outcome([value - STEERED for value in found], found, plus=False) if found else None


_ALL, _IMAGES, _MUSIC, _DIGITS = labels.DATASETS, labels.IMAGES, labels.MUSIC, ("mnist",)
_ORDER, _CONTENT = "disentanglement", "content"
_FADER, _GLSR, _FAIR = "Fader network", "GLSR-VAE", "equal β"
# fmt: off
PAPER = (
    Claim("AR-VAE has higher interpretability and SCC than β-VAE on every data set (smaller gain of the two)",
          _ORDER, _ALL, higher("interpretability", "scc")),
    Claim("AR-VAE has higher SAP and MIG than β-VAE on every data set (smaller gain of the two)",
          _ORDER, _ALL, higher("sap", "mig")),
    Claim("On images AR-VAE has higher interpretability and SCC than a β-VAE of its own β (smaller gain)",
          _ORDER, _IMAGES, higher("interpretability", "scc", worse=FAIR), OURS),
    Claim(f"Modularity is about the same (within {SAME})", _ORDER, _ALL, modularity_alike, limit=True),
    Claim("On images AR-VAE reconstructs better than β-VAE, whose β is four times as large (points)",
          "reconstruction", _IMAGES, higher("reconstruction_accuracy", factor=100, digits=2)),
    Claim("On music AR-VAE costs some reconstruction accuracy: β-VAE's is better (points)",
          "reconstruction", _MUSIC,
          higher("reconstruction_accuracy", better="betavae", worse="arvae", factor=100, digits=2)),
    Claim("AR-VAE preserves the digit better than that β-VAE along traversals (digit accuracy, points)",
          _CONTENT, _DIGITS, higher("content_traversed", factor=100, digits=1)),
    Claim(f"Moving the dimension changes the attribute: monotonicity on the output of at least {STEERED}",
          "control", _ALL, steers, OURS, limit=True),
    Claim("AR-VAE's dimensions control attributes more monotonically than the best ones of a β-VAE of its "
          "own β, either way", "control", _ALL, higher("monotonicity_either_way", worse=FAIR), OURS),
    Claim("Covering as much of the attributes' range, AR-VAE preserves more of the content than a β-VAE of "
          "its own β (points)", _CONTENT, _ALL, keeps(FAIR), OURS),
)
BASELINES = (
    Claim("At equal β AR-VAE has higher interpretability than β-VAE",
          _FAIR, _IMAGES, higher("interpretability", worse="betavae1"), OURS),
    Claim("At equal β AR-VAE has a higher Spearman correlation (SCC)",
          _FAIR, _IMAGES, higher("scc", worse="betavae1"), OURS),
    Claim("A smaller β alone, without regularization, improves reconstruction (points of pixels)",
          _FAIR, _IMAGES,
          higher("reconstruction_accuracy", better="betavae1", factor=100, digits=2), OURS),
    Claim(f"At equal β the regularization costs at most {CHEAP} points of reconstruction", _FAIR, _IMAGES,
          higher("reconstruction_accuracy", worse="betavae1", factor=100, digits=2, margin=CHEAP), OURS,
          limit=True),
    Claim("The Fader network's code hides the attributes better than β-VAE's (β = 1)",
          _FADER, _IMAGES, higher("interpretability", better="betavae1", worse="fader"), OURS),
    Claim("AR-VAE's dimensions control continuous attributes more monotonically than Fader network inputs",
          _FADER, _IMAGES, higher("monotonicity", worse="fader"), OURS),
    Claim("AR-VAE's dimensions cover more of the attributes' range than a Fader network's inputs",
          _FADER, _IMAGES, higher("range_covered", worse="fader"), OURS),
    Claim("AR-VAE's dimensions change other attributes less than a Fader network's inputs (selectivity)",
          _FADER, _IMAGES, higher("selectivity", worse="fader"), OURS),
    Claim("Covering as much of the attributes' range, AR-VAE preserves the digit better than a Fader network "
          "(points)", _FADER, _DIGITS, keeps("fader"), OURS),
    Claim("On the two attributes GLSR-VAE can regularize, AR-VAE's codes have a higher SCC (means)",
          _GLSR, _MUSIC, higher("scc", worse="glsr", on="shared"), OURS),
    Claim("On the two attributes GLSR-VAE can regularize, AR-VAE's control is more monotonic (means)",
          _GLSR, _MUSIC, higher("monotonicity", worse="glsr", on="shared"), OURS),
    Claim("Only AR-VAE can regularize the non-differentiable attributes, pitch range and contour: "
          "higher SCC (means)", _GLSR, _MUSIC, higher("scc", worse="glsr", on="alone"), OURS),
)
