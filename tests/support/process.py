"""`ottla start` as a process of its own, for tests of what only a process can show: signals, exit codes, kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

#: A process that has not done what it should by then hangs.
PATIENCE_S = 30.0


class OttlaProcess:
    """A broker in a process; a context manager that leaves none behind."""

    def __init__(
        self, data_dir: Path, *arguments: str, listen: str | None = "127.0.0.1:0", env: dict[str, str] | None = None
    ) -> None:
        own = [] if listen is None else ["--listen", listen]  # of a flag that comes twice the last one counts
        command = [sys.executable, "-m", "ottla", "start", "--data-dir", str(data_dir), *own, *arguments]
        #: The log. A file, for a pipe that nobody reads is full after 64 KiB, and then the broker waits.
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it is open as long as the process
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._stderr, text=True, env={**os.environ, **(env or {})}
        )
        self.bootstrap = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_ready(self) -> OttlaProcess:
        """Return when the ready line is there."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("ottla ready on "):
            _, out, err = self.wait()
            raise AssertionError(f"the broker did not come up: {line}{out}{err}")
        self.bootstrap = line.removeprefix("ottla ready on ").strip()
        return self

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.bootstrap.rpartition(":")
        return host, int(port)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal and wait: (exit code, the rest of stdout, stderr)."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> tuple[int, str, str]:
        """Wait for the end by itself."""
        out, _ = self._process.communicate(timeout=PATIENCE_S)
        self._stderr.seek(0)
        return self._process.returncode, out, self._stderr.read()

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.communicate(timeout=PATIENCE_S)

    def __enter__(self) -> OttlaProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._stderr.close()
