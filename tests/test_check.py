"""`make check --strict`: which results are not as committed, and how far their numbers moved."""

import fcntl
import json
import os
import shutil
import subprocess

import pytest

from arvae import machine, paths
from arvae.files import write_json
from compendium import check
from tests.conftest import dvc


def git(folder, *arguments):
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def results(tmp_path):
    """A repository with committed results of two stages."""
    reports = tmp_path / "reports"
    write_json(reports / "metrics" / "a.json", {"runs": {"seed0": {"scc": 0.5, "mig": None}}, "model": "x"})
    (reports / "training").mkdir()
    (reports / "training" / "a.csv").write_text("step,loss\n1,2.0\n2,1.0\n")
    (reports / "tables").mkdir()
    (reports / "tables" / "b.csv").write_text("# One, one, one\nmetric,one\nscc,0.5\n")
    (reports / "index.html").write_text("<p>one</p>\n")
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    machine.write(tmp_path, reports / "notebooks" / "a.ipynb", 1.5, ["a line"])
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "results")
    return tmp_path


def test_times_alone_are_no_difference(results, capsys):
    machine.write(results, results / "reports" / "notebooks" / "a.ipynb", 99.0, [])
    assert json.loads((results / "reports" / "machine" / "a.json").read_text())["seconds"] == 99.0
    assert check.moved(results) == [] and check.strict(results) == 0
    assert machine.processor() in capsys.readouterr().out


def test_numbers_that_moved_are_told_with_how_far(results, capsys):
    write_json(
        results / "reports" / "metrics" / "a.json",
        {"runs": {"seed0": {"scc": 0.75, "mig": 0.1}}, "model": "x"},
    )
    (results / "reports" / "training" / "a.csv").write_text("step,loss\n1,2.5\n2,1.125\n")
    (results / "reports" / "tables" / "b.csv").write_text("# One, one, one\nmetric,one\nscc,0.25\n")
    (results / "reports" / "index.html").write_text("<p>two</p>\n")
    (results / "reports" / "new.svg").write_text("<svg/>")
    (results / "dvc.lock").unlink()
    found = dict(line.split(": ", 1) for line in check.moved(results))
    assert found["reports/metrics/a.json"].startswith(
        "1 of 1 numbers moved; the furthest is runs.seed0.scc, 0.5 -> 0.75; 1 values that are no numbers"
    )
    assert found["reports/training/a.csv"] == "2 of 4 numbers moved; the furthest is 0.loss, 2 -> 2.5"
    assert found["reports/tables/b.csv"] == "1 of 1 numbers moved; the furthest is 0.one, 0.5 -> 0.25"
    assert found["reports/index.html"] == "differs" and found["dvc.lock"] == "missing here"
    assert found["reports/new.svg"] == "not committed" and len(found) == 6
    assert check.strict(results) == 1 and "6 files are not as committed" in capsys.readouterr().out
    assert check.strict(results, numbers=True) == 1
    said = capsys.readouterr().out
    assert "\n    0.loss: 2 -> 2.5\n    1.loss: 1 -> 1.125\n" in said and said.count(" -> ") == 3 + 4


def test_a_number_that_became_none_is_told():
    one, other = ({"scc": 0.5, "loss": 1.0}, {"scc": float("nan"), "loss": 1.25})
    before, after = (check.values(json.dumps(values), "a.json") for values in (one, other))
    said = check.distance(before, after)
    assert said.startswith(
        "1 of 1 numbers moved; the furthest is loss, 1 -> 1.25; 1 values that are no numbers"
    )
    assert check.distance(after, after).startswith("the same values")


def test_a_notebook_outside_of_reports_is_not_recorded(tmp_path):
    machine.write(tmp_path, tmp_path / "out.ipynb", 1.0, [])
    home = tmp_path / "reports" / "project"
    machine.write(home, home / "out.ipynb", 1.0, [])
    assert list(tmp_path.iterdir()) == []


def test_what_is_added_to_the_index_is_not_committed_either(results):
    write_json(results / "reports" / "metrics" / "b.json", {"runs": {}})
    git(results, "add", ".")
    assert check.moved(results) == ["reports/metrics/b.json: not committed"]


@pytest.mark.parametrize("lock", ["lock", "rwlock"])
def test_while_dvc_runs_elsewhere_it_says_so_in_a_line(lock, tmp_path, monkeypatch, capsys):
    """DVC holds the first as a stage begins and ends, the second for what a running stage reads and makes."""
    (tmp_path / "dvc.yaml").write_text("stages: {one: {cmd: touch a, outs: [a]}}\n")
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    for name in ("params.yaml", "pipeline.yaml"):
        shutil.copy(paths.root(__file__) / name, tmp_path)
    git(tmp_path, "init", "-q")
    dvc(tmp_path, "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(check.pipeline, "written", lambda home: {})
    monkeypatch.setattr(check.weights, "stale", lambda home: [])
    place = tmp_path / ".dvc" / "tmp" / lock
    if lock == "rwlock":
        write_json(place, {"write": {str(tmp_path / "a"): {"pid": os.getpid(), "cmd": "dvc repro"}}})
    with open(place, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        status = check.main([])
    assert status == 1
    said = capsys.readouterr()
    assert said.err == f"nothing was checked: {check.BUSY}\n" and not said.out


def test_an_unknown_option_is_refused(capsys):
    assert check.main(["--strikt"]) == 2 and "there are only --strict" in capsys.readouterr().err
