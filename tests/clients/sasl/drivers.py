"""Clients that log in, one process each: a line of JSON is a login, the next line what came of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tests.clients.registry import DRIVERS, Command, _digest, _go, _made_once, _need, _run
from tests.support.jars import CACHE, KAFKA, class_path, jars


def _java() -> Command:
    javac = _need("javac")
    _need("mvn")
    libs = class_path(jars("kafka", KAFKA))
    source = DRIVERS / "java" / "Sasl.java"
    folder = CACHE / f"java-sasl-{_digest(source, *KAFKA)}"
    _made_once(folder, lambda work: _run([javac, "-nowarn", "-cp", libs, str(source), "-d", str(work)]))
    return Command(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}:{libs}", "Sasl"])


def _python(library: str) -> Callable[[], Command]:
    driver = str(DRIVERS / "python" / "sasl.py")
    return lambda: Command([sys.executable, driver, library], {"PYTHONWARNINGS": "ignore"})


#: Client -> how its driver is made ready. kafka-python and aiokafka open a new connection where others re-authenticate.
CLIENTS: dict[str, Callable[[], Command]] = {
    "java": _java,
    "librdkafka": _python("confluent"),
    "franz-go": _go("franz-sasl"),
    "kafka-python": _python("kafka-python"),
    "aiokafka": _python("aiokafka"),
}


class Driver:
    """One client's process; a context manager."""

    def __init__(self, name: str) -> None:
        command = CLIENTS[name]()
        self.name = name
        self._process = subprocess.Popen(
            command.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=command.environment,
        )  # fmt: skip

    def ask(self, **case: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"{self.name}'s driver has died"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


def missing() -> list[str]:
    """Programs that the drivers need and this machine lacks."""
    return [program for program in ("java", "javac", "mvn", "go") if shutil.which(program) is None]
