"""A broker process to be attacked: `ottla start` whose log goes to a file, watched from outside."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

READY_S = 30.0
END_S = 15.0
MIB = 1 << 20
#: What no log of a healthy broker has.
_TROUBLE = re.compile(r"Traceback|\bWARNING\b|\bERROR\b|\bCRITICAL\b|never awaited|never retrieved")


#: `python -m ottla`, with other constants and fewer open files.
_START = """
import resource, sys
from ottla.broker import answering, connection, listener, newcomers, receiving, request_memory, tls_connection
from ottla.cli.main import main
for name, value in {constants}.items():
    modules = [module for module in (answering, connection, listener, newcomers, receiving, request_memory, tls_connection) if hasattr(module, name)]
    assert modules, name
    for module in modules:
        setattr(module, name, value)
if {files_max}:
    resource.setrlimit(resource.RLIMIT_NOFILE, ({files_max}, {files_max}))
sys.exit(main())
"""


class Victim:
    """One broker process in a folder; ends with the `with` block, and must be alive and without complaint then."""

    def __init__(
        self,
        folder: Path,
        *settings: str,
        constants: Mapping[str, float] | None = None,
        files_max: int = 0,
        config: Path | None = None,
    ) -> None:
        """With a `config`, that says where to listen. `constants` of the listener replace those of the module, so that deadlines can be waited for."""
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "stderr.txt"
        program = _START.format(constants=dict(constants or {}), files_max=files_max)
        command = [
            sys.executable,
            "-c",
            program,
            "start",
            *(("--listen", "127.0.0.1:0") if config is None else ("--config", str(config))),
            "--data-dir",
            str(folder / "data"),
        ]
        for setting in settings:
            command += ["--set", setting]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("ottla ready on "):
            self.process.kill()
            raise AssertionError(f"the broker did not come up: {line}{self.log.read_text()}")
        host, _, port = line.split()[-1].rpartition(":")
        self.address = (host, int(port))

    @property
    def bootstrap(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def memory(self) -> int:
        """Resident bytes now."""
        return self._status("VmRSS")

    def peak_memory(self) -> int:
        """The most resident bytes there have been since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {name}")

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def sockets(self) -> int:
        """How many sockets the process holds."""
        count = 0
        for entry in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                count += str(entry.readlink()).startswith("socket:")
        return count

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def connect(self, timeout_s: float = 10.0) -> socket.socket:
        connection = socket.create_connection(self.address, timeout=timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def alive(self) -> bool:
        """Whether the process runs and answers ApiVersions on a new connection."""
        if self.process.poll() is not None:
            return False
        with self.connect() as connection:
            return ask_versions(connection)

    def trouble(self) -> list[str]:
        """Lines of the log that a healthy broker does not write."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if _TROUBLE.search(line)]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(END_S)
        finally:
            self.process.kill()
            self.process.communicate()
        return code

    def __enter__(self) -> Victim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            assert self.process.poll() is None, f"the broker ended by itself:\n{self.log.read_text()[-3000:]}"
            assert self.stop() == 0, self.log.read_text()[-3000:]
            trouble = self.trouble()
            assert trouble == [], "\n".join([f"{len(trouble)} lines of trouble in {self.log}", *trouble[:60]])
        else:
            self.process.kill()
            self.process.communicate()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = READY_S) -> None:
    """Wait for something in the broker's process, which has no way to tell."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


def frame(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def header(key: int, version: int, correlation_id: int = 1, client_id: bytes | None = b"hostile") -> bytes:
    named = struct.pack(">h", -1) if client_id is None else struct.pack(">h", len(client_id)) + client_id
    return struct.pack(">hhi", key, version, correlation_id) + named


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """Read `size` bytes; fewer if the other side ends."""
    parts = []
    while size:
        part = connection.recv(min(size, MIB))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_answer(connection: socket.socket) -> bytes | None:
    """Read one response without its size; None if the broker closed instead."""
    try:
        size = read_exactly(connection, 4)
        if len(size) < 4:
            return None
        (length,) = struct.unpack(">i", size)
        answer = read_exactly(connection, length)
    except ConnectionError:
        return None
    return answer if len(answer) == length else None


def ask_versions(connection: socket.socket) -> bool:
    connection.sendall(frame(header(18, 0, 99)))
    answer = read_answer(connection)
    return answer is not None and answer[:6] == struct.pack(">ih", 99, 0)


def closed_within(connection: socket.socket, seconds: float) -> float | None:
    """How long until the broker closed the connection, reading what comes; None if it did not in time."""
    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            if not connection.recv(MIB):
                return time.monotonic() - began
        except TimeoutError:
            return None
        except ConnectionError:
            return time.monotonic() - began
    return None
