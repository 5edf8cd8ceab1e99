"""The whole road at smoke scale, through DVC, in a copy: it runs, is complete, and runs only what it must.

Killing every kind of stage and running experiments is slow: `make test-slow`.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from arvae import params
from compendium import check
from tests.conftest import ROOT, dvc, environment, results

DATASETS = ("dsprites", "mnist", "bach", "folk")
METRICS = ("interpretability", "mig", "modularity", "sap", "scc")


@pytest.fixture(scope="module")
def done(smoke_run, tmp_path_factory):
    """The project after its first `dvc repro`: a copy, since these tests change and kill what others read."""
    return shutil.copytree(smoke_run, tmp_path_factory.mktemp("done") / "project", symlinks=True)


def stages_of_status(folder):
    return set(json.loads(dvc(folder, "status", "--json").stdout))


def test_every_setup_has_metrics_of_every_seed(done):
    hyperparameters = params.load(done / "params.yaml")
    for name in hyperparameters.setups:
        result = json.loads((done / "reports" / "metrics" / f"{name}.json").read_text())
        assert result["scale"] == "smoke"
        assert len(result["runs"]) == len(hyperparameters.seeds) == 2
        for run in result["runs"].values():
            assert all(0 <= run[metric] <= 1 for metric in METRICS), run
            assert 0 < run["reconstruction_accuracy"] <= 1
        for metric in METRICS:
            values = [run[metric] for run in result["runs"].values()]
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


def test_stages_read_only_what_they_declare(smoke_run):
    """Else a stage's results depend on whether another has run before it, and two clones differ."""
    project = smoke_run  # reads.txt names its files by their paths
    declared = {
        name: [project / entry["path"] for entry in stage["deps"] + stage["outs"]]
        for name, stage in yaml.safe_load((project / "dvc.lock").read_text())["stages"].items()
    }
    kept = [project / "data" / name for name in ("raw", "cache", "checkpoints")]  # what only saves time
    kept += [project / "reports" / name for name in ("machine", "notebooks")]  # a stage writes its own there
    found, undeclared = set(), set()
    for line in (project.parent / "reads.txt").read_text().splitlines():
        stage, path = line.split("\t")
        path = Path(path)
        if not any(path.is_relative_to(project / place) for place in ("data", "reports")):
            continue
        if path.name.startswith(".") or path.name in (
            "params.yaml",
            "reports",
        ):  # being written; where is what?
            continue
        found.add(stage)
        if not any(path.is_relative_to(one) or one.is_relative_to(path) for one in declared[stage] + kept):
            undeclared.add(f"{stage}: {path.relative_to(project)}")
    assert found == declared.keys()
    assert sorted(undeclared) == []


def test_training_was_logged(done):
    history = pd.read_csv(done / "reports" / "training" / "mnist-arvae.csv")
    assert set(history["run"]) == {"seed0", "seed1"}
    assert history["loss"].notna().all() and history.groupby("run").size().min() >= 10


def test_what_a_pipeline_wants_is_trained_at_once_and_found_by_its_stages(done):
    """As `make repro` does it: nothing that is kept is trained again, what is missing comes out the same."""
    before, runs = stages_of_status(done), sorted((done / "data" / "checkpoints").glob("*-*"))
    weights = done / "data" / "models" / "bach-arvae" / "seed1.safetensors"
    old = weights.read_bytes()
    missing = [run for run in runs if run.name.startswith("bach-")]
    for run in missing:
        shutil.rmtree(run)
    command = [sys.executable, "-m", "compendium.train"]
    told = subprocess.run(command, cwd=done, env=environment(), capture_output=True, text=True)
    assert all((run / "final.safetensors").is_file() for run in runs)
    assert told.stdout.count(": reusing") == len(runs) - len(missing) and not told.stderr
    weights.unlink()
    dvc(done, "repro", "-f", "-s", "train@bach-arvae")
    assert weights.read_bytes() == old and stages_of_status(done) == before
    wrong = subprocess.run([*command, "nightly"], cwd=done, env=environment(), capture_output=True, text=True)
    assert wrong.returncode == 1 and wrong.stderr.startswith(
        "there is no pipeline 'nightly'; there are: main"
    )


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
    stale = check.stale(done)  # says nothing of the studies, which were not run
    assert stale == []


def test_editing_a_figure_retrains_nothing(done):
    figure = done / "compendium" / "figures" / "images.py"
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
    "data@mnist", "data@bach", "train@mnist-arvae", "train@bach-arvae", "classifier",
    "evaluate@dsprites-arvae", "evaluate@bach-arvae", "comparison@mnist", "comparison@bach", "results",
    "checklist", "playground", "tutorial", "site",
)  # fmt: skip
STUDIES = ("data@folk-own", "train@folk-own-arvae", "directions@bach-direction", "baselines")
STUDIES += ("hyperparameters", "tuning", "own-attributes", "site")
# What this makes carries times only where it repeats what others have measured: with those as they are, the
# same bytes come out again.
REPEATED = {
    "site": ("reports/index.html", "reports/pages/"),
    "studies/dvc.yaml:site": ("studies/reports/index.html", "studies/reports/pages/"),
}
WORK = re.compile(r"\b(training\.train|classifier\.train|datasets\.prepare|evaluate_setup)\(")


def begun(notebook):
    """The code cells of a notebook that is being run, (source, tags, begun); none while half written."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError):
        return []
    return [
        (
            "".join(cell["source"]),
            cell["metadata"].get("tags", []),
            bool(cell["metadata"].get("papermill", {}).get("start_time")),
        )
        for cell in cells
        if cell["cell_type"] == "code"
    ]


def cell_of(cells, moment):
    """Which cell: "start", the first after the parameters; "work", the long one or the middle; "end"."""
    if moment == "end":
        return len(cells) - 1
    given = [i for i, (_, tags, _) in enumerate(cells) if {"parameters", "injected-parameters"} & set(tags)]
    working = [i for i, (source, _, _) in enumerate(cells) if WORK.search(source)]
    middle = (max(given) + len(cells)) // 2
    return max(given) + 1 if moment == "start" else [*working, middle][0]


def reached(notebook, moment):
    cells = begun(notebook)
    return bool(cells) and any(started for _, _, started in cells[cell_of(cells, moment) :])


def runner_of(process):
    """The process that runs the notebook of a `dvc repro`, and the notebook it writes; None before that."""
    try:
        started = psutil.Process(process.pid).children(recursive=True)
        for one in started:
            words = _command(one)
            if "arvae.notebook" in words:
                return one, Path(one.cwd()) / words[words.index("arvae.notebook") + 2]
    except psutil.Error:
        pass
    return None


def kernel_of(runner):
    try:
        return [one for one in runner.children() if "ipykernel_launcher" in " ".join(_command(one))]
    except psutil.Error:
        return []


def ended(process):
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def kill_in_the_middle(folder, stage, victim, moment):
    """`dvc repro` of one stage, of which `victim` is killed at a `moment` (see `cell_of`); DVC's output.

    "committing": the notebook is done, and DVC is at writing down what came out.
    """
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", stage]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=said, stderr=subprocess.STDOUT, text=True
        )

        def until(condition):
            deadline = time.monotonic() + 300
            while not (found := condition()):
                if process.poll() is not None or time.monotonic() > deadline:
                    said.seek(0)
                    pytest.fail(f"{stage} never came to {moment}:\n{said.read()[-4000:]}")
                time.sleep(0.01)
            return found

        runner, notebook = until(lambda: runner_of(process))
        if moment == "committing":
            until(lambda: ended(runner))
        else:
            until(lambda: reached(notebook, moment))
        started = psutil.Process(process.pid).children(recursive=True)
        killed = kernel_of(runner)[0].pid if victim == "kernel" else process.pid
        os.kill(killed, signal.SIGKILL)
        status = process.wait()
        _, alive = psutil.wait_procs(started, timeout=60)
        assert not alive, f"{stage}: {[_command(one) for one in alive]} goes on"
        assert status == -signal.SIGKILL if victim == "dvc" else status > 0
        unlock(folder)
        said.seek(0)
        return said.read()


def unlock(folder):
    """The remedy of docs/machines.md, where DVC was killed as it wrote the file of its locks."""
    path = folder / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(path.read_text() or "{}")
    except FileNotFoundError:
        pass
    except ValueError:
        path.unlink()


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize(
    "book", sorted((ROOT / "notebooks").glob("*[1-9]_*.ipynb")), ids=lambda book: book.stem
)
def test_stages_are_killed_while_they_work(book):
    """Not while they import: the cell chosen comes after the parameters, and is the one that takes long."""
    cells = begun(book)
    assert not any(started for _, _, started in cells) and not reached(book, "start")
    start, work, end = (cell_of(cells, moment) for moment in ("start", "work", "end"))
    assert "parameters" in cells[start - 1][1] and start <= work <= end == len(cells) - 1
    if book.stem[0] in "123":
        assert WORK.search(cells[work][0])


def test_a_notebook_that_is_being_run_tells_how_far_it_is(tmp_path):
    begun_cell = {"papermill": {"start_time": "2026-01-01T00:00:00"}}
    cells = [
        {"cell_type": "code", "source": ["import os"], "metadata": begun_cell},
        {"cell_type": "markdown", "source": "text", "metadata": {}},
        {"cell_type": "code", "source": "n = 1", "metadata": begun_cell | {"tags": ["parameters"]}},
        {"cell_type": "code", "source": "n = 2", "metadata": begun_cell | {"tags": ["injected-parameters"]}},
        {"cell_type": "code", "source": "style.use()", "metadata": {"papermill": {"start_time": None}}},
        {"cell_type": "code", "source": "r = training.train(n)", "metadata": {}},
        {"cell_type": "code", "source": "show(r)", "metadata": {}},
    ]
    book = tmp_path / "a.ipynb"
    told = []
    for last in (None, 4, 5, 6):
        if last:
            cells[last]["metadata"] = begun_cell
        book.write_text(json.dumps({"cells": cells}))
        told.append([reached(book, moment) for moment in ("start", "work", "end")])
    assert told == [[False] * 3, [True, False, False], [True, True, False], [True, True, True]]
    book.write_text(book.read_text()[:200])  # papermill does not write at once
    assert not reached(book, "start") and not reached(tmp_path / "none.ipynb", "start")


def killed_and_run_again(done, stage):
    """Kill the stage's kernel as it begins, then dvc in the midst of it; its results, before and after."""
    if own := REPEATED.get(stage, ()):
        dvc(done, "repro", "--single-item", stage)  # what it repeats may have been made anew meanwhile
    before = results(done, timed=True)
    if "train" in stage or "hyperparameters" in stage:
        shutil.rmtree(done / "data" / "checkpoints", ignore_errors=True)  # else its runs are there already
    assert "kernel died" in kill_in_the_middle(done, stage, "kernel", "start")
    kill_in_the_middle(done, stage, "dvc", "work")
    said = dvc(done, "repro", "--single-item", "--no-run-cache", stage).stdout
    assert "Running stage" in said, "a stage that was killed counted as done"
    after = results(done, timed=True)
    assert set(after) == set(before)
    compared = [name for name in results(done) if name in before]
    repeated = [name for name in before if name.startswith(own)]
    assert compared and bool(repeated) == bool(own)
    assert {name for name in (*compared, *repeated) if before[name] != after[name]} == set()


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_is_killed_comes_out_the_same_when_it_is_run_again(done, stage):
    killed_and_run_again(done, stage)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["data@mnist", "results"])
def test_dvc_killed_as_it_writes_down_what_came_out(done, stage):
    """At the last cell, and when the notebook is done: a plain `dvc repro` then makes all whole."""
    before = results(done)
    kill_in_the_middle(done, stage, "dvc", "end")
    kill_in_the_middle(done, stage, "dvc", "committing")
    dvc(done, "repro")
    after = results(done)
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()
    assert "up to date" in dvc(done, "repro").stdout
    assert [name for name in stages_of_status(done) if not name.startswith(("studies/", "overnight/"))] == []


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
    studies, hyperparameters = done / "studies" / "reports", params.load(done / "params.yaml")
    for name in hyperparameters.study_setups:
        assert len(json.loads((studies / "metrics" / f"{name}.json").read_text())["runs"]) == 2
    _, settings = hyperparameters.grid()
    grid = pd.read_csv(studies / "tables" / "hyperparameters" / "hyperparameters.csv", comment="#")
    assert len(grid) == len(settings)
    for name in hyperparameters.directions:
        assert len(json.loads((studies / "metrics" / f"{name}.json").read_text())["runs"]) == 2
    tried = pd.read_csv(studies / "tables" / "tuning" / "tuning.csv", comment="#")
    assert len(tried) == sum(len(settings) for _, settings in hyperparameters.tuning())
    for page in ("baselines", "hyperparameters", "tuning", "generalisation", "own-attributes"):
        assert (studies / "pages" / f"{page}.html").stat().st_size > 10_000
    assert (studies / "index.html").exists()
    assert "up to date" in dvc(done, "repro", "studies/dvc.yaml").stdout


@pytest.mark.slow
def test_overnight_runs_in_a_home_of_its_own(done):
    before = results(done)
    command = [sys.executable, "-m", "compendium.pipeline"]  # its scale is smoke here
    subprocess.run(command, cwd=done, env=environment(), check=True)
    dvc(done, "repro", "overnight/dvc.yaml")
    night = params.load(done / "overnight" / "params.yaml")
    for name in night.setups:
        report = json.loads((done / "overnight" / "reports" / "metrics" / f"{name}.json").read_text())
        assert report["scale"] == "smoke" and len(report["runs"]) == len(night.seeds)
    assert (done / "overnight" / "reports" / "pages" / "tutorial.html").exists()
    assert results(done) == before
    assert "up to date" in dvc(done, "repro", "overnight/dvc.yaml").stdout


@pytest.mark.slow
@pytest.mark.parametrize("stage", STUDIES)
def test_a_study_that_is_killed_comes_out_the_same_when_it_is_run_again(done, stage):
    assert (done / "studies" / "reports" / "index.html").exists(), "run the test above first"
    killed_and_run_again(done, f"studies/dvc.yaml:{stage}")
