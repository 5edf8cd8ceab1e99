"""The runner: types, refusals, what is kept of a failure, what is removed from a success."""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import nbformat
import psutil
import pytest

from arvae import notebook, paths

ROOT = paths.root(__file__)


@pytest.fixture
def project(tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, *cells, parameters="count: int = 1\nname: str = 'a'\nrate: float = 0.5\nloud: bool = True"):
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    book.cells += [nbformat.v4.new_code_cell(text, metadata={"tags": tags}) for text, tags in cells]
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / "book.ipynb")
    return folder / "book.ipynb"


def test_parameters_arrive_typed_and_output_is_shown_live_and_normalised(project):
    many = "for i in range(50): print('line', i, flush=True)"
    source = write(
        project, ("import json; print(json.dumps([count, name, rate, loud]))", []), (many, ["log"])
    )
    shown = io.StringIO()
    values = {"count": "3", "name": "1e-4", "rate": "1e-4", "loud": "false"}
    notebook.run(source, project / "out" / "book.ipynb", values, log=shown)
    assert json.dumps([3, "1e-4", 1e-4, False]) in shown.getvalue()
    assert "line 25" in shown.getvalue()
    done = nbformat.read(project / "out" / "book.ipynb", as_version=4)
    assert [cell.id for cell in done.cells] == [f"cell-{i:02d}" for i in range(len(done.cells))]
    assert "papermill" not in done.metadata
    assert not any({"papermill", "execution"} & set(cell.metadata) for cell in done.cells)
    assert not done.cells[-1].outputs and done.cells[-2].outputs  # a log differs from run to run


def test_two_runs_give_the_same_bytes(project):
    source = write(project, ("count + 1", []))
    for name in ("one.ipynb", "two.ipynb"):
        notebook.run(source, project / name, {"count": "2"}, log=io.StringIO())
    assert (project / "one.ipynb").read_bytes() == (project / "two.ipynb").read_bytes()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cuont": "1"}, "did you mean count"),
        ({"count": "many"}, "count of book.ipynb is a int, not 'many'"),
        ({"rate": "fast"}, "rate"),
        ({"loud": "yes"}, "loud"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_runs(project, values, message):
    source = write(project, ("open('ran', 'w').close()", []))
    with pytest.raises(notebook.NotebookError, match=message):
        notebook.run(source, project / "out.ipynb", values)
    assert not (project / "ran").exists() and not (project / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int | None = None", "3", 3), ("int | None = 3", "None", None),
        ("Optional[float] = None", "1e-4", 1e-4),
        ("'str | None' = None", "null", None), ("int | str = 1", "many", "many"),
    ],
)  # fmt: skip
def test_a_parameter_may_be_of_several_types(project, kind, text, value):
    source = write(project, parameters=f"from typing import Optional\ncount: {kind}")
    assert notebook._typed(source, {"count": text}) == {"count": value}


TOGETHER = """
import os, time
open(name, "w").close()
end = time.monotonic() + 60
while not (os.path.exists("one") and os.path.exists("two")) and time.monotonic() < end: time.sleep(0.05)
print("I am", name)
"""


def test_two_notebooks_at_once_in_one_folder(project):
    """Each has sockets of its own: none is answered by another's kernel, and none stays behind."""
    source = write(project, (TOGETHER, []))
    before = set(project.iterdir())
    command = [sys.executable, "-m", "arvae.notebook", str(source)]
    both = [
        subprocess.Popen(
            [*command, f"{name}.ipynb", "-p", "name", name], cwd=project, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for name in ("one", "two")
    ]  # fmt: skip
    for name, process in zip(("one", "two"), both, strict=True):
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0 and f"I am {name}" in said
    assert {path.suffix for path in set(project.iterdir()) - before} == {"", ".ipynb"}
    assert len(set(project.iterdir()) - before) == 4


def test_unsound_params_are_refused_before_anything_runs(project, capsys):
    source = write(project, ("open('ran', 'w').close()", []))
    text = (project / "params.yaml").read_text().replace("gamma: 10.0", "gama: 10.0")
    (project / "params.yaml").write_text(text)
    assert notebook.main([str(source), "out.ipynb"]) == 1
    assert "did you mean gamma" in capsys.readouterr().err
    assert not (project / "ran").exists()


def test_a_failing_cell_keeps_the_notebook_so_far(project, capsys):
    source = write(
        project, ("print('before')", []), ("print('how far'); 1 / 0", ["log"]), ("print('after')", [])
    )
    assert notebook.main([str(source), "out.ipynb"]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said and "out.ipynb" in said
    kept = (project / "out.ipynb").read_text()
    assert "before" in kept and "how far" in kept and "division by zero" in kept


DEAF = "from signal import *; signal(SIGINT, SIG_IGN); signal(SIGTERM, SIG_IGN)\n"


@pytest.mark.parametrize("how", ["", DEAF], ids=["listening", "deaf to signals"])
def test_a_hanging_notebook_is_stopped_and_says_so(project, how):
    source = write(
        project,
        ("import time; print('begun', flush=True); time.sleep(1.5)", []),
        (how + "time.sleep(100)", []),  # the limit is the notebook's, not the cell's
        ("print('after')", []),
    )
    start = time.monotonic()
    with pytest.raises(notebook.NotebookError, match=r"longer than 0:0\d.*timeout_minutes"):
        notebook.run(source, project / "out.ipynb", {}, timeout=6, log=io.StringIO())
    assert time.monotonic() - start < 80
    assert not [child for child in psutil.Process().children() if "ipykernel_launcher" in child.cmdline()]
    cells = nbformat.read(project / "out.ipynb", as_version=4).cells
    assert "begun" in cells[-3].outputs[0].text
    assert cells[-2].outputs[-1].ename == "TimeLimit" and not cells[-1].outputs


SLOW = """
import asyncio, time
kernel = get_ipython().kernel
answer = kernel.shell_handlers["kernel_info_request"]
async def slowly(*request):
    await answer(*request)
    time.sleep(0.5)
kernel.shell_handlers["kernel_info_request"] = slowly
"""


def test_a_kernel_still_at_its_last_answer_is_not_interrupted(project, capfd):
    """As on a busy machine: its complaint about Ctrl-C stood at the end of notebooks that had gone well."""
    notebook.run(write(project, (SLOW, [])), project / "out.ipynb", {}, log=io.StringIO())
    assert "KeyboardInterrupt" not in capfd.readouterr().err


def test_the_time_limit_of_params_holds(project, capsys):
    source = write(project, ("import time; time.sleep(60)", []))
    text = (project / "params.yaml").read_text()
    assert text.count("timeout_minutes: null") == 1
    (project / "params.yaml").write_text(text.replace("timeout_minutes: null", "timeout_minutes: 0.05"))
    assert notebook.main([str(source), "out.ipynb"]) == 1
    assert "longer than 0:03 (engine.timeout_minutes" in capsys.readouterr().err


def test_a_kernel_that_does_not_start_is_reported(project, monkeypatch, capsys):
    def refuse(*_, **__):
        raise RuntimeError("Kernel didn't respond in 300 seconds")

    source = write(project)
    monkeypatch.setattr(notebook.papermill, "execute_notebook", refuse)
    assert notebook.main([str(source), "out.ipynb"]) == 1
    said = capsys.readouterr().err
    assert "book.ipynb: its kernel did not start (Kernel didn't respond" in said
    assert "run `dvc repro` again" in said and not (project / "out.ipynb").exists()


EVIL = "x'; open('pwned', 'w') #\\\n\"\"\"; open('pwned', 'w') #"


def test_a_parameter_that_looks_like_code_arrives_as_text_and_runs_nothing(project):
    source = write(project, ("print(ascii(name))", []))
    shown = io.StringIO()
    notebook.run(source, project / "out.ipynb", {"name": EVIL}, log=shown)
    assert ascii(EVIL) in shown.getvalue() and not list(project.rglob("pwned"))


def test_a_killed_kernel_is_reported(project):
    kill = "print('begun', flush=True); import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    source = write(project, (kill, []), ("print('after')", []))
    with pytest.raises(notebook.NotebookError, match="kernel died"):
        notebook.run(source, project / "out.ipynb", {}, log=io.StringIO())
    cells = nbformat.read(project / "out.ipynb", as_version=4).cells
    assert cells[-2].outputs[-1].ename == "DeadKernel" and not cells[-1].outputs


PARENT = """
import os, subprocess, sys, time
child = "import os, subprocess, sys, time; sys.path.insert(0, sys.argv[1]); from arvae import notebook; "
child += "subprocess.Popen(['sleep', '60']); notebook.end_with(notebook._dvc()); "
child += "print(os.getpid(), flush=True); time.sleep(60)"
environment = os.environ | {"DVC_STAGE": "train"}
subprocess.Popen([sys.executable, "-c", child, sys.argv[1]], env=environment).wait()
"""


def test_it_ends_with_dvc_however_dvc_ends(project):
    command = [sys.executable, "-c", PARENT, str(ROOT), "dvc"]  # its name is what DVC is known by
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        runner = psutil.Process(int(parent.stdout.readline()))
        started = [runner, *runner.children()]
        assert len(started) == 2
        parent.kill()
        _, alive = psutil.wait_procs(started, timeout=30)
    assert not alive


def test_begun_when_dvc_had_ended_it_runs_nothing(project, monkeypatch, capsys):
    source = write(project, ("open('ran', 'w').close()", []))
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setattr(psutil.Process, "cmdline", lambda process: ["init"])
    assert notebook.main([str(source), "out.ipynb"]) == 1
    assert "dvc has ended" in capsys.readouterr().err and not (project / "ran").exists()


def test_a_full_disk_leaves_no_half_notebook(project, full_disk):
    source = write(project, ("print('x' * 3_000_000)", []))
    (project / "out").mkdir()
    with (
        full_disk(project / "out", 1_000_000),
        pytest.raises(notebook.NotebookError, match="free some space"),
    ):
        notebook.run(source, project / "out" / "book.ipynb", {}, log=io.StringIO())
    notebook.run(source, project / "out" / "book.ipynb", {}, log=io.StringIO())
    assert "xxx" in (project / "out" / "book.ipynb").read_text()


def test_a_cell_that_meets_a_full_disk_is_told_the_remedy(project, full_disk):
    source = write(project, ("open('out/table.csv', 'w').write('x' * 3_000_000)", []))
    (project / "out").mkdir()
    with full_disk(project / "out", 1_000_000), pytest.raises(notebook.NotebookError) as error:
        notebook.run(source, project / "book-out.ipynb", {}, log=io.StringIO())
    assert "failed with OSError" in str(error.value) and notebook.REMEDY in str(error.value)


@pytest.mark.parametrize(
    ("said", "by_the_disk"),
    [
        ("[Errno 28] No space left on device: 'a'", True),
        ("[Errno 30] Read-only file system: 'a'", True),
        ("could not write a: Error: No space left on device (os error 28)", True),
        ("[Errno 24] Too many open files", False),
        ("[Errno 283] unheard of", False),
    ],
)
def test_only_the_disks_errors_have_the_disks_remedy(said, by_the_disk):
    assert bool(notebook._DISK.search(said)) == by_the_disk


def test_a_notebook_computes_with_the_threads_of_params_yaml(project, monkeypatch):
    """However many the machine has or its user wishes, or the last digits would depend on them."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    cell = f"import os, threadpoolctl, numpy; print({{os.environ[name] for name in {notebook.THREADS}}})\n"
    # <=, because it knows nothing of Accelerate, with which NumPy computes on macOS
    # <=, because it knows nothing of Accelerate, with which NumPy computes on macOS
    cell += "print({p['num_threads'] for p in threadpoolctl.threadpool_info()} <= {1})"
    notebook.run(write(project, (cell, [])), project / "out.ipynb", {}, log=io.StringIO())
    assert nbformat.read(project / "out.ipynb", as_version=4).cells[-1].outputs[0].text == "{'1'}\nTrue\n"


def test_a_missing_notebook_is_named(project):
    with pytest.raises(notebook.NotebookError, match="no notebook"):
        notebook.run(project / "none.ipynb", project / "out.ipynb", {})


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"\xe9", b"<<<<<<< HEAD\n"])
def test_a_broken_notebook_is_refused(project, content):
    (project / "bad.ipynb").write_bytes(content)
    with pytest.raises(notebook.NotebookError, match=r"bad\.ipynb is no notebook"):
        notebook.run(project / "bad.ipynb", project / "out.ipynb", {})


def test_parameters_that_are_no_python_are_refused(project):
    with pytest.raises(notebook.NotebookError, match="its parameters no Python"):
        notebook.run(write(project, ("a: int = (", ["parameters"])), project / "out.ipynb", {})


def test_a_notebook_is_not_overwritten_by_its_own_results(project):
    source = write(project, ("1", []))
    before = source.read_text()
    with pytest.raises(notebook.NotebookError, match="would be overwritten"):
        notebook.run(source, project / "nowhere" / ".." / source.name, {})
    assert source.read_text() == before


def test_a_folder_for_sockets_whose_name_is_too_long_is_named(project, monkeypatch):
    folder = project / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(notebook.NotebookError, match="x" * 100):
        notebook.run(write(project, ("1", [])), project / "out.ipynb", {}, log=io.StringIO())


def test_a_warning_does_not_tell_where_libraries_are_installed(project):
    text = "print('/some/place/lib/python3.11/site-packages/scipy/x.py:1: RuntimeWarning: y')"
    notebook.run(write(project, (text, [])), project / "out.ipynb", {}, log=io.StringIO())
    said = nbformat.read(project / "out.ipynb", as_version=4).cells[-1].outputs[0].text
    assert said.startswith("site-packages/scipy/x.py:1: RuntimeWarning")
    out = project / "reports" / "out.ipynb"
    notebook.run(write(project, (text, ["log"])), out, {}, log=io.StringIO())
    kept = [path.read_text() for path in project.rglob("machine/*.json")]
    assert kept and not any("/some/place" in one for one in kept)
