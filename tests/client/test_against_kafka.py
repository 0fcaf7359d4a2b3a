"""The same producer, core and transactions against Apache Kafka: what holds with Ottla holds there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ottla import Producer
from ottla.client.cluster import Cluster, Leader
from ottla.client.config import Config
from ottla.client.errors import BrokerError, DeliveryError, FencedError
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.records import batch
from tests.client.support import add_partitions, create_topic, delete_topic
from tests.support.kafka_jvm import KafkaJvm
from tests.support.requires import requires

pytestmark = [pytest.mark.java, pytest.mark.slow]
FAST: dict[str, Any] = {"retry_backoff_ms": 20, "retry_backoff_max_ms": 100}


@pytest.fixture(scope="module")
def jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaJvm]:
    requires("java", "mvn")
    directory: Path = tmp_path_factory.mktemp("kafka")
    with KafkaJvm(directory) as broker:
        yield broker


async def read(jvm: KafkaJvm, topic: str, partition: int = 0, *, committed: bool = False) -> list[bytes | None]:
    """All values of a partition. Of transactions this sees what the broker lets through, markers and aborted ones left out."""
    cluster = Cluster(Config(jvm.bootstrap))
    await cluster.start()
    try:
        view = await cluster.topic(topic)
        found: list[bytes | None] = []
        position = 0
        while True:
            part = FetchPartition(partition=partition, fetch_offset=position, partition_max_bytes=1 << 24)
            request = FetchRequest(
                max_wait_ms=100, min_bytes=1, max_bytes=1 << 25, isolation_level=int(committed), session_epoch=-1,
                topics=[FetchTopic(topic=topic, topic_id=view.id, partitions=[part])],
            )  # fmt: skip
            answer = await cluster.request(request, Leader(topic, partition))
            row = answer.responses[0].partitions[0]
            aborted = sorted((each.first_offset, each.producer_id) for each in row.aborted_transactions or ())
            gone: set[int] = set()
            before = position
            for pos, header in batch.iter_headers(row.records or b""):
                position = max(position, header.next_offset)
                if header.is_control:
                    gone.discard(header.producer_id)
                    continue
                while aborted and aborted[0][0] <= header.base_offset:
                    gone.add(aborted.pop(0)[1])
                if header.producer_id not in gone or not header.is_transactional:
                    found += [record.value for record in batch.read_records(row.records, pos)]
            if position == before:
                return found
    finally:
        await cluster.close()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_batches_of_every_codec_are_taken_and_in_order(jvm: KafkaJvm, codec: str) -> None:
    topic = f"codec-{codec}"
    await create_topic(jvm, topic, 1)
    async with Producer(jvm.bootstrap, compression_type=codec, batch_size=20_000, **FAST) as producer:
        report = await producer.send_many(topic, [b"%d" % number for number in range(20_000)])
        metadata = await producer.send(topic, b"last", headers={"a": "b", "n": None})
    assert (report.base_offsets, report.counts, metadata.offset) == ({0: 0}, {0: 20_000}, 20_000)
    assert await read(jvm, topic) == [*(b"%d" % number for number in range(20_000)), b"last"]


async def test_errors_are_kafkas_own(jvm: KafkaJvm) -> None:
    await create_topic(jvm, "errors", 1, message_timestamp_after_max_ms="3600000")
    async with Producer(jvm.bootstrap, max_request_size=4 << 20, batch_size=3 << 20, **FAST) as producer:
        with pytest.raises(BrokerError, match="MESSAGE_TOO_LARGE"):
            await producer.send("errors", b"x" * (2 << 20))
        report = await producer.send_many("errors", [b"%01000d" % number for number in range(2500)])
        assert (report.failed, producer.metrics.splits > 0) == (0, True)
        with pytest.raises(BrokerError, match="INVALID_TOPIC"):
            await producer.send("no good name!", b"v")
        with pytest.raises(DeliveryError, match=r"INVALID_TIMESTAMP|timestamp"):
            await producer.enqueue("errors", b"v", timestamp_ms=10**15)
            await producer.flush()
        assert (await producer.send("errors", b"after")).offset == 2500


async def test_a_topic_made_anew_and_new_partitions(jvm: KafkaJvm) -> None:
    await create_topic(jvm, "anew", 1)
    async with Producer(jvm.bootstrap, **FAST) as producer:
        await producer.send("anew", b"old")
        await delete_topic(jvm, "anew")
        await create_topic(jvm, "anew", 1)
        assert (await producer.send("anew", b"new")).offset == 0
        await add_partitions(jvm, "anew", 3)
        assert (await producer.send("anew", b"v", partition=2)).offset == 0
    assert await read(jvm, "anew") == [b"new"]


@pytest.mark.parametrize("version", ["1", "2"])
async def test_transactions(jvm: KafkaJvm, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if version == "1":
        monkeypatch.setattr("ottla.client.producer.transaction.FEATURE", "no such feature")
    topic, settings = f"txn-{version}", {"transactional_id": f"x-{version}", **FAST}
    await create_topic(jvm, topic, 1)
    async with Producer(jvm.bootstrap, **settings) as producer:
        async with producer.transaction() as tx:
            await tx.send_many(topic, [b"1", b"2"])
            await tx.send_offsets({(topic, 0): 1}, "g")
        with pytest.raises(ZeroDivisionError):
            async with producer.transaction() as tx:
                await tx.send(topic, b"aborted")
                _ = 1 / 0
        async with producer.transaction() as tx:
            await tx.send(topic, b"3")
        with pytest.raises(FencedError):
            async with producer.transaction() as tx:
                await tx.send(topic, b"lost")
                async with Producer(jvm.bootstrap, **settings):
                    await tx.send(topic, b"zombie")
    assert await read(jvm, topic, committed=True) == [b"1", b"2", b"3"]


async def test_a_restart_in_the_middle_loses_nothing(jvm: KafkaJvm) -> None:
    await create_topic(jvm, "restart", 1)
    async with Producer(jvm.bootstrap, batch_size=500, linger_ms=0, **FAST) as producer:
        for number in range(500):
            await producer.enqueue("restart", b"%d" % number)
        jvm.kill()
        jvm.start()
        for number in range(500, 1000):
            await producer.enqueue("restart", b"%d" % number)
        await producer.flush()
    assert await read(jvm, "restart") == [b"%d" % number for number in range(1000)]
