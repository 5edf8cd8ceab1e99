"""What was found, for the front page: an abstract, a table and three findings, from metrics files alone."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from compendium import labels, records
from compendium.labels import listed
from compendium.tables import setup, statistics
from compendium.tables.scores import Reports, contents, differences, fair, scalars

CHANCE = {"shape": 1 / 3, "digit": 1 / 10}  # of guessing what an item is
KEPT = {
    "digit": "{} of edited digits are still recognised",
    "shape": "{} of edited shapes are still recognised",
    "pitches": "{} of the ticks in a measure keep their pitch",
}
MEASURES = {
    "R²": "interpretability",
    "rank correlation": "monotonicity",
    "targets reached": "target_hit",
    "share of change": "selectivity",
}


def longest(home: Path, setups: Sequence[str]) -> Path:
    """The home with the longest trainings: overnight/, where all `setups` have been evaluated, or `home`."""
    night = home / "overnight"
    there = all((night / "reports" / "metrics" / f"{setup}.json").is_file() for setup in setups)
    return night if there else home


def compared(home: Path, longest: Path) -> Reports:
    """The reports to be summed up: the longest trainings' where they have the fair baseline of every data
    set, else those of `home` and, of the same data sets, of its studies."""
    reports = records.load(longest)
    if longest == home or not all(fair(reports, dataset) for dataset in datasets(reports)):
        further, reports = home / "studies" / "reports", records.load(home)
        known = datasets(reports)
        if further.is_dir():
            reports |= records.load(home, reports=further)
        reports = {name: report for name, report in reports.items() if report["dataset"] in known}
    return reports


def datasets(reports: Reports) -> list[str]:
    """The data sets that AR-VAE was evaluated on, in the usual order."""
    found = [report["dataset"] for report in reports.values() if report["model"] == "arvae"]
    return labels.in_order(found, labels.DATASETS)


def _mean(reports: Reports, dataset: str, model: str, name: str) -> float | None:
    """AR-VAE is to run upwards; nothing tells a baseline which way to run, so that either counts."""
    if name == "monotonicity" and model != "arvae":
        name = "monotonicity_either_way"
    return reports.get(f"{dataset}-{model}", {"mean": {}})["mean"].get(name)


def _content(reports: Reports, dataset: str) -> tuple[float, float] | None:
    """What AR-VAE and the baseline keep of the content where both cover as much of the attributes' range:
    means over the seeds both have; None where nothing measures it."""
    kept = contents(reports, dataset, fair(reports, dataset) or "betavae")
    return tuple(sum(side) / len(kept) for side in zip(*kept, strict=True)) if kept else None


def _scores(reports: Reports, name: str, model: str = "arvae") -> dict[str, float]:
    """Label of a data set -> the mean score there of `model`, or of the baseline for "baseline"."""
    found = {}
    for dataset in datasets(reports):
        which = (fair(reports, dataset) or "betavae") if model == "baseline" else model
        value = _mean(reports, dataset, which, name)
        if value is not None:
            found[labels.dataset_label(dataset)] = value
    return found


def _span(scores: dict[str, float], percent: bool = False) -> str:
    """The least and the greatest score with their data sets: "0.68 (dSprites) to 0.97 (Bach chorales)"."""
    ends = sorted(scores, key=scores.__getitem__)
    shown = {
        name: f"{100 * scores[name]:.0f} %" if percent else labels.signed(scores[name], 2)
        for name in ends[:1] + ends[-1:]
    }
    return " to ".join(f"{value} ({name})" for name, value in shown.items())


def of_beta(reports: Reports, dataset: str) -> str:
    """What beta alone explains: R² and reconstruction of the paper's baseline, the fair one and AR-VAE; ""
    where the two baselines are one, or one has not been run."""
    models = ("betavae", fair(reports, dataset), "arvae")
    if len(set(models)) < 3 or any(f"{dataset}-{model}" not in reports for model in models):
        return ""
    predicts, right = (
        [_mean(reports, dataset, model, name) for model in models]
        for name in ("interpretability", "reconstruction_accuracy")
    )
    return (
        f"What β alone explains: from the paper's baseline to the one with AR-VAE's β, R² goes from "
        f"{predicts[0]:.2f} to {predicts[1]:.2f} and reconstruction accuracy from {100 * right[0]:.1f} to "
        f"{100 * right[1]:.1f} %; AR-VAE has {predicts[2]:.2f} and {100 * right[2]:.1f} %."
    )


def everywhere(reports: Reports, name: str) -> str:
    """Whether AR-VAE's runs are higher than the baseline's of the same seeds, over all data sets."""
    table, said = scalars(reports, [name]), {}
    for dataset in datasets(reports):
        gaps = differences(table, name, dataset, "arvae", fair(reports, dataset) or "betavae")
        word = statistics.direction(gaps) if gaps else "not compared"
        said.setdefault(word, []).append(labels.dataset_label(dataset))
    if len(said) == 1 and word.startswith("higher"):
        return f"{word} on every data set"
    return "; ".join(f"{word} on {listed(names)}" for word, names in said.items())


def _stays(reports: Reports, dataset: str) -> str:
    """What is left of an item after one attribute was changed; "" where nothing measures it."""
    report = reports[f"{dataset}-arvae"]
    mean, content = report["mean"], next(iter(report["runs"].values()))["details"]["content"]
    both = _content(reports, dataset)
    if not content or not both:
        return ""
    shown, beside, rebuilt = (f"{100 * share:.0f} %" for share in (*both, mean["content_reconstructed"]))
    aside = [f"baseline: {beside}"]
    aside += [f"merely reconstructed: {rebuilt}"] * (content["what"] in CHANCE)
    text = f"on {labels.dataset_label(dataset)} {KEPT[content['what']].format(shown)} ({'; '.join(aside)})"
    guess = CHANCE.get(content["what"], 0)
    if mean["content_reconstructed"] < guess:
        text += f", no better than guessing ({100 * guess:.0f} %)"
    return text


def weak(reports: Reports) -> tuple[str, str]:
    """Which attributes do not rise along their dimension, and of which a requested value is reached hardly
    more often than by leaving an item as it is; "" if none."""
    falls, misses = [], {}
    for dataset in datasets(reports):
        label, steered = labels.dataset_label(dataset), setup.control(reports[f"{dataset}-arvae"], few=1)
        if not steered.empty:
            weak = steered[steered.monotonicity < statistics.WEAK].monotonicity
            falls += [f"{labels.plain(key)} on {label} ({labels.signed(weak[key], 2)})" for key in weak.index]
            idle = steered[steered.reached - steered["left alone"] < statistics.ALIKE].index
            misses.setdefault(tuple(map(labels.plain, idle)), []).append(label)
    missed = [f"{listed(names)} on {listed(where)}" for names, where in misses.items() if names]
    return listed(falls) if falls else "", "; of ".join(missed)


def _regression(reports: Reports, start: str) -> str:
    """What regression of the attributes on their dimensions, in place of L_AR, scores; "" if not run."""
    pairs = {
        name: [_mean(reports, name, model, "interpretability") for model in ("regression", "arvae")]
        for name in datasets(reports)
        if f"{name}-regression" in reports
    }
    if not pairs:
        return ""
    ahead = {theirs > mine for theirs, mine in pairs.values()}
    word = ("lower", "higher")[ahead.pop()] if len(ahead) == 1 else "lower on some, higher on others"
    scored = listed([f"{theirs:.2f} on {labels.dataset_label(name)}" for name, (theirs, _) in pairs.items()])
    runs = {len(reports[f"{name}-regression"]["runs"]) for name in pairs}
    seen = "; one run each" if runs == {1} else ""
    return f" {start} regression of the attributes on the same dimensions scores {word} ({scored}{seen})."


def sentences(reports: Reports, shorter: Reports) -> str:
    """The three findings, as a numbered list in Markdown.

    shorter: what tells how plain regression scores where `reports` lack it.
    """
    names = datasets(reports)
    missing = [labels.dataset_label(name) for name in names if not fair(reports, name)]
    unfair = (
        f" On {listed(missing)} the fair baseline has not been run; the paper's stands in, whose β differs."
        if missing
        else ""
    )
    follows, baseline = (_scores(reports, "monotonicity", model) for model in ("arvae", "baseline"))
    alike = [
        name
        for name in follows
        if name in baseline and abs(follows[name] - baseline[name]) < statistics.ALIKE
    ]
    same = f" On {listed(alike)} the two are alike." if alike else ""
    stays = [text for name in names if (text := _stays(reports, name))]
    remains = f" Edited as far by both models: {'; '.join(stays)}." if stays else ""
    right, other = (_scores(reports, "reconstruction_accuracy", model) for model in ("arvae", "baseline"))
    costs = [
        f"{100 * right[name]:.1f} % instead of {100 * other[name]:.1f} % on {name}"
        for name in right
        if name in other and right[name] < other[name] - statistics.COST
    ]
    whole, others = (_scores(reports, "measures_right_unseen", model) for model in ("arvae", "baseline"))
    unseen = [
        f"{100 * whole[name]:.0f} % instead of {100 * others[name]:.0f} % on {name}"
        for name in whole
        if name in others and whole[name] < others[name] - statistics.COST
    ]
    cost = f" And it costs reconstruction accuracy: {listed(costs)}." if costs else ""
    if unseen:
        cost += f" Fewer measures that do not occur in training are reconstructed whole: {listed(unseen)}."
    regression = _regression(reports, "Plain")
    if not regression and shorter:
        regression = _regression(shorter, f"At scale {next(iter(shorter.values()))['scale']}, plain")
    predicts = [_span(_scores(reports, "interpretability", model)) for model in ("arvae", "baseline")]
    falls, missed = weak(reports)
    exceptions = f" Exceptions: {falls}." if falls else ""
    if missed:
        exceptions += f" Requested values of {missed} are reached hardly more often than without an edit."
    return f"""\
1. **One latent dimension predicts the attribute.** On test data, a single dimension predicts an attribute
   with an R² of {predicts[0]}; without the regularization, {predicts[1]}. AR-VAE is
   {everywhere(reports, "interpretability")}.{unfair}{regression}
2. **Changing that dimension changes the attribute in the output.** From −4 to 4, the rank correlation between
   the dimension and the attribute measured on the output is {_span(follows)}; for the baseline's best
   dimension, in whichever direction it runs, {_span(baseline)}.{same}{exceptions}
3. **Other things change as well.** The chosen attribute accounts for
   {_span(_scores(reports, "selectivity"), percent=True)} of the change in all attributes, in part
   because attributes are correlated.{remains}{cost}"""


def abstract(reports: Reports) -> str:
    """What the method does, how much better than the fair baseline it is, and what it does not do."""
    predicts = [_span(_scores(reports, "interpretability", model)) for model in ("arvae", "baseline")]
    others = {name: 1 - share for name, share in _scores(reports, "selectivity").items()}
    falls, _ = weak(reports)
    return f"""\
On test data, a regularized dimension predicts its attribute with an R² of {predicts[0]}; without the
regularization, the best dimension does with {predicts[1]}. But attributes do not change one at a time:
others make up {_span(others, percent=True)} of the change.{falls and f" And not all follow: {falls}."}"""


def table(reports: Reports) -> pd.DataFrame:
    """AR-VAE's scores and, in brackets, the fair baseline's: a column a data set, as text."""
    columns = {}
    for dataset in datasets(reports):
        model, column = fair(reports, dataset), {}
        for words, name in MEASURES.items():
            mine, other = (_mean(reports, dataset, one, name) for one in ("arvae", model))
            column[words] = "–" if mine is None else labels.signed(mine, 2)
            column[words] += "" if other is None else f" ({labels.signed(other, 2)})"
        kept = _content(reports, dataset)
        column["content kept"] = "{:.2f} ({:.2f})".format(*kept) if kept else "–"
        column["fair baseline"] = labels.model_label(model) if model else "not run"
        column["runs"] = _runs(reports, dataset, model)
        columns[labels.dataset_label(dataset)] = column
    return pd.DataFrame(columns).rename_axis("AR-VAE (fair baseline)").reset_index()


def _runs(reports: Reports, dataset: str, other: str) -> str:
    counts = [len(reports[f"{dataset}-{model}"]["runs"]) for model in ("arvae", other) if model]
    return " and ".join(map(str, counts if len(set(counts)) > 1 else counts[:1]))
