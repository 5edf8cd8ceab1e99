"""The whole road at smoke scale, through DVC, in a copy: it runs, is complete, and runs only what it must.

Killing every kind of stage and running experiments is slow: `make test-slow`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest

from arvae import check, params
from tests.conftest import dvc, environment, results

DATASETS = ("dsprites", "mnist", "bach", "folk")
METRICS = ("interpretability", "mig", "modularity", "sap", "scc")


@pytest.fixture(scope="module")
def done(smoke_run):
    """The copy after its first `dvc repro`."""
    return smoke_run


def stages_of_status(folder):
    return set(json.loads(dvc(folder, "status", "--json").stdout))


def test_every_cell_has_metrics_of_every_seed(done):
    knobs = params.load(done / "params.yaml")
    for name in knobs.cells:
        result = json.loads((done / "reports" / "metrics" / f"{name}.json").read_text())
        assert result["scale"] == "smoke"
        assert len(result["members"]) == len(knobs.seeds) == 2
        for member in result["members"].values():
            assert all(0 <= member[metric] <= 1 for metric in METRICS), member
            assert 0 < member["reconstruction_accuracy"] <= 1
        for metric in METRICS:
            values = [member[metric] for member in result["members"].values()]
            assert result["mean"][metric] == pytest.approx(sum(values) / 2)


def test_reports_tables_and_site_are_there(done):
    reports = done / "reports"
    assert (reports / "index.html").stat().st_size > 2000
    pages = {page.stem for page in (reports / "pages").glob("*.html")}
    books = {book.stem for book in (reports / "notebooks").glob("*.ipynb")}
    assert books <= pages
    assert {f"data-{name}" for name in DATASETS} <= books
    assert {f"{stage}-mnist-arvae" for stage in ("train", "evaluate")} <= books
    assert any((reports / "tables").glob("*.csv")) and any((reports / "tables").glob("*.tex"))
    for name in DATASETS:
        assert json.loads((reports / "provenance" / f"{name}.json").read_text())
        assert any((reports / "figures" / f"evaluate-{name}-arvae").iterdir())
        assert json.loads((reports / "scores" / f"{name}-arvae.json").read_text())


def test_training_was_logged(done):
    history = pd.read_csv(done / "reports" / "training" / "mnist-arvae.csv")
    assert set(history["member"]) == {"seed0", "seed1"}
    assert history["loss"].notna().all() and history.groupby("member").size().min() >= 10


def test_dvc_shows_metrics_and_plots(done):
    shown = json.loads(dvc(done, "metrics", "show", "--json").stdout)
    assert "mnist-arvae" in json.dumps(shown)
    dvc(done, "plots", "show", "--out", str(done / "plots"))
    assert (done / "plots" / "index.html").exists()


def test_a_second_repro_does_nothing_and_says_so(done):
    start = time.monotonic()
    said = dvc(done, "repro").stdout
    assert "up to date" in said and "Running stage" not in said
    print(f"second repro: {time.monotonic() - start:.1f} s")
    stale = [line for line in check.stale(done) if not line.startswith("studies/")]  # these were not run
    assert stale == []


def test_editing_a_figure_retrains_nothing(done):
    figure = done / "arvae" / "figures" / "images.py"
    before = figure.read_text()
    figure.write_text(before + "\n# a comment\n")
    try:
        touched = stages_of_status(done)
    finally:
        figure.write_text(before)
    assert touched and not any(name.startswith(("train@", "classifier")) for name in touched)


@pytest.mark.parametrize(
    ("setting", "touched", "untouched"),
    [
        (
            ("gamma: 10.0", "gamma: 1.0"),
            {"train@mnist-arvae", "train@dsprites-arvae"},
            {"train@bach-arvae", "data@mnist"},
        ),
        (
            ("seeds: [0, 1]", "seeds: [0, 1, 2]"),
            {"train@mnist-arvae", "train@folk-betavae"},
            {"data@folk", "classifier"},
        ),
        (("workers: null", "workers: 1"), set(), {"train@mnist-arvae"}),
    ],
    ids=["gamma", "seeds", "workers"],
)
def test_a_parameter_reruns_only_what_it_touches(done, setting, touched, untouched):
    path = done / "params.yaml"
    before = path.read_text()
    assert setting[0] in before
    path.write_text(before.replace(*setting))
    try:
        changed = stages_of_status(done)
    finally:
        path.write_text(before)
    assert touched <= changed and not (untouched & changed)


def test_a_stale_report_is_noticed(done):
    table = next((done / "reports" / "tables").glob("*.csv"))
    before = table.read_text()
    table.write_text(before + "tampered\n")
    try:
        assert any("reports/tables" in line for line in check.stale(done))
    finally:
        table.write_text(before)


def test_an_impossible_value_is_refused_and_nothing_is_lost(done):
    path = done / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("gamma: 10.0", "gamma: -10.0"))
    try:
        refused = dvc(done, "repro", check=False)
    finally:
        path.write_text(before)
    assert refused.returncode != 0
    assert "models.arvae.images.gamma = -10.0" in refused.stdout + refused.stderr
    assert any((done / "data" / "prepared" / "mnist").iterdir())


STAGES = (
    "data@bach", "train@mnist-arvae", "classifier", "evaluate@dsprites-arvae", "results", "playground",
    "tutorial", "site",
)  # fmt: skip


def kill_in_the_middle(folder, stage, victim):
    """`dvc repro` of one stage, killed once its kernel is at work; DVC's output."""
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", stage]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    kernel, deadline = None, time.monotonic() + 300
    while kernel is None:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.05)
        started = psutil.Process(process.pid).children(recursive=True)
        with_kernel = [one for one in started if "ipykernel_launcher" in " ".join(_command(one))]
        kernel = with_kernel[0] if with_kernel else None
    time.sleep(1.5)  # it imports, or is at work
    started = psutil.Process(process.pid).children(recursive=True)
    os.kill(kernel.pid if victim == "kernel" else process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    _, alive = psutil.wait_procs(started, timeout=60)
    assert not alive, f"{stage}: {[_command(one) for one in alive]} goes on"
    return output


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_is_killed_comes_out_the_same_when_it_is_run_again(done, stage):
    before = results(done)
    if stage.startswith("train"):
        shutil.rmtree(done / "data" / "checkpoints")  # else its members are there already
    assert "kernel died" in kill_in_the_middle(done, stage, "kernel")
    kill_in_the_middle(done, stage, "dvc")
    said = dvc(done, "repro", "--single-item", "--no-run-cache", stage).stdout
    assert "Running stage" in said, "a stage that was killed counted as done"
    after = results(done)
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()


@pytest.mark.slow
def test_an_experiment_reruns_only_what_its_parameter_touches(done):
    said = dvc(done, "exp", "run", "-S", "models.arvae.images.gamma=1.0", "train@mnist-arvae").stdout
    assert "Running stage 'train@mnist-arvae'" in said and "Running stage 'data@mnist'" not in said
    shown = json.loads(dvc(done, "params", "diff", "--json").stdout)
    assert "gamma" in json.dumps(shown)


@pytest.mark.slow
def test_the_studies_run_on_what_is_there(done):
    said = dvc(done, "repro", "studies/dvc.yaml").stdout
    assert "Running stage 'train@mnist-arvae'" not in said
    studies, knobs = done / "studies" / "reports", params.load(done / "params.yaml")
    for name in knobs.studies.cells:
        assert len(json.loads((studies / "metrics" / f"{name}.json").read_text())["members"]) == 2
    _, settings = knobs.grid()
    grid = pd.read_csv(studies / "tables" / "hyperparameters" / "hyperparameters.csv", comment="#")
    assert len(grid) == len(settings)
    for page in ("baselines", "hyperparameters", "own-attributes"):
        assert (studies / "pages" / f"{page}.html").stat().st_size > 10_000
    assert (studies / "index.html").exists()
    assert "up to date" in dvc(done, "repro", "studies/dvc.yaml").stdout
