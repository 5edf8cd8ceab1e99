"""What a model's controls do, over many items: tables of the playground's page and the tutorial."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from arvae.edit import Melody, Wish, edit, parse
from arvae.music import keys
from arvae.trained import TrainedModel
from compendium import labels


def controls_table(trained: TrainedModel) -> pd.DataFrame:
    """A row an attribute: its dimension, whether it was regularized, how well the attribute follows it, the
    range of codes."""
    names = {
        "dimension": "dimension", "regularized": "regularized", "correlation": "rank correlation",
        "low": "from", "high": "to", "sd": "standard deviation",
    }  # fmt: skip
    frame = pd.DataFrame(trained.controls, index=map(labels.plain, trained.attribute_names))
    return frame[list(names)].rename(columns=names).rename_axis("attribute").round(2)


def scale_costs(trained: TrainedModel, tunes: Sequence[Melody], wishes: Sequence[str]) -> pd.DataFrame:
    """What it costs to stay in the scale of each tune, a row a wish, over all measures: the share of
    notes outside, free and in key, and by how much (mean) each attribute differs in key from free."""
    rows = {}
    for wish in wishes:
        outside, changed = np.zeros((2, 2)), []
        for tune in tunes:
            edited = edit(
                trained, tune.measures, parse([wish], trained, len(tune.measures)), scale=tune.scale
            )
            outside += [keys.outside(one.result, tune.scale) for one in (edited.free, edited)]
            changed.append(edited.after - edited.free.after)
        shares = outside[:, 0] / np.where(outside[:, 1], outside[:, 1], np.nan)  # it may play no note at all
        rows[wish] = [*shares, *pd.DataFrame(np.concatenate(changed)).mean()]
    columns = [("notes outside the scale", "free"), ("notes outside the scale", "in key")]
    columns += [("in key minus free (mean)", labels.plain(name)) for name in trained.attribute_names]
    return pd.DataFrame.from_dict(rows, orient="index", columns=pd.MultiIndex.from_tuples(columns))


def side_effects(trained: TrainedModel, examples: np.ndarray, turn: float = 1.0) -> pd.DataFrame:
    """What turning each control by `turn` standard deviations does to every attribute of examples (n, ...),
    measured on what is decoded: mean change against the reconstruction, in shares of the range that holds
    95 % of the data. Rows: the control; columns: the attribute."""
    names = [labels.plain(name) for name in trained.attribute_names]
    ranges = np.array([max(control.most - control.least, 1e-9) for control in trained.controls])
    edits = (
        edit(trained, examples, [Wish(name, turn=turn)], search=False) for name in trained.attribute_names
    )
    rows = [pd.DataFrame(edited.after - edited.rebuilt).mean().to_numpy() / ranges for edited in edits]
    return pd.DataFrame(rows, pd.Index(names, name="control turned"), names)
