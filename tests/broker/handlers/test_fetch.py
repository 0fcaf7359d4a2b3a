"""Fetch: what a consumer gets, when, and what it is told instead."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ottla.broker.partition import Partition
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import iter_headers, read_records
from tests.support.in_process import Client, RunningBroker, batch, produce_request


def request(*partitions: FetchPartition, topic: str = "t", topic_id: bytes = bytes(16), **options: Any) -> FetchRequest:
    options = {"max_wait_ms": 0, "min_bytes": 1, "max_bytes": 1 << 20, **options}
    return FetchRequest(topics=[FetchTopic(topic=topic, topic_id=topic_id, partitions=list(partitions))], **options)


def at(offset: int, index: int = 0, limit: int = 1 << 20, **options: Any) -> FetchPartition:
    return FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=limit, **options)


def values(partition: Any) -> list[bytes | None]:
    return [r.value for pos, _ in iter_headers(partition.records) for r in read_records(partition.records, pos)]


async def produce(client: Client, *batches: bytes, topic: str = "t") -> None:
    for records in batches:
        response = await client.call(produce_request(topic, records), 9)
        assert response.responses[0].partition_responses[0].error_code == 0


async def fetch(client: Client, wanted: FetchRequest, version: int = 11) -> Any:
    return (await client.call(wanted, version)).responses[0].partitions[0]


@pytest.mark.parametrize("version", range(4, 13))
async def test_records_come_back_in_every_version(broker: RunningBroker, client: Client, version: int) -> None:
    await broker.topic("t")
    await produce(client, batch(b"a", b"b"), batch(b"c"))
    answer = await fetch(client, request(at(0)), version)
    assert (answer.error_code, answer.high_watermark, values(answer)) == (0, 3, [b"a", b"b", b"c"])


@pytest.mark.parametrize("version", range(13, 19))
async def test_topics_are_named_by_id_from_version_13(broker: RunningBroker, client: Client, version: int) -> None:
    topic_id = (await broker.topic("t")).topic_id
    await produce(client, batch(b"a"))
    assert values(await fetch(client, request(at(0), topic="", topic_id=topic_id), version)) == [b"a"]
    unknown = await fetch(client, request(at(0), topic="", topic_id=bytes(15) + b"\1"), version)
    assert unknown.error_code == ErrorCode.UNKNOWN_TOPIC_ID


async def test_the_batch_that_contains_the_offset_is_returned_whole(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    await produce(client, batch(b"a", b"b", b"c"))
    assert values(await fetch(client, request(at(2)))) == [b"a", b"b", b"c"]


async def test_one_batch_comes_even_if_it_is_larger_than_all_limits(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    await produce(client, batch(bytes(1000)), batch(b"b"))
    assert values(await fetch(client, request(at(0, limit=10), max_bytes=5))) == [bytes(1000)]


async def test_the_limit_of_the_response_is_shared_by_its_partitions(broker: RunningBroker, client: Client) -> None:
    for topic in ("t", "u"):
        await broker.topic(topic)
        await produce(client, batch(bytes(1000)), topic=topic)
    both = request(at(0), max_bytes=1100)
    both.topics.append(FetchTopic(topic="u", partitions=[at(0)]))
    first, second = [topic.partitions[0] for topic in (await client.call(both, 11)).responses]
    assert (len(values(first)), len(values(second)), second.error_code) == (1, 0, 0)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (request(at(0), topic="unknown"), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (request(at(0, index=9)), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (request(at(2)), ErrorCode.OFFSET_OUT_OF_RANGE),
        (request(at(-1)), ErrorCode.OFFSET_OUT_OF_RANGE),
        (request(at(0, current_leader_epoch=7)), ErrorCode.UNKNOWN_LEADER_EPOCH),
    ],
)
async def test_mistakes_are_answered_at_once_with_kafkas_error(
    broker: RunningBroker, client: Client, wanted: FetchRequest, code: ErrorCode
) -> None:
    await broker.topic("t")
    await produce(client, batch(b"a"))
    wanted.max_wait_ms = 60_000
    answer = await fetch(client, wanted)
    assert (answer.error_code, answer.high_watermark) == (code, -1)


async def test_a_fetch_waits_until_something_is_appended(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    client.send(request(at(0), max_wait_ms=60_000), 11)
    async with broker.connect() as producer:
        await client.writer.drain()
        await produce(producer, batch(b"late"))
    assert values((await client.receive()).responses[0].partitions[0]) == [b"late"]


async def test_very_many_partitions_are_read_in_turns_with_the_same_answer(
    broker: RunningBroker, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """90,000 unknown partitions once held everybody up for seconds."""
    for topic in ("t", "u", "v"):
        await broker.topic(topic)
    for topic in ("t", "v"):
        await produce(client, batch(bytes(1000)), batch(b"2"), topic=topic)
    unknown = request(at(0), max_bytes=1100)
    unknown.topics += [FetchTopic(topic=name, partitions=[at(0), at(0, index=1)]) for name in ("u", "gone", "v")]
    answer = await client.call(unknown, 11)
    empty = request(at(0), topic="u", max_wait_ms=60_000)
    empty.topics += [FetchTopic(topic=name, partitions=[at(2)]) for name in ("t", "v")]
    monkeypatch.setattr("ottla.broker.handlers.fetch.PARTITIONS_A_TURN", 1)
    assert await client.call(unknown, 11) == answer
    client.send(empty, 11)
    async with broker.connect() as producer:
        await client.writer.drain()
        await produce(producer, batch(b"late"), topic="v")
    found = (await client.receive()).responses
    assert [(topic.topic, values(topic.partitions[0])) for topic in found] == [("u", []), ("t", []), ("v", [b"late"])]


async def test_a_fetch_waits_for_min_bytes(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    client.send(request(at(0), max_wait_ms=60_000, min_bytes=3000), 11)
    async with broker.connect() as producer:
        for _ in range(3):
            await produce(producer, batch(bytes(1000)))
    assert len(values((await client.receive()).responses[0].partitions[0])) == 3


@pytest.mark.parametrize("min_bytes", [1, len(batch(b"pending"))])
async def test_what_was_appended_but_not_synced_when_a_fetch_began_to_wait_wakes_it(
    broker: RunningBroker, client: Client, min_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer that asks between append and sync used to wait for fetch.max.wait.ms: a round trip took 500 ms."""

    def sync_later(partition: Partition) -> None:
        partition._synced_wanted = partition.log.log_end_offset

    partition = await broker.topic("t")
    with monkeypatch.context() as patched:
        patched.setattr(Partition, "_sync", sync_later)
        partition.append_as_leader(bytearray(batch(b"pending")), -1, broker.clock.now_ms())
    assert partition.high_watermark == 0
    client.send(request(at(0), max_wait_ms=60_000, min_bytes=min_bytes), 11)
    while not partition.fetches_waiting:
        await asyncio.sleep(0)
    partition._sync()
    assert values((await client.receive()).responses[0].partitions[0]) == [b"pending"]


async def test_a_fetch_that_finds_nothing_answers_after_its_time(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    assert values(await fetch(client, request(at(0), max_wait_ms=5))) == []


async def test_a_waiting_fetch_learns_that_its_topic_is_gone(broker: RunningBroker, client: Client) -> None:
    partition = await broker.topic("t")
    client.send(request(at(0), max_wait_ms=60_000), 11)
    while not partition.fetches_waiting:
        await asyncio.sleep(0)
    image = broker.broker.image
    from ottla.protocol.stored.metadata import RemoveTopicRecord

    broker.broker.apply(image.apply([RemoveTopicRecord(topic_id=partition.topic_id)]))
    assert (await client.receive()).responses[0].partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def test_a_waiting_fetch_is_forgotten_with_its_connection(broker: RunningBroker) -> None:
    partition = await broker.topic("t")
    async with broker.connect() as leaving:
        leaving.send(request(at(0), max_wait_ms=60_000), 11)
        while not partition.fetches_waiting:
            await asyncio.sleep(0)
    while partition.fetches_waiting:
        await asyncio.sleep(0)


async def test_a_session_answers_only_what_changed(broker: RunningBroker, client: Client) -> None:
    for topic in ("t", "u"):
        await broker.topic(topic)
    opening = request(at(0), session_epoch=0)
    opening.topics.append(FetchTopic(topic="u", partitions=[at(0)]))
    opened = await client.call(opening, 11)
    assert opened.session_id > 0
    assert [topic.topic for topic in opened.responses] == ["t", "u"]

    def following(epoch: int) -> FetchRequest:
        return FetchRequest(
            session_id=opened.session_id, session_epoch=epoch, max_wait_ms=0, min_bytes=1, max_bytes=1 << 20
        )

    assert (await client.call(following(1), 11)).responses == []
    await produce(client, batch(b"a"), topic="u")
    (news,) = (await client.call(following(2), 11)).responses
    assert (news.topic, values(news.partitions[0])) == ("u", [b"a"])
    forgetting = following(3)
    forgetting.forgotten_topics_data = [ForgottenTopic(topic="u", partitions=[0])]
    assert (await client.call(forgetting, 11)).responses == []


@pytest.mark.parametrize(
    ("session_id", "epoch", "code"),
    [(12345, 1, ErrorCode.FETCH_SESSION_ID_NOT_FOUND), (None, 5, ErrorCode.INVALID_FETCH_SESSION_EPOCH)],
)
async def test_a_wrong_session_is_refused_as_a_whole(
    broker: RunningBroker, client: Client, session_id: int | None, epoch: int, code: ErrorCode
) -> None:
    await broker.topic("t")
    opened = await client.call(request(at(0), session_epoch=0), 11)
    wrong = request(at(0), session_id=opened.session_id if session_id is None else session_id, session_epoch=epoch)
    answer = await client.call(wrong, 11)
    assert (answer.error_code, answer.responses) == (code, [])


async def test_a_reader_of_another_history_is_told_where_it_parted(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    await produce(client, batch(b"a"))
    answer = await fetch(client, request(at(1, last_fetched_epoch=0)), 12)
    assert (answer.error_code, answer.diverging_epoch.epoch) == (0, -1)
