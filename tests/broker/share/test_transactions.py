"""Share groups and transactions: what `share.isolation.level` lets through."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ottla.broker.partition import Partition
from ottla.log.log import Origin
from ottla.records.control import EndTransactionMarker, build_end_transaction_marker
from tests.support.in_process import RunningBroker, batch
from tests.support.share_configs import set_group_config
from tests.support.share_member import ACCEPT, ShareMember

ABORTED, COMMITTED = 7, 8


@pytest.fixture
async def running() -> AsyncIterator[RunningBroker]:
    async with RunningBroker(**{"share.coordinator.state.topic.num.partitions": "1"}) as broker:
        yield broker


def append(running: RunningBroker, partition: Partition, *values: bytes, producer: int) -> None:
    now_ms = running.clock.now_ms()
    data = batch(*values, producer_id=producer, producer_epoch=0, base_sequence=0, transactional=True)
    partition.append_as_leader(bytearray(data), 1, now_ms, Origin.COORDINATOR)


def end(running: RunningBroker, partition: Partition, producer: int, *, commit: bool) -> None:
    now_ms = running.clock.now_ms()
    marker = build_end_transaction_marker(
        EndTransactionMarker(commit, 0), producer_id=producer, producer_epoch=0, timestamp_ms=now_ms
    )
    partition.append_as_leader(bytearray(marker), 1, now_ms, Origin.COORDINATOR)


async def log_of_two_transactions(running: RunningBroker) -> Partition:
    """0 1: aborted, 2 3: committed, 4: the abort, 5: the commit, 6: open."""
    partition = await running.topic("t")
    append(running, partition, b"a", b"a", producer=ABORTED)
    append(running, partition, b"c", b"c", producer=COMMITTED)
    end(running, partition, ABORTED, commit=False)
    end(running, partition, COMMITTED, commit=True)
    append(running, partition, b"o", producer=9)
    await running.broker.persister.initialize("g", partition.topic_id, 0, 1, 0)
    return partition


async def test_read_committed_hands_out_what_is_committed(running: RunningBroker) -> None:
    partition = await log_of_two_transactions(running)
    await set_group_config(running, "g", {"share.isolation.level": "read_committed"})
    async with ShareMember(running, partition.topic_id) as one:
        response = await one.fetch_raw(max_wait_ms=5000)
        acquired = response.responses[0].partitions[0].acquired_records
        assert [(piece.first_offset, piece.last_offset) for piece in acquired] == [(2, 5)]
        host = next(iter(running.broker.share_partitions))
        assert host.machine.start_offset == 2
        await one.acknowledge((2, 5, [ACCEPT, ACCEPT, 0, 0]))  # the markers are gaps
        assert host.machine.start_offset == 6
        assert await one.fetch() == []
        end(running, partition, 9, commit=True)
        assert [record.offset for record in await one.fetch(max_wait_ms=5000)] == [6]


async def test_read_uncommitted_hands_out_everything(running: RunningBroker) -> None:
    partition = await log_of_two_transactions(running)
    async with ShareMember(running, partition.topic_id) as one:
        assert [record.offset for record in await one.fetch(max_wait_ms=5000)] == [0, 1, 2, 3, 6]
