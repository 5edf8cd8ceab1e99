"""Tables of one setup, from its report: control of each attribute, what is kept, what else is changed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from compendium.tables.statistics import FEW

Report = Mapping[str, Any]
_ASKED = {"hit": "reached", "floor": "left alone", "error": "distance to target"}
_SIDE = {"moved": "others moved", "beyond": "beyond dependence"}


def looked_at(report: Report, few: int = FEW) -> list[Mapping[str, Any]]:
    """The runs that a table by attribute is made of: all, or the first where there are too few for a mean."""
    runs = list(report["runs"].values())
    return runs if len(runs) >= few else runs[:1]


def over(report: Report) -> str:
    """Which runs these are, in words."""
    n, of = len(looked_at(report)), len(report["runs"])
    return "the only run" if of == 1 else f"the first of {of} runs" if n == 1 else f"means over {n} runs"


def control(report: Report, few: int = FEW) -> pd.DataFrame:
    """One setup's controllability, a row an attribute, of `looked_at`; empty where none was measured.

    Over the fixed range or, where it says so, the observed one; occupied: share of the fixed range in which
    test codes lie; for _ASKED and _SIDE see `evaluation.targets`. Monotonicity and gamma without their sign
    where no dimension was regularized: runs may go opposite ways. dimension: where all runs have the same.
    """
    frames = []
    for run in looked_at(report, few):
        details = run["details"]
        fixed, observed = (details["controllability"][key] for key in ("fixed", "observed"))
        if fixed is None:
            continue
        whole, seen = (pd.DataFrame(one["per_attribute"]).T for one in (fixed, observed))
        signed = {"gamma, ties left out": whole["monotonicity_gamma"]}
        signed |= {"monotonicity": whole["monotonicity"], "monotonicity, observed": seen["monotonicity"]}
        if details["regularized"] is None:
            signed = {name: column.abs() for name, column in signed.items()}
        columns = {
            "dimension": whole["dimension"], "monotonicity": signed.pop("monotonicity"), **signed,
            "smoothness": whole["smoothness"], "range covered": whole["range_covered"],
            "range covered, observed": seen["range_covered"], "occupied": pd.Series(details["occupancy"]),
            "selectivity": whole["selectivity"], "measurable": whole["measurable"],
        }  # fmt: skip
        columns |= _columns(details["targets"], _ASKED)
        for place, words in (("fixed", ""), ("observed", ", observed")):
            side = {key: f"{name}{words}" for key, name in _SIDE.items()}
            columns |= _columns(details["side_change"][place], side)
        frame = pd.DataFrame(columns, index=whole.index).astype(float)
        frames.append(frame)
    if not frames:
        return pd.DataFrame()
    mean = (sum(frames) / len(frames)).loc[list(report["attributes"])]
    if any(not frame["dimension"].equals(frames[0]["dimension"]) for frame in frames):
        mean = mean.drop(columns="dimension")
    else:
        mean["dimension"] = mean["dimension"].astype(int)
    return mean.rename_axis("attribute")


def _columns(part: Mapping[str, Any] | None, names: Mapping[str, str]) -> dict[str, Any]:
    """Columns of a part of the details, by its `names`; NaN where it was not measured."""
    found = pd.DataFrame((part or {"per_attribute": {}})["per_attribute"]).T
    return {name: found.get(key, np.nan) for key, name in names.items()}


def content(report: Report, by: str = "per_attribute") -> pd.DataFrame:
    """What one setup keeps, of `looked_at`: "per_attribute" edited, or "per_class" of the content."""
    found = [run["details"]["content"] for run in looked_at(report)]
    if any(one is None or not one[by] for one in found):
        return pd.DataFrame()
    single = not isinstance(next(iter(found[0][by].values())), dict)
    frames = [pd.DataFrame({one["what"]: one[by]} if single else one[by], dtype=float) for one in found]
    mean = sum(frames) / len(frames) if single else (sum(frames) / len(frames)).T
    if by == "per_attribute":
        seen = [
            pd.Series(run["details"].get("content_observed", {}), dtype=float) for run in looked_at(report)
        ]
        mean[f"{found[0]['what']}, observed range"] = sum(seen) / len(seen)
    if by == "per_class":
        return mean.rename_axis("class")
    return mean.reindex([name for name in report["attributes"] if name in mean.index]).rename_axis("edited")


def merged(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that differ in their first column alone, as where one dimension is turned for several attributes,
    as one row with all their names."""
    first, *values = table.columns
    rows = table.round(dict.fromkeys(values, 9)).groupby(values, sort=False, dropna=False)[first]
    return rows.agg(", ".join).reset_index()[[first, *values]]


def change_matrix(report: Report) -> pd.DataFrame:
    """How much each attribute (column) changes while another (row) is edited, in shares of the data's range.

    Of `looked_at`; empty where none was measured.
    """
    names = report["attributes"]
    found = [run["details"]["controllability"]["fixed"] for run in looked_at(report)]
    matrices = [one["change"] for one in found if one is not None]
    values = np.mean(matrices, axis=0) if matrices else np.empty((0, len(names)))
    return pd.DataFrame(values, index=names[: len(values)], columns=names)


def mean_codes(report: Report) -> pd.DataFrame:
    """Metrics of sampled codes and of their means, a row a metric, of `looked_at`."""
    rows: dict[str, dict[str, float]] = {}
    runs = looked_at(report)
    for side in ("sampled", "mean"):
        found = [run["details"]["grouped"][side] for run in runs]
        for name in runs[0]["details"]["grouped"]["mean"]:
            values = [one.get(name, run.get(name)) for one, run in zip(found, runs, strict=True)]
            known = [value for value in values if value is not None]
            rows.setdefault(name, {})[f"{side} code"] = float(np.mean(known)) if known else np.nan
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric").reset_index()


def realism(report: Report) -> pd.DataFrame:
    """Realism of traversals, a row an attribute, of the fixed and the observed range, of `looked_at`; in the
    last row of test items themselves."""
    parts = {}
    found = [run["details"]["realism"] for run in looked_at(report)]
    for place, words in (("fixed", ""), ("observed", ", observed")):
        frames = [pd.DataFrame(one[place]["per_attribute"]).T for one in found]
        mean = sum(frames) / len(frames)
        parts |= {f"{name}{words}": mean[name] for name in mean}
    table = pd.DataFrame(parts)
    items = found[0]["test items"]
    table.loc["test items"] = [items[name.partition(",")[0]] for name in table]
    return table.rename(columns=lambda name: name.replace("_", " ")).rename_axis("moved").reset_index()
