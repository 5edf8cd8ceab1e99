"""What a model does beyond what training saw: a combination of values, a band of values (`datasets.partial`).

Both are to be compared with the same numbers of the model that saw everything: large hearts are not as easy
to draw as other sprites, nor are wishes for thick digits as easy to meet as other wishes.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from arvae.datasets import partial, sprites
from arvae.datasets.contract import Dataset
from arvae.datasets.measuring import DRAWN
from arvae.evaluation import judge as classifiers
from arvae.evaluation import reconstruction
from arvae.evaluation.content import pitches_kept
from arvae.evaluation.control import data_range
from arvae.evaluation.realism import Realism
from arvae.evaluation.scores import SEED, Items, runs_in
from arvae.evaluation.targets import TOLERANCE, WISHES
from arvae.metrics import spearman_matrix
from arvae.params import Setup
from arvae.trained import TrainedModel
from arvae.training import load_model

POINTS = 17  # of a traversal in search of a wish


def first_run(setup: Setup, data: Dataset, home: Path) -> TrainedModel:
    """The first run of a setup that was trained to its end, without controls."""
    folder = home / "data" / "models" / setup.name
    run = next(run["name"] for run in runs_in(folder) if run["status"] == "finished")
    return TrainedModel.of(setup, run, load_model(folder, run), data).prepared()


def combinations(model: TrainedModel, items: Items, unseen: np.ndarray) -> pd.DataFrame:
    """Sprites of combinations that training saw and did not, `unseen` (n,): a row each, "seen" and "unseen".

    Columns: items; of the reconstructions from sampled codes IoU, shares of pixels right and of shapes read
    as their own; Spearman's correlation of each attribute with its regularized dimension, NaN where it has
    one value only.
    """
    z, rows = model.sample(items.x, SEED), {}
    again = model.decode(z)
    own = sprites.estimate(again >= DRAWN)[:, 0] == items.attributes[:, sprites.NAMES.index("shape")]
    for part, chosen in (("seen", ~unseen), ("unseen", unseen)):
        scores = reconstruction.scores(items.x[chosen], again[chosen])
        ordered = {
            name: spearman_matrix(z[chosen][:, [model.dimension_of(name)]], values[chosen, None]).item()
            if np.ptp(values[chosen])
            else np.nan
            for name, values in zip(model.attribute_names, items.attributes.T, strict=True)
        }
        rows[part] = {"items": int(chosen.sum()), "IoU": scores["iou"]}
        rows[part] |= {
            "pixels right": scores["reconstruction_accuracy"],
            "own shape": float(own[chosen].mean()),
        }
        rows[part] |= ordered
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("combinations")


def into_band(
    model: TrainedModel,
    items: Items,
    name: str,
    bounds: tuple[float | None, float | None],
    count: int,
    realism: Realism,
) -> dict[str, float]:
    """The first `count` items outside a band of the attribute `name` are turned into it.

    Along its dimension they are decoded at POINTS places of the range that the paper traverses, as an editor
    would search. entered: share of items whose attribute, measured, lies in the band at some place. reached:
    share of wishes, quantiles (WISHES) of the test items within the band, met at some place to TOLERANCE of
    the data's range; left alone: the same of the items as they are. Of all that was decoded into the band,
    NaN where nothing was: content kept, the share read as the item's digit, or of ticks that sound as in its
    reconstruction; plausible (`Realism.plausible`), beside what the test items in the band are.
    """
    column, region = model.attribute_names.index(name), {name: bounds}
    values = items.attributes[:, column]
    within = partial.inside(model.attribute_names, items.attributes, region)
    wishes = np.quantile(values[within], WISHES, method="nearest")
    outside = np.flatnonzero(~within)[:count]
    z = model.sample(items.x[outside], SEED)
    turned = model.traverse(z, name, np.linspace(*model.range_of(name), POINTS))  # (p, n, ...)
    measured = model.measure(turned)  # (p, n, k)
    tolerated = TOLERANCE * data_range(items.attributes)[column]
    away = np.abs(measured[..., column, None] - wishes)  # (p, n, w), NaN: not measurable
    met = (np.nan_to_num(away, nan=np.inf) <= tolerated).any(axis=0)
    left = np.abs(values[outside, None] - wishes) <= tolerated
    there = partial.inside(model.attribute_names, measured, region)  # (p, n)
    outputs, item = turned[there], np.nonzero(there)[1]
    return {
        "items": len(outside),
        "entered": float(there.any(axis=0).mean()),
        "reached": float(met.mean()),
        "left alone": float(left.mean()),
        "content kept": _kept(model.decode(z), items, outside, outputs, item, realism),
        "plausible": float(realism.plausible(outputs).mean()) if len(outputs) else np.nan,
        "test items plausible": float(realism.plausible(items.x[within]).mean()),
    }


def _kept(
    again: np.ndarray,
    items: Items,
    turned: np.ndarray,
    outputs: np.ndarray,
    item: np.ndarray,
    realism: Realism,
) -> float:
    """Content kept in outputs (m, ...), each made of one of the items `turned`, reconstructed as `again`."""
    if not len(outputs):
        return np.nan
    if realism.judge is None:
        return float(pitches_kept(again[item], outputs).mean())
    digits = items.extra["label"][turned][item]
    return float((classifiers.predict(realism.judge, outputs) == digits).mean())
