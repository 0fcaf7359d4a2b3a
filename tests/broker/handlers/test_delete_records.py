"""DeleteRecords: the beginning of a log is given up."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.protocol.apis.delete_records import DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import Record, build_batch
from tests.support.in_process import Client, RunningBroker


def deleting(topic: str, offset: int, partition: int = 0) -> DeleteRecordsRequest:
    rows = [DeleteRecordsPartition(partition_index=partition, offset=offset)]
    return DeleteRecordsRequest(topics=[DeleteRecordsTopic(name=topic, partitions=rows)], timeout_ms=1000)


async def filled(broker: RunningBroker, records: int = 5) -> None:
    partition = await broker.topic("t")
    for number in range(records):
        record = Record(0, broker.clock.now_ms(), b"k", b"%d" % number)
        partition.append_as_leader(build_batch([record]), 1, broker.clock.now_ms())


@pytest.mark.parametrize("version", range(3))
async def test_the_log_begins_at_the_offset_and_never_goes_back(
    broker: RunningBroker, client: Client, version: int
) -> None:
    await filled(broker)
    for offset, low in ((2, 2), (1, 2), (-1, 5)):
        (topic,) = (await client.call(deleting("t", offset), version)).topics
        assert [(row.error_code, row.low_watermark) for row in topic.partitions] == [(0, low)]
    assert broker.broker.partitions.get("t", 0).log.log_start_offset == 5


@pytest.mark.parametrize(
    ("topic", "partition", "offset", "code"),
    [
        ("t", 0, 6, ErrorCode.OFFSET_OUT_OF_RANGE),
        ("t", 0, -2, ErrorCode.OFFSET_OUT_OF_RANGE),
        ("t", 7, 1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("t", -1, 1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("never-was", 0, 1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("compacted", 0, 0, ErrorCode.POLICY_VIOLATION),
    ],
)
async def test_what_can_not_be_is_refused(
    broker: RunningBroker, client: Client, topic: str, partition: int, offset: int, code: ErrorCode
) -> None:
    await filled(broker)
    config = CreatableTopicConfig(name="cleanup.policy", value="compact")
    rows = [CreatableTopic(name="compacted", num_partitions=1, replication_factor=1, assignments=[], configs=[config])]
    await client.call(CreateTopicsRequest(topics=rows), 7)
    (answer,) = (await client.call(deleting(topic, offset, partition), 2)).topics
    assert [(row.error_code, row.low_watermark) for row in answer.partitions] == [(code, -1)]


async def test_internal_topics_are_not_cut(broker: RunningBroker, client: Client) -> None:
    await broker.topic("__consumer_offsets")
    (answer,) = (await client.call(deleting("__consumer_offsets", 0), 2)).topics
    assert [row.error_code for row in answer.partitions] == [ErrorCode.INVALID_TOPIC_EXCEPTION]
