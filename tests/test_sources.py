"""Downloads from a server that misbehaves, archives that lie, and the order of sources."""

import gzip
import http.server
import io
import os
import socket
import stat
import sys
import tarfile
import threading
import time

import pytest

from arvae.datasets import sources
from arvae.datasets.sources import SourceError

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes


class Handler(http.server.BaseHTTPRequestHandler):
    """Paths name misbehaviours; `server.seen` records (path, Range header)."""

    protocol_version = "HTTP/1.0"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.seen.append((self.path, wanted))
        getattr(self, "get_" + self.path.strip("/").split("/")[0])(wanted)

    def answer(self, body, status=200, length=None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def ranged(self, wanted, stop=None):
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(CONTENT):
            self.answer(b"", 416)
        elif wanted:
            whole = CONTENT[start:]
            place = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self.answer(whole[:stop], 206, len(whole), Content_Range=place)
        else:
            self.answer(CONTENT[:stop], 200, len(CONTENT))

    def get_good(self, wanted):
        self.ranged(wanted)

    def get_plain(self, wanted):  # knows no ranges
        self.answer(CONTENT)

    def get_chunked(self, wanted):  # says no length
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def get_truncates(self, wanted):  # always ends after 400,000 bytes
        self.ranged(wanted, 400_000)

    def get_nothing(self, wanted):  # promises much, delivers none
        self.answer(b"", 200, 1000)

    def get_empty(self, wanted):
        self.answer(b"")

    def get_corrupt(self, wanted):
        self.answer(CONTENT[:-1] + b"!")

    def get_stalls(self, wanted):
        self.answer(CONTENT[:1000], 200, len(CONTENT))
        self.server.patience.wait(10)

    def get_drips(self, wanted):
        self.answer(b"", 200, len(CONTENT))
        while not self.server.patience.wait(0.02):
            self.wfile.write(b".")

    def get_redirects(self, wanted):
        self.answer(b"", 302, Location="/good")

    def get_circles(self, wanted):
        self.answer(b"", 302, Location="/circles")

    def get_html(self, wanted):
        self.answer(b"<html>Sign in to the hotel network</html>")

    def get_missing(self, wanted):
        self.answer(b"not here", 404)

    def get_broken(self, wanted):
        self.answer(b"sorry", 503)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):  # a client that went away is part of the test
        pass


@pytest.fixture(scope="module")
def server():
    with Server(("127.0.0.1", 0), Handler) as server:
        server.seen, server.patience = [], threading.Event()
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.patience.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(sources, "SILENCE", 0.3)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def whole(path):
    if path.read_bytes() != CONTENT:
        raise ValueError("other bytes")


def anything(path):
    pass


def fetch(server, path, target, check=whole):
    server.seen.clear()
    return sources.download(f"{server.address}/{path}", target, check, log=lambda line: None)


@pytest.mark.parametrize("path", ["good", "plain", "chunked", "redirects"])
def test_a_download_arrives_whole_and_once(server, tmp_path, path):
    target = tmp_path / "new" / "file.bin"
    assert fetch(server, path, target) == target
    assert target.read_bytes() == CONTENT and os.listdir(target.parent) == ["file.bin"]
    fetch(server, path, target)
    assert not server.seen  # it was there


def test_a_transfer_that_breaks_goes_on_where_it_stopped(server, tmp_path):
    fetch(server, "truncates", tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.seen == [
        ("/truncates", None),
        ("/truncates", "bytes=400000-"),
        ("/truncates", "bytes=800000-"),
    ]


@pytest.mark.parametrize("path", ["good", "plain"])
def test_an_older_partial_file_is_resumed_or_begun_again(server, tmp_path, path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:5000])
    fetch(server, path, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.seen == [(f"/{path}", "bytes=5000-")]


@pytest.mark.parametrize("old", [b"x" * 5000, CONTENT + b"more"])
def test_a_foreign_partial_file_does_no_harm(server, tmp_path, old):
    (tmp_path / "file.bin.part").write_bytes(old)
    fetch(server, "good", tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_harmed_file_under_the_final_name_is_fetched_again(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT[:100])
    fetch(server, "good", tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def is_gzip(path):
    with gzip.open(path) as file:
        file.read()


@pytest.mark.parametrize(
    ("path", "kwargs", "says"),
    [
        ("corrupt", {}, "the content is not what it should be: other bytes"),
        ("html", {"check": is_gzip}, "the content is not what it should be: Not a gzipped file"),
        ("empty", {}, "the file is empty"),
        ("nothing", {}, "ended after 0 of 1,000 bytes|broken|IncompleteRead"),
        ("missing", {}, "404 Not Found"),
        ("broken", {}, "503 Service Unavailable"),
        ("circles", {}, "Exceeded 5 redirects"),
        ("stalls", {}, "stalled|no byte for 0.3 seconds"),
        ("drips", {}, "stalled: [0-9]+ bytes in"),
    ],
)
def test_a_failure_is_named_quickly_and_leaves_no_file(server, tmp_path, path, kwargs, says):
    start = time.monotonic()
    with pytest.raises(SourceError, match=says) as error:
        fetch(server, path, tmp_path / "file.bin", **kwargs)
    assert f"{server.address}/{path}" in str(error.value) and time.monotonic() - start < 10
    assert not (tmp_path / "file.bin").exists()


def test_unreachable_addresses_are_told_apart(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(SourceError, match="refused"):
            sources.download(f"http://127.0.0.1:{unused.getsockname()[1]}/x", tmp_path / "x", anything)
    with pytest.raises(SourceError, match="cannot be found from this machine"):
        sources.download("http://no-such-host.invalid/x", tmp_path / "x", anything)


def test_sources_are_tried_in_order_and_all_failures_listed(monkeypatch):
    monkeypatch.delenv(sources.FOLDER, raising=False)

    def fail(why):
        def source():
            raise SourceError(why)

        return source

    lines = []
    order = {"folder": fail("no folder"), "official": fail("http://a: 404"), "other": lambda: 7}
    assert sources.first("thing", order, "auto", "put it there", lines.append) == (7, "other")
    assert len(lines) == 2 and "http://a: 404" in lines[0]
    with pytest.raises(SourceError) as error:
        sources.first("thing", order, "official", "put it into data/raw/thing", lines.append)
    assert "no folder" not in str(error.value)
    order["other"] = fail("npm is missing")
    with pytest.raises(SourceError) as error:
        sources.first("thing", order, "auto", "put it into data/raw/thing", lines.append)
    for part in (
        "no folder",
        "http://a: 404",
        "npm is missing",
        "put it into data/raw/thing",
        sources.FOLDER,
    ):
        assert part in str(error.value)
    with pytest.raises(ValueError, match="no source 'web'; it is auto or one of folder, official, other"):
        sources.first("thing", order, "web", "")


def test_a_full_disk_ends_the_search_with_the_remedy(server, tmp_path, full_disk):
    """The next source could store no more; it is not blamed on the source, and nothing else is made up."""
    raw = tmp_path / "raw"
    raw.mkdir()
    order = {
        "official": lambda: fetch(server, "good", raw / "file.bin"),
        "drawn": lambda: pytest.fail("the next source was tried"),
    }
    with full_disk(raw, 100_000):
        with pytest.raises(SourceError, match="thing, source official.*free some space") as error:
            sources.first("thing", order, "auto", "put it there", lambda line: None)
        assert "No space left" in str(error.value) or "File too large" in str(error.value)
        assert not (raw / "file.bin").exists()
    found, name = sources.first("thing", order, "auto", "put it there", lambda line: None)
    assert name == "official" and found.read_bytes() == CONTENT


def test_an_archive_on_a_full_disk_is_not_called_damaged(tmp_path, full_disk):
    archive = tarball(tmp_path / "a.tgz", [("p/data", bytes(300_000))])
    raw = tmp_path / "raw"
    raw.mkdir()
    with full_disk(raw, 50_000):
        with pytest.raises(OSError, match="No space left|File too large"):
            sources.extract(archive, {"p/data": (raw / "data", 300_000)})
        assert not list(raw.iterdir())
    sources.extract(archive, {"p/data": (raw / "data", 300_000)})
    assert (raw / "data").stat().st_size == 300_000


def test_a_users_own_folder_is_searched(tmp_path, monkeypatch):
    own, place = tmp_path / "own", tmp_path / "raw"
    (own / "inner").mkdir(parents=True)
    place.mkdir()
    monkeypatch.delenv(sources.FOLDER, raising=False)
    with pytest.raises(SourceError, match=f"no a nor b in .*{sources.FOLDER} names no folder"):
        sources.in_folder(place, "a", "b")
    (place / "b").touch()
    assert sources.in_folder(place, "a", "b") == place / "b"
    (own / "inner" / "b").touch()
    monkeypatch.setenv(sources.FOLDER, str(own))
    assert sources.in_folder(place, "a", "b") == own / "inner" / "b"
    other = tmp_path / "other"
    other.mkdir()
    (other / "b").touch()
    with sources.own_folder(other):
        assert sources.in_folder(place, "a", "b") == other / "b"
    with (
        sources.own_folder(other / "typo"),
        pytest.raises(SourceError, match="folder is .*typo, which is not"),
    ):
        sources.in_folder(place, "a")
    monkeypatch.setenv(sources.FOLDER, str(own / "typo"))
    with pytest.raises(SourceError, match="typo, which is not a folder"):
        sources.in_folder(place, "a")


def tarball(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
    return path


def test_only_the_named_members_are_extracted(tmp_path):
    archive = tarball(
        tmp_path / "a.tgz", [("../evil", b"x"), ("/etc/evil", b"x"), ("p/data", b"good"), ("p/other", b"y")]
    )
    sources.extract(archive, {"p/data": (tmp_path / "out" / "data", 4)})
    assert (tmp_path / "out" / "data").read_bytes() == b"good"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tgz", "data", "out"]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([("p/data", b"longer")], "has 6 bytes, expected 4"),
        ([("p/data", "/etc/passwd")], "expected 4"),
        ([("p/else", b"good")], "does not contain p/data"),
        ([("p/bomb", bytes(60_000_000)), ("p/data", b"good")], "unpacks to more than"),
    ],
)
def test_archives_that_lie_are_refused(tmp_path, members, says):
    archive = tarball(tmp_path / "a.tgz", members)
    with pytest.raises(SourceError, match=says):
        sources.extract(archive, {"p/data": (tmp_path / "out", 4)})
    assert not (tmp_path / "out").exists()


def test_damaged_archives_are_refused(tmp_path):
    archive = tarball(tmp_path / "a.tgz", [("p/data", os.urandom(100_000))])
    whole = archive.read_bytes()
    for data in (whole[: len(whole) // 2], b"<html>", b""):
        archive.write_bytes(data)
        with pytest.raises(SourceError, match="damaged"):
            sources.extract(archive, {"p/data": (tmp_path / "out", 100_000)})


def npm(folder, monkeypatch, script):
    """Put a stand-in for the npm client first on the path."""
    program = folder / "npm"
    program.write_text(f"#!{sys.executable}\n{script}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


def test_npm_packages_are_fetched_by_the_npm_client(tmp_path, monkeypatch):
    npm(tmp_path, monkeypatch, "import sys; open('p-1.0.tgz', 'w').write(' '.join(sys.argv[1:3]))")
    found = sources.npm_pack("p@1.0", tmp_path / "raw", log=lambda line: None)
    assert found == tmp_path / "raw" / "p-1.0.tgz" and found.read_text() == "pack p@1.0"
    assert os.listdir(tmp_path / "raw") == ["p-1.0.tgz"]


def test_npm_failures_say_what_to_know(tmp_path, monkeypatch):
    npm(tmp_path, monkeypatch, "import sys; sys.exit('npm error code E404')")
    with pytest.raises(SourceError, match="npm pack p@1.0` failed: npm error code E404"):
        sources.npm_pack("p@1.0", tmp_path / "raw", log=lambda line: None)
    (tmp_path / "npm").unlink()
    with pytest.raises(SourceError, match="npm client is not installed"):
        sources.npm_pack("p@1.0", tmp_path / "raw", log=lambda line: None)
