"""Downloads from a server of the test's own."""

import hashlib
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dfwe.data import fetch as module
from dfwe.data.fetch import Release, fetch, fetch_all
from dfwe.errors import DataError, NetworkError

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT at any path; what the path begins with says how it behaves."""

    def __init__(self, asked, *arguments):
        self.asked = asked  # the Range of every request
        super().__init__(*arguments)

    def do_GET(self):
        begun = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.asked.append((self.path, begun))
        if self.path.startswith("/gone"):
            return self.send_error(404)
        if self.path.startswith("/busy") and len(self.asked) == 1:
            return self.send_error(503)
        if self.path.startswith("/page"):
            return self._send(b"\n<!DOCTYPE html><title>Too large to scan</title>", begun=0)
        if begun and not self.path.startswith("/no_range"):
            if begun >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                return self.end_headers()
            return self._send(CONTENT, begun=begun)
        return self._send(CONTENT, begun=0)

    def _send(self, content, *, begun):
        self.send_response(206 if begun else 200)
        if begun:
            self.send_header("Content-Range", f"bytes {begun}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begun))
        self.end_headers()
        breaks = self.path.startswith("/broken") and len(self.asked) < 3
        self.wfile.write(content[begun : begun + 1000] if breaks else content[begun:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def served(monkeypatch):
    """A function from a path to a release at the test's server, and what the server was asked."""
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0, 0.0))
    asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, asked))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    port = server.server_address[1]

    def release(path, *, sha256=DIGEST, optional=False):
        return Release(f"set/{path}", f"http://127.0.0.1:{port}/{path}", sha256, optional)

    yield release, asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def nowhere(monkeypatch):
    """A release at a port where nobody listens."""
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0, 0.0))
    return Release("set/b.csv", "http://127.0.0.1:9/b.csv", DIGEST)


def test_a_file_is_fetched_checked_and_fetched_only_once(served, tmp_path):
    release, asked = served
    assert fetch(release("a.csv"), folder=tmp_path)
    assert (tmp_path / "set" / "a.csv").read_bytes() == CONTENT
    assert not fetch(release("a.csv"), folder=tmp_path)
    assert asked == [("/a.csv", 0)]
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["a.csv"]


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(served, tmp_path):
    release, asked = served
    fetch(release("broken.csv"), folder=tmp_path)
    assert [begun for _, begun in asked] == [0, 1000, 2000]
    assert (tmp_path / "set" / "broken.csv").read_bytes() == CONTENT


def test_a_part_of_an_earlier_call_is_taken_up(served, tmp_path):
    release, asked = served
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.csv.part").write_bytes(CONTENT[:5000])
    fetch(release("a.csv"), folder=tmp_path)
    assert asked == [("/a.csv", 5000)]


def test_a_whole_part_is_only_checked(served, tmp_path):
    release, asked = served
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.csv.part").write_bytes(CONTENT)
    fetch(release("a.csv"), folder=tmp_path)
    assert asked == [("/a.csv", len(CONTENT))]
    assert (tmp_path / "set" / "a.csv").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_begun_anew(served, tmp_path):
    release, asked = served
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.csv.part").write_bytes(CONTENT + b"more")
    fetch(release("a.csv"), folder=tmp_path)
    assert [begun for _, begun in asked] == [len(CONTENT) + 4, 0]


def test_a_server_that_ignores_ranges_sends_the_whole_again(served, tmp_path):
    release, _ = served
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "no_range.csv.part").write_bytes(b"x" * 5000)
    fetch(release("no_range.csv"), folder=tmp_path)
    assert (tmp_path / "set" / "no_range.csv").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(served, tmp_path):
    release, asked = served
    fetch(release("busy.csv"), folder=tmp_path)
    assert len(asked) == 2


def test_a_wrong_digest_is_an_error_and_leaves_nothing(served, tmp_path):
    release, _ = served
    with pytest.raises(DataError, match=f"has the sha256 {DIGEST}, expected 00.*try again"):
        fetch(release("a.csv", sha256="00"), folder=tmp_path)
    assert not list((tmp_path / "set").iterdir())


def test_a_file_that_is_there_is_checked_and_kept(served, tmp_path):
    release, asked = served
    path = tmp_path / "set" / "a.csv"
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(DataError, match="delete it to fetch it again"):
        fetch(release("a.csv"), folder=tmp_path)
    assert (path.read_text(), asked) == ("mine", [])


def test_a_page_instead_of_the_file_is_said(served, tmp_path):
    release, _ = served
    with pytest.raises(NetworkError, match="a web page, not the file: open http://.*/page.zip in a browser"):
        fetch(release("page.zip", sha256=None), folder=tmp_path)
    assert not list((tmp_path / "set").iterdir())


def test_what_is_optional_may_be_missing_and_is_told(served, tmp_path):
    release, _ = served
    wanted = [release("gone.json", sha256=None, optional=True), release("a.csv")]
    lines = []
    assert fetch_all(wanted, folder=tmp_path, tell=lines.append) == wanted[:1]
    assert lines[0] == "set/a.csv: fetched"
    assert "the server answers 404" in lines[1]


def test_without_a_network_every_missing_file_is_listed_with_its_place(nowhere, tmp_path):
    other = Release("set/c.csv", "http://127.0.0.1:9/c.csv", None, optional=True)
    there = Release("set/a.csv", "http://127.0.0.1:9/a.csv", DIGEST)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.csv").write_bytes(CONTENT)
    with pytest.raises(DataError) as raised:
        fetch_all([nowhere, other, there], folder=tmp_path, tell=lambda line: None)
    first, *files = str(raised.value).splitlines()
    assert first.startswith("2 files are missing")
    assert files[0].startswith(f"  http://127.0.0.1:9/b.csv -> {tmp_path}/set/b.csv (given up after 3 attempts")
    assert files[1].startswith(f"  optional: http://127.0.0.1:9/c.csv -> {tmp_path}/set/c.csv (127.0.0.1 does not")
