"""The one runner of the pipeline: execute a parameterized notebook with papermill, live and refusing typos.

    python -m arvae.notebook notebooks/2_train.ipynb executed.ipynb -p dataset mnist -p model arvae

Before anything runs, params.yaml is checked and every parameter name is compared with the notebook's
`parameters` cell (papermill itself only warns). What the notebook prints appears here as it is printed. The
executed notebook loses what differs from run to run: timings, random cell ids, Python's version, and what
cells tagged `log` printed; that and the time it took go to reports/machine (`arvae.machine`). If a cell
fails, hangs or loses its kernel, the notebook so far is kept, with its error. Run by DVC, it ends when DVC
ends, however that ends: nothing goes on writing unseen. Parameters are those of the params.yaml nearest above
the executed notebook, whose folder is the notebook's working directory.
"""

import argparse
import ast
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, TextIO

# A check of addresses that jsonschema imports where there is one: no notebook needs it, and it takes seconds.
sys.modules.setdefault("rfc3987_syntax", None)
import nbformat
import papermill
import psutil
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from arvae import interrupts, machine, params, paths
from arvae.files import BARRED, MAKE_ROOM, atomic_write
from arvae.params.faults import unknown
from arvae.progress import clock

START = 300  # seconds that a kernel may take to start: much, for a busy machine
SOCKETS = f"arvae-{os.getpid()}-"  # how the names of this process's folders of sockets begin
LONGEST = 70  # characters of the folder for temporary files: a socket's whole name has at most 103 (macOS)
REMEDY = f"{MAKE_ROOM}, and run `dvc repro` again"
# Errors of the disk as Python ("[Errno 28] No space left ...") and safetensors ("os error 28") name them.
_DISK = re.compile(rf"(?:Errno|os error) (?:{'|'.join(map(str, BARRED))})\b")
CASTS = {"str": str, "int": int, "float": float, "bool": lambda t: {"true": True, "false": False}[t.lower()]}
THREADS = [f"{name}_NUM_THREADS" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")] + [
    "VECLIB_MAXIMUM_THREADS"
]


class NotebookError(RuntimeError):
    """A notebook could not be run; the message says which, why, and what to do."""


class Kernel(AsyncKernelManager):
    """Ends an idle kernel without jupyter_client's interrupt: an error to one busy with its last answer."""

    at_work = threading.Event()  # in a cell

    async def _async_interrupt_kernel(self) -> None:
        if self.at_work.is_set():
            await super()._async_interrupt_kernel()


def run(
    source: Path, target: Path, values: dict[str, str], timeout: float | None = None, log: TextIO = sys.stdout
) -> None:
    """Execute the notebook `source` with parameters `values` (as text) and write it to `target`.

    Args:
        timeout: seconds that the whole notebook may take; None: no limit.
        log: where the notebook's printed output goes while it runs.

    Raises:
        NotebookError: unknown or ill-typed parameter, failing cell, dead or hanging kernel.
        ParamsError: params.yaml is unsound.
    """
    home = paths.root(target.parent)
    engine = params.load(home / "params.yaml").engine
    typed = _typed(source, values)
    if source.resolve() == target.resolve():
        raise NotebookError(f"{source} would be overwritten: give the executed notebook another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    # The project's own folder comes first, so that an experiment in a copy imports that copy.
    first = str(paths.project(home))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [first, os.environ.get("PYTHONPATH")]))
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    # The last digits of a sum depend on how many threads share it: not on how many cores there are.
    os.environ |= dict.fromkeys(THREADS, str(engine.threads))
    start = time.monotonic()
    print(f"{target.stem}: running {source.name}", file=log, flush=True)
    fault: str | None = None
    log_lines: list[str] = []
    if len(folder := tempfile.gettempdir()) > LONGEST:
        raise NotebookError(f"{folder} is too long a name for sockets below it: set TMPDIR to a shorter one")
    sockets = tempfile.TemporaryDirectory(prefix=SOCKETS)  # not shared by two in one folder
    unseen: tuple[str, str] | None = None  # an error that the kernel could not write into the notebook itself
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            typed,
            kernel_name="python3",
            kernel_manager_class=Kernel,
            on_cell_execute=lambda **_: Kernel.at_work.set(),
            on_cell_executed=lambda **_: Kernel.at_work.clear(),
            cwd=str(home),
            progress_bar=False,
            stdout_file=log,
            stderr_file=log,
            timeout_func=lambda _: None if timeout is None else max(timeout + start - time.monotonic(), 1.0),
            start_timeout=START,
            record_timing=False,
            config=Config(KernelManager={"transport": "ipc", "ip": f"{sockets.name}/kernel"}),
            request_save_on_cell_execute=True,
        )
    except PapermillExecutionError as error:
        fault = f"cell {error.exec_count} failed with {error.ename}: {error.evalue}"
        if error.ename in ("OSError", "PermissionError") and _DISK.search(str(error.evalue)):
            fault += f": {REMEDY}"
    except CellTimeoutError:
        limit = clock(timeout or 0)
        fault = f"it took longer than {limit} (engine.timeout_minutes in params.yaml) and was stopped"
        unseen = "TimeLimit", fault
    except DeadKernelError:
        fault = "its kernel died (killed, or out of memory?); run `dvc repro` again: what is finished is kept"
        unseen = "DeadKernel", fault
    except RuntimeError as error:
        fault = f"its kernel did not start ({error}): run `dvc repro` again"
    except OSError as error:
        fault = f"{error}: {REMEDY}" if error.errno in BARRED else str(error)
    finally:
        sockets.cleanup()
        try:
            if target.exists():
                log_lines = _normalise(target, bool(fault), unseen)
        except (OSError, ValueError) as error:  # half a notebook, then: the disk is full
            with contextlib.suppress(OSError):
                target.unlink(missing_ok=True)
            fault = fault or f"{target} could not be written ({error}): {REMEDY}"
    if fault:
        kept = f"\nThe notebook so far is kept in {target}" if target.exists() else ""
        raise NotebookError(f"{source.name}: {fault}{kept}")
    machine.write(home, target, time.monotonic() - start, log_lines)
    print(f"{target.stem}: done in {clock(time.monotonic() - start)}", file=log, flush=True)


def _typed(source: Path, values: dict[str, str]) -> dict[str, Any]:
    """The parameters with the types their `parameters` cell declares."""
    if not source.is_file():
        raise NotebookError(f"there is no notebook {source}")
    declared = _declared(source)
    typed: dict[str, Any] = {}
    for name, text in values.items():
        if name not in declared:
            raise NotebookError(unknown(f"parameter of {source.name}", name, declared))
        kind = declared[name]
        try:
            typed[name] = _cast(kind, text)
        except (ValueError, KeyError):
            raise NotebookError(f"parameter {name} of {source.name} is a {kind}, not {text!r}") from None
    return typed


def _declared(source: Path) -> dict[str, str]:
    """The types in the `parameters` cell: as annotated (papermill knows no `|`), else the default's."""
    try:
        cells = nbformat.read(source, as_version=4).cells
        texts = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
        body = ast.parse("\n".join(texts)).body
    except (ValueError, SyntaxError, nbformat.ValidationError) as error:
        raise NotebookError(f"{source} is no notebook, or its parameters no Python: {error}") from error
    found = {}
    for node in body:
        if isinstance(node, ast.AnnAssign):
            found[ast.unparse(node.target)] = ast.unparse(node.annotation).strip("'")
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            found |= {ast.unparse(target): type(node.value.value).__name__ for target in node.targets}
    return found


def _cast(kind: str, text: str) -> Any:
    """`text` as a value of the first type in `kind` (int | None, Optional[int], ...) that it fits."""
    if optional := re.fullmatch(r"(?:typing\.)?Optional\[(.+)\]", kind):
        kind = f"{optional[1]} | None"
    kinds = [one.strip() for one in kind.split("|")]
    if "None" in kinds and text in ("None", "null"):
        return None
    for one in kinds:
        with contextlib.suppress(ValueError, KeyError):
            return CASTS[one](text)
    raise ValueError(text)


def _normalise(path: Path, failed: bool, error: tuple[str, str] | None = None) -> list[str]:
    """Remove from an executed notebook what differs between two equal runs; of one that failed keep the logs.
    Returns their removed lines. error: (name, message) to show below the cell that ran last."""
    notebook = nbformat.read(path, as_version=4)
    if error:
        shown = nbformat.v4.new_output("error", ename=error[0], evalue=error[1], traceback=[": ".join(error)])
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for cell in [cell for cell in code if cell.metadata.get("papermill", {}).get("start_time")][-1:]:
            cell.outputs.append(shown)
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    log: list[str] = []
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        for output in cell.get("outputs", []):
            if output.output_type == "stream":  # a library's warning says where it is installed
                output["text"] = re.sub(r"(?<!\S)\S*/(?=site-packages/)", "", output["text"])
        if "log" in cell.metadata.get("tags", []) and not failed:
            streams = [output for output in cell.outputs if output.output_type == "stream"]
            log += "".join(output.text for output in streams).splitlines()
            cell.outputs = [output for output in cell.outputs if output not in streams]
    with atomic_write(path) as temporary:
        nbformat.write(notebook, temporary)
    return log


def _give_up(target: Path) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{SOCKETS}*"):
        shutil.rmtree(folder, ignore_errors=True)
    _normalise(target, True, ("Interrupted", interrupts.STAGE))


def end_with(processes: list[psutil.Process], every: float = 0.2) -> None:
    """End this process and all that it started as soon as one of `processes` has ended: a stage whose `dvc`
    was killed would go on beside that of the next `dvc repro`."""

    def watch() -> None:
        while all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
            time.sleep(every)
        interrupts.end(interrupts.STAGE, 128 + signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _dvc() -> list[psutil.Process]:
    """The processes above this one up to DVC: where one ends, DVC has ended. Empty where it has already."""
    parents = psutil.Process().parents()
    for number, parent in enumerate(parents, 1):
        with contextlib.suppress(psutil.Error):  # somebody else's process
            if re.search(r"\bdvc\b", " ".join(parent.cmdline())):
                return parents[:number]
    return []


def main(arguments: list[str] | None = None) -> int:
    """Command line: SOURCE TARGET [-p NAME VALUE ...]; exit status 1 with the reason when it fails."""
    parser = argparse.ArgumentParser("python -m arvae.notebook", description="run a parameterized notebook")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    given = parser.parse_args(arguments)
    if "DVC_STAGE" in os.environ:
        if not (above := _dvc()):
            print(f"{given.target}: dvc has ended meanwhile, so nothing is run", file=sys.stderr)
            return 1
        end_with(above)
    interrupts.end_at_once(interrupts.STAGE, before=lambda: _give_up(given.target))
    try:
        minutes = params.load(paths.root(given.target.parent) / "params.yaml").engine.timeout_minutes
        run(given.source, given.target, dict(given.parameter), 60 * minutes if minutes else None)
    except (NotebookError, params.ParamsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
