"""What an evaluation leaves on disk: numbers with their spread, and all that a caption must say."""

import platform
from pathlib import Path
from typing import Any

import joblib
import torch

from arvae import metrics
from arvae.datasets.contract import Dataset, write_npz
from arvae.evaluation import Items, MemberEvaluation, members_in
from arvae.files import read_json, write_json
from arvae.params import Cell
from arvae.tables import statistics

#: What `dvc metrics show` lists.
SCORES = (
    *metrics.METRICS,
    "reconstruction_accuracy",
    "monotonicity",
    "range_covered",
    "selectivity",
    "content_reconstructed",
    "content_traversed",
    "latent_density_ratio",
)


def write(
    cell: Cell,
    dataset: Dataset,
    items: Items,
    members: list[MemberEvaluation],
    root: Path | str,
    directory: Path | str | None = None,
    reports: Path | str | None = None,
) -> dict[str, Any]:
    """Write data/codes/<cell>.npz, metrics/<cell>.json and scores/<cell>.json in `reports`; the metrics.

    The first holds index, attributes, and z_<member>, mean_<member>; the second everything; the third the
    means of SCORES alone, for `dvc metrics show`. directory: the trained cell, default
    root/data/models/<cell>; reports: default root/reports.
    """
    root = Path(root)
    reports = Path(reports) if reports is not None else root / "reports"
    directory = Path(directory) if directory is not None else root / "data" / "models" / cell.name
    arrays = {"index": items.index, "attributes": items.attributes}
    for member in members:
        arrays |= {f"z_{member.name}": member.z, f"mean_{member.name}": member.mean}
    write_npz(root / "data" / "codes" / f"{cell.name}.npz", arrays)
    results = {member.name: member.result for member in members}
    report = summarise(results) | {
        "scale": cell.scale,
        "dataset": cell.dataset,
        "model": cell.model,
        "seeds": [result["seed"] for result in results.values()],
        "members": results,
        "attributes": list(dataset.attribute_names),
        "provenance": provenance(cell, dataset, len(items.index), members_in(directory)),
        "machine": machine(),
    }
    write_json(reports / "metrics" / f"{cell.name}.json", report)
    scores = {name: report["mean"][name] for name in SCORES if report["mean"].get(name) is not None}
    write_json(reports / "scores" / f"{cell.name}.json", scores)
    return report


def summarise(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """mean, std and confidence_95 ([low, high]) of every scalar over members; None where undefined."""
    mean, std, confidence = {}, {}, {}
    first = next(iter(results.values()))
    for name in (key for key in first if key not in ("seed", "details")):
        values = [result[name] for result in results.values() if result.get(name) is not None]
        one = statistics.summary(values) if values else None
        mean[name], std[name] = (one.mean, one.sd) if one else (None, None)
        confidence[name] = [one.low, one.high] if one and one.sd is not None else None
    return {"mean": mean, "std": std, "confidence_95": confidence}


def provenance(cell: Cell, dataset: Dataset, codes: int, members: list[dict[str, Any]]) -> dict[str, Any]:
    """What a caption must say about how the numbers came about."""
    done = [member for member in members if member["status"] == "finished"]
    return {
        "scale": cell.scale,
        "epochs": cell.schedule.epochs,
        "steps": max(member["steps"] for member in done),
        "train_size": len(dataset.train),
        "test_codes": codes,
        "device": done[0]["device"],
        "precision": done[0]["precision"],
        "data_source": str(dataset.provenance.get("source", "unknown")),
        "failed": {m["name"]: m["message"] for m in members if m["status"] != "finished"},
        "beta": cell.knobs.beta,
        "gamma": cell.knobs.gamma,
        "delta": cell.knobs.delta,
    }


def machine() -> dict[str, Any]:
    """Where this runs: processor, cores, versions of Python and torch."""
    return {
        "name": processor(),
        "cores": joblib.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def load(
    root: Path | str, cells: list[str] | None = None, reports: Path | str | None = None
) -> dict[str, dict[str, Any]]:
    """Read <reports>/metrics: {cell: what `write` wrote}, for `cells` or for all there are.

    reports: default root/reports.

    Raises:
        ValueError: a cell that was asked for has not been evaluated.
    """
    folder = Path(reports if reports is not None else Path(root) / "reports") / "metrics"
    there = {path.stem: path for path in sorted(folder.glob("*.json"))}
    missing = [cell for cell in cells or [] if cell not in there]
    if missing:
        raise ValueError(f"no metrics of {', '.join(missing)} in {folder}: run `dvc repro evaluate`")
    found = {cell: read_json(there[cell]) for cell in cells or there}
    return {cell: report for cell, report in found.items() if "members" in report}
