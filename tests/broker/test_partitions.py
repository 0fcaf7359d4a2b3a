"""The partitions of a broker follow the metadata image: topics come, go, come again, change, and fail."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ottla.broker.config import BrokerConfig
from ottla.broker.server import Broker
from ottla.log.memory_files import FaultyFiles, MemoryFile, MemoryFiles
from ottla.protocol.apis.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.support.in_process import Client, RunningBroker, batch, produce_request
from tests.support.wires import turns

TOPIC, BROKER = 2, 4
SET, DELETE = 0, 1


async def alter(client: Client, kind: int, name: str, key: str, value: str | None) -> None:
    change = AlterableConfig(name=key, config_operation=DELETE if value is None else SET, value=value)
    resource = AlterConfigsResource(resource_type=kind, resource_name=name, configs=[change])
    response = await client.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)
    assert response.responses[0].error_code == 0, response.responses[0].error_message


async def produce(client: Client, topic: str = "t", acks: int = -1, partition: int = 0) -> Any:
    request = produce_request(topic, batch(b"v"), acks=acks, partition=partition)
    return (await client.call(request, 9)).responses[0].partition_responses[0]


def code_of(call: Any, *arguments: Any) -> ErrorCode:
    with pytest.raises(KafkaError) as caught:
        call(*arguments)
    return caught.value.code


# ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_partitions_are_found_by_name_and_by_id(broker: RunningBroker) -> None:
    partition = await broker.topic("t")
    partitions = broker.broker.partitions
    assert partitions.get_by_id(partition.topic_id, 0) is partition
    assert code_of(partitions.get, "t", 1) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert code_of(partitions.get, "t", -1) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert code_of(partitions.get, "u", 0) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert code_of(partitions.get_by_id, partition.topic_id, 1) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert code_of(partitions.get_by_id, bytes(15) + b"\1", 0) == ErrorCode.UNKNOWN_TOPIC_ID
    assert (list(partitions), len(partitions)) == ([partition], 1)


async def test_the_leader_of_any_partition_of_the_cluster_is_known(broker: RunningBroker) -> None:
    partition = await broker.topic("t")
    partitions = broker.broker.partitions
    assert partitions.current_leader("t", bytes(16), 0) == (1, partition.leader_epoch)
    assert partitions.current_leader("", partition.topic_id, 0) == (1, partition.leader_epoch)
    assert partitions.current_leader("t", bytes(16), 1) is None
    assert partitions.current_leader("u", bytes(16), 0) is None


# ── topics come and go ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_topic_that_grows_gets_its_new_partitions(broker: RunningBroker) -> None:
    first = await broker.topic("t")
    wanted = CreatePartitionsRequest(topics=[CreatePartitionsTopic(name="t", count=3, assignments=None)], timeout_ms=1)
    async with broker.connect() as client:
        assert (await client.call(wanted, 3)).results[0].error_code == 0
        assert (await produce(client, partition=2)).error_code == 0
    assert broker.broker.partitions.get("t", 0) is first
    assert broker.broker.partitions.get_by_id(first.topic_id, 2).high_watermark == 1


async def test_a_topic_created_again_under_its_name_is_another_topic(broker: RunningBroker, client: Client) -> None:
    old = await broker.topic("t")
    await produce(client)
    await client.call(DeleteTopicsRequest(topic_names=["t"], timeout_ms=1000), 5)
    assert code_of(broker.broker.partitions.get, "t", 0) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    new = await broker.topic("t")
    assert new.topic_id != old.topic_id
    assert (new.log.log_end_offset, old.closed) == (0, True)
    assert code_of(broker.broker.partitions.get_by_id, old.topic_id, 0) == ErrorCode.UNKNOWN_TOPIC_ID
    assert code_of(old.append_as_leader, bytearray(batch(b"v")), 1, 0) == ErrorCode.NOT_LEADER_OR_FOLLOWER
    folders = {name for name, size in broker.files.list("/data").items() if size < 0}
    assert "t-0" in folders
    assert len([name for name in folders if name.endswith("-delete")]) == 1


async def test_the_new_topic_s_data_is_what_a_restart_finds(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        await broker.topic("t")
        for _ in range(3):
            await produce(client)
        await client.call(DeleteTopicsRequest(topic_names=["t"], timeout_ms=1000), 5)
        new_id = (await broker.topic("t")).topic_id
        await produce(client)
    await broker.restart(clean=False)
    found = broker.broker.partitions.get("t", 0)
    assert (found.topic_id, found.high_watermark) == (new_id, 1)


def waiting_fetch(topic: str = "", topic_id: bytes = bytes(16), **options: Any) -> FetchRequest:
    wanted = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1000)
    topics = [FetchTopic(topic=topic, topic_id=topic_id, partitions=[wanted])]
    return FetchRequest(topics=topics, max_wait_ms=60_000, min_bytes=1, max_bytes=1000, **options)


async def until_waiting(running: RunningBroker, topic: str = "t") -> None:
    """Return when a fetch waits for the topic."""
    while not running.broker.partitions.get(topic, 0).fetches_waiting:
        await turns(1)


@pytest.mark.parametrize(
    ("version", "error"), [(12, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), (17, ErrorCode.UNKNOWN_TOPIC_ID)]
)
async def test_who_waits_for_records_of_a_deleted_topic_is_told(
    broker: RunningBroker, client: Client, version: int, error: ErrorCode
) -> None:
    topic_id = (await broker.topic("t")).topic_id
    client.send(waiting_fetch("t", topic_id), version)
    await until_waiting(broker)
    async with broker.connect() as admin:
        await admin.call(DeleteTopicsRequest(topic_names=["t"], timeout_ms=1000), 5)
    answer = await client.receive()
    assert answer.responses[0].partitions[0].error_code == error


async def test_a_session_of_a_topic_that_was_created_again_is_told(broker: RunningBroker, client: Client) -> None:
    topic_id = (await broker.topic("t")).topic_id
    request = waiting_fetch(topic_id=topic_id, session_epoch=0)
    request.max_wait_ms = 0
    session = (await client.call(request, 17)).session_id
    await client.call(DeleteTopicsRequest(topic_names=["t"], timeout_ms=1000), 5)
    await broker.topic("t")
    again = await client.call(FetchRequest(session_id=session, session_epoch=1, max_wait_ms=60_000, min_bytes=1), 17)
    (topic,) = again.responses
    assert (topic.topic_id, topic.partitions[0].error_code) == (topic_id, ErrorCode.UNKNOWN_TOPIC_ID)


async def test_who_waits_for_acks_of_a_deleted_topic_is_told(broker: RunningBroker) -> None:
    partition = await broker.topic("t")
    told: list[ErrorCode] = []
    partition.when_committed(1, told.append)
    async with broker.connect() as client:
        await client.call(DeleteTopicsRequest(topic_names=["t"], timeout_ms=1000), 5)
    assert told == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]


# ── configs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_change_of_a_topic_s_config_reaches_its_log_and_no_other(broker: RunningBroker, client: Client) -> None:
    changed, other = await broker.topic("t"), await broker.topic("u")
    before = other.log.config
    await alter(client, TOPIC, "t", "retention.ms", "12345")
    assert changed.log.config.retention_ms == 12345
    assert other.log.config is before
    await alter(client, TOPIC, "t", "retention.ms", None)
    assert changed.log.config.retention_ms == before.retention_ms


async def test_a_change_takes_effect_on_the_next_request(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    await alter(client, TOPIC, "t", "max.message.bytes", "10")
    assert (await produce(client)).error_code == ErrorCode.MESSAGE_TOO_LARGE
    await alter(client, TOPIC, "t", "max.message.bytes", "1000")
    assert (await produce(client)).error_code == 0


async def test_dynamic_broker_configs_reach_logs_and_a_topic_s_own_wins(broker: RunningBroker, client: Client) -> None:
    plain, own = await broker.topic("t"), await broker.topic("u")
    await alter(client, TOPIC, "u", "retention.ms", "3")
    await alter(client, BROKER, "", "log.retention.ms", "1")
    assert (plain.log.config.retention_ms, own.log.config.retention_ms) == (1, 3)
    await alter(client, BROKER, "1", "log.retention.ms", "2")
    assert (plain.log.config.retention_ms, own.log.config.retention_ms) == (2, 3)
    late = await broker.topic("v")
    assert late.log.config.retention_ms == 2
    await broker.restart()
    assert [broker.broker.partitions.get(name, 0).log.config.retention_ms for name in "tuv"] == [2, 3, 2]


# ── disks that fail ─────────────────────────────────────────────────────────────────────────────────────────────────


class _File(MemoryFile):
    """A file on one of the disks."""

    __slots__ = ()

    def append(self, data: Any) -> None:
        assert isinstance(self._files, Disks)
        self._files.check("write", self.path)
        super().append(data)

    def sync(self) -> None:
        assert isinstance(self._files, Disks)
        self._files.check("sync", self.path)


class Disks(MemoryFiles):
    """A disk per log dir; `bad` says which operation fails on which."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: set[tuple[str, str]] = set()

    def check(self, operation: str, path: str) -> None:
        if any(operation == bad and path.startswith(folder) for bad, folder in self.bad):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def open(self, path: str, *, size: int | None = None, create: bool = False) -> MemoryFile:
        if create:
            self.check("write", path)
        return _File(self, path, self._create(path) if create else self._inode(path))

    def rename(self, source: str, target: str) -> None:
        self.check("write", source)
        super().rename(source, target)


@pytest.fixture
async def two_disks() -> AsyncIterator[RunningBroker]:
    async with RunningBroker(Disks(), **{"log.dirs": "/one,/two"}) as running:
        yield running


async def on(running: RunningBroker, folder: str) -> str:
    """Create topics until one lies in a log dir; returns its name."""
    for number in range(10):
        name = f"t{folder[1:]}{number}"
        await running.topic(name)
        if running.broker.logs.directory_of(name, 0).path == folder:
            return name
    raise AssertionError(f"no topic on {folder}")


@pytest.mark.parametrize("operation", ["write", "sync"])
async def test_a_failing_disk_is_an_error_for_its_partitions_and_the_other_disk_goes_on(
    two_disks: RunningBroker, operation: str
) -> None:
    bad, good = await on(two_disks, "/one"), await on(two_disks, "/two")
    neighbour = await two_disks.topic("neighbour")
    two_disks.files.bad.add((operation, "/one"))  # type: ignore[attr-defined]
    async with two_disks.connect() as client:
        assert (await produce(client, bad)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert (await produce(client, bad)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert (await produce(client, good)).error_code == 0
        fetch = waiting_fetch(bad)
        assert (await client.call(fetch, 12)).responses[0].partitions[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR
        if two_disks.broker.logs.directory_of("neighbour", 0).path == "/one":
            assert (await produce(client, "neighbour")).error_code == ErrorCode.KAFKA_STORAGE_ERROR
            assert not neighbour.is_leader
        later = await on(two_disks, "/two")
        assert (await produce(client, later)).error_code == 0
    assert two_disks.broker.metrics.failed_partitions >= 1
    assert two_disks.broker.metrics.uncaught_exceptions == 0


async def test_a_failed_sync_answers_every_producer_that_waits_for_it(two_disks: RunningBroker) -> None:
    name = await on(two_disks, "/one")
    two_disks.files.bad.add(("sync", "/one"))  # type: ignore[attr-defined]
    async with two_disks.connect() as one, two_disks.connect() as two:
        results = await asyncio.gather(produce(one, name), produce(two, name))
    assert [result.error_code for result in results] == [ErrorCode.KAFKA_STORAGE_ERROR] * 2


async def test_a_fetch_that_waits_on_a_failing_disk_is_told(two_disks: RunningBroker) -> None:
    name = await on(two_disks, "/one")
    async with two_disks.connect() as reader, two_disks.connect() as writer:
        reader.send(waiting_fetch(name), 12)
        await until_waiting(two_disks, name)
        two_disks.files.bad.add(("write", "/one"))  # type: ignore[attr-defined]
        await produce(writer, name)
        answer = await reader.receive()
    assert answer.responses[0].partitions[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR


async def test_a_topic_whose_disk_failed_can_be_deleted_and_created_again(two_disks: RunningBroker) -> None:
    name = await on(two_disks, "/one")
    two_disks.files.bad.add(("write", "/one"))  # type: ignore[attr-defined]
    async with two_disks.connect() as client:
        assert (await produce(client, name)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        deleted = await client.call(DeleteTopicsRequest(topic_names=[name], timeout_ms=1000), 5)
        assert deleted.responses[0].error_code == 0
        await two_disks.topic(name)
        assert two_disks.broker.logs.directory_of(name, 0).path == "/two"
        assert (await produce(client, name)).base_offset == 0
    assert not two_disks.broker.partitions.failed


async def test_with_no_disk_left_the_broker_still_answers(broker: RunningBroker) -> None:
    async with RunningBroker(Disks()) as running, running.connect() as client:
        await running.topic("t")
        running.files.bad.add(("write", "/data"))  # type: ignore[attr-defined]
        for _ in range(2):
            assert (await produce(client)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
        running.files.bad.clear()  # type: ignore[attr-defined]
        assert (await produce(client)).error_code == ErrorCode.KAFKA_STORAGE_ERROR, "only a restart may trust it again"
        await running.restart(clean=False)
        async with running.connect() as again:
            assert (await produce(again)).error_code == 0


async def test_a_broker_whose_last_disk_failed_ends() -> None:
    """As Kafka does: it could only refuse. With another log dir left it goes on."""
    files = FaultyFiles()
    async with RunningBroker(files, None, **{"log.dirs": "/a,/b"}) as running, running.connect() as client:
        partitions = [await running.topic(name) for name in ("t", "u")]
        assert len({partition.log.directory.split("/")[1] for partition in partitions}) == 2
        for partition, ends in zip(partitions, (False, True), strict=True):
            files.fail_after(0, errno.ENOSPC)
            assert (await produce(client, partition.topic)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
            files.faults.calls_until_failure = None
            await turns()
            assert running.broker.failed.is_set() == ends
        failure = running.broker.disk_failure
        assert failure is not None
        assert isinstance(failure.__cause__, OSError)


async def test_a_broker_whose_metadata_lies_on_a_failed_disk_ends(tmp_path: Path) -> None:
    """As Kafka does when metadata.log.dir fails, whatever other log dirs are left."""
    sets = {"listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": f"{tmp_path}/a,{tmp_path}/b"}
    broker = Broker(BrokerConfig.load(sets=sets))
    await broker.start()
    for number, ends in ((1, False), (0, True)):
        broker.logs.directories[number].health.fail(OSError(errno.EIO, "Input/output error"))
        await turns()
        assert broker.failed.is_set() == ends
    await broker.stop(clean=False)
