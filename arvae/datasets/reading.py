"""Reading many tunes, on all cores, and why a tune was left out."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial

import numpy as np

from arvae import machine
from arvae.datasets.contract import DataError
from arvae.music.coding import TICKS
from arvae.music.score import TuneError
from arvae.progress import Log, Progress

_CHUNK = 64  # tunes that a process is given at a time
_ALONE = 200  # fewer tunes are read before other processes have started


@dataclass(frozen=True)
class Written:
    """A tune as it was found: which collection, its number there, its title, the bytes to read."""

    collection: str
    number: str
    title: str
    content: bytes


@dataclass(frozen=True)
class Coded:
    """A tune as it was read: measures int16 (n, 24), or none and the reason why it is left out."""

    measures: np.ndarray
    reason: str = ""
    detail: str = ""


Reader = Callable[[Written], np.ndarray]


def read_all(written: Sequence[Written], reader: Reader, label: str, log: Log = print) -> list[Coded]:
    """Each tune as read with `reader`, a function of a module, in order. DataError where a process dies."""
    progress = Progress(len(written), label, "tunes", log=log)
    coded = []
    workers = 1 if len(written) < _ALONE else machine.cores()
    try:
        # a pool starts its processes with the first tune it is given: with one worker it stays empty
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            found = partial(pool.map, chunksize=_CHUNK) if workers > 1 else map
            for one in found(partial(read_one, reader), written):
                coded.append(one)
                if len(coded) % _CHUNK == 0 or len(coded) == len(written):
                    progress.update((len(coded) - 1) % _CHUNK + 1)
    except BrokenProcessPool as error:
        raise DataError(
            f"{label}: a process was killed or could not start (memory?): run it again"
        ) from error
    if written:
        progress.close()
    return coded


def read_one(reader: Reader, tune: Written) -> Coded:
    """One tune, or why it cannot be read."""
    try:
        return Coded(reader(tune))
    except TuneError as error:
        return Coded(np.zeros((0, TICKS), np.int16), error.reason, str(error))
