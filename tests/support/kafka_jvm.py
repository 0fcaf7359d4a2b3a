"""A real Apache Kafka (KRaft, one node, from the jars of Maven Central) on loopback, to compare with.

`KafkaJvm(directory, port)` is a context manager: it formats the folder if it is new, starts the broker with Kafka's shipped
defaults and heap, waits until it answers ApiVersions, and ends it on exit. Only replication factors are set to 1, because
one node cannot hold three replicas, and `group.initial.rebalance.delay.ms` to 0, because tests shall not wait 3 s.

Internal topics live in the folder, so a folder that was stopped can be started again, or be taken over by Ottla.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from tests.support.jars import KAFKA_VERSION, class_path, jars, kafka_of

CLUSTER_ID = "T3R0bGFUZXN0Q2x1c3Rlcg"
# Those of kafka-server-start.sh and kafka-run-class.sh as shipped.
JVM_OPTIONS = [
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
]
#: The environment variable that names the version where a test does not: `python -m tests.client.on_kafka` sets it.
VERSION_VARIABLE = "OTTLA_TESTS_KAFKA"
_KRAFT = {
    "process.roles", "node.id", "controller.quorum.voters", "controller.listener.names", "inter.broker.listener.name",
}  # fmt: skip
READY_S = 240.0  # a JVM on a two-core machine with fifty others


def free_port() -> int:
    """A TCP port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, host: str = "127.0.0.1", timeout_s: float = 1.0) -> bool:
    """Whether a Kafka broker answers ApiVersions v0 on the port."""
    body = struct.pack(">hhih", 18, 0, 7, -1)
    try:
        with socket.create_connection((host, port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            head = connection.recv(8)
            return len(head) == 8 and struct.unpack(">ii", head)[1] == 7
    except OSError:
        return False


class KafkaJvm:
    """One Apache Kafka broker process."""

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        properties: Mapping[str, str] | None = None,
        format_arguments: Sequence[str] = (),
        version: str | None = None,
    ) -> None:
        self.directory = directory
        self.version = version or os.environ.get(VERSION_VARIABLE) or KAFKA_VERSION
        self.zookeeper: subprocess.Popen[bytes] | None = None
        self.format_arguments = format_arguments
        self.port = port or free_port()
        self.properties = dict(properties or {})
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
        return self.directory / "kafka.log"

    def _write_properties(self) -> Path:
        controller = free_port()
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.directory / "data"),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            **self.properties,
        }
        if self.needs_zookeeper:
            for name in [name for name in properties if name in _KRAFT or name.startswith("share.")]:
                del properties[name]
            self._zookeeper_port = getattr(self, "_zookeeper_port", None) or free_port()
            properties |= {
                "broker.id": "1", "zookeeper.connect": f"127.0.0.1:{self._zookeeper_port}",
                "zookeeper.connection.timeout.ms": "60000", "zookeeper.session.timeout.ms": "6000",
                "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            }  # fmt: skip
        path = self.directory / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        return path

    def start(self) -> KafkaJvm:
        self.directory.mkdir(parents=True, exist_ok=True)
        libs = class_path(jars("kafka", kafka_of(self.version)))
        properties = self._write_properties()
        with self.log_file.open("ab") as log:
            if self.needs_zookeeper:
                self._start_zookeeper(libs, log)
            elif not (self.directory / "data" / "meta.properties").exists():
                tool = [
                    "java",
                    "-cp",
                    libs,
                    "kafka.tools.StorageTool",
                    "format",
                    "-t",
                    CLUSTER_ID,
                    "-c",
                    str(properties),
                ]
                subprocess.run([*tool, *self.format_arguments], stdout=log, stderr=log, check=True)
            began = time.monotonic()
            command = ["java", *JVM_OPTIONS, "-cp", libs, "kafka.Kafka", str(properties)]
            environment = {key: value for key, value in os.environ.items() if key != "CLASSPATH"}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() - began > READY_S:
                self.kill()
                raise RuntimeError(
                    f"Apache Kafka did not start; the end of {self.log_file}:\n{self.log_file.read_text()[-2000:]}"
                )
            time.sleep(0.05)
        self.start_s = time.monotonic() - began
        return self

    @property
    def needs_zookeeper(self) -> bool:
        """Before 3.3 KRaft was not meant for use."""
        return tuple(map(int, self.version.split(".")[:2])) < (3, 3)

    def _start_zookeeper(self, libs: str, log: IO[bytes]) -> None:
        if self.zookeeper is not None:
            return
        path = self.directory / "zookeeper.properties"
        path.write_text(
            f"dataDir={self.directory / 'zookeeper'}\nclientPort={self._zookeeper_port}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\nmaxClientCnxns=0\n"
        )
        main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
        self.zookeeper = subprocess.Popen(["java", "-Xmx256M", "-cp", libs, main, str(path)], stdout=log, stderr=log)

    def stop(self, timeout_s: float = 30.0) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.zookeeper is not None:
            self.zookeeper.kill()
            self.zookeeper.wait()

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> KafkaJvm:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
