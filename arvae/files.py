"""Writing files so that a crash, a full disk or a second process never leaves half of one."""

import contextlib
import errno
import hashlib
import json
import lzma
import os
import re
import struct
import tarfile
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

# Errors of the disk that trying again, or another source, cannot mend, and what a person can do about them.
BARRED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
MAKE_ROOM = "free some space or correct the folder's permissions"


def explained(error: BaseException) -> str:
    """The error's text, with the remedy where it is one of the disk's."""
    barred = isinstance(error, OSError) and error.errno in BARRED
    return f"{error}: {MAKE_ROOM}, and run again" if barred else str(error)


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is flushed to disk and renamed to `path`.

    On any error the temporary file is removed and an older `path` stays as it was. A disk that is full is an
    OSError, whoever was writing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, path)
    except SafetensorError as error:  # how safetensors says that it could not write
        number = re.search(r"os error (\d+)", str(error))
        message = f"could not write {path}: {error}"
        raise (OSError(int(number[1]), message) if number else OSError(message)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()  # asked for once: it can only be read by setting it, which other threads would notice


def sha256(path: Path | str) -> str:
    """The SHA-256 of a file, as lower-case hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write a file atomically."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path | str, text: str) -> None:
    """Write a text in UTF-8 atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as JSON with sorted keys, atomically; NaN is refused (it is no JSON)."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file; an unreadable one is named in the error."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}): delete it and run `dvc repro`") from error


#: What the readers of archives (zip, npz, gzip, tar) raise on bytes that are not what they should be.
#: Beside an archive's own errors: a changed byte can make a member look encrypted or packed in another way
#: (RuntimeError, struct.error, LZMAError), or break numpy's header of an array (ValueError, TokenError).
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
)
