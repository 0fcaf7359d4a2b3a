"""One exchange with a registry over HTTP, and the tries until one succeeds. Blocking; called in threads.

    send(method, path, body) ─► for each try: for each address: connection of the pool ─► answer ─► JSON, or RegistryError

What answers is not trusted: an exchange has one deadline for all of it (a server that drips bytes does not extend it), a bound on
its size, and no redirect is followed, because our credentials would go along. A status that may pass (429, 5xx …) and an address
that does not answer are tried again, first at the other addresses, then after a wait that doubles; whatever the registry has
decided (4xx) is raised at once. Connections are kept open between exchanges, a few of them.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ... import __version__
from ..chance import chance
from .errors import RETRIABLE, RegistryError, RegistryUnreachableError
from .settings import RegistrySettings
from .tokens import token_headers

ACCEPT = "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json"
CONTENT = "application/vnd.schemaregistry.v1+json"
IDLE_CONNECTIONS = 4
_CHUNK = 1 << 16


class _Timed(io.RawIOBase):
    """The bytes that come in at a socket, until a deadline."""

    def __init__(self, sock: Any, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left)
        got: int = self._sock.recv_into(buffer)
        return got


class _Socket:
    """What http.client asks of a socket, with a deadline on reading."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        self._sock.settimeout(max(0.001, self._deadline - time.monotonic()))
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Timed(self._sock, self._deadline), _CHUNK)

    def close(self) -> None:
        """The connection closes the real one."""


class Rest:
    """The addresses of one registry. May be used by several threads at once."""

    def __init__(self, settings: RegistrySettings) -> None:
        self.settings = settings
        self._urls = settings.urls
        self._first = 0
        self._context: ssl.SSLContext | None = settings.ssl_context
        self._idle: dict[str, list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()
        self._wait: Callable[[float], None] = time.sleep
        self.requests = 0
        basic = settings.basic
        self._basic = None if basic is None else "Basic " + base64.b64encode(basic.encode()).decode()

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that a registry answers; RegistryError if it refuses, RegistryUnreachableError if none answers."""
        settings = self.settings
        problem = RegistryError("nothing was asked")
        for attempt in range(settings.max_retries + 1):
            if attempt:
                longest_ms = min(settings.retries_wait_ms * 2.0 ** (attempt - 1), settings.retries_max_wait_ms)
                self._wait(chance.random() * longest_ms / 1000)
            found = self._each_address(method, path, body)
            if not isinstance(found, RegistryError):
                return found[0]
            problem = found
        raise problem

    def _each_address(self, method: str, path: str, body: Any) -> tuple[Any] | RegistryError:
        """Ask the addresses in turn, first the one that answered last."""
        causes: list[Exception] = []
        refused: RegistryError | None = None
        for step in range(len(self._urls)):
            number = (self._first + step) % len(self._urls)
            url = self._urls[number]
            try:
                answer = self._exchange(url, method, path, body)
            except RegistryError as problem:
                if not problem.retriable:
                    raise
                refused = problem
                causes.append(problem)
            except (OSError, http.client.HTTPException) as problem:
                causes.append(OSError(f"{url}: {_reason(problem)}"))
            else:
                self._first = number
                return (answer,)
        if refused is not None and len(causes) == 1:
            return refused
        text = "; ".join(str(cause) for cause in causes)
        return RegistryUnreachableError(f"{method} /{path}: {text}", causes, hint="is the registry running?")

    # ── one exchange ────────────────────────────────────────────────────────────────────────────────────────────

    def _exchange(self, url: str, method: str, path: str, body: Any) -> Any:
        payload = None if body is None else json.dumps(body).encode()
        headers = self._headers(payload)
        deadline = time.monotonic() + self.settings.timeout
        target = f"{urlsplit(url).path.rstrip('/')}/{path}"
        for fresh in (False, True):
            connection = self._connection(url, fresh)
            if connection is None:
                continue
            try:
                status, raw, keep = self._talk(connection, method, target, payload, headers, deadline)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                connection.close()
                if fresh:
                    raise
                continue  # one that was kept open and is no more
            except BaseException:
                connection.close()
                raise
            if keep:
                self._give_back(url, connection)
            else:
                connection.close()
            return _answer(status, raw, url)
        raise AssertionError("the second connection is a fresh one")

    def _talk(
        self, connection: Any, method: str, target: str, payload: bytes | None,
        headers: Mapping[str, str], deadline: float,
    ) -> tuple[int, bytes, bool]:  # fmt: skip
        """Ask and read: (status, body, whether the connection may be kept)."""
        self.requests += 1
        connection.timeout = max(0.001, deadline - time.monotonic())
        if connection.sock is None:
            connection.connect()
        real: Any = connection.sock
        connection.sock = _Socket(real, deadline)
        try:
            connection.request(method, target, payload, dict(headers))
            response = connection.getresponse()
            limit = self.settings.max_response_bytes
            raw = bytearray()
            while chunk := response.read1(_CHUNK):
                raw += chunk
                if len(raw) > limit:
                    raise RegistryError(
                        f"the answer has more than {limit} bytes", hint="max.response.bytes is the limit"
                    )
            keep = not response.will_close and (response.isclosed() or response.length == 0)
            response.close()
        finally:
            if connection.sock is not None:
                connection.sock = real
            else:
                keep = False
                real.close()
        return response.status, bytes(raw), keep

    def _headers(self, payload: bytes | None) -> dict[str, str]:
        headers = {"Accept": ACCEPT, "Accept-Encoding": "identity", "User-Agent": f"ottla/{__version__}"}
        if payload is not None:
            headers["Content-Type"] = CONTENT
        if self._basic is not None:
            headers["Authorization"] = self._basic
        headers |= token_headers(self.settings)
        return headers

    def _connection(self, url: str, fresh: bool) -> http.client.HTTPConnection | None:
        """A connection that is not in use: one that was kept, or a fresh one; None where none was kept."""
        if not fresh:
            with self._lock:
                idle = self._idle.get(url)
                return idle.pop() if idle else None
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, parts.port, context=self._tls())
        return http.client.HTTPConnection(host, parts.port)

    def _give_back(self, url: str, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            idle = self._idle.setdefault(url, [])
            if len(idle) < IDLE_CONNECTIONS:
                idle.append(connection)
                return
        connection.close()

    def _tls(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = _context(self.settings)
            return self._context

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def __del__(self) -> None:
        """A serde that was given an address has nobody who closes its registry."""
        if hasattr(self, "_idle"):
            self.close()


def _context(settings: RegistrySettings) -> ssl.SSLContext:
    ca = settings.ssl_ca_location
    if ca is False:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cafile=ca if isinstance(ca, str) else None)
    if settings.ssl_certificate_location:
        password = settings.ssl_key_password
        context.load_cert_chain(settings.ssl_certificate_location, settings.ssl_key_location, password)
    return context


def _answer(status: int, raw: bytes, url: str) -> Any:
    """The JSON of an answer; raises what the registry says it refuses for."""
    try:
        found: Any = json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        found = raw
    if 200 <= status < 300 and found is not raw:
        return found
    if 300 <= status < 400:
        raise RegistryError(f"{url} sends us elsewhere; redirects are not followed", http_status=status)
    if isinstance(found, dict) and isinstance(found.get("message"), str):
        code = found.get("error_code")
        code = code if isinstance(code, int) else status
        raise RegistryError(found["message"][:2000], http_status=status, error_code=code)
    begin = raw[:200].decode("utf-8", "replace")
    raise RegistryError(
        f"{url} gave no answer of a registry: {begin!r}", http_status=status, retriable=status in RETRIABLE
    )


def _reason(problem: Exception) -> str:
    return str(problem) or type(problem).__name__
