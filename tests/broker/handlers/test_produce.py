"""Produce: what a producer is told, version by version and error by error."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import Compression, read_records
from tests.support.in_process import Client, RunningBroker, batch, produce_request


async def produce(
    client: Client, records: bytes | None, version: int = 9, acks: int = 1, topic: str = "t", partition: int = 0
):
    response = await client.call(produce_request(topic, records, acks=acks, partition=partition), version)
    return response.responses[0].partition_responses[0]


@pytest.mark.parametrize("version", range(3, 13))
async def test_offsets_count_up_in_every_version(broker: RunningBroker, client: Client, version: int) -> None:
    await broker.topic("t")
    assert [(await produce(client, batch(b"a", b"b"), version)).base_offset for _ in range(3)] == [0, 2, 4]


@pytest.mark.parametrize("acks", [1, -1])
async def test_what_was_acknowledged_is_in_the_log_byte_for_byte(
    broker: RunningBroker, client: Client, acks: int
) -> None:
    partition = await broker.topic("t")
    sent = batch(b"a", b"b", compression=Compression.ZSTD)
    assert (await produce(client, sent, acks=acks)).error_code == 0
    assert bytes(partition.log.read(0, 1 << 20, 2))[16:] == sent[16:]
    assert [record.value for record in read_records(partition.log.read(0, 1 << 20, 2))] == [b"a", b"b"]


async def test_a_topic_is_named_by_its_id_from_version_13(broker: RunningBroker, client: Client) -> None:
    topic_id = (await broker.topic("t")).topic_id

    def request(wanted: bytes) -> ProduceRequest:
        data = [PartitionProduceData(index=0, records=batch(b"a"))]
        return ProduceRequest(acks=1, timeout_ms=1, topic_data=[TopicProduceData(topic_id=wanted, partition_data=data)])

    right = (await client.call(request(topic_id), 13)).responses[0]
    assert (right.topic_id, right.partition_responses[0].error_code) == (topic_id, 0)
    wrong = (await client.call(request(bytes(15) + b"\1"), 13)).responses[0]
    assert wrong.partition_responses[0].error_code == ErrorCode.UNKNOWN_TOPIC_ID


async def test_acks_0_is_not_answered_but_appended(broker: RunningBroker, client: Client) -> None:
    partition = await broker.topic("t")
    client.send(produce_request("t", batch(b"a"), acks=0), 9)
    assert (await produce(client, batch(b"b"))).base_offset == 1
    assert partition.high_watermark == 2


async def test_an_error_with_acks_0_closes_the_connection(broker: RunningBroker, client: Client) -> None:
    client.send(produce_request("unknown", batch(b"a"), acks=0), 9)
    assert await client.closed()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"topic": "unknown"}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"partition": 1}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"partition": -1}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"acks": 2}, ErrorCode.INVALID_REQUIRED_ACKS),
        ({"records": None}, ErrorCode.INVALID_RECORD),
        ({"records": b""}, ErrorCode.INVALID_RECORD),
        ({"records": batch(b"a") + batch(b"b")}, ErrorCode.INVALID_RECORD),
        ({"records": batch(b"a")[:-1]}, ErrorCode.INVALID_RECORD),
        ({"records": batch(b"a")[:-1] + b"x"}, ErrorCode.CORRUPT_MESSAGE),
        ({"records": batch(b"a", compression=Compression.ZSTD), "version": 6}, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
        ({"topic": "__consumer_offsets"}, ErrorCode.INVALID_TOPIC_EXCEPTION),
        ({"records": batch(bytes(2 << 20))}, ErrorCode.MESSAGE_TOO_LARGE),
    ],
)
async def test_each_mistake_has_kafkas_error_and_appends_nothing(
    broker: RunningBroker, client: Client, change: dict[str, object], code: ErrorCode
) -> None:
    partition = await broker.topic("t")
    answer = await produce(client, **{"records": batch(b"a"), **change})
    assert (answer.error_code, answer.base_offset) == (code, -1)
    assert partition.log.log_end_offset == 0


async def test_one_bad_partition_does_not_stop_the_others(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    request = produce_request("t", batch(b"a"))
    request.topic_data[0].partition_data.insert(0, PartitionProduceData(index=7, records=batch(b"a")))
    answers = (await client.call(request, 9)).responses[0].partition_responses
    assert [(x.index, x.error_code) for x in answers] == [(7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), (0, 0)]


async def test_a_repeated_batch_of_an_idempotent_producer_gets_its_first_offset(
    broker: RunningBroker, client: Client
) -> None:
    await broker.topic("t")
    numbered = batch(b"a", b"b", producer_id=7, producer_epoch=0, base_sequence=0)
    assert [(await produce(client, numbered, acks=-1)).base_offset for _ in range(2)] == [0, 0]
    gap = await produce(client, batch(b"c", producer_id=7, producer_epoch=0, base_sequence=5), acks=-1)
    assert gap.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


async def test_requests_of_one_connection_are_answered_in_order_while_the_disk_is_awaited(
    broker: RunningBroker, client: Client
) -> None:
    partition = await broker.topic("t")
    for _ in range(5):
        client.send(produce_request("t", batch(b"a"), acks=-1), 9)
    client.send(produce_request("t", batch(b"a"), acks=1), 9)
    answers = [await client.receive() for _ in range(6)]
    assert [x.responses[0].partition_responses[0].base_offset for x in answers] == list(range(6))
    assert partition.high_watermark == 6
    assert broker.broker.group_commit is not None
    assert broker.broker.group_commit.rounds < 5, "pipelined appends share their fsyncs"
