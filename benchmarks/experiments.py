"""Whole experiments on another device, beside the committed scores: `python -m benchmarks.gpu --train`."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed

from arvae import evaluation, machine, params, training
from arvae.datasets.contract import Dataset
from arvae.files import read_json
from benchmarks import speed
from compendium import train
from compendium.tables import study

SCORES = {"interpretability": 1, "scc": 1, "sap": 1, "mig": 1, "reconstruction_accuracy": 100}
HEAD = ["experiment", "runs", "seconds", "examples a second", "scores"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Rows of a table under HEAD, and a line a score."""

    rows: list[list[str]]
    lines: list[str]


def run(home: Path, names: Sequence[str], output: Path, engine: Mapping[str, Any]) -> Outcome:
    """Train the experiments of the pipeline at `home`, its engine changed by `engine`; measure them.

    names: setups (dsprites-arvae) or data sets; none: all. Scale and seeds are those of the home's
    params.yaml, finished runs are kept in its checkpoints, and weights and histories go to output/<setup>. A
    score agrees with the committed one if they differ by no more than the seeds do (`speed.agreement`).
    """
    given = params.load(home / "params.yaml")
    every = train.wanted(given, "main")
    jobs = [
        (speed.with_engine(setup, **engine), runs)
        for setup, runs in every
        if not names or setup.name in names or setup.dataset in names
    ]
    if unknown := {*names} - {name for setup, _ in every for name in (setup.name, setup.dataset)}:
        known = ", ".join(setup.name for setup, _ in every)
        raise params.ParamsError(f"no experiment {', '.join(sorted(unknown))} at {home}: choose of {known}")
    began = time.perf_counter()
    if faults := train.train(jobs, home):
        raise training.TrainingError("\n".join(faults))
    outcome = Outcome([], [f"all together: {time.perf_counter() - began:,.0f} s"])
    prepared, kept = home / "data" / "prepared", home / "data" / "checkpoints"
    trained = [
        training.train(setup, prepared / setup.dataset, runs, kept, directory=output / setup.name)
        for setup, runs in jobs
    ]
    tables = Parallel(machine.cores())(
        delayed(_measured)(speed.with_engine(setup, device="cpu"), prepared, given.evaluation.codes, output)
        for setup, _ in jobs
    )
    for (setup, _), results, measured in zip(jobs, trained, tables, strict=True):
        lines = _beside(home / "reports" / "metrics" / f"{setup.name}.json", measured, engine["device"])
        verdict = "NOT EQUAL" if any("NOT EQUAL" in line for line in lines) else "equal"
        seconds = ", ".join(f"{one.seconds:,.0f}" for one in results)
        rates = ", ".join(f"{one.last.get('examples_per_second', 0):,.0f}" for one in results)
        outcome.rows.append(
            [setup.name, str(len(results)), seconds, rates, verdict if lines else "not committed"]
        )
        outcome.lines.extend(f"{setup.name}, {line}" for line in lines)
    return outcome


def _measured(setup: params.Setup, prepared: Path, codes: int, output: Path) -> pd.DataFrame:
    """The scores of its runs, computed on the processor, as `dvc repro` does."""
    data = Dataset.load(prepared / setup.dataset, setup.dataset)
    return study.measure(setup, data, evaluation.pick(data, codes), output / setup.name)


def _beside(path: Path, measured: pd.DataFrame, device: str) -> list[str]:
    """A line a score, committed and new; none where nothing is committed."""
    if not path.is_file():
        return []
    committed = list(read_json(path)["runs"].values())
    lines = []
    for name, factor in SCORES.items():
        column = name if factor == 1 else f"{name}_percent"
        both = [one[name] for one in committed], (measured[column] / factor).tolist()
        lines.append(f"{name}: {speed.agreement(*both, ('committed', device))}")
    return lines
