"""What an evaluation leaves on disk: numbers with their spread, and all that a caption must say."""

from pathlib import Path
from typing import Any

from arvae import metrics
from arvae.datasets.contract import Dataset, write_npz
from arvae.evaluation.scores import Items, RunEvaluation, runs_in
from arvae.files import read_json, sha256, write_json
from arvae.params import Setup
from compendium.tables import statistics

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
    setup: Setup,
    dataset: Dataset,
    items: Items,
    runs: list[RunEvaluation],
    root: Path | str,
    bounds: dict[str, Any] | None = None,
    directory: Path | str | None = None,
    reports: Path | str | None = None,
) -> dict[str, Any]:
    """Write data/codes/<setup>.npz, metrics/<setup>.json and scores/<setup>.json in `reports`; the metrics.

    The first holds index, attributes, and z_<run>, mean_<run>; the second everything; the third the
    means of SCORES alone, for `dvc metrics show`. bounds: see `evaluation.limits`. directory: the trained
    setup, default root/data/models/<setup>; reports: default root/reports.
    """
    root = Path(root)
    reports = Path(reports) if reports is not None else root / "reports"
    directory = Path(directory) if directory is not None else root / "data" / "models" / setup.name
    arrays = {"index": items.index, "attributes": items.attributes}
    for run in runs:
        arrays |= {f"z_{run.model.run}": run.z, f"mean_{run.model.run}": run.mean}
    write_npz(root / "data" / "codes" / f"{setup.name}.npz", arrays)
    results = {run.model.run: run.result for run in runs}
    report = summarise(results) | {
        "scale": setup.scale,
        "dataset": setup.dataset,
        "model": setup.model,
        "seeds": [result["seed"] for result in results.values()],
        "runs": results,
        "attributes": list(dataset.attribute_names),
        "bounds": bounds,
        "provenance": provenance(setup, dataset, len(items.index), runs_in(directory))
        | {"weights": {name: sha256(directory / f"{name}.safetensors") for name in results}},
    }
    write_json(reports / "metrics" / f"{setup.name}.json", report)
    scores = {name: report["mean"][name] for name in SCORES if report["mean"].get(name) is not None}
    write_json(reports / "scores" / f"{setup.name}.json", scores)
    return report


def summarise(results: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """mean, std and confidence_95 ([low, high]) of every scalar over runs; None where undefined, the last two
    with fewer than `statistics.FEW` runs."""
    mean, std, confidence = {}, {}, {}
    first = next(iter(results.values()))
    for name in (key for key in first if key not in ("seed", "details")):
        values = [result[name] for result in results.values() if result.get(name) is not None]
        one = statistics.summary(values) if values else None
        mean[name], std[name] = (one.mean, one.sd) if one else (None, None)
        confidence[name] = [one.low, one.high] if one and one.low is not None else None
    return {"mean": mean, "std": std, "confidence_95": confidence}


def provenance(setup: Setup, dataset: Dataset, codes: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What a caption must say about how the numbers came about."""
    done = [run for run in runs if run["status"] == "finished"]
    return {
        "scale": setup.scale,
        "epochs": setup.schedule.epochs,
        "steps": max(run["steps"] for run in done),
        "train_size": len(dataset.train),
        "test_codes": codes,
        "device": done[0]["device"],
        "precision": done[0]["precision"],
        "data_source": str(dataset.provenance.get("source", "unknown")),
        "failed": {m["name"]: m["message"] for m in runs if m["status"] != "finished"},
        "objective": setup.hyperparameters.objective,
        "beta": setup.hyperparameters.beta,
        "gamma": setup.hyperparameters.gamma,
        "delta": setup.hyperparameters.delta,
    }


def load(
    root: Path | str, setups: list[str] | None = None, reports: Path | str | None = None
) -> dict[str, dict[str, Any]]:
    """Read <reports>/metrics: {setup: what `write` wrote}, for `setups` or for all there are.

    reports: default root/reports.

    Raises:
        ValueError: a setup that was asked for has not been evaluated.
    """
    folder = Path(reports if reports is not None else Path(root) / "reports") / "metrics"
    there = {path.stem: path for path in sorted(folder.glob("*.json"))}
    missing = [setup for setup in setups or [] if setup not in there]
    if missing:
        raise ValueError(f"no metrics of {', '.join(missing)} in {folder}: run `dvc repro evaluate`")
    found = {setup: read_json(there[setup]) for setup in setups or there}
    return {setup: report for setup, report in found.items() if "runs" in report}
