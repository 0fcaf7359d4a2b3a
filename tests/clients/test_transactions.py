"""Exactly-once applications of the Java client, new and old, against Ottla: tests/java/Transactions.java.

Kafka 4.2's client speaks version 2 of transactions, that of 2.8 version 1.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suites.java import Java, libraries, program
from tests.support.jars import CLIENTS, CLIENTS_OLD
from tests.support.process import OttlaProcess
from tests.support.requires import requires

EXPECTED = [
    "produced: 90 read, 0 of them aborted, 90 distinct",
    "transformed: 90 read, 0 of them aborted, 90 distinct",
]


@pytest.mark.java
@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize(("name", "jars"), [("clients", CLIENTS), ("clients-old", CLIENTS_OLD)])
def test_a_java_application_processes_exactly_once(tmp_path: Path, name: str, jars: tuple[str, ...]) -> None:
    requires("java", "javac", "mvn")
    classes = program("Transactions", libraries(name, jars))
    settings = ["num.partitions=3", "group.initial.rebalance.delay.ms=0"]
    with OttlaProcess(tmp_path / "ottla", *(word for value in settings for word in ("--set", value))) as ottla:
        ottla.wait_ready()
        log = tmp_path / "transactions.log"
        with Java(classes, "Transactions", [ottla.bootstrap, "t", "20"], log) as java:
            java.wait_for(r"^transformed: |Exception")
    assert [line for line in log.read_text(errors="replace").splitlines() if "read, " in line] == EXPECTED
