"""Downloads from a local server of the test."""

import hashlib
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pooch
import pytest

from dfwe.data.fetch import Release, fetch, fetch_all
from dfwe.errors import DataError, NetworkError

CONTENT = bytes(range(256)) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT at any path; the beginning of the path chooses a failure."""

    def __init__(self, requests, *arguments):
        self.requests = requests
        super().__init__(*arguments)

    def do_GET(self):
        self.requests.append(self.path)
        if self.path.startswith("/gone"):
            return self.send_error(404)
        if self.path.startswith("/busy") and len(self.requests) == 1:
            return self.send_error(503)
        page = b"\n<!DOCTYPE html><title>Too large to scan</title>"
        content = page if self.path.startswith("/page") else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        breaks = self.path.startswith("/broken") and len(self.requests) < 3
        return self.wfile.write(content[:1000] if breaks else content)

    def log_message(self, *arguments):
        pass


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No pauses between attempts."""
    monkeypatch.setattr(pooch.core.time, "sleep", lambda seconds: None)


@pytest.fixture
def server():
    """A function from a path to a release at the test's server, and the paths requested."""
    requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, requests))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    port = server.server_address[1]

    def release(path, *, sha256=DIGEST):
        return Release(f"set/{path}", f"http://127.0.0.1:{port}/{path}", sha256)

    yield release, requests
    server.shutdown()
    server.server_close()


def test_fetch_downloads_checks_and_downloads_only_once(server, tmp_path):
    release, requests = server
    assert fetch(release("a.csv"), folder=tmp_path)
    assert (tmp_path / "set" / "a.csv").read_bytes() == CONTENT
    assert not fetch(release("a.csv"), folder=tmp_path)
    assert requests == ["/a.csv"]
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["a.csv"]


@pytest.mark.parametrize(("path", "num_requests"), [("busy.csv", 2), ("broken.csv", 3)])
def test_fetch_after_transient_failure_tries_again(server, tmp_path, path, num_requests):
    release, requests = server
    assert fetch(release(path), folder=tmp_path)
    assert len(requests) == num_requests
    assert (tmp_path / "set" / path).read_bytes() == CONTENT


def test_fetch_missing_file_is_not_retried(server, tmp_path):
    release, requests = server
    with pytest.raises(NetworkError, match="the server answers 404"):
        fetch(release("gone.csv"), folder=tmp_path)
    assert len(requests) == 1


def test_fetch_wrong_digest_raises_and_leaves_nothing(server, tmp_path):
    release, _ = server
    with pytest.raises(DataError, match=f"has another sha256 than published .*{DIGEST}.*try again"):
        fetch(release("a.csv", sha256="00"), folder=tmp_path)
    assert not list((tmp_path / "set").iterdir())


def test_fetch_existing_file_with_other_digest_keeps_it(server, tmp_path):
    release, requests = server
    path = tmp_path / "set" / "a.csv"
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(DataError, match=f"expected {DIGEST}.*delete it to fetch it again"):
        fetch(release("a.csv"), folder=tmp_path)
    assert (path.read_text(), requests) == ("mine", [])


@pytest.mark.parametrize("sha256", [None, DIGEST])
def test_fetch_web_page_instead_of_file_raises(server, tmp_path, sha256):
    release, requests = server
    with pytest.raises(NetworkError, match="a web page, not the file: open http://.*/page.zip in a browser"):
        fetch(release("page.zip", sha256=sha256), folder=tmp_path)
    assert not list((tmp_path / "set").iterdir())
    assert len(requests) == 1


def test_fetch_all_returns_missing_optional_files(server, tmp_path):
    release, _ = server
    releases = [release("gone.json", sha256=None), release("a.csv")]
    lines = []
    assert fetch_all(releases, folder=tmp_path, on_progress=lines.append) == releases[:1]
    assert lines[0] == "set/a.csv: fetched"
    assert "the server answers 404" in lines[1]


def test_fetch_all_without_network_lists_files_and_places(tmp_path):
    required = Release("set/b.csv", "http://127.0.0.1:9/b.csv", DIGEST)  # nobody listens at this port
    optional = Release("set/c.csv", "http://127.0.0.1:9/c.csv", None)
    present = Release("set/a.csv", "http://127.0.0.1:9/a.csv", DIGEST)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.csv").write_bytes(CONTENT)
    with pytest.raises(DataError) as raised:
        fetch_all([required, optional, present], folder=tmp_path, on_progress=lambda line: None)
    first, *files = str(raised.value).splitlines()
    assert first.startswith("2 files are missing")
    assert files[0].startswith(f"  http://127.0.0.1:9/b.csv -> {tmp_path}/set/b.csv (given up after 3 attempts")
    assert files[1].startswith(f"  optional: http://127.0.0.1:9/c.csv -> {tmp_path}/set/c.csv (127.0.0.1 does not")
