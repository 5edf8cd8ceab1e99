"""Tables of one setup, from its report: control of each attribute, what is kept, what else is changed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

Report = Mapping[str, Any]
_ASKED = {
    "targets": {"hit": "reached", "floor": "left alone"},
    "side_change": {"moved": "others moved", "beyond": "beyond"},
}


def control(report: Report) -> pd.DataFrame:
    """One setup's controllability, a row an attribute, means over runs; empty where none was measured.

    Monotonicity and range covered over the fixed and the observed range, the rest over the fixed one;
    occupied: share of the fixed range in which test codes lie; for _ASKED see `evaluation.targets`.
    Monotonicity without its sign where no dimension was regularized: runs may go opposite ways.
    dimension: where all runs have the same.
    """
    frames = []
    for run in report["runs"].values():
        details = run["details"]
        fixed, observed = (details["controllability"][key] for key in ("fixed", "observed"))
        if fixed is None:
            continue
        columns = ["dimension", "monotonicity", "range_covered", "selectivity"]
        frame = pd.DataFrame(fixed["per_attribute"]).T[[*columns, "measurable"]]
        seen = pd.DataFrame(observed["per_attribute"]).T
        frame.insert(4, "monotonicity, observed", seen["monotonicity"])
        frame.insert(5, "range covered, observed", seen["range_covered"])
        frame.insert(6, "occupied", pd.Series(details["occupancy"]))
        frame.insert(2, "gamma, ties left out", pd.DataFrame(fixed["per_attribute"]).T["monotonicity_gamma"])
        for part, names in _ASKED.items():
            found = pd.DataFrame((details[part] or {"per_attribute": {}})["per_attribute"]).T
            for key, name in names.items():
                frame[name] = found.get(key, np.nan)
        frame = frame.rename(columns={"range_covered": "range covered"}).astype(float)
        if details["regularized"] is None:
            either = ["monotonicity", "monotonicity, observed"]
            frame[either] = frame[either].abs()
        frames.append(frame)
    if not frames:
        return pd.DataFrame()
    mean = (sum(frames) / len(frames)).loc[list(report["attributes"])]
    if any(not frame["dimension"].equals(frames[0]["dimension"]) for frame in frames):
        mean = mean.drop(columns="dimension")
    else:
        mean["dimension"] = mean["dimension"].astype(int)
    return mean.rename_axis("attribute")


def content(report: Report, by: str = "per_attribute") -> pd.DataFrame:
    """What one setup keeps, means over runs: "per_attribute" edited, or "per_class" of the content."""
    found = [run["details"]["content"] for run in report["runs"].values()]
    if any(one is None or not one[by] for one in found):
        return pd.DataFrame()
    single = not isinstance(next(iter(found[0][by].values())), dict)
    frames = [pd.DataFrame({one["what"]: one[by]} if single else one[by], dtype=float) for one in found]
    mean = sum(frames) / len(frames) if single else (sum(frames) / len(frames)).T
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

    Means over runs; empty where none was measured.
    """
    names = report["attributes"]
    found = [run["details"]["controllability"]["fixed"] for run in report["runs"].values()]
    matrices = [one["change"] for one in found if one is not None]
    values = np.mean(matrices, axis=0) if matrices else np.empty((0, len(names)))
    return pd.DataFrame(values, index=names[: len(values)], columns=names)


def mean_codes(report: Report) -> pd.DataFrame:
    """Metrics of sampled codes and of their means, a row a metric, means over runs."""
    rows: dict[str, dict[str, float]] = {}
    for side in ("sampled", "mean"):
        found = [run["details"]["grouped"][side] for run in report["runs"].values()]
        for name in report["runs"][next(iter(report["runs"]))]["details"]["grouped"]["mean"]:
            values = [
                one.get(name, run.get(name)) for one, run in zip(found, report["runs"].values(), strict=True)
            ]
            known = [value for value in values if value is not None]
            rows.setdefault(name, {})[f"{side} code"] = float(np.mean(known)) if known else np.nan
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric").reset_index()


def realism(report: Report) -> pd.DataFrame:
    """Realism of traversals, a row an attribute, of the fixed and the observed range, means over runs; the
    last row: of test items themselves."""
    parts = {}
    found = [run["details"]["realism"] for run in report["runs"].values()]
    for place, words in (("fixed", ""), ("observed", ", observed")):
        frames = [pd.DataFrame(one[place]["per_attribute"]).T for one in found]
        mean = sum(frames) / len(frames)
        parts |= {f"{name}{words}": mean[name] for name in mean}
    table = pd.DataFrame(parts)
    items = found[0]["test items"]
    table.loc["test items"] = [items[name.partition(",")[0]] for name in table]
    return table.rename(columns=lambda name: name.replace("_", " ")).rename_axis("moved").reset_index()
