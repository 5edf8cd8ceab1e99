"""A run's folder: checkpoints to go on from, the finished weights, a lock, and what it is doing now.

Two checkpoints take turns, so that one that turns out damaged costs a minute and not the run. Every file is
written whole or not at all and carries a checksum of its content.
"""

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from arvae.files import atomic_write

CHECKPOINTS = ("checkpoint-a.safetensors", "checkpoint-b.safetensors")
FINAL = "final.safetensors"
Tensors = dict[str, torch.Tensor]
Log = Callable[[str], None]


class DamagedError(ValueError):
    """A file whose content is not what was written."""


def write_tensors(path: Path, tensors: Tensors, record: dict[str, Any]) -> None:
    """Write tensors and a JSON record as safetensors, with a checksum over both, atomically."""
    text = json.dumps(record, sort_keys=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # One metadata entry only: safetensors writes several in no fixed order, and the same run is to give
    # the same bytes.
    metadata = {"arvae": json.dumps({"checksum": checksum(tensors, text), "record": text})}
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read_tensors(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and record of a file of `write_tensors`; DamagedError where its checksum says otherwise."""
    try:
        with safe_open(path, framework="pt") as file:
            outer = json.loads((file.metadata() or {})["arvae"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
        if outer["checksum"] != checksum(tensors, outer["record"]):
            raise DamagedError(f"{path} does not match its checksum")
        return tensors, json.loads(outer["record"])
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError, EOFError) as error:
        raise DamagedError(f"{path} is damaged ({error!r})") from error


def checksum(tensors: Tensors, text: str) -> str:
    """SHA-256 over names, shapes, types and bytes of the tensors and over the text."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()


def save_checkpoint(folder: Path, tensors: Tensors, record: dict[str, Any]) -> None:
    """Save over the older of the two checkpoints."""
    older = min(CHECKPOINTS, key=lambda name: _step(folder / name))
    write_tensors(folder / older, tensors, record)


def _step(path: Path) -> int:
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads(json.loads(file.metadata()["arvae"])["record"])["step"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return -1


def load_checkpoint(folder: Path, log: Log) -> tuple[Tensors, dict[str, Any]] | None:
    """The latest sound checkpoint, None if there is none. A damaged one is removed, and said so."""
    remedy = "going on from the checkpoint before it, or from the start"
    found = [pair for name in CHECKPOINTS if (pair := _sound(folder / name, log, remedy))]
    return max(found, key=lambda pair: pair[1]["step"], default=None)


def load_final(folder: Path, log: Log) -> tuple[Tensors, dict[str, Any]] | None:
    """The finished weights, None if there are none. Damaged ones are removed, and said so."""
    remedy = "the run is trained again from its last checkpoint, or from the start"
    return _sound(folder / FINAL, log, remedy)


def _sound(path: Path, log: Log, remedy: str) -> tuple[Tensors, dict[str, Any]] | None:
    if not path.exists():
        return None
    try:
        return read_tensors(path)
    except DamagedError as error:
        path.unlink(missing_ok=True)
        log(f"{error}: removed; {remedy}")
        return None


def clear_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a run that is finished."""
    for name in CHECKPOINTS:
        (folder / name).unlink(missing_ok=True)


@contextlib.contextmanager
def lock(folder: Path, log: Log) -> Iterator[None]:
    """Hold the run for this process; wait while another one has it. Lost with the process, kill -9 too."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"another process trains this run ({folder.name}): waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
