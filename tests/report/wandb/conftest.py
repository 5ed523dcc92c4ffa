"""A server that stands in for W&B's."""

import contextlib
import gzip
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

KEY = "0123456789" * 4


class StandIn(ThreadingHTTPServer):
    """Answers what W&B's client asks as W&B would, and remembers what it was told, by run."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.runs, self.history, self.summary = {}, {}, {}
        self.files, self.artifacts, self.views = set(), {}, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def operation(self, name, told):
        if name == "UpsertBucket":
            run = self.runs.setdefault(told["name"], {})
            run.update({key: value for key, value in told.items() if value is not None})
            project = {"id": "p", "name": told["project"], "entity": {"id": "e", "name": "someone"}}
            lines = len(self.history.get(told["name"], []))
            bucket = {"id": told["name"], "name": told["name"], "project": project, "historyLineCount": lines}
            return {"upsertBucket": {"bucket": bucket, "inserted": lines == 0}}
        if name == "RunResumeStatus":
            return {"model": {"id": "p", "name": told["project"], "bucket": self.known(told["name"])}}
        if name == "CreateArtifact":
            artifact = told["input"]
            self.artifacts[artifact["artifactCollectionName"]] = artifact
            return {"createArtifact": {"artifact": {"id": "a", "state": "COMMITTED", "artifactSequence": {}}}}
        if name == "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{self.url}/upload/{file}"} for file in told["files"]]
            return {"createRunFiles": {"runID": "r", "uploadHeaders": [], "files": files}}
        if name == "UpsertView2":
            self.views.append(told)
            return {"upsertView": {"view": {"id": "v", "name": told["name"]}, "inserted": True}}
        viewer = {"id": "u", "entity": "someone", "username": "someone", "flags": "{}", "teams": {"edges": []}}
        return {"viewer": viewer, "serverInfo": {"features": []}, "project": None}

    def known(self, run):
        """What a run that goes on must know of its past; none where it has none."""
        if run not in self.history:
            return None
        tails = {"historyTail": json.dumps([json.dumps(self.history[run][-1])]), "eventsTail": "[]"}
        lines = {"historyLineCount": len(self.history[run]), "eventsLineCount": 0, "logLineCount": 0}
        own = {
            "summaryMetrics": json.dumps(self.summary[run]),
            "config": self.runs[run]["config"],
            "wandbConfig": '{"t": 1}',
        }
        return {"id": run, "name": run, **tails, **lines, **own}

    def stream(self, run, files):
        for line in files.get("wandb-history.jsonl", {}).get("content", []):
            self.history.setdefault(run, []).append(json.loads(line))
        for line in files.get("wandb-summary.json", {}).get("content", []):
            self.summary[run] = json.loads(line)


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionResetError):  # a client that ends does not say goodbye
            super().handle()

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.files.add(self.path.removeprefix("/upload/"))
        self.reply({})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        if self.path == "/graphql":
            asked = json.loads(body)
            name = asked.get("operationName") or re.search(r"(?:query|mutation)\s+(\w+)", asked["query"])[1]
            self.reply({"data": self.server.operation(name, asked.get("variables") or {})})
        elif self.path.endswith("/file_stream"):
            self.server.stream(self.path.split("/")[-2], json.loads(body).get("files") or {})
            self.reply({"exitcode": None, "limits": {}})
        else:
            self.reply({})

    def reply(self, content):
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def stand_in():
    """The server, which ends with the test."""
    server = StandIn()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def with_key(stand_in, tmp_path):
    """The environment of somebody who has a key for it, and no other configuration."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    folders = {f"WANDB_{name}_DIR": str(tmp_path / "wandb_own") for name in ("CONFIG", "CACHE", "DATA")}
    return own | folders | {"WANDB_BASE_URL": stand_in.url, "WANDB_API_KEY": KEY, "HOME": str(tmp_path)}
