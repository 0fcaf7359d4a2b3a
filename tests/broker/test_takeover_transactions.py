"""An Apache Kafka folder with a transaction open: its producer goes on, or it is ended, after Ottla has taken it over."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from ottla.log.disk_files import DiskFiles
from ottla.metadata.sqlite import SqliteMetadataLog
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from tests.support.in_process import Client, RunningBroker
from tests.support.kafka_jvm import KafkaJvm

from .handlers.test_transactions import NEW, OLD, Producer, committed_offset, fetched, read_committed, settled


async def leave_open(port: int) -> list[Producer]:
    """Commit one transaction, abort one, and leave two open: one of each version."""
    async with Client(port) as client:
        for name in ("t", "u"):
            topic = CreatableTopic(name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[])
            await client.call(CreateTopicsRequest(topics=[topic], timeout_ms=10_000), 7)
        while (await client.call(FindCoordinatorRequest(coordinator_keys=["g"]), 4)).coordinators[0].error_code:
            await asyncio.sleep(0.05)
        producers = []
        for name, version in (("T", NEW), ("U", OLD)):
            producer = Producer(client, name, version)
            while await _again(producer.init()):
                await asyncio.sleep(0.05)
            written = name.lower()
            assert [await producer.produce(b"kept", topic=written), await producer.end()] == [0, 0]
            await settled(client, name)
            if version == OLD:
                assert await producer.add(written) == 0
            assert await producer.produce(b"open", topic=written) == 0
            producers.append(producer)
        assert await producers[0].commit_offset(7) == 0
        return producers


async def _again(asked: object) -> bool:
    try:
        return bool(await asked)  # type: ignore[misc]
    except AssertionError:  # the coordinator's topic is being made
        return True


@pytest.mark.java
@pytest.mark.slow
async def test_open_transactions_of_a_folder_taken_over_are_gone_on_with_or_ended(tmp_path: Path) -> None:
    with KafkaJvm(tmp_path / "kafka") as kafka:
        producers = await leave_open(kafka.port)
    data = str(tmp_path / "kafka" / "data")
    metadata = SqliteMetadataLog(str(tmp_path / "metadata.db"))
    sets = {"log.dirs": data, "node.id": "1"}
    broker = RunningBroker(DiskFiles(), metadata, **sets)
    broker.clock.time_ms = int(time.time() * 1000)
    broker.broker = broker._make()
    async with broker, broker.connect() as client:
        states = {each.transactional_id: each.transaction_state for each in await settled(client, "T", "U")}
        assert states == {"T": "Ongoing", "U": "Ongoing"}
        assert (await fetched(client)).last_stable_offset == 2
        going_on = producers[0]
        going_on.client = client
        assert [await going_on.produce(b"more"), await going_on.end()] == [0, 0]
        broker.clock.time_ms += 61_000
        broker.broker.transactions.abort_timed_out()
        states = {each.transactional_id: each.transaction_state for each in await settled(client, "T", "U")}
        assert states == {"T": "CompleteCommit", "U": "CompleteAbort"}
        assert await read_committed(client) == [b"kept", b"open", b"more"]
        assert await read_committed(client, "u") == [b"kept"]
        assert await committed_offset(client) == (0, 7)
