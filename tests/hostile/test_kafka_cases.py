"""Apache Kafka does with hostile input what the table says of it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.kafka_jvm import KafkaJvm

from .cases import CASES, prepare


class _Kafka:
    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self, timeout_s: float = 10.0) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


@pytest.mark.java
@pytest.mark.slow
def test_apache_kafka_does_what_the_table_says(tmp_path: Path) -> None:
    with KafkaJvm(tmp_path) as kafka:
        target = _Kafka(kafka.port)
        prepare(target)
        asked = [case for case in CASES if case.kafka is not None]
        found = {case.name: case.run(target) for case in asked}
    assert found == {case.name: case.kafka for case in asked}
