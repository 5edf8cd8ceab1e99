"""What was found, in three sentences and one table for the front page, from the metrics files alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from compendium import labels, records
from compendium.tables import statistics
from compendium.tables.scores import Reports, differences, runs, scalars, spread
from compendium.tables.summary import MAIN

CHANCE = {"shape": 1 / 3, "digit": 1 / 10}  # of guessing what an item is
LIKE = 0.05  # scores closer than this are said to be alike
COST = 0.005  # of the share of pixels or symbols right, from which a loss is told
KEPT = {
    "digit": "{} of the turned digits are still read as the same digit ({} when only rebuilt)",
    "shape": "{} of the turned shapes are still recognised ({} when only rebuilt)",
    "pitches": "{} of a measure's ticks keep their pitch",
}
MEASURES = {
    "one number tells (R²)": "interpretability",
    "turns steadily": "monotonicity",
    "turns alone": "selectivity",
    "content kept": "content_traversed",
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


def fair(reports: Reports, dataset: str) -> str:
    """The model that lacks AR-VAE's regularization and nothing else (gamma 0, equal beta); "" if not run."""
    ours = reports[f"{dataset}-arvae"]["provenance"]
    return next(
        (
            report["model"]
            for report in reports.values()
            if report["dataset"] == dataset
            and report["provenance"].get("objective", "vae") == "vae"
            and report["model"] != "direction"
            and report["provenance"]["gamma"] == 0
            and report["provenance"]["beta"] == ours["beta"]
        ),
        "",
    )


def _mean(reports: Reports, dataset: str, model: str, name: str) -> float | None:
    """AR-VAE is to run upwards; nothing tells a baseline which way to run, so that either counts."""
    if name == "monotonicity" and model != "arvae":
        name = "monotonicity_either_way"
    return reports.get(f"{dataset}-{model}", {"mean": {}})["mean"].get(name)


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items[:-1]) + (" and " if len(items) > 1 else "") + items[-1]


def _compared(reports: Reports, name: str) -> list[str]:
    """AR-VAE's score on each data set and, in brackets, the fair baseline's, else that of the paper's."""
    said = []
    for dataset in datasets(reports):
        model = fair(reports, dataset) or "betavae"
        values = [_mean(reports, dataset, one, name) for one in ("arvae", model)]
        if None not in values:
            mine, other = (labels.signed(value, 2) for value in values)
            said.append(
                f"**{mine}** on {labels.dataset_label(dataset)} ({labels.model_label(model)}: {other})"
            )
    return said


def everywhere(reports: Reports, name: str) -> str:
    """Whether AR-VAE's runs are higher than the baseline's of the same seeds, over all data sets."""
    table, said = scalars(reports, [name]), {}
    for dataset in datasets(reports):
        gaps = differences(table, name, dataset, "arvae", fair(reports, dataset) or "betavae")
        word = statistics.direction(gaps) if gaps else "not compared"
        said.setdefault(word, []).append(labels.dataset_label(dataset))
    if list(said) == ["higher in every run"]:
        return "higher in every run on every data set"
    return "; ".join(f"{word} on {_listed(names)}" for word, names in said.items())


def _stays(report: dict[str, Any]) -> str:
    """What is left of an item after one attribute was turned; "" where nothing tells."""
    mean, content = report["mean"], next(iter(report["runs"].values()))["details"]["content"]
    if not content or mean.get("content_traversed") is None:
        return ""
    shares = (f"{100 * mean[f'content_{key}']:.0f} %" for key in ("traversed", "reconstructed"))
    text = f"on {labels.dataset_label(report['dataset'])} {KEPT[content['what']].format(*shares)}"
    guess = CHANCE.get(content["what"], 0)
    if mean["content_reconstructed"] < guess:
        text += f", fewer than the {100 * guess:.0f} % of guessing: the outline is lost"
    return text


def _regression(reports: Reports) -> str:
    """What plain regression of the attributes on their dimensions, in place of L_AR, tells; "" if not run."""
    pairs = {
        name: [_mean(reports, name, model, "interpretability") for model in ("regression", "arvae")]
        for name in datasets(reports)
        if f"{name}-regression" in reports
    }
    if not pairs:
        return ""
    ahead = {theirs > mine for theirs, mine in pairs.values()}
    word = ("less", "more")[ahead.pop()] if len(ahead) == 1 else "now more, now less"
    told = _listed([f"{theirs:.2f} on {labels.dataset_label(name)}" for name, (theirs, _) in pairs.items()])
    runs = {len(reports[f"{name}-regression"]["runs"]) for name in pairs}
    seen = " (one run each)" if runs == {1} else ""
    return (
        " A model that regresses the attribute on its dimension in place of this loss, and so is trained for "
        f"just that score, tells {word}: {told}{seen}."
    )


def sentences(reports: Reports) -> str:
    """The three findings, as a numbered list in Markdown."""
    names = datasets(reports)
    missing = [labels.dataset_label(name) for name in names if not fair(reports, name)]
    unfair = (
        f" On {_listed(missing)} the fair baseline is not run (`make studies`); in brackets stands the "
        "paper's, whose β differs too."
        if missing
        else ""
    )
    alike = [
        labels.dataset_label(name)
        for name in names
        if None not in (pair := [_mean(reports, name, model, "monotonicity")
                                 for model in ("arvae", fair(reports, name) or "betavae")])
        and abs(pair[0] - pair[1]) < LIKE
    ]  # fmt: skip
    selective = [
        f"{100 * value:.0f} % on {labels.dataset_label(name)}"
        for name in names
        if (value := _mean(reports, name, "arvae", "selectivity")) is not None
    ]
    stays = [text for name in names if (text := _stays(reports[f"{name}-arvae"]))]
    costs = [
        f"{labels.dataset_label(name)} {100 * mine:.1f} % instead of {100 * other:.1f} %"
        for name in names
        if (mine := _mean(reports, name, "arvae", "reconstruction_accuracy")) is not None
        and (other := _mean(reports, name, fair(reports, name) or "betavae", "reconstruction_accuracy"))
        and mine < other - COST
    ]

    same = f" On {_listed(alike)} the baseline's best dimension does so as steadily." if alike else ""
    cost = f" And it costs: of all that is rebuilt, right is on {_listed(costs)}." if costs else ""
    told, turned = (
        _listed(_compared(reports, name)) for name in ("interpretability", MEASURES["turns steadily"])
    )
    return f"""\
1. **One number tells the attribute.** Of an attribute's variation over test data, a single latent dimension
   tells (R², 1 is all) {told}: {everywhere(reports, "interpretability")}.{unfair}{_regression(reports)}
2. **Turned, it moves the attribute in what is decoded.** While the dimension goes from −4 to 4, it and the
   attribute measured on the output have a rank correlation of {turned}, the baseline's whichever way it
   runs.{same}
3. **The rest does not stay.** Of the change in all attributes, the one that is turned makes up
   {_listed(selective)} (less than all also because attributes depend on one another);
   {"; ".join(stays)}.{cost}"""


def table(reports: Reports) -> pd.DataFrame:
    """AR-VAE's scores and, in brackets, the fair baseline's: a row a data set, as text."""
    rows = {}
    for dataset in datasets(reports):
        model = fair(reports, dataset)
        row = {"fair baseline": labels.model_label(model) if model else "not run"}
        row["runs"] = _runs(reports, dataset, model)
        for words, name in MEASURES.items():
            mine, other = (_mean(reports, dataset, one, name) for one in ("arvae", model))
            row[words] = "–" if mine is None else labels.signed(mine, 2)
            row[words] += "" if other is None else f" ({labels.signed(other, 2)})"
        rows[labels.dataset_label(dataset)] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("data set").reset_index()


def lengths(hour: Reports, night: Reports, published: pd.DataFrame) -> pd.DataFrame:
    """AR-VAE's mean scores after both trainings, and the published value: a row a data set and metric."""
    keys = ["data set", "metric"]
    short, long = (spread(runs(reports), published) for reports in (hour, night))
    short, long = (table[table.model == "arvae"].set_index(keys) for table in (short, long))
    order = pd.MultiIndex.from_product([datasets(night), MAIN], names=keys)
    columns = {"one hour": short["mean"], "one night": long["mean"], "published": long.published}
    return pd.DataFrame(columns).reindex(order).reset_index()


def _runs(reports: Reports, dataset: str, other: str) -> str:
    counts = [len(reports[f"{dataset}-{model}"]["runs"]) for model in ("arvae", other) if model]
    return " and ".join(map(str, counts if len(set(counts)) > 1 else counts[:1]))
