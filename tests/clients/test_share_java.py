"""Apache Kafka's own KafkaShareConsumer against Ottla: implicit and explicit, the delivery limit, reject, renew, a lost member.

tests/java/ShareCases.java says one line per case; Apache Kafka 4.2.1 gives the same lines.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suites.java import Java, libraries, program
from tests.support.jars import CLIENTS
from tests.support.process import OttlaProcess
from tests.support.requires import requires

EXPECTED = [
    "implicit: 20 from 0 to 19",
    "implicit, after: 2 from 20 to 21",
    "limit: [1, 2, 3, 4, 5], then 0",
    "reject: 0 errors, again 2 from 1 to 3",
    "renew: others got 0, accepted with 0 errors",
    "crash: another got it, delivery 2, 0 errors",
]


@pytest.mark.java
@pytest.mark.clients
@pytest.mark.slow
def test_the_java_share_consumer_finds_what_it_finds_at_apache_kafka(tmp_path: Path) -> None:
    requires("java", "javac", "mvn")
    classes = program("ShareCases", libraries("clients", CLIENTS))
    with OttlaProcess(tmp_path / "ottla", "--set", "group.share.min.record.lock.duration.ms=1000") as ottla:
        ottla.wait_ready()
        log = tmp_path / "cases.log"
        with Java(classes, "ShareCases", [ottla.bootstrap], log) as java:
            java.wait_for(r"^crash: |Exception")
    said = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("[")]
    assert said == EXPECTED
