"""One log dir fails, at whatever the broker does in the background: it is out of service, and the others serve on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ottla.log.errors import KafkaStorageError
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest
from ottla.protocol.errors import ErrorCode
from tests.broker.handlers.test_delete_records import deleting
from tests.broker.test_flush import until
from tests.broker.test_partitions import BROKER, Disks, alter, on, produce
from tests.log.support import values
from tests.support.in_process import Client, RunningBroker
from tests.support.wires import turns


class Folders(Disks):
    """Disks whose checkpoints and removals may fail too: "meta", "remove"."""

    def replace(self, path: str, data: bytes | bytearray | memoryview, *, durable: bool = True) -> None:
        self.check("meta", path)
        super().replace(path, data, durable=durable)

    def remove_tree(self, path: str) -> None:
        self.check("remove", path)
        super().remove_tree(path)

    def sync_everything(self, path: str) -> None:
        self.check("everything", path)


SETS = {
    "log.dirs": "/one,/two",
    "log.retention.check.interval.ms": "1",
    "log.flush.offset.checkpoint.interval.ms": "1",
    "log.initial.task.delay.ms": "0",
    "log.flush.scheduler.interval.ms": "1",
    "log.segment.delete.delay.ms": "0",
}


@pytest.fixture
async def running() -> AsyncIterator[RunningBroker]:
    async with RunningBroker(Folders(), **SETS) as broker:
        yield broker


async def fails(running: RunningBroker, folder: int = 0) -> None:
    health = running.broker.logs.directories[folder].health
    await until(lambda: health.failure is not None)


async def serves(running: RunningBroker, client: Client, bad: str, good: str) -> None:
    """The rest of the broker is as it was."""
    await turns(50)
    assert (await produce(client, bad)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert (await produce(client, good)).error_code == 0
    assert (await produce(client, await on(running, "/two"))).error_code == 0
    assert not running.broker.failed.is_set()
    assert running.broker.metrics.uncaught_exceptions == 0
    assert running.broker.logs.directories[1].health.failure is None
    log = running.broker.partitions.get(good, 0).log
    await asyncio.to_thread(running.broker.logs.prepare_checkpoint())
    assert f"{good} 0 {log.recovery_point}\n".encode() in running.files.read_all(
        "/two/recovery-point-offset-checkpoint"
    )


@pytest.mark.parametrize("operation", ["meta", "sync", "write"])
async def test_a_checkpoint_a_flush_or_a_roll_that_fails_ends_its_folder_only(
    running: RunningBroker, operation: str
) -> None:
    bad, good = await on(running, "/one"), await on(running, "/two")
    async with running.connect() as client:
        for name in (bad, good):
            assert (await produce(client, name, acks=1)).error_code == 0
        running.files.bad.add((operation, "/one"))  # type: ignore[attr-defined]
        if operation == "write":
            await alter(client, BROKER, "", "log.retention.ms", "0")  # rolls the only segment
            running.clock.time_ms += 1000
        if operation == "sync":
            await alter(client, BROKER, "", "log.flush.interval.ms", "0")
        await fails(running)
        await serves(running, client, bad, good)


async def test_a_deleted_partition_s_folder_that_can_not_be_removed_ends_its_folder_only(
    running: RunningBroker,
) -> None:
    bad, good = await on(running, "/one"), await on(running, "/two")
    gone = "gone"
    await running.topic(gone)
    while running.broker.logs.directory_of(gone, 0).path != "/one":
        gone += "x"
        await running.topic(gone)
    running.files.bad.add(("remove", "/one"))  # type: ignore[attr-defined]
    async with running.connect() as client:
        await client.call(DeleteTopicsRequest(topic_names=[gone], timeout_ms=1000), 5)
        running.clock.time_ms += 1
        await fails(running)
        await serves(running, client, bad, good)


async def test_delete_records_tells_which_partitions_failed() -> None:
    async with RunningBroker(Folders(), **{"log.dirs": "/one,/two"}) as running, running.connect() as client:
        bad, good = await on(running, "/one"), await on(running, "/two")
        for name in (bad, good):
            assert (await produce(client, name, acks=1)).error_code == 0
        running.files.bad.add(("meta", "/one"))  # type: ignore[attr-defined]
        request = deleting(bad, 1)
        request.topics += deleting(good, 1).topics
        answer = await client.call(request, 2)
        found = {topic.name: topic.partitions[0] for topic in answer.topics}
        assert found[bad].error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert (found[good].error_code, found[good].low_watermark) == (0, 1)
        assert f"{good} 0 1\n".encode() in running.files.read_all("/two/log-start-offset-checkpoint")


async def test_a_folder_that_fails_at_the_stop_leaves_the_others_with_their_marker() -> None:
    running = RunningBroker(Folders(), **{"log.dirs": "/one,/two"})
    await running.broker.start()
    bad, good = await on(running, "/one"), await on(running, "/two")
    async with running.connect() as client:
        for name in (bad, good):
            assert (await produce(client, name)).error_code == 0
    running.files.bad.add(("everything", "/one"))  # type: ignore[attr-defined]
    with pytest.raises(KafkaStorageError):
        await running.broker.stop()
    assert not running.files.exists("/one/.kafka_cleanshutdown")
    assert running.files.exists("/two/.kafka_cleanshutdown")
    running.files.bad.clear()  # type: ignore[attr-defined]
    running.broker = running._make()
    await running.broker.start()
    for name in (bad, good):
        assert values(running.broker.partitions.get(name, 0).log) == [b"v"]
    await running.broker.stop()
