"""An Apache Kafka folder with a transaction open: its producer goes on, or it is ended, after Ottla has taken it over."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ottla.log.disk_files import DiskFiles
from ottla.metadata.sqlite import SqliteMetadataLog
from tests.support.in_process import RunningBroker
from tests.support.kafka_jvm import KafkaJvm
from tests.support.transactions import committed_offset, fetched, leave_open, read_committed, settled


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
