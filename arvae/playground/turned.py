"""For the page on attributes of one's own: how well a model carries them, and a melody turned up and down."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from arvae.datasets.contract import Dataset
from arvae.edit import Control, Edited, Melody, TrainedModel, Wish, edit
from arvae.music import coding as music
from arvae.music import engraving, midi
from arvae.report.figures import style
from arvae.report.figures.data import rungs
from arvae.report.figures.music import signed
from arvae.trained import examples

TURNS = (-2.0, -1.0, 0.0, 1.0, 2.0)  # standard deviations
METRICS = ("interpretability", "scc", "mig", "dmig", "sap")
STEERED = ("monotonicity", "range_covered", "selectivity")
WIDE = 1.5  # standard deviations to either side, for the verdict
WORKS, MOSTLY = 0.8, 0.6  # share of measures that follow their control
SAME = 1e-6


def carried(report: Mapping[str, Any]) -> pd.DataFrame:
    """What reports/metrics/<setup>.json says of each attribute, the mean of its runs: a row an attribute.

    The paper's metrics along the dimension that the attribute is tied to, without modularity, which is one
    number a model; then controllability (see `arvae.evaluation.controllability`) over -4 .. 4.
    """
    details = [run["details"] for run in report["runs"].values()]
    rows = {}
    for name in report["attributes"]:
        scores = {
            style.metric_label(key): [one["regularized"]["per_attribute"][name].get(key) for one in details]
            for key in METRICS
        }
        steered = [one["controllability"]["fixed"]["per_attribute"][name] for one in details]
        scores |= {style.plain(key): [one[key] for one in steered] for key in STEERED}
        rows[style.plain(name)] = {
            key: np.mean(values) if None not in values else np.nan for key, values in scores.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("attribute")


def steps(data: Dataset, attribute: str, count: int = 5) -> np.ndarray:
    """Test measures (count, 24) from little of an attribute to much, the others near their averages."""
    index = rungs(data.test.attributes, data.attribute_names.index(attribute), count)
    return data.test.x[index]


def turned(
    trained: TrainedModel, measures: np.ndarray, attribute: str, turns: Sequence[float] = TURNS
) -> dict[str, Edited]:
    """Measures (n, 24) with an attribute's control turned: "+1 sd" -> what became of them."""
    return {
        f"{'+' if turn > 0 else ''}{signed(turn)} sd": edit(trained, measures, [Wish(attribute, turn=turn)])
        for turn in turns
    }


def values(edited: Edited, attribute: str) -> np.ndarray:
    """The attribute as measured on every measure of an edit: (n,)."""
    return edited.after[:, edited.trained.attribute_names.index(attribute)]


def score(versions: Mapping[str, Edited], attribute: str, melody: Melody) -> str:
    """A staff a version, in the melody's own key, the attribute as measured above each measure: SVG."""
    staves = [melody.written(one.result) for one in versions.values()]
    captions = [[f"{value:.2f}" for value in values(one, attribute)] for one in versions.values()]
    alt = f"{melody.title} with its {attribute} turned: {', '.join(versions)}"
    return engraving.engrave(staves, list(versions), captions=captions, alt=alt)


def roll(versions: Mapping[str, Edited], attribute: str, melody: Melody) -> Figure:
    """Piano rolls, a row a version, the attribute as measured below each measure and as dots at the right."""
    written = {label: melody.written(one.result) for label, one in versions.items()}
    figure, axes = style.subplots(
        len(written), 2, height=0.5 + 1.05 * len(written), squeeze=False, width_ratios=(4.2, 1), sharex="col"
    )
    everything = np.concatenate(list(written.values()))
    pitches = everything[everything >= 0]
    low, high = (int(pitches.min()), int(pitches.max())) if pitches.size else (60, 72)
    measured = np.concatenate([values(one, attribute) for one in versions.values()])
    least, most = float(np.nanmin(measured)), float(np.nanmax(measured))
    margin = 0.12 * max(most - least, 0.1)
    for (left, right), (label, measures) in zip(axes, written.items(), strict=True):
        found = values(versions[label], attribute)
        _notes(left, measures, low, high)
        left.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=22)
        for place, value in enumerate(found):
            left.text((place + 0.5) * midi.MEASURE, low - 3.2, f"{value:.2f}", ha="center", va="center")
        right.plot(np.arange(len(found)) + 1, found, "o", color=style.MODEL_COLOURS["arvae"])
        right.axhline(np.nanmean(found), color=style.INK, linewidth=1)
        right.set(xlim=(0.5, len(found) + 0.5), ylim=(least - margin, most + margin))
        right.grid(False, axis="x")
    axes[0, 0].set_title(f"{style.plain(attribute)} as measured, also at the right (line: mean)")
    axes[-1, 0].set_xticks([])
    axes[-1, 1].set_xticks(np.arange(len(everything) // len(written)) + 1)
    axes[-1, 1].set_xlabel("measure")
    return figure


def _notes(axes: Any, measures: np.ndarray, low: int, high: int) -> None:
    gap = 0.6  # twelfths of a quarter note left white, so that repeated notes can be told apart
    bars = [
        Rectangle((start, pitch - 0.5), max(end - start - gap, 0.5), 1)
        for pitch, start, end in midi.notes(measures)
    ]
    axes.add_collection(PatchCollection(bars, facecolor=style.MODEL_COLOURS["arvae"], edgecolor="none"))
    for bar in range(1, len(measures)):
        axes.axvline(bar * midi.MEASURE, color="#9a9a9a", linewidth=0.9, zorder=1)
    axes.set(xlim=(0, len(measures) * midi.MEASURE), ylim=(low - 5, high + 1.5))
    shown = [pitch for pitch in range(low, high + 1) if pitch % 12 in (0, 7)]
    axes.set_yticks(shown, [music.pitch_name(pitch) for pitch in shown])
    axes.grid(False, axis="x")


def changes(versions: Mapping[str, Edited], attribute: str) -> pd.DataFrame:
    """A row a version: the attribute's mean as measured, the share of ticks that are as with the control
    untouched, and how far the others moved from there, in shares of the range that holds 95 % of the data."""
    rows = {}
    for label, one in versions.items():
        moved = {
            f"{style.plain(control.attribute)}, change": np.nanmean(one.after[:, i] - one.rebuilt[:, i])
            / _range(control)
            for i, control in enumerate(one.trained.controls)
            if control.attribute != attribute
        }
        rows[label] = {
            f"{style.plain(attribute)}, mean": np.nanmean(values(one, attribute)),
            "ticks unchanged": (one.result == one.reconstruction).mean(),
            **moved,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("control turned by")


def follows(trained: TrainedModel, data: Dataset, attribute: str, count: int = 300) -> dict[str, Any]:
    """What `count` test measures do when a control is turned from -1.5 to +1.5 standard deviations.

    rise, stay, fall: shares of the measures by the attribute as measured; change: its mean change, in shares
    of the range that holds 95 % of the data; side: the same of the other attribute that changes most, and
    which; measures: how many.
    """
    chosen = np.sort(np.random.default_rng(0).permutation(len(data.test))[:count])
    given = examples(data.test, chosen)
    low, high = (edit(trained, given, [Wish(attribute, turn=turn)]).after for turn in (-WIDE, WIDE))
    step = high - low
    mine = trained.attribute_names.index(attribute)
    moved = {
        control.attribute: np.nanmean(step[:, i]) / _range(control)
        for i, control in enumerate(trained.controls)
    }
    change = moved.pop(attribute)
    other = max(moved, key=lambda name: abs(moved[name]))
    return {
        "rise": float((step[:, mine] > SAME).mean()),
        "stay": float((np.abs(step[:, mine]) <= SAME).mean()),
        "fall": float((step[:, mine] < -SAME).mean()),
        "change": float(change),
        "other": other,
        "side": float(moved[other]),
        "measures": len(chosen),
    }


def verdict(attribute: str, found: Mapping[str, Any]) -> str:
    """`follows` in words (Markdown)."""
    if found["rise"] >= WORKS:
        says = "**The control works**, though not in every measure."
    elif found["rise"] >= MOSTLY:
        says = "**It works in most measures**, and no more than that: listen before you keep what it wrote."
    else:
        says = "**It works poorly**: in too many measures what is decoded does not follow the control."
    if abs(found["side"]) > abs(found["change"]):
        says += f" It moves {style.plain(found['other'])} further than what it is named after."
    return (
        f"Turned from −{WIDE:g} to +{WIDE:g} standard deviations, {style.plain(attribute)}, measured on what "
        f"is decoded, rises in {found['rise']:.0%} of {found['measures']} test measures, stays the same in "
        f"{found['stay']:.0%} and falls in {found['fall']:.0%}. It changes on average by "
        f"{signed(found['change'], 2)} of the range that holds 95 % of the data; of the other attributes, "
        f"{style.plain(found['other'])} changes most, by {signed(found['side'], 2)} of its own. {says}"
    )


def _range(control: Control) -> float:
    return max(control.most - control.least, SAME)
