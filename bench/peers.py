"""The three that are measured: Ottla, Apache Kafka, and the physical limit; and the load generator that drives them.

All three run for the whole benchmark and are driven in turn, round by round, so that a slow minute of the machine hits all.
The physical limit is `load sink`: it takes the same bytes from the same connections and writes them to a file with one write() a
request, and answers. Nothing that keeps bytes in a file can be faster on this machine.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from bench.process import cpu_s
from tests.clients.brokers import OttlaProcess
from tests.support.certificates import Authority
from tests.support.jars import CACHE, KAFKA, class_path, jars
from tests.support.kafka_jvm import KafkaJvm, free_port

LOAD_SOURCE = Path(__file__).parent / "load"
#: An ack means "in the page cache", as it does in Kafka as shipped.
EQUAL_DURABILITY = {"ottla.durability": "os"}
#: As `KafkaJvm` has it: the first members of a group do not wait for others.
EQUAL_JOINING = {"group.initial.rebalance.delay.ms": "0"}
TOOL_TIMEOUT_S = 600
LEADER_TRIES = 25


def build_load() -> Path:
    """The load generator, built once per source."""
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(LOAD_SOURCE.iterdir()))).hexdigest()[:12]
    program = CACHE / f"bench-load-{digest}"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "build", "-o", str(program), "."], cwd=LOAD_SOURCE, check=True)
    return program


@dataclass
class Peer:
    """One of the three, running."""

    name: str
    address: str
    pid: int
    load: Path
    start_s: float = 0.0
    topics: list[str] = field(default_factory=list)
    #: Its listener with TLS, and the authority of its certificate.
    tls_address: str = ""
    ca: str = ""

    @property
    def is_broker(self) -> bool:
        return self.name != "limit"

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address, "log_level": 3})

    @contextmanager
    def topic(self, name: str, partitions: int = 1) -> Iterator[str]:
        """A fresh topic, deleted afterwards so that the page cache is not full of old rounds."""
        if not self.is_broker:
            yield name
            return
        admin = self.admin
        for future in admin.create_topics([NewTopic(name, partitions, 1)], operation_timeout=60).values():
            future.result(120)
        for _ in range(100):  # Kafka answers before each partition has its leader
            found = admin.list_topics(name, timeout=30).topics[name]
            if len(found.partitions) == partitions and all(p.leader >= 0 for p in found.partitions.values()):
                break
            time.sleep(0.1)
        yield name
        for future in admin.delete_topics([name], operation_timeout=60).values():
            future.result(120)

    def drive(self, mode: str, **options: Any) -> dict[str, Any]:
        """One run of the load generator against this peer."""
        command = [str(self.load), mode, "-addr", self.address, "-pid", str(self.pid)]
        for key, value in options.items():
            name = f"-{key.replace('_', '-')}"
            command += [f"{name}={str(value).lower()}"] if isinstance(value, bool) else [name, str(value)]
        if not self.is_broker:
            command.append("-raw")
        for left in range(LEADER_TRIES, -1, -1):
            done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_TIMEOUT_S, check=False)
            if not done.returncode:
                break
            # A Kafka broker tells of a new partition's leader a moment before it leads.
            if not left or not re.search(r"error (3|5|6)$", done.stderr.strip()):
                raise RuntimeError(f"load {mode} against {self.name} failed: {done.stderr.strip()}")
            time.sleep(0.2)
        measured: dict[str, Any] = json.loads(done.stdout)
        return measured

    def tool(self, java_class: str, *arguments: str) -> tuple[str, float]:
        """One of Apache Kafka's own tools; its output and the CPU seconds the broker took meanwhile."""
        libs = class_path(jars("kafka", KAFKA))
        before = cpu_s(self.pid)
        done = subprocess.run(
            ["java", "-Xmx512m", "-cp", libs, java_class, *arguments],
            capture_output=True,
            text=True,
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{java_class} against {self.name} failed: {(done.stdout + done.stderr)[-600:]}")
        return done.stdout, cpu_s(self.pid) - before


@contextmanager
def sink(load: Path, folder: Path) -> Iterator[Peer]:
    """The physical limit."""
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen([str(load), "sink", "-addr", address, "-file", str(folder / "sink")])
    time.sleep(0.2)
    try:
        yield Peer("limit", address, process.pid, load)
    finally:
        process.terminate()
        process.wait()


def listeners(folder: Path, more: str = "") -> tuple[int, int, dict[str, str]]:
    """A plain port and one with TLS, and the settings of both brokers that open them."""
    plain, tls = free_port(), free_port()
    pem, ca = folder / "broker.pem", folder / "ca.pem"
    if not ca.exists():
        folder.mkdir(parents=True, exist_ok=True)
        authority = Authority()
        authority.write(ca)
        authority.issue("CN=broker", "127.0.0.1").write_pem(pem)
    both = f"PLAINTEXT://127.0.0.1:{plain},SSL://127.0.0.1:{tls}"
    return plain, tls, {
        "listeners": both + more, "advertised.listeners": both, "ssl.keystore.type": "PEM", "ssl.keystore.location": str(pem),
        "ssl.truststore.type": "PEM", "ssl.truststore.location": str(ca), "ssl.cipher.suites": "TLS_AES_128_GCM_SHA256",
    }  # fmt: skip


@contextmanager
def peers(folder: Path, names: list[str]) -> Iterator[dict[str, Peer]]:
    """Those of ottla, kafka, limit that are asked for, started."""
    load = build_load()
    found: dict[str, Peer] = {}
    with ExitStack() as stack:
        if "kafka" in names:
            controller = free_port()
            port, tls, settings = listeners(folder, f",CONTROLLER://127.0.0.1:{controller}")
            settings["controller.quorum.voters"] = f"1@127.0.0.1:{controller}"
            settings["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT"
            kafka = stack.enter_context(KafkaJvm(folder / "kafka", port, settings))
            found["kafka"] = Peer("kafka", kafka.bootstrap, kafka.pid, load, kafka.start_s)
            found["kafka"].tls_address, found["kafka"].ca = f"127.0.0.1:{tls}", str(folder / "ca.pem")
        if "ottla" in names:
            port, tls, settings = listeners(folder)
            settings |= EQUAL_DURABILITY | EQUAL_JOINING
            ottla = stack.enter_context(OttlaProcess(folder / "ottla", port, settings))
            found["ottla"] = Peer("ottla", ottla.bootstrap, ottla.pid, load, ottla.start_s)
            found["ottla"].tls_address, found["ottla"].ca = f"127.0.0.1:{tls}", str(folder / "ca.pem")
        if "limit" in names:
            found["limit"] = stack.enter_context(sink(load, folder))
        print(
            "started " + ", ".join(f"{p.name} in {p.start_s:.2f} s" for p in found.values() if p.start_s),
            file=sys.stderr,
        )
        yield found
