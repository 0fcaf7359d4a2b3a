"""Every client connects with TLS, rightly and wrongly: the same table against Ottla and against Apache Kafka.

python -m tests.clients.tls.matrix [ottla] [kafka] [client ...]
"""

from __future__ import annotations

import base64
import json
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.clients.registry import DRIVERS, Command, _go
from tests.clients.sasl.probes import JAVA_SOURCE, Probe
from tests.support.jars import KAFKA, class_path, jars

from .brokers import TlsBrokers
from .cases import CASES, Case

#: How long a client that should get in may take on a busy machine, and how long one that should not goes on trying.
PATIENCE_S, REFUSED_S = 30, 2


def _python(library: str) -> Callable[[], Command]:
    driver = str(DRIVERS / "python" / "tls.py")
    return lambda: Command([sys.executable, driver, library], {"PYTHONWARNINGS": "ignore"})


def _java() -> Command:
    libs = class_path(jars("kafka", KAFKA))
    return Command(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", libs, str(JAVA_SOURCE)])


CLIENTS: dict[str, Callable[[], Command]] = {
    "java": _java,
    "librdkafka": _python("confluent"),
    "franz-go": _go("franz-tls"),
    "kafka-python": _python("kafka-python"),
    "aiokafka": _python("aiokafka"),
}


class Result(NamedTuple):
    """What came of one try."""

    client: str
    case: Case
    answer: str

    @property
    def failure(self) -> str:
        """What is not as wanted, empty if all is."""
        if (self.answer == "ok") is self.case.works:
            return ""
        return f"{self.client}, {self.case}: {self.answer}"


def _line(client: str, case: Case, brokers: TlsBrokers) -> str:
    folder, bootstrap = brokers.folder, f"127.0.0.1:{brokers.ports[case.listener]}"
    ca = str(folder / f"{case.ca}.pem")
    seconds = PATIENCE_S if case.works else REFUSED_S
    shown = str(folder / f"{case.shown}.pem") if case.shown else ""
    if client != "java":
        return json.dumps({
            "bootstrap": bootstrap, "seconds": seconds, "ca": ca, "shown": shown, "version": case.version, "protocol": case.protocol,
        })  # fmt: skip
    properties = {
        "bootstrap.servers": bootstrap, "security.protocol": case.protocol, "ssl.truststore.type": "PEM", "ssl.truststore.location": ca,
        "request.timeout.ms": str(seconds * 1000), "default.api.timeout.ms": str(seconds * 1000),
    }  # fmt: skip
    if shown:
        properties |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": shown}
    if case.version:
        properties["ssl.enabled.protocols"] = properties["ssl.protocol"] = f"TLSv{case.version}"
    text = "".join(f"{key}={value}\n" for key, value in properties.items())
    return f"0 {base64.b64encode(text.encode()).decode()}"


def run(kind: str, clients: list[str]) -> list[Result]:
    """Let all clients try, in parallel, and return what came of it."""

    def tries(client: str) -> list[Result]:
        command = CLIENTS[client]()
        probe = Probe(command.argv, command.environment or {})
        try:
            return [
                Result(client, case, probe.ask(_line(client, case, brokers)))
                for case in CASES
                if client not in case.without
            ]
        finally:
            probe.close()

    with (
        tempfile.TemporaryDirectory(prefix="ottla-tls-") as folder,
        TlsBrokers(kind, Path(folder)) as brokers,
        ThreadPoolExecutor(len(clients)) as threads,
    ):
        return [result for results in threads.map(tries, clients) for result in results]


def main(arguments: list[str]) -> int:
    clients = [word for word in arguments if word in CLIENTS] or list(CLIENTS)
    failures = 0
    for kind in [word for word in arguments if word in ("ottla", "kafka")] or ["ottla", "kafka"]:
        results = run(kind, clients)
        wrong = [result.failure for result in results if result.failure]
        print(
            f"{kind}: {len(results)} tries, {sum(r.case.works for r in results)} meant to succeed, {len(wrong)} not as wanted"
        )
        print("\n".join(f"  {line}" for line in wrong))
        failures += len(wrong)
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
