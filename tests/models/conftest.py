"""A server on this machine that answers as the Hub does, as far as uploads need it, and keeps what it is sent."""

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class StandIn:
    address: str = ""
    token: str = "hf_secret"
    is_full: bool = False  # refuses commits
    requests: list = field(default_factory=list)
    repositories: dict = field(default_factory=dict)  # what creating them asked for, by name
    files: dict = field(default_factory=dict)  # by repository: contents by path
    uploads: dict = field(default_factory=dict)  # large files by their digest


@pytest.fixture
def stand_in():
    """A running stand-in for the Hub."""
    hub = StandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: StandIn

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._do("GET")

    def do_HEAD(self):
        self._do("HEAD")

    def do_POST(self):
        self._do("POST")

    def do_PUT(self):
        self._do("PUT")

    def _do(self, method):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path = self.path.split("?")[0]
        self.hub.requests.append(f"{method} {path}")
        code, content = self._answer(method, path, body)
        data = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if code >= 400:
            self.send_header("X-Error-Message", content["error"])
        self.end_headers()
        if method != "HEAD":
            self.wfile.write(data)

    def _answer(self, method, path, body):
        hub = self.hub
        if method == "PUT":  # a large file, at an address of its own
            hub.uploads[path.rsplit("/", 1)[-1]] = body
            return 200, {}
        if self.headers.get("Authorization") != f"Bearer {hub.token}":
            return 401, {"error": "Invalid username or password."}
        if path == "/api/whoami-v2":
            return 200, {"type": "user", "name": "ada", "orgs": [{"name": "lab"}], "auth": {}}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked.get('organization') or 'ada'}/{asked['name']}"
            hub.repositories.setdefault(name, asked)
            return 200, {"url": f"{hub.address}/{name}", "name": name, "id": name}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            kinds = [{"path": f["path"], "uploadMode": self._mode(f["path"]), "shouldIgnore": False} for f in files]
            return 200, {"files": kinds, "commitOid": "0" * 40}
        if path.endswith("/info/lfs/objects/batch"):
            return 200, {"transfer": "basic", "objects": [self._place(item) for item in json.loads(body)["objects"]]}
        if path.endswith("/commit/main"):
            return self._commit(path.removeprefix("/api/models/").removesuffix("/commit/main"), body)
        if method == "GET" and path.startswith("/api/models/"):
            name = path.removeprefix("/api/models/").split("/revision")[0]
            return 200, {"id": name, "sha": "0" * 40, "siblings": [], "private": True}
        return 404, {"error": f"the stand-in knows no {method} {path}"}

    @staticmethod
    def _mode(path):
        return "lfs" if path.endswith(".safetensors") else "regular"

    def _place(self, item):
        upload = {"href": f"{self.hub.address}/lfs/{item['oid']}", "header": {}}
        return {"oid": item["oid"], "size": item["size"], "actions": {"upload": upload}}

    def _commit(self, name, body):
        if self.hub.is_full:
            return 403, {"error": "Private repository storage limit reached"}
        files = self.hub.files.setdefault(name, {})
        for line in map(json.loads, body.decode().splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploads[value["oid"]]
        return 200, {"commitUrl": f"{self.hub.address}/{name}/commit/1", "commitOid": "1" * 40, "success": True}
