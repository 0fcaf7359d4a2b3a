"""Java programs beside the broker: Apache Kafka's own applications and small ones of ours (tests/java), from Maven Central's jars.

`program("StreamsApp", STREAMS)` compiles tests/java/StreamsApp.java once per content and gives its class path. `Java` is one running
process whose output can be waited for line by line and is kept in a log.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.jars import CACHE, KAFKA_VERSION, class_path, jars

from .suite import Unavailable, build

SOURCES = Path(__file__).resolve().parents[1] / "java"
LOG = ("org.slf4j:slf4j-simple:1.7.36",)
STREAMS = (f"org.apache.kafka:kafka-streams:{KAFKA_VERSION}", *LOG)
#: The file connectors and MirrorMaker's client are not on Maven Central in 4.2.1.
CONNECT_VERSION = "4.2.0"
CONNECT = (
    f"org.apache.kafka:connect-runtime:{CONNECT_VERSION}",
    f"org.apache.kafka:connect-file:{CONNECT_VERSION}",
    f"org.apache.kafka:connect-json:{CONNECT_VERSION}",
    f"org.apache.kafka:connect-mirror:{CONNECT_VERSION}",
    "org.apache.logging.log4j:log4j-core:2.24.3",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3",
)
START_S = 120.0


def libraries(name: str, coordinates: tuple[str, ...]) -> str:
    """The class path of artifacts."""
    for needed in ("java", "javac", "mvn"):
        if shutil.which(needed) is None:
            raise Unavailable(f"{needed} is not installed")
    return class_path(jars(name, coordinates))


def program(name: str, libs: str) -> str:
    """tests/java/NAME.java compiled; the class path to run it with."""
    source = SOURCES / f"{name}.java"
    folder = CACHE / f"java-{hashlib.sha256(source.read_bytes() + libs.encode()).hexdigest()[:12]}"
    if not folder.exists():
        work = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        build(["javac", "-nowarn", "-cp", libs, "-d", str(work), str(source)], work)
        work.rename(folder)
    return f"{folder}:{libs}"


class Java:
    """One process; a context manager that ends it: SIGTERM, and kill -9 if that does not help."""

    def __init__(
        self, classes: str, main: str, arguments: Sequence[str], log: Path, options: Sequence[str] = ()
    ) -> None:
        self.command = [
            "java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            *options, "-cp", classes, main, *arguments,
        ]  # fmt: skip
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Java:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, timeout_s: float = 30.0) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def said(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    def wait_for(self, pattern: str, seconds: float = START_S) -> None:
        """Until a line matches; AssertionError with the end of the log if none does."""
        end = time.monotonic() + seconds
        while not any(re.search(pattern, line) for line in self.said()):
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"never said {pattern!r}; last: {' / '.join(self.said()[-4:])[:600]}")
            time.sleep(POLL_S)


POLL_S = 0.1
