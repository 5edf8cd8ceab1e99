"""Where runs run: in processes of their own on this machine, one after another here, or on a Dask cluster.

Every executor is used through `submit(function, text) -> Future` alone, as in `concurrent.futures`; `train`
takes any object that has it.
"""

import concurrent.futures
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import arvae
from arvae import machine
from arvae.params import Engine
from arvae.training.precision import SAME_BITS

TextFunction = Callable[[str], str]


class WorkerDiedError(RuntimeError):
    """A worker process ended without an outcome: killed, out of memory, or crashed."""


class ProcessExecutor(concurrent.futures.ThreadPoolExecutor):
    """Each task in a fresh Python process with `threads` threads; at most `workers` at a time.

    A fresh process has nothing of this one's state, so a run's weights cannot depend on what else runs
    here, and its thread count is set before any library starts. It dies when this process dies. Against
    Python's own ProcessPoolExecutor and joblib speaks that one killed worker breaks their pool and with it
    every other run, and that a worker goes on when the parent is killed.
    """

    def __init__(self, workers: int, threads: int) -> None:
        super().__init__(workers, thread_name_prefix="run")
        self.threads, self.closed = threads, False
        self.running: set[subprocess.Popen[str]] = set()

    def submit(self, function: TextFunction, text: str) -> concurrent.futures.Future[str]:
        """Run a `worker.task`; `function` must be `worker.train_run` (it is what the process runs)."""
        if function.__module__ != "arvae.training.worker":
            raise ValueError(f"ProcessExecutor runs arvae.training.worker.train_run only, not {function!r}")
        return super().submit(self._run, text)

    def _run(self, text: str) -> str:
        command = [sys.executable, "-m", "arvae.training", str(os.getpid())]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        environment = worker_environment(self.threads)
        process = subprocess.Popen(command, text=True, errors="replace", env=environment, **pipes)
        self.running.add(process)
        if self.closed:
            process.kill()
        output, errors = process.communicate(text)
        self.running.discard(process)
        if (code := process.returncode) == 0:
            outcome = output.splitlines()[-1]
            if json.loads(outcome)["status"] == "failed":
                sys.stderr.write(errors)  # where it went wrong
            return outcome
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        said = (output + errors).strip()
        raise WorkerDiedError(f"the worker process ended with {how}{': ' + said[-2000:] if said else ''}")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Stop everything that still runs."""
        self.closed = True
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        for process in list(self.running):
            process.kill()
        super().shutdown(wait)


# Activations of many megabytes come and go every step. glibc gives such blocks back to the system each time
# and touching them anew costs a fifth of a training step; these keep them, on large pages.
_KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(2 * 10**9),
    "MALLOC_TRIM_THRESHOLD_": str(4 * 10**9),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def worker_environment(threads: int) -> dict[str, str]:
    """This process's environment with the thread counts of all libraries set, and arvae importable."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    package = str(Path(arvae.__file__).resolve().parent.parent)
    paths = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    ours = {name: str(threads) for name in names} | {"PYTHONPATH": os.pathsep.join(paths)}
    return _KEEP_MEMORY | dict([SAME_BITS]) | os.environ | ours


@contextlib.contextmanager
def opened(engine: Engine, device: str, runs: int) -> Iterator[Any]:
    """The executor that params.yaml asks for.

    dask: an existing cluster's, given its scheduler's address. Its workers must see the same files under the
    same paths. One that dies costs only time: another goes on with its run from the last checkpoint.

    Raises:
        ValueError: where dask has no address or is not installed.
    """
    if engine.executor == "serial":
        with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="run") as pool:
            yield pool
    elif engine.executor == "processes":
        with ProcessExecutor(worker_count(engine, device, runs), engine.threads) as pool:
            yield pool
    else:
        if not engine.address:
            raise ValueError("executor: dask needs engine.address, the scheduler's, e.g. tcp://10.0.0.5:8786")
        if importlib.util.find_spec("distributed") is None:
            raise ValueError('executor: dask needs the package distributed: pip install "dask[distributed]"')
        from distributed import Client

        with Client(engine.address) as client:
            yield client.get_executor(pure=False)


def worker_count(engine: Engine, device: str, runs: int) -> int:
    """Runs at once: what params.yaml says, else what the cores (or one GPU) can take."""
    natural = 4 if device == "cuda" else max(1, machine.cores() // engine.threads)
    return max(1, min(runs, engine.workers or natural))
