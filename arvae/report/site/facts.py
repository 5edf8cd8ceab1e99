"""What the site says about the results: the numbers of all setups, their scale, seeds, code and machine."""

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from arvae.files import read_json, sha256
from arvae.report.figures import style

# What decides results: the last commit that touched one of these made them.
CODE = ("arvae", "notebooks", "params.yaml", "requirements.lock")
PROGRAMS = {"python": "Python", "torch": "PyTorch"}
METRICS = ("interpretability", "scc", "sap", "mig", "modularity", "reconstruction_accuracy_percent")


@dataclass(frozen=True)
class Provenance:
    """How a page's results arose, in words."""

    scale: str
    seeds: str
    code: str  # commit and date, or a hash of the code
    machine: str


@dataclass(frozen=True)
class Score:
    """A metric of one setup: mean over its runs, spread, and the published value that compares."""

    metric: str
    model: str
    mean: float
    spread: float
    published: float | None

    @property
    def label(self) -> str:
        return style.metric_label(self.metric)

    @property
    def model_label(self) -> str:
        return style.model_label(self.model)

    @property
    def colour(self) -> str:
        return style.model_colour(self.model)

    @property
    def percent(self) -> bool:
        return self.metric.endswith("_percent")

    def written(self, value: float | None) -> str:
        """A value as it is shown."""
        if value is None:
            return "–"
        return f"{value:.1f} %" if self.percent else f"{value:.2f}"

    def share(self, value: float) -> float:
        """A value as the share of its scale, for a bar: 0..100."""
        return round(max(0.0, min(100.0, value if self.percent else 100 * value)), 1)


def commit(home: Path) -> str:
    """The last commit that touched the code, its day, and whether the code was changed since.

    Where there is no git, a hash over the code's files. The same code gives the same words, however often
    the site is built.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=home, capture_output=True, text=True, check=True
        ).stdout.strip()

    if shutil.which("git"):
        try:
            last = git("log", "-1", "--format=%h of %cs", "--abbrev=10", "--", *CODE)
            changed = git("status", "--porcelain", "--untracked-files=all", "--", *CODE)
            if last:
                return f"commit {last}" + (" and changes since" if changed else "")
        except subprocess.CalledProcessError:
            pass  # no repository
    return f"code {code_hash(home)[:10]}"


def code_hash(home: Path) -> str:
    """SHA-256 over names and contents of the code's files, in order."""
    total = hashlib.sha256()
    for name in CODE:
        path = home / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and ".ipynb_checkpoints" not in file.parts:
                total.update(f"{file.relative_to(home).as_posix()} {sha256(file)}\n".encode())
    return total.hexdigest()


def setups(reports: Path) -> dict[str, dict[str, Any]]:
    """The metrics files of all setups, by name: those that hold runs."""
    found = {path.stem: read_json(path) for path in sorted((reports / "metrics").glob("*.json"))}
    return {name: setup for name, setup in found.items() if isinstance(setup, dict) and setup.get("runs")}


def words(value: Any) -> str:
    """A machine, a list of seeds, ... in one line."""
    if isinstance(value, dict) and "cores" in value:
        cores = f"{value['cores']} core" + ("" if value["cores"] == 1 else "s")
        others = {key: v for key, v in value.items() if key not in ("name", "cores")}
        return ", ".join(filter(None, [cores, str(value.get("name", "")), words(others)]))
    if isinstance(value, dict):
        return ", ".join(f"{PROGRAMS.get(k, style.plain(str(k)))} {words(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(words(v) for v in value)
    return str(value)


def provenance(metrics: Sequence[dict[str, Any]], scale: str, seeds: Sequence[int], code: str) -> Provenance:
    """What a page says of itself: from the metrics files it rests on, else from the parameters."""

    def all_of(key: str, otherwise: str) -> str:
        found = dict.fromkeys(words(m[key]) for m in metrics if m.get(key) not in (None, "", [], {}))
        return "; ".join(found) or otherwise

    return Provenance(
        scale=all_of("scale", scale),
        seeds=all_of("seeds", words(list(seeds))),
        code=code,
        machine=all_of("machine", "not recorded"),
    )


def published_values(home: Path) -> dict[tuple[str, str, str], float]:
    """(metric, data set, model) -> the published value that compares with a fresh run.

    On images run 0, the only one that did not continue from another; in music the mean of ten.
    """
    path = home / "data" / "published" / "ar_vae_2020_metrics.csv"
    if not path.is_file():
        return {}
    table = pd.read_csv(path)
    values = {}
    for key, runs in table.groupby(["metric", "dataset", "model"]):
        fresh = runs[runs.point == 0] if key[1] in ("dsprites", "mnist") else runs
        values[key] = float(fresh.value.mean())
    return values


def scores(home: Path, found: dict[str, dict[str, Any]]) -> dict[str, list[Score]]:
    """All scores by data set, metric by metric, the baselines first."""
    published = published_values(home)
    order = list(style.MODEL_COLOURS)
    by_dataset: dict[str, list[Score]] = {}
    for name in sorted(
        found, key=lambda n: (order.index(m) if (m := n.rpartition("-")[2]) in order else 99, n)
    ):
        dataset, _, model = name.rpartition("-")  # a data set's name may have a hyphen, a model's has none
        for metric in METRICS:
            key = metric.removesuffix("_percent")
            values = pd.Series([m.get(key) for m in found[name]["runs"].values()], dtype=float).dropna()
            if values.empty:
                continue
            values = values * 100 if metric.endswith("_percent") else values
            spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
            reference = published.get((metric, dataset, model))
            score = Score(metric, model, float(values.mean()), spread, reference)
            by_dataset.setdefault(dataset, []).append(score)
    known = [d for d in style.DATASET_LABELS if d in by_dataset]
    return {d: by_dataset[d] for d in [*known, *(d for d in by_dataset if d not in known)]}
