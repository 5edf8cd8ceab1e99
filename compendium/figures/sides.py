"""Trained models side by side: what each makes of the same test items, and of the same traversals.

`load` reads what training and evaluation left of a setup; nothing is encoded or measured anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arvae.datasets import examples, sprites
from arvae.datasets.contract import Dataset
from arvae.files import read_json, write_text
from arvae.paths import remedy
from arvae.trained import TrainedModel, as_shown
from compendium import labels
from compendium.figures import animation, images, style

FIRST = 64  # test items of which the one of middling note density is shown


@dataclass(frozen=True)
class Side:
    """The first run of a setup: the model, codes of test items, and its report.

    z, mean: (n, d) codes; index: (n,) places in the test split; report: the setup's metrics file.
    """

    model: TrainedModel
    z: np.ndarray
    mean: np.ndarray
    index: np.ndarray
    report: dict[str, Any]

    @property
    def columns(self) -> dict[str, int]:
        """Attribute -> the dimension that is moved for it."""
        return {name: self.model.dimension_of(name) for name in self.model.attribute_names}

    def turned(self, items: np.ndarray, names: Sequence[str], values: np.ndarray) -> np.ndarray:
        """Mean codes at `items` (n,) decoded, each attribute set to `values` (p,): (n, k, p, ...)."""
        rows = [self.model.traverse(self.mean[items], name, values) for name in names]  # k x (p, n, ...)
        return np.moveaxis(np.stack(rows), 2, 0)


def load(home: Path, data: Dataset, model: str) -> Side:
    """The setup of `model` on a data set: data/models, data/codes and reports/metrics under `home`.

    Raises:
        FileNotFoundError: the setup was not trained and evaluated.
    """
    setup = f"{data.name}-{model}"
    paths = [home / "reports" / "metrics" / f"{setup}.json", home / "data" / "codes" / f"{setup}.npz"]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}: run {remedy('evaluate', home, setup)}")
    report = read_json(paths[0])
    run, result = next(iter(report["runs"].items()))
    with np.load(paths[1], allow_pickle=False) as file:
        z, mean, index, attributes = (file[k] for k in (f"z_{run}", f"mean_{run}", "index", "attributes"))
    known = result["details"]["mutual_information"]
    information = np.array([known[name] for name in report["attributes"]]).T
    model = TrainedModel.load(setup, run, home, data).fitted(z, attributes, information)
    return Side(model, z, mean, index, report)


def originals(data: Dataset, side: Side, items: np.ndarray) -> np.ndarray:
    """The test items themselves, as the decoder gives them."""
    return as_shown(examples(data.test, side.index[items]))


def one_of_each(data: Dataset, side: Side) -> tuple[list[str], np.ndarray]:
    """Names of the classes (digits, shapes) and for each the most ordinary item, by place in `side`.

    Ordinary: all attributes nearest to the medians of its class, in standard deviations. Data without
    classes give their six most ordinary items.
    """
    extra = {key: values[side.index] for key, values in data.test.extra.items()}
    if "label" in extra:
        classes, names = extra["label"], [str(digit) for digit in range(10)]
    elif "factors" in extra:
        classes, names = extra["factors"][:, 0], list(sprites.SHAPES)
    else:
        classes, names = np.zeros(len(side.index), int), [""] * 6
    values = pd.DataFrame(data.test.attributes[side.index].astype(np.float64))
    spread = values.std(ddof=0).replace(0, 1)
    far = ((values - values.groupby(classes).transform("median")) / spread).pow(2).sum(axis=1)
    if not any(names):
        return names, far.sort_values(kind="stable").index[:6].to_numpy()
    return names, far.groupby(classes).idxmin().to_numpy()


def of_middling_density(data: Dataset, side: Side) -> int:
    """A measure neither empty nor crowded: of the first items the one of middling note density."""
    onsets = (np.asarray(data.test.x[side.index[:FIRST]]) >= 0).sum(axis=1)
    return int(np.argsort(onsets, kind="stable")[len(onsets) // 2])


def steadiness(both: Mapping[str, Side], name: str = "") -> str:
    """How steadily an attribute, or all on average, follows its dimension, in a sentence for a caption."""
    said = []
    for model, side in both.items():
        found = [
            run["details"]["controllability"]["fixed"]["per_attribute"]
            for run in side.report["runs"].values()
            if run["details"].get("controllability")
        ]
        values = [abs(each[n]["monotonicity"]) for each in found for n in ([name] if name else each)]
        if values:
            said.append(f"{labels.signed(float(np.mean(values)), 2)} with {labels.model_label(model)}")
    what = f"measured {labels.plain(name)}" if name else "measured attribute"
    return (
        f"Over many test items and all runs, the absolute rank correlation between dimension and {what} is "
        f"{', '.join(said)}."
        if said
        else ""
    )


def shared(both: Mapping[str, Side]) -> str:
    """Which attributes have one and the same dimension, in sentences for a caption; "" where none have."""
    return "".join(
        f" One dimension of {labels.model_label(model)} is most informative for {label} and shared by them."
        for model, side in both.items()
        for label, names in labels.sharing(side.columns).items()
        if len(names) > 1
    )


def show_pictures(
    both: Mapping[str, Side], data: Dataset, model: str, right: str, figures: Path
) -> tuple[int, list[Any]]:
    """Traversals of images by two models, moving and in print; the item in the middle, what a cell displays.

    Items: one of each class, as typical as `model` has them; right: the attribute that all are shown with.
    """
    names, titles = data.attribute_names, " and ".join(map(labels.model_label, both))
    classes, items = one_of_each(data, both[model])
    groups = {name: labels.sharing(side.columns) for name, side in both.items()}
    firsts = {name: [some[0] for some in found.values()] for name, found in groups.items()}
    moved = {name: side.turned(items, names, images.VALUES) for name, side in both.items()}
    turning = {name: side.turned(items, firsts[name], animation.VALUES) for name, side in both.items()}
    path = animation.gif(turning, figures / "traversals.gif", groups, classes)
    alt = f"Animation: {', '.join(names)} of {data.name} varied back and forth, {titles}"
    about = "One dimension at a time is varied from −4 to 4, all others are fixed"
    caption = (
        f"{about}; one column per dimension, named by the attributes it is varied for, one row per item, "
        f"{titles}.{shared(both)}"
    )
    shown: list[Any] = [style.picture(path, alt, caption)]
    middle = len(items) // 2
    one = {
        name: frames[middle, [names.index(first) for first in firsts[name]]] for name, frames in moved.items()
    }
    figure = images.traversals(one, groups)
    alt = f"One item, one row per varied dimension ({', '.join(names)}), {titles} side by side"
    caption = f"{about}; one row per dimension, one item.{shared(both)} {steadiness(both)}"
    shown.append(style.show(figure, figures / "attributes", alt, caption=caption))
    column = names.index(right)
    one = {
        f"{name}, dimension {both[name].model.dimension_of(right)}": frames[:, column]
        for name, frames in moved.items()
    }
    along = f"traversal of {labels.plain(right)}: latent value"
    alt = f"Every class with {right} varied, {titles} side by side"
    caption = f"The dimension of {labels.plain(right)} varied, for each item. {steadiness(both, right)}"
    shown.append(
        style.show(images.traversals(one, classes, along=along), figures / "items", alt, caption=caption)
    )
    return int(items[middle]), shown


def show_measures(
    both: Mapping[str, Side], data: Dataset, model: str, right: str, figures: Path
) -> tuple[int, list[Any]]:
    """The same of a measure of music: piano rolls, score, sound; arguments as of `show_pictures`."""
    from compendium.figures import music  # here, so that images need no engraver

    names, item = data.attribute_names, of_middling_density(data, both[model])
    shown: list[Any] = []
    moved, curves, once = {}, {}, {}
    for name, side in both.items():
        tunes = side.turned(np.array([item]), names, music.VALUES)[0]
        moved[name] = dict(zip(names, tunes, strict=True))
        curves[name] = music.curves(moved[name], names, side.model.measure)
        once[name] = music.once(moved[name], curves[name], side.columns)
        figure = music.roll(*once[name], model=name)
        alt = f"Piano rolls of one measure with {', '.join(names)} varied, {labels.model_label(name)}"
        caption = (
            f"{labels.model_label(name)}: one measure, one row per attribute whose dimension is varied "
            f"from −4 to 4; right, the measured attribute (if several: solid, dashed, dotted, "
            f"dash-dotted).{shared({name: side})} "
            f"{steadiness({name: side})}"
        )
        shown.append(style.show(figure, figures / f"roll-{name}", alt, caption=caption))
    groups = [
        (names.index(some[0]), name, label)
        for name, side in both.items()
        for label, some in labels.sharing(side.columns).items()
    ]
    groups.sort(key=lambda group: group[0])  # attribute by attribute, model below model
    staves, above = (
        {f"{label}, {labels.model_label(name)}": once[name][part][label] for _, name, label in groups}
        for part in (0, 1)
    )
    spoken = {name: labels.model_label(name).replace("β", "beta") for name in both}  # for names of files
    heard = {f"{right}, {spoken[name]}": rows[right] for name, rows in moved.items()}
    front = music.score(
        *({f"{right}, {labels.model_label(m)}": part[m][right] for m in both} for part in (moved, curves))
    )
    write_text(figures / "score.svg", front)  # for the front page
    caption = (
        "The same as a score, one model per staff; the measured attribute is printed above each measure."
    )
    shown.append(style.Captioned(music.show(music.score(staves, above)), caption))
    caption = f"{labels.plain(right)}, from low to high. Audio for all attributes is on each model's page."
    return item, [*shown, style.Captioned(music.listen(heard, folder=figures), caption)]
