"""The consumer and Admin against Apache Kafka: both group protocols, share groups, members of other clients, restarts."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ottla import Admin, Consumer, Producer, ShareConsumer, exactly_once, read
from ottla.client.admin.configs import ConfigResource
from ottla.client.errors import BrokerError
from ottla.protocol.errors import ErrorCode
from tests.support.jars import KAFKA, class_path, jars
from tests.support.kafka_jvm import KafkaJvm
from tests.support.requires import requires

pytestmark = [pytest.mark.java, pytest.mark.slow]


@pytest.fixture(scope="module")
def jvm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaJvm]:
    requires("java", "mvn")
    with KafkaJvm(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
async def admin(jvm: KafkaJvm) -> AsyncIterator[Admin]:
    async with Admin(jvm.bootstrap) as started:
        yield started


async def fill(jvm: KafkaJvm, admin: Admin, topic: str, count: int, partitions: int, **options: Any) -> None:
    await admin.topics.create(topic, partitions=partitions)
    async with Producer(jvm.bootstrap, **options) as producer:
        for number in range(count):
            await producer.enqueue(topic, b"%d" % number, partition=number % partitions)
        await producer.flush()


class Work:
    """Members that share one group; `seen` counts the values that any of them was given."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.seen: Counter[bytes] = Counter()
        self.done = asyncio.Event()

    def note(self, value: bytes) -> None:
        self.seen[value] += 1
        if len(self.seen) == self.total:
            self.done.set()

    async def member(self, bootstrap: str, topic: str, quota: int | None = None, **options: Any) -> None:
        options = {"heartbeat_interval_ms": 50, "max_poll_records": 50, "start": "earliest", **options}
        async with Consumer(bootstrap, topic, **options) as consumer:
            watcher = asyncio.ensure_future(self.done.wait())
            watcher.add_done_callback(lambda _: consumer.stop())
            taken = 0
            async for batch in consumer.batches():
                for record in batch:
                    self.note(record.value)
                taken += len(batch)
                await asyncio.sleep(0)
                if quota is not None and taken >= quota:
                    consumer.stop()
            watcher.cancel()


@pytest.mark.parametrize("options", [
    {"group_protocol": "consumer"},
    {"assignors": ["range"]},
    {"assignors": ["cooperative-sticky"]},
], ids=["kip-848", "range", "cooperative"])  # fmt: skip
async def test_members_come_and_go(jvm: KafkaJvm, admin: Admin, options: dict[str, Any]) -> None:
    topic = f"moving-{len(str(options))}"
    await fill(jvm, admin, topic, 2000, 6)
    work = Work(2000)
    async with asyncio.timeout(60):
        await asyncio.gather(
            *(work.member(jvm.bootstrap, topic, quota, group=topic, **options) for quota in (200, 400, None, None))
        )
    assert set(work.seen.values()) == {1}
    assert sum(lag.committed or 0 for lag in (await admin.groups.lag(topic)).values()) == 2000


def confluent_member(bootstrap: str, topic: str, group: str, strategy: str, note: Any, done: threading.Event) -> None:
    from confluent_kafka import Consumer as Librdkafka

    consumer = Librdkafka(
        {
            "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
            "partition.assignment.strategy": strategy, "heartbeat.interval.ms": 100,
        }
    )  # fmt: skip
    consumer.subscribe([topic])
    while not done.is_set():
        message = consumer.poll(0.05)
        if message is not None and message.error() is None:
            note(message.value(), "librdkafka")
    consumer.close()


@contextlib.contextmanager
def java_member(bootstrap: str, topic: str, group: str, strategy: str, note: Any) -> Iterator[None]:
    command = [
        "java", "-cp", class_path(jars("kafka", KAFKA)), "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "--bootstrap-server", bootstrap, "--topic", topic, "--group", group, "--from-beginning",
        "--command-property", f"partition.assignment.strategy=org.apache.kafka.clients.consumer.{strategy}",
        "--command-property", "group.protocol=classic", "--command-property", "heartbeat.interval.ms=100",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def read_lines() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            note(line.strip().encode(), "java")

    reader = threading.Thread(target=read_lines)
    reader.start()
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)
        reader.join(20)
        process.stdout.close()  # type: ignore[union-attr]


@pytest.mark.parametrize(("strategy", "java"), [
    pytest.param("range", "RangeAssignor", marks=pytest.mark.campaign),
        pytest.param("roundrobin", "RoundRobinAssignor", marks=pytest.mark.campaign),
    ("cooperative-sticky", "CooperativeStickyAssignor"),
])  # fmt: skip
async def test_java_librdkafka_and_we_share_a_group(jvm: KafkaJvm, admin: Admin, strategy: str, java: str) -> None:
    """Each of the three is given a part; together they are given everything."""
    topic = f"mixed-{strategy}"
    await admin.topics.create(topic, partitions=6)
    loop, over = asyncio.get_running_loop(), threading.Event()
    readers: Counter[str] = Counter()
    seen: set[bytes] = set()
    full = asyncio.Event()

    def note(value: bytes, who: str) -> None:
        readers[who] += 1
        seen.add(value)

    def note_from_thread(value: bytes, who: str) -> None:
        loop.call_soon_threadsafe(note, value, who)

    async def ours() -> None:
        options: dict[str, Any] = {"assignors": [strategy], "heartbeat_interval_ms": 100, "start": "earliest"}
        async with Consumer(jvm.bootstrap, topic, group=topic, **options) as consumer:
            full_seen = asyncio.ensure_future(full.wait())
            full_seen.add_done_callback(lambda _: consumer.stop())
            async for record in consumer:
                note(record.value, "ottla")
            full_seen.cancel()

    with java_member(jvm.bootstrap, topic, topic, java, note_from_thread):
        other = threading.Thread(
            target=confluent_member, args=(jvm.bootstrap, topic, topic, strategy, note_from_thread, over)
        )
        other.start()
        member = asyncio.ensure_future(ours())
        number = 0
        async with asyncio.timeout(90), Producer(jvm.bootstrap) as producer:
            while set(readers) != {"java", "librdkafka", "ottla"} or len(seen) < number:
                if len(seen) == number:
                    for partition in range(6):
                        await producer.send(topic, b"%d" % number, partition=partition)
                        number += 1
                await asyncio.sleep(0)
            full.set()
            await member
        over.set()
        await asyncio.to_thread(other.join)
    assert seen == {b"%d" % each for each in range(number)}


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_codec_and_large_records(jvm: KafkaJvm, admin: Admin, codec: str) -> None:
    topic = f"codec-{codec}"
    await admin.topics.create(topic, partitions=1, config={"max.message.bytes": 4 << 20})
    large = b"large " * 300_000
    async with Producer(jvm.bootstrap, compression_type=codec, max_request_size=4 << 20) as producer:
        for value in (b"small", large, b"last"):
            await producer.send(topic, value)
    assert [record.value for record in await read(jvm.bootstrap, topic)] == [b"small", large, b"last"]


async def test_transactions_and_exactly_once(jvm: KafkaJvm, admin: Admin) -> None:
    await fill(jvm, admin, "eos-in", 200, 2)
    await admin.topics.create("eos-out", partitions=1)
    async with (
        asyncio.timeout(60),
        Consumer(jvm.bootstrap, "eos-in", group="eos", start="earliest") as consumer,
        Producer(jvm.bootstrap, transactional_id="eos") as producer,
    ):
        with pytest.raises(ValueError, match="on purpose"):
            async with exactly_once(consumer, producer) as eos:
                async for tx, batch in eos.batches(max_records=20):
                    await tx.send_many("eos-out", [record.value for record in batch])
                    if eos.committed == 3:
                        raise ValueError("on purpose")
        count = 60
        async with exactly_once(consumer, producer) as eos:
            async for tx, batch in eos.batches(max_records=20):
                await tx.send_many("eos-out", [record.value for record in batch])
                count += len(batch)
                if count == 200:
                    consumer.stop()
    out = [record.value for record in await read(jvm.bootstrap, "eos-out")]
    assert sorted(out) == sorted(b"%d" % number for number in range(200))
    assert sum(lag.committed or 0 for lag in (await admin.groups.lag("eos")).values()) == 200


async def test_a_share_group(jvm: KafkaJvm, admin: Admin) -> None:
    await fill(jvm, admin, "jobs", 20, 1)
    await admin.configs.set(ConfigResource.group("workers"), {"share.auto.offset.reset": "earliest"})
    seen: Counter[bytes] = Counter()
    async with asyncio.timeout(60), ShareConsumer(jvm.bootstrap, "jobs", group="workers") as consumer:
        async for record in consumer:
            seen[record.value] += 1
            if record.value == b"7" and seen[b"7"] == 1:
                consumer.release(record)
            if record.value == b"8":
                consumer.reject(record)
            if len(seen) == 20 and seen[b"7"] == 2:
                consumer.stop()
    assert {value for value, count in seen.items() if count > 1} == {b"7"}
    assert (await admin.groups.describe("workers")).type == "share"


async def test_admin_sees_what_there_is(jvm: KafkaJvm, admin: Admin) -> None:
    assert len((await admin.cluster.describe()).brokers) == 1
    assert (await admin.cluster.quorum()).leader_id == 1
    assert (await admin.cluster.features())["metadata.version"].level > 0
    await admin.topics.create("seen", partitions=2, if_exists="ok")
    await admin.topics.set_partitions("seen", 3)
    async with asyncio.timeout(20):  # the broker that is asked follows the controller
        while len((await admin.topics.describe("seen"))["seen"].partitions) < 3:
            await asyncio.sleep(0)
    with pytest.raises(BrokerError) as problem:
        await admin.topics.create("seen")
    assert problem.value.code == ErrorCode.TOPIC_ALREADY_EXISTS
    await admin.quotas.set({"user": "a"}, {"request_percentage": 50.0})
    async with asyncio.timeout(20):
        while await admin.quotas.describe() != [({"user": "a"}, {"request_percentage": 50.0})]:
            await asyncio.sleep(0)
        await admin.users.set_password("bob", "secret")
        while "bob" not in await admin.users.describe():
            await asyncio.sleep(0)
    (dirs,) = (await admin.log_dirs.describe()).values()
    assert ("seen", 2) in dirs[0].replicas
    assert isinstance(await admin.groups.list(), list)
    assert isinstance(await admin.transactions.list(), list)
    assert await admin.partitions.elect_leaders([("seen", 0)]) == set()
    await admin.topics.delete("seen")


async def test_a_restart_in_the_middle_of_a_group(jvm: KafkaJvm, admin: Admin) -> None:
    await fill(jvm, admin, "restart", 1000, 3)
    work = Work(1000)
    members = [
        asyncio.ensure_future(work.member(jvm.bootstrap, "restart", group="restart", max_partition_fetch_bytes=500))
        for _ in range(2)
    ]
    async with asyncio.timeout(120):
        while len(work.seen) < 100:
            await asyncio.sleep(0)
        await asyncio.to_thread(jvm.stop)
        await asyncio.to_thread(jvm.start)
        await asyncio.gather(*members)
    assert len(work.seen) == 1000
