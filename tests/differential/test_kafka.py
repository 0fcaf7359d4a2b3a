"""Ottla answers as Apache Kafka does: the same bytes to both, the answers compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kafka_jvm import KafkaJvm
from tests.support.process import OttlaProcess

from .compare import Difference, compare, reason
from .known import KNOWN
from .wire import Peer

#: What both brokers are told beside their defaults: one node holds one replica, joins are answered at once, and nothing
#: is deleted by age (Kafka looks for the first time after 30 s, in the middle of the test; the records have old times).
PROPERTIES = {
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.streams.initial.rebalance.delay.ms": "0",
    "log.retention.ms": "-1",
}
ROWS_MIN = 150


def new_kafka(folder: Path, port: int = 0) -> KafkaJvm:
    """An Apache Kafka without eligible leader replicas, which make min.insync.replicas a config of the cluster."""
    return KafkaJvm(folder, port, PROPERTIES, ("--feature", "eligible.leader.replicas.version=0"))


def new_ottla(folder: Path) -> OttlaProcess:
    settings = [word for key, value in PROPERTIES.items() for word in ("--set", f"{key}={value}")]
    return OttlaProcess(folder, *settings, "--set", "node.id=1")


@pytest.mark.java
@pytest.mark.slow
def test_every_request_is_answered_as_apache_kafka_answers_it(tmp_path: Path) -> None:
    with new_kafka(tmp_path / "kafka") as kafka, new_ottla(tmp_path / "ottla") as ottla:
        ottla.wait_ready()
        peers = Peer("Apache Kafka", kafka.bootstrap), Peer("Ottla", ottla.bootstrap)
        found: list[Difference] = []
        rows, asked = compare(*peers, found.append)
        for peer in peers:
            peer.close()
    unknown = [difference for difference in found if reason(difference) is None]
    met = {reason(difference) for difference in found}
    assert not unknown, "\n".join(map(str, [f"{len(unknown)} differences", *unknown[:40]]))
    assert [known for known in KNOWN if known not in met] == []
    assert rows >= ROWS_MIN
    assert asked >= rows
