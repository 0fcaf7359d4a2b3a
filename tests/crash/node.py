"""A broker that is killed and started again on the same folder and port."""

from __future__ import annotations

import re
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ottla.protocol import apis, codec
from ottla.protocol.framing import frame_request, response_header_version
from ottla.protocol.schema import Request
from tests.support.kafka_jvm import free_port

READY_S = 30.0
#: What a broker that is killed and started again never logs. (That it cut a torn end off is a warning, and right.)
_TROUBLE = re.compile(r"Traceback|\bERROR\b|\bCRITICAL\b|never awaited|never retrieved")


class Node:
    """`ottla start` on a folder; `start`, `kill`, again."""

    def __init__(self, folder: Path, *settings: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.log = folder / "stderr.txt"
        self.process: subprocess.Popen[str] | None = None
        self.command = [sys.executable, "-m", "ottla", "start", "--listen", self.bootstrap]
        self.command += ["--data-dir", str(folder / "data"), "--set", "ottla.durability=fsync"]
        for setting in settings:
            self.command += ["--set", setting]

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def spawn(self) -> None:
        """Begin to start."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log, text=True)

    def wait_ready(self, seconds: float = READY_S) -> bool:
        """Wait for the ready line; False if time is over."""
        assert self.process is not None and self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                return False
        line = self.process.stdout.readline()
        assert line.startswith("ottla ready on "), f"the broker did not come up:\n{self.log.read_text()[-4000:]}"
        return True

    def start(self) -> float:
        """Start and wait until it serves; returns how long that took."""
        began = time.monotonic()
        self.spawn()
        assert self.wait_ready(), f"the broker was not ready in {READY_S:.0f} s:\n{self.log.read_text()[-4000:]}"
        return time.monotonic() - began

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def trouble(self) -> list[str]:
        return [line for line in self.log.read_text(errors="replace").splitlines() if _TROUBLE.search(line)]


class Client:
    """Requests as messages over one connection; ConnectionError when the broker is gone."""

    def __init__(self, port: int, timeout_s: float = 10.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Any, version: int) -> Any:
        """Send a request and return its response."""
        kind: type[Request] = type(request)
        key = kind.API_KEY
        parts = codec.encoder(kind, version)(request)
        self._socket.sendall(b"".join(bytes(part) for part in frame_request(key, version, 1, "crash", parts)))
        size = int.from_bytes(self._read(4), "big")
        start = 4 + response_header_version(key, version)
        return codec.decode(apis.response_class(key), self._read(size)[start:], version)

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise ConnectionResetError("the broker ended the connection")
            data += part
        return bytes(data)
