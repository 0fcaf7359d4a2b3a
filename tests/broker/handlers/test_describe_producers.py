"""DescribeProducers: who may still write to a partition."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.describe_producers import DescribeProducersRequest, TopicRequest
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import Record, build_batch
from tests.support.in_process import Client, RunningBroker


def asking(topic: str, *partitions: int) -> DescribeProducersRequest:
    return DescribeProducersRequest(topics=[TopicRequest(name=topic, partition_indexes=list(partitions))])


async def test_a_producer_is_told_with_its_last_sequence(broker: RunningBroker, client: Client) -> None:
    partition = await broker.topic("t")
    now_ms = broker.clock.now_ms()
    records = [Record(i, now_ms, b"k", b"v") for i in range(3)]
    partition.append_as_leader(build_batch(records, producer_id=7, producer_epoch=2, base_sequence=0), 1, now_ms)
    ((row,),) = [topic.partitions for topic in (await client.call(asking("t", 0), 0)).topics]
    (producer,) = row.active_producers
    assert (producer.producer_id, producer.producer_epoch, producer.last_sequence) == (7, 2, 2)
    assert (producer.last_timestamp, producer.coordinator_epoch, producer.current_txn_start_offset) == (now_ms, -1, -1)


async def test_a_producer_that_was_silent_too_long_is_forgotten(broker: RunningBroker, client: Client) -> None:
    partition = await broker.topic("t")
    now_ms = broker.clock.now_ms()
    batch = build_batch([Record(0, now_ms, b"k", b"v")], producer_id=7, producer_epoch=0, base_sequence=0)
    partition.append_as_leader(batch, 1, now_ms)
    ((row,),) = [topic.partitions for topic in (await client.call(asking("t", 0), 0)).topics]
    assert len(row.active_producers) == 1
    broker.clock.time_ms += partition.log.config.producer_id_expiration_ms + 1
    ((row,),) = [topic.partitions for topic in (await client.call(asking("t", 0), 0)).topics]
    assert row.active_producers == []


@pytest.mark.parametrize(
    ("topic", "partition", "code"),
    [
        ("t", 5, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("t", -1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("never-was", 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("no spaces", 0, ErrorCode.INVALID_TOPIC_EXCEPTION),
    ],
)
async def test_what_is_not_there_is_an_error(
    broker: RunningBroker, client: Client, topic: str, partition: int, code: ErrorCode
) -> None:
    await broker.topic("t")
    ((row,),) = [found.partitions for found in (await client.call(asking(topic, partition), 0)).topics]
    assert (row.error_code, row.active_producers) == (code, [])
