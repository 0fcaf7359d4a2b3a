"""OffsetForLeaderEpoch: where an epoch ended."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import Record, build_batch
from tests.support.in_process import Client, RunningBroker


def asking(topic: str, epoch: int, *, current: int = -1, partition: int = 0) -> OffsetForLeaderEpochRequest:
    row = OffsetForLeaderPartition(partition=partition, current_leader_epoch=current, leader_epoch=epoch)
    return OffsetForLeaderEpochRequest(topics=[OffsetForLeaderTopic(topic=topic, partitions=[row])])


@pytest.mark.parametrize("version", range(2, 5))
@pytest.mark.parametrize(("epoch", "expected"), [(0, (0, 3)), (1, (-1, -1)), (-1, (-1, -1))])
async def test_the_end_of_an_epoch_is_told_and_of_an_unknown_one_not(
    broker: RunningBroker, client: Client, version: int, epoch: int, expected: tuple[int, int]
) -> None:
    partition = await broker.topic("t")
    records = [Record(i, broker.clock.now_ms(), b"k", b"v") for i in range(3)]
    partition.append_as_leader(build_batch(records), 1, broker.clock.now_ms())
    ((row,),) = [topic.partitions for topic in (await client.call(asking("t", epoch), version)).topics]
    assert (row.error_code, (row.leader_epoch, row.end_offset)) == (0, expected)


async def test_an_epoch_that_has_written_nothing_ends_where_it_began(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    ((row,),) = [topic.partitions for topic in (await client.call(asking("t", 0), 4)).topics]
    assert (row.leader_epoch, row.end_offset) == (0, 0)


@pytest.mark.parametrize(
    ("topic", "partition", "current", "code"),
    [
        ("t", 0, 0, ErrorCode.NONE),
        ("t", 0, 5, ErrorCode.UNKNOWN_LEADER_EPOCH),
        ("t", 3, -1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("never-was", 0, -1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
async def test_who_knows_another_epoch_is_told(
    broker: RunningBroker, client: Client, topic: str, partition: int, current: int, code: ErrorCode
) -> None:
    await broker.topic("t")
    answer = await client.call(asking(topic, 0, current=current, partition=partition), 4)
    assert [row.error_code for row in answer.topics[0].partitions] == [code]
