"""Ablations with `dvc exp run`: queued experiments run, in their own copy, on that copy's code."""

import json
import time

import pytest

from tests.conftest import dvc, run

MARK = "imported from the experiment's own copy"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(smoke_copy, tmp_path_factory):
    """A clone of the smoke copy."""
    folder = tmp_path_factory.mktemp("experiments") / "project"
    run(smoke_copy, "git", "clone", "--quiet", str(smoke_copy), str(folder))
    for key, value in {"user.name": "test", "user.email": "test@example.org"}.items():
        run(folder, "git", "config", key, value)
    return folder


def finished(folder, names, seconds):
    """Wait until the queue has done with the experiments; what `dvc queue status` says then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        said = dvc(folder, "queue", "status").stdout
        lines = {name: line for line in said.splitlines() for name in names if name in line}
        if len(lines) == len(names) and all("Success" in one or "Failed" in one for one in lines.values()):
            return lines
        time.sleep(2)
    raise AssertionError(f"not done after {seconds} s:\n{said}")


LEAPS = """

def leaps(measures):
    \"\"\"How many notes begin on a beat.

    Unit: notes
    \"\"\"
    return (measures[:, ::6] >= 0).sum(axis=1).astype(np.float64)
"""


def test_several_workers_take_an_attribute_not_committed_and_leave_none_behind(project):
    code = project / "arvae" / "datasets" / "own.py"
    before, names = code.read_text(), [f"tunes-{count}" for count in (20, 21, 22, 23)]
    code.write_text(before + LEAPS)
    for name in names:
        sizes = f"scales.smoke.data.bach.tunes={name.removeprefix('tunes-')}"
        own = "+datasets.bach.own=[leaps]"
        dvc(project, "exp", "run", "--queue", "--name", name, "-S", sizes, "-S", own, "data@bach")
    code.write_text(before)

    dvc(project, "queue", "start", "-j", "2")
    lines = finished(project, names, seconds=400)
    assert all("Success" in line for line in lines.values()), lines
    assert not run(project, "git", "status", "--porcelain").stdout  # the workspace was left alone
    for name in names:
        (ref,) = run(
            project, "git", "for-each-ref", "--format=%(refname)", f"refs/exps/**/{name}"
        ).stdout.split()
        assert "leaps" in run(project, "git", "show", f"{ref}:reports/notebooks/data-bach.ipynb").stdout
        assert name.replace("-", ": ") in run(project, "git", "show", f"{ref}:params.yaml").stdout


def test_the_queue_runs_experiments_on_their_own_code(project):
    code = project / "arvae" / "training" / "__init__.py"
    before = code.read_text()
    code.write_text(f"{before}\nprint({MARK!r})\n")
    settings = {"weaker": "models.arvae.music.gamma=0.5", "elsewhere": "networks.bach.dimensions=[4,5,6,7]"}
    for name, setting in settings.items():
        dvc(project, "exp", "run", "--queue", "--name", name, "-S", setting, "train@bach-arvae")
    code.write_text(before)

    dvc(project, "queue", "start")
    lines = finished(project, settings, seconds=400)
    logs = "\n".join(dvc(project, "queue", "logs", name, check=False).stdout[-3000:] for name in settings)
    assert all("Success" in line for line in lines.values()), f"{lines}\n{logs}"

    assert code.read_text() == before  # the workspace was left alone
    assert not (project / "reports" / "notebooks" / "train-bach-arvae.ipynb").exists()
    shown = json.dumps(json.loads(dvc(project, "exp", "show", "--json").stdout))
    assert all(name in shown for name in settings)
    for name in settings:
        dvc(project, "exp", "apply", name, check=False)  # it misses the outputs of stages that never ran
        book = (project / "reports" / "notebooks" / "train-bach-arvae.ipynb").read_text()
        assert MARK in book
        record = json.loads((project / "data" / "models" / "bach-arvae" / "runs.json").read_text())
        assert [run["status"] for run in record] == ["finished", "finished"]
        assert ("gamma: 0.5" in (project / "params.yaml").read_text()) == (name == "weaker")
