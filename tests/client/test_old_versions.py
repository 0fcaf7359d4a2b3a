"""The client speaks what Apache Kafka 2.8 spoke: the same promises with the versions of then."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from ottla import Producer
from ottla.client import connecting
from ottla.client.errors import FencedError
from ottla.client.net import Connection
from ottla.testing import Kafka
from tests.client.test_hostile import VERSIONS, ask, frame, liar

#: API key -> highest version of Kafka 2.8.
OF_2_8 = {
    0: 9,
    1: 12,
    2: 6,
    3: 11,
    8: 8,
    9: 7,
    10: 3,
    11: 7,
    12: 4,
    13: 4,
    14: 5,
    18: 3,
    22: 4,
    24: 2,
    25: 2,
    26: 2,
    28: 3,
}


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client believe that every broker is of 2.8."""
    ask_versions = connecting.ask_versions

    async def ask_old(connection: Connection, timeout_s: float) -> None:
        await ask_versions(connection, timeout_s)
        connection.versions = {
            key: (low, min(high, OF_2_8[key])) for key, (low, high) in connection.versions.items() if key in OF_2_8
        }
        connection.features = {}

    monkeypatch.setattr(connecting, "ask_versions", ask_old)


async def test_records(kafka: Kafka, old: None) -> None:
    kafka.topic("t", partitions=2)
    async with Producer(kafka.bootstrap, batch_size=1000) as producer:
        await producer.send_many("t", [(b"%d" % number, b"%d" % number) for number in range(1000)])
        kafka.disconnect()
        await producer.send("t", b"last", partition=0)
    assert len(kafka.topic("t").records()) == 1001
    assert kafka.requests("Produce").versions == {9}
    assert kafka.requests("Metadata").versions == {11}


async def test_transactions(kafka: Kafka, old: None) -> None:
    kafka.topic("in", partitions=1)
    async with Producer(kafka.bootstrap, transactional_id="x", retry_backoff_ms=5) as producer:
        async with producer.transaction() as tx:
            await tx.send("t", b"1")
            await tx.send_offsets({("in", 0): 5}, "g")
        with pytest.raises(ZeroDivisionError):
            async with producer.transaction() as tx:
                await tx.send("t", b"aborted")
                _ = 1 / 0
        with pytest.raises(FencedError):
            async with producer.transaction() as tx:
                await tx.send("t", b"lost")
                async with Producer(kafka.bootstrap, transactional_id="x", retry_backoff_ms=5):
                    await tx.send("t", b"zombie")
    assert [record.value for record in kafka.topic("t").records(committed=True)] == [b"1"]
    assert kafka.group("g").offsets() == {("in", 0): 5}


async def test_a_broker_that_does_not_know_our_apiversions_is_asked_in_its_own() -> None:
    asked: list[int] = []

    def old_broker(key: int, version: int, correlation_id: int) -> bytes:
        asked.append(version)
        rows: Any = [*VERSIONS.items()]
        if version > 0:
            body = struct.pack(">ihi", correlation_id, 35, 1) + struct.pack(">hhh", 18, 0, 0)
        else:
            body = struct.pack(">ihi", correlation_id, 0, len(rows))
            body += b"".join(struct.pack(">hhh", api, 0, min(high, 8)) for api, high in rows)
        return struct.pack(">i", len(body)) + body

    def groups(key: int, version: int, correlation_id: int) -> bytes:
        from ottla.protocol.apis.list_groups import ListGroupsResponse

        return frame(correlation_id, ListGroupsResponse(), version, flexible=version >= 3)

    def metadata(key: int, version: int, correlation_id: int) -> bytes:
        from ottla.protocol.apis.metadata import MetadataResponse, MetadataResponseBroker

        answer = MetadataResponse(brokers=[MetadataResponseBroker(node_id=1, host="127.0.0.1", port=1)])
        return frame(correlation_id, answer, version, flexible=version >= 9)

    async with liar({18: old_broker, 16: groups, 3: metadata}) as it:
        assert (await ask(it)).error_code == 0
    assert asked == [4, 0]
