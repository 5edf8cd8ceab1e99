"""Ctrl-C or SIGTERM ends a command of the project at once, with one line: what is kept, and how to go on."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType

STAGE = (
    "Interrupted. Finished stages, downloads and the last checkpoint of every run are kept: "
    "the same command goes on from there"
)
COMMAND = "Interrupted. No file was left half written: the same command begins again"
WORKER = ""  # whoever started it speaks
_OURS = ("arvae.", "benchmarks.", "compendium.")
_LINES = {"arvae.notebook": STAGE, "arvae.training": WORKER, "compendium.train": STAGE}


def end(line: str, status: int) -> None:
    """End this process and all that it started, now."""
    with contextlib.suppress(Exception):
        import psutil  # not at the top: who takes only a part of the package may lack it

        for child in psutil.Process().children(recursive=True):
            child.kill()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(2, f"\n{line}\n".encode() if line else b"")
    os._exit(status)


def end_at_once(line: str, before: Callable[[], object] | None = None) -> None:
    """From now on SIGINT and SIGTERM call `before` and end this process with `line`.

    A signal that is ignored (nohup, a background job) stays so.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for other in (signal.SIGINT, signal.SIGTERM):
            signal.signal(other, signal.SIG_IGN)
        if before:
            with contextlib.suppress(Exception):
                before()
        end(line, 128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def in_commands() -> None:
    """`python -m arvae.<command>`: before its imports, which take seconds, and with its own line.

    Not in a command of somebody else's package that imports this one.
    """
    name = re.search(r" -\w*m ?([\w.]+)", " ".join(sys.orig_argv)) if sys.argv[:1] == ["-m"] else None
    if name and (name := name[1]).startswith(_OURS):
        end_at_once(_LINES.get(name, COMMAND))
        sys.excepthook = _told


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What is missing or may not be written is said in one line; all else is a traceback."""
    if isinstance(error, OSError):
        return print(error, file=sys.stderr)
    if isinstance(error, ModuleNotFoundError) and not f"{error.name}.".startswith(_OURS):
        remedy = "in the project's folder: python -m pip install '.[all]'"
        return print(f"{error.name} is not installed, which this command needs; {remedy}", file=sys.stderr)
    sys.__excepthook__(kind, error, trace)
