"""A small schema registry for tests: Confluent's REST API over HTTP, as far as the clients ask for it, with faults on request.

with SchemaRegistry() as registry:
    registry.url, registry.requests        what was asked: (method, path, headers)
    registry.answers.append(function)      the next request is answered by function(handler) -> handled?
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

Answer = tuple[int, Any]


class SchemaRegistry:
    """See the head of the module."""

    def __init__(self, user: str | None = None, token: str | None = None, guids: bool = True) -> None:
        self.by_id: dict[int, dict[str, Any]] = {}
        self.subjects: dict[str, dict[int, int]] = {}
        self.config: dict[str | None, dict[str, Any]] = {None: {"compatibilityLevel": "BACKWARD"}}
        self.mode: dict[str | None, str] = {None: "READWRITE"}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.answers: list[Callable[[Any], bool]] = []
        self.user, self.token, self.guids = user, token, guids
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def run(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                registry.requests.append((self.command, self.path, dict(self.headers)))
                if registry.answers and registry.answers.pop(0)(self):
                    return
                status, answer = registry.answer(self.command, self.path, body, dict(self.headers))
                self.give(status, json.dumps(answer).encode())

            def give(self, status: int, data: bytes, **headers: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = run

            def log_message(self, *_: Any) -> None:
                """Tests say enough."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that hangs up early is what some tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=lambda: self.server.serve_forever(0.01), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def asked(self) -> list[str]:
        """What was asked, without headers."""
        return [f"{method} {path}" for method, path, _ in self.requests]

    def add(self, subject: str, schema: str, kind: str = "AVRO", **more: Any) -> int:
        """Register a schema behind everybody's back."""
        _, answer = self._register(subject, {"schema": schema, "schemaType": kind, **more})
        return int(answer["id"])

    def answer(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        if self.user and headers.get("Authorization") != "Basic " + base64.b64encode(self.user.encode()).decode():
            return 401, {"error_code": 401, "message": "Unauthorized"}
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"error_code": 401, "message": "Unauthorized"}
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        names = [unquote(part) for part in parts.path.strip("/").split("/")]
        match (method, *names):
            case ("POST", "subjects", subject, "versions"):
                return self._register(subject, body)
            case ("POST", "subjects", subject):
                return self._lookup(subject, body)
            case ("GET", "schemas", "ids", number):
                return self._by_id(int(number))
            case ("GET", "schemas", "guids", guid):
                return self._by_guid(guid)
            case ("GET", "schemas", "ids", number, "versions"):
                rows = [(s, v) for s, vs in self.subjects.items() for v, i in vs.items() if i == int(number)]
                return 200, [{"subject": subject, "version": version} for subject, version in rows]
            case ("GET", "subjects"):
                return 200, [name for name in sorted(self.subjects) if name.startswith(query.get("subjectPrefix", ""))]
            case ("GET", "subjects", subject, "versions"):
                return (200, sorted(self.subjects[subject])) if subject in self.subjects else _missing(subject)
            case ("GET", "subjects", subject, "versions", version):
                return self._version(subject, version)
            case ("GET", "subjects", subject, "metadata"):
                return self._version(subject, "latest")
            case ("DELETE", "subjects", subject):
                return (200, sorted(self.subjects.pop(subject))) if subject in self.subjects else _missing(subject)
            case ("POST", "compatibility", *_):
                return 200, {"is_compatible": "long" not in body["schema"], "messages": ["a reason"]}
            case (_, "config" | "mode" as what, *rest):
                return self._setting(what, method, rest[0] if rest else None, body)
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _register(self, subject: str, body: dict[str, Any]) -> Answer:
        body = {"schemaType": "AVRO", "references": [], **body}
        found = next((number for number, kept in self.by_id.items() if kept == body), None)
        number = found or len(self.by_id) + 1
        self.by_id[number] = body
        versions = self.subjects.setdefault(subject, {})
        if number not in versions.values():
            versions[len(versions) + 1] = number
        version = next(each for each, one in versions.items() if one == number)
        return 200, self._row(subject, version, number)

    def _lookup(self, subject: str, body: dict[str, Any]) -> Answer:
        body = {"schemaType": "AVRO", "references": [], **body}
        if subject not in self.subjects:
            return _missing(subject)
        for version, number in self.subjects[subject].items():
            if self.by_id[number] == body:
                return 200, self._row(subject, version, number)
        return 404, {"error_code": 40403, "message": "Schema not found"}

    def _by_id(self, number: int) -> Answer:
        if number not in self.by_id:
            return 404, {"error_code": 40403, "message": f"Schema {number} not found"}
        row = self._row("", 0, number)
        return 200, {
            name: row[name] for name in row if name in ("schema", "schemaType", "references", "guid", "ruleSet")
        }

    def _by_guid(self, guid: str) -> Answer:
        for number in self.by_id:
            if self.guid(number) == guid:
                return self._by_id(number)
        return 404, {"error_code": 40403, "message": "Schema not found"}

    def _version(self, subject: str, version: str) -> Answer:
        versions = self.subjects.get(subject)
        if versions is None:
            return _missing(subject)
        number = max(versions) if version in ("latest", "-1") else int(version)
        if number not in versions:
            return 404, {"error_code": 40402, "message": "Version not found"}
        return 200, self._row(subject, number, versions[number])

    def _row(self, subject: str, version: int, number: int) -> dict[str, Any]:
        guid = {"guid": self.guid(number)} if self.guids else {}
        return {"subject": subject, "version": version, "id": number, **guid, **self.by_id[number]}

    @staticmethod
    def guid(number: int) -> str:
        return str(uuid.UUID(int=number << 64 | 5))

    def _setting(self, what: str, method: str, subject: str | None, body: Any) -> Answer:
        if what == "mode":
            if method == "PUT":
                self.mode[subject] = body["mode"]
            return 200, {"mode": self.mode.get(subject, self.mode[None])}
        if method == "PUT":
            self.config[subject] = {"compatibilityLevel": body["compatibility"]}
            return 200, body
        return 200, self.config.get(subject, self.config[None])


def _missing(subject: str) -> Answer:
    return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
