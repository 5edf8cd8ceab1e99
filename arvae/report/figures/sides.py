"""Trained models side by side: what each makes of the same test items, and of the same turns.

`load` reads what training and evaluation left of a setup; nothing is encoded or measured anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arvae import training
from arvae.datasets.contract import Dataset
from arvae.datasets.measuring import Measure
from arvae.files import read_json
from arvae.report.figures import images

SHAPES = ("square", "ellipse", "heart")  # dSprites' classes
CALM = 64  # test items of which the one of middling note density is shown


@dataclass(frozen=True)
class Side:
    """The first run of a setup: its decoder, codes of test items, and which dimension to turn.

    decode: codes (m, d) -> images float32 (m, h, w) in 0..1, or measures int16 (m, 24); z, mean: (n, d);
    index: (n,) places in the test split; columns: attribute -> the regularized dimension, else the one that
    knows most of it; report: the setup's metrics file.
    """

    decode: Callable[[np.ndarray], np.ndarray]
    z: np.ndarray
    mean: np.ndarray
    index: np.ndarray
    columns: dict[str, int]
    report: dict[str, Any]

    def turned(self, items: np.ndarray, names: Sequence[str], values: np.ndarray) -> np.ndarray:
        """Mean codes at `items` (n,) decoded, each attribute set to `values` (p,): (n, k, p, ...)."""
        rows = [images.traverse(self.decode, self.mean[items], self.columns[name], values) for name in names]
        return np.stack(rows, axis=1)

    def pair(self, right: str, up: str) -> tuple[int, int]:
        """Two different dimensions for two attributes: where both have the same one, `up` takes another."""
        first, second = self.columns[right], self.columns[up]
        if first == second:
            run = next(iter(self.report["runs"].values()))
            known = np.array(run["details"]["mutual_information"][up], dtype=float)
            known[first] = -np.inf
            second = int(known.argmax())
        return first, second

    def plane(self, item: int, right: str, up: str, values: np.ndarray) -> np.ndarray:
        """One item over a grid of two attributes' dimensions: (p, p, ...), the largest `up` in row 0."""
        first, second = self.pair(right, up)
        return images.plane(self.decode, self.mean[item], second, first, values)

    def surface(
        self, item: int, right: str, up: str, values: np.ndarray, measure: Measure
    ) -> np.ndarray:
        """Every attribute measured on such a grid: (p, p, k), row 0 at the smallest value of `up`."""
        frames = self.plane(item, right, up, values)[::-1]
        flat = frames.reshape(-1, *frames.shape[2:])
        if flat.dtype == np.float32:  # images, measured as bytes, as everywhere
            flat = np.clip(flat * 256, 0, 255).astype(np.uint8)
        return measure(flat).reshape(len(values), len(values), -1)


def load(home: Path, data: Dataset, model: str) -> Side:
    """The setup of `model` on a data set: data/models, data/codes and reports/metrics under `home`.

    Raises:
        FileNotFoundError: the setup was not trained and evaluated.
    """
    setup = f"{data.name}-{model}"
    paths = [home / "reports" / "metrics" / f"{setup}.json", home / "data" / "codes" / f"{setup}.npz"]
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}: run `dvc repro evaluate@{setup}` first")
    report = read_json(paths[0])
    run, result = next(iter(report["runs"].items()))
    network = training.load_model(home / "data" / "models" / setup, run)
    with np.load(paths[1], allow_pickle=False) as file:
        z, mean, index = file[f"z_{run}"], file[f"mean_{run}"], file["index"]
    details = result["details"]
    turned = details["controllability"]["fixed"] or details
    columns = {name: turned["per_attribute"][name]["dimension"] for name in report["attributes"]}
    if data.kind == "images":
        return Side(images.decoder(network), z, mean, index, columns, report)
    from arvae.report.figures import music  # here, so that images need no engraver

    return Side(music.decoder(network, data.vocabulary), z, mean, index, columns, report)


def originals(data: Dataset, side: Side, items: np.ndarray) -> np.ndarray:
    """The test items themselves, as the decoder gives them: images in 0..1, or measures."""
    x = np.asarray(data.test.x[side.index[items]])
    return x if data.kind == "music" else x.astype(np.float32) / max(1, x.max(initial=0))


def one_of_each(data: Dataset, side: Side) -> tuple[list[str], np.ndarray]:
    """Names of the classes (digits, shapes) and for each the most ordinary item, by place in `side`.

    Ordinary: all attributes nearest to the medians of its class, in standard deviations. Data without
    classes give their six most ordinary items.
    """
    extra = {key: values[side.index] for key, values in data.test.extra.items()}
    attributes = data.test.attributes[side.index].astype(np.float64)
    spread = attributes.std(axis=0)
    scaled = attributes / np.where(spread > 0, spread, 1)
    if "label" in extra:
        labels, names = extra["label"], [str(digit) for digit in range(10)]
    elif "factors" in extra:
        labels, names = extra["factors"][:, 0], list(SHAPES)
    else:
        far = ((scaled - np.median(scaled, axis=0)) ** 2).sum(axis=1)
        return [""] * 6, np.argsort(far, kind="stable")[:6]
    chosen = []
    for label in range(len(names)):
        place = np.flatnonzero(labels == label)
        far = ((scaled[place] - np.median(scaled[place], axis=0)) ** 2).sum(axis=1)
        chosen.append(place[np.argmin(far)])
    return names, np.array(chosen)


def calm(data: Dataset, side: Side) -> int:
    """A measure neither empty nor crowded: of the first items the one of middling note density."""
    onsets = (np.asarray(data.test.x[side.index[:CALM]]) >= 0).sum(axis=1)
    return int(np.argsort(onsets, kind="stable")[len(onsets) // 2])
