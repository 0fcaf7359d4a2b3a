"""The broker under the matrix: Ottla as a user starts it, or Apache Kafka for comparison, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.kafka_jvm import KafkaJvm, answers, free_port

READY_S = 60.0  # a busy two-core machine
STOP_S = 15.0
#: With modules compiled once, as an installed Ottla has them: compiling 380 of them is half of what a start costs.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class OttlaProcess:
    """`ottla start` in a process."""

    def __init__(self, directory: Path, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.settings = dict(settings or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.start_s = 0.0

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log_file(self) -> Path:
        return self.directory / "ottla.log"

    def command(self) -> list[str]:
        """What is executed."""
        listen = ["--data-dir", str(self.directory / "data")]
        if "listeners" not in self.settings:
            listen += ["--listen", self.bootstrap]
        settings = [f"--set={key}={value}" for key, value in self.settings.items()]
        return [sys.executable, "-m", "ottla", "start", *listen, *settings]

    def start(self) -> OttlaProcess:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, env=_ENVIRONMENT)
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() - began > READY_S:
                self.kill()
                raise RuntimeError(
                    f"Ottla did not start; the end of {self.log_file}:\n{self.log_file.read_text()[-2000:]}"
                )
            time.sleep(0.005)
        self.start_s = time.monotonic() - began
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> OttlaProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextmanager
def broker(kind: str, directory: Path, settings: Mapping[str, str] | None = None) -> Iterator[OttlaProcess | KafkaJvm]:
    """`kind` is "ottla" or "kafka"."""
    started: OttlaProcess | KafkaJvm = (
        OttlaProcess(directory, 0, settings) if kind == "ottla" else KafkaJvm(directory, 0, settings)
    )
    with started:
        yield started
