"""Reading many tunes: on all cores, each once, and why a tune was left out.

What has been read is kept in chunks in the cache folder, named by what they were read from and by which code.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arvae.datasets.contract import DataError, write_npz
from arvae.files import DAMAGED
from arvae.music import coding as music
from arvae.music import score
from arvae.progress import Progress

_CHUNK = 64  # tunes: small enough for both cores to finish together, large enough to be few files

Reader = Callable[[bytes], np.ndarray]


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


def read_all(
    written: Sequence[Written],
    reader: Reader,
    code_files: Sequence[str],
    cache: Path,
    label: str,
    log: Callable[[str], None] = print,
) -> list[Coded]:
    """Read tunes with `reader`, on all cores, in chunks that are kept in `cache` once read.

    A chunk's name is the hash of its tunes and of the code that reads them (`code_files`): a changed tune or
    reader is read anew, and a killed run goes on where it was. A damaged chunk is read again, and said so.
    Returns one `Coded` a tune, in order.
    """
    version = _version(code_files)
    chunks = [list(range(i, min(i + _CHUNK, len(written)))) for i in range(0, len(written), _CHUNK)]
    paths = [
        cache / "tunes" / f"{_key(version, [written[i].content for i in chunk])}.npz" for chunk in chunks
    ]
    results: dict[int, list[Coded]] = {}
    for number, path in enumerate(paths):
        known = _load(path, len(chunks[number]), log)
        if known is not None:
            results[number] = known
    missing = [number for number in range(len(chunks)) if number not in results]
    progress = Progress(sum(len(chunks[number]) for number in missing), label, "tunes", log=log)

    def keep(number: int, coded: list[Coded]) -> None:
        results[number] = coded
        _save(paths[number], coded)
        progress.update(len(coded))

    jobs = {number: [written[i].content for i in chunks[number]] for number in missing}
    workers = min(cores(), len(jobs))
    if workers > 1:
        try:
            with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
                futures = {pool.submit(_read_chunk, reader, job): number for number, job in jobs.items()}
                for future in as_completed(futures):
                    keep(futures[future], future.result())
        except BrokenProcessPool as error:
            raise DataError(
                f"{label}: a process was killed or could not start (memory?): run it again, "
                "what was read is kept"
            ) from error
    else:
        for number, job in jobs.items():
            keep(number, _read_chunk(reader, job))
    if missing:
        progress.close()
    return [coded for number in range(len(chunks)) for coded in results[number]]


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_chunk(reader: Reader, contents: list[bytes]) -> list[Coded]:
    coded = []
    for content in contents:
        try:
            coded.append(Coded(reader(content)))
        except score.TuneError as error:
            coded.append(Coded(np.zeros((0, music.TICKS), np.int16), error.reason, str(error)))
    return coded


def _version(code_files: Sequence[str]) -> bytes:
    text = [Path(file).read_bytes() for file in (*code_files, score.__file__, music.__file__)]
    return hashlib.sha256(b"\0".join(text)).digest()


def _key(version: bytes, contents: list[bytes]) -> str:
    parts = [hashlib.sha256(content).digest() for content in contents]
    return hashlib.sha256(version + b"".join(parts)).hexdigest()


def _save(path: Path, coded: list[Coded]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_npz(
        path,
        {
            "measures": np.concatenate([one.measures for one in coded]).astype(np.int8),
            "lengths": np.array([len(one.measures) for one in coded], np.int32),
            "reasons": np.array([one.reason for one in coded]),
            "details": np.array([one.detail for one in coded]),
        },
    )


def _load(path: Path, count: int, log: Callable[[str], None]) -> list[Coded] | None:
    if not path.is_file():
        return None
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("measures", "lengths", "reasons", "details")}
        measures, lengths = arrays["measures"].astype(np.int16), arrays["lengths"]
        if len(lengths) != count or len(measures) != lengths.sum():
            raise ValueError(f"{len(lengths)} tunes and {len(measures)} measures")
        parts = np.split(measures, np.cumsum(lengths)[:-1])
        return [
            Coded(part, str(reason), str(detail))
            for part, reason, detail in zip(parts, arrays["reasons"], arrays["details"], strict=True)
        ]
    except DAMAGED as error:
        log(f"{path} is damaged ({error}): its tunes are read again")
        return None
