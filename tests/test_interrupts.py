"""Ctrl-C and SIGTERM: any command ends within two seconds with one line, and no traceback."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from arvae import interrupts, paths
from tests.conftest import dvc_project, environment
from tests.test_notebook import project, write  # noqa: F401 (project is a fixture)

ROOT = paths.root(__file__)
SIGNALS = [signal.SIGINT, signal.SIGTERM]


def interrupted(command, number, folder, begun):
    """Start a command in a group of its own, signal it all once it has `begun`; (seconds it took, output)."""
    environ = environment() | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not begun() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None, process.communicate()[0]
        start = time.monotonic()
        os.killpg(process.pid, number)  # as a terminal does
        output, _ = process.communicate(timeout=30)
        return time.monotonic() - start, output
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def check_said(seconds, output, line):
    assert output.count(line) == 1 and "Traceback" not in output, output
    assert seconds < 2, f"{seconds:.1f} seconds"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_notebook_is_left_with_what_it_had_shown(project, number):  # noqa: F811
    cell = "import time; print('how far', flush=True); open('begun', 'w').close(); time.sleep(60)"
    source = write(project, ("print('before')", []), (cell, []))
    command = [sys.executable, "-m", "arvae.notebook", str(source), "out.ipynb"]
    seconds, output = interrupted(command, number, project, (project / "begun").exists)
    check_said(seconds, output, interrupts.STAGE)
    kept = (project / "out.ipynb").read_text()
    assert "before" in kept and "Interrupted" in kept and "papermill" not in kept
    there = [one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(project)]
    kernels = [one for one in there if one.pid != os.getpid()]
    assert not psutil.wait_procs(kernels, timeout=5)[1], "a kernel goes on"


@pytest.mark.parametrize("number", SIGNALS)
def test_dvc_repro_ends_with_the_stage(project, number):  # noqa: F811
    """DVC adds one line of its own; after SIGTERM, of which it says nothing, none."""
    write(project, ("import time; open('begun', 'w').close(); time.sleep(60)", []))
    stage = "stages: {one: {cmd: python -m arvae.notebook book.ipynb out.ipynb, outs: [out.ipynb]}}"
    (project / "dvc.yaml").write_text(stage)
    dvc_project(project)
    command = [sys.executable, "-m", "dvc", "repro"]
    seconds, output = interrupted(command, number, project, (project / "begun").exists)
    check_said(seconds, output, interrupts.STAGE)
    assert len(output[output.index(interrupts.STAGE) :].splitlines()) <= 2, output


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "module",
    [
        "arvae.edit", "benchmarks.gpu", "benchmarks.speed", "compendium.pipeline", "compendium.check",
        "compendium.site", "compendium.train",
    ],
)  # fmt: skip
def test_a_command_ends_with_a_line_while_it_still_imports(module, number, tmp_path):
    """Imports take seconds: whoever mistyped need not wait for them."""
    hang = "import time\nopen('begun', 'w').close()\ntime.sleep(60)\n"
    for name in ("torch", "ruamel", "jinja2"):  # one of them is imported by every command
        (tmp_path / f"{name}.py").write_text(hang)
    command = [sys.executable, "-m", module]
    seconds, output = interrupted(command, number, tmp_path, (tmp_path / "begun").exists)
    check_said(seconds, output, interrupts.STAGE if module == "compendium.train" else interrupts.COMMAND)


def test_a_process_of_a_benchmark_leaves_the_line_to_who_started_it(tmp_path):
    (tmp_path / "torch.py").write_text("import time\nopen('begun', 'w').close()\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "benchmarks.gpu", "--child", "mnist"]
    assert not interrupted(command, signal.SIGINT, tmp_path, (tmp_path / "begun").exists)[1]


def test_an_ignored_signal_stays_ignored():
    """nohup and background jobs: the caller has decided."""
    code = (
        "import signal; from arvae import interrupts; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        "interrupts.end_at_once('x'); assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN; "
        "assert callable(signal.getsignal(signal.SIGTERM))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_strangers_command_keeps_its_own_handlers(tmp_path):
    """Also where its package imports this one, and shares its name's beginning."""
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    for name in ("stranger", "arvaexy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("import arvae\n")
        (tmp_path / name / "command.py").write_text(code)
        command = [sys.executable, "-m", f"{name}.command"]
        environ = environment() | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
        assert done.stdout == "True\n"


def test_importing_the_package_changes_no_handler():
    code = "import signal; import arvae; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_command_that_lacks_a_library_names_it(tmp_path):
    """As after `pip install .`, which brings what the metrics need."""
    (tmp_path / "pydantic.py").write_text("raise ModuleNotFoundError('No module', name='pydantic')\n")
    environ = environment() | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-m", "arvae.edit", "tune.abc"]
    told = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert told.returncode == 1 and not told.stdout
    assert told.stderr.startswith("pydantic is not installed") and told.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_make_is_interrupted_as_it_makes_the_environment(tmp_path, number):
    """As a terminal does it: the signal reaches make and all that it has started."""
    place = tmp_path / "env"
    command = ["make", f"VENV={place}", f"{place}/ready"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=environment(), start_new_session=True, **pipes) as process:
        while not (place / "pyvenv.cfg").exists() and process.poll() is None:
            time.sleep(0.05)
        began = time.monotonic()
        os.killpg(process.pid, number)
        said = process.communicate(timeout=30)[0]
    assert time.monotonic() - began < 2 and process.returncode
    assert "Interrupted. What was downloaded is kept" in said and "Traceback" not in said, said
    left = [
        one for one in psutil.process_iter(["cmdline"]) if str(place) in " ".join(one.info["cmdline"] or [])
    ]
    assert not psutil.wait_procs(left, timeout=2)[1]
