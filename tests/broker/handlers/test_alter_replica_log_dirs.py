"""AlterReplicaLogDirs: a partition moves to another folder while it is written and read."""

from __future__ import annotations

import asyncio
import tempfile

import pytest

from ottla.broker.coordinators.shard_host import ShardHost, Turn
from ottla.broker.steps import run_here
from ottla.log.files import DiskFiles, MemoryFiles
from ottla.protocol.apis.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from ottla.protocol.apis.describe_log_dirs import DescribeLogDirsRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.protocol.errors import ErrorCode
from tests.log.support import values as values_of
from tests.support.in_process import Client, RunningBroker, batch, produce_request
from tests.support.wires import turns


def alter(path: str, topic: str = "t", *partitions: int) -> AlterReplicaLogDirsRequest:
    topics = [AlterReplicaLogDirTopic(name=topic, partitions=list(partitions or (0,)))]
    return AlterReplicaLogDirsRequest(dirs=[AlterReplicaLogDir(path=path, topics=topics)])


async def asked(client: Client, *what: str) -> ErrorCode:
    answer = await client.call(alter(*what), 2)
    return ErrorCode(answer.results[0].partitions[0].error_code)


def two() -> RunningBroker:
    return RunningBroker(**{"log.dirs": "/one,/two"})


async def described(client: Client) -> dict[str, list[tuple[str, bool]]]:
    answer = await client.call(DescribeLogDirsRequest(topics=None), 4)
    return {
        result.log_dir: sorted((topic.name, row.is_future_key) for topic in result.topics for row in topic.partitions)
        for result in answer.results
    }


async def moved(broker: RunningBroker) -> None:
    for _ in range(2000):
        if not broker.broker.upkeep.moves.under_way:
            return
        await turns(5)
    raise AssertionError("the move does not end")


@pytest.mark.parametrize("version", [1, 2])
async def test_a_partition_moves_with_its_records_and_producers_and_stays_there(version: int) -> None:
    async with two() as broker, broker.connect() as client:
        partition = await broker.topic("t")
        await client.call(produce_request("t", batch(b"a", producer_id=5, producer_epoch=0, base_sequence=0)), 9)
        source = broker.broker.logs.directory_of("t", 0).path
        target = "/two" if source == "/one" else "/one"
        assert (await client.call(alter(target), version)).results[0].partitions[0].error_code == 0
        await moved(broker)
        assert partition.log.directory == f"{target}/t-0"
        assert await described(client) == {source: [], target: [("t", False)]}
        again = batch(b"a", producer_id=5, producer_epoch=0, base_sequence=0)
        answer = await client.call(produce_request("t", again), 9)
        assert answer.responses[0].partition_responses[0].base_offset == 0, "a duplicate is known for one"
        await client.call(produce_request("t", batch(b"b")), 9)
        assert values_of(partition.log) == [b"a", b"b"]
        await broker.restart(clean=False)
        partition = broker.broker.partitions.get("t", 0)
        assert partition.log.directory == f"{target}/t-0"
        assert values_of(partition.log) == [b"a", b"b"]


async def test_what_is_under_way_is_shown_and_appends_go_on() -> None:
    async with two() as broker, broker.connect() as client:
        partition = await broker.topic("t")
        source = broker.broker.logs.directory_of("t", 0).path
        target = "/two" if source == "/one" else "/one"
        await client.call(produce_request("t", batch(b"a")), 9)
        broker.broker.upkeep.cleaner.busy.add(("t", 0))  # the move waits for the cleaner
        assert await asked(client, target) == ErrorCode.NONE
        assert await described(client) == {source: [("t", False)], target: [("t", True)]}
        await client.call(produce_request("t", batch(b"b")), 9)
        broker.broker.upkeep.cleaner.busy.clear()
        await moved(broker)
        assert values_of(partition.log) == [b"a", b"b"]
        names = broker.files.list(source)
        assert [name for name in names if name.endswith("-delete")] and "t-0" not in names


async def test_a_move_can_be_called_off_by_naming_the_folder_it_is_in() -> None:
    async with two() as broker, broker.connect() as client:
        await broker.topic("t")
        source = broker.broker.logs.directory_of("t", 0).path
        target = "/two" if source == "/one" else "/one"
        broker.broker.upkeep.cleaner.busy.add(("t", 0))
        assert await asked(client, target) == ErrorCode.NONE
        assert await asked(client, source) == ErrorCode.NONE
        broker.broker.upkeep.cleaner.busy.clear()
        await moved(broker)
        assert broker.broker.logs.directory_of("t", 0).path == source
        assert not [name for name in broker.files.list(target) if name.startswith("t-0")]


@pytest.mark.parametrize("clean", [True, False])
async def test_a_move_that_a_stop_or_a_crash_interrupted_goes_on_after_the_start(clean: bool) -> None:
    async with two() as broker, broker.connect() as client:
        await broker.topic("t")
        source = broker.broker.logs.directory_of("t", 0).path
        target = "/two" if source == "/one" else "/one"
        await client.call(produce_request("t", batch(b"a")), 9)
        broker.broker.upkeep.cleaner.busy.add(("t", 0))  # the move waits for the cleaner
        assert await asked(client, target) == ErrorCode.NONE
        stopping = asyncio.create_task(broker.restart(clean=clean))
        await turns(5)
        broker.broker.upkeep.cleaner.busy.clear()
        await stopping
        await moved(broker)
        partition = broker.broker.partitions.get("t", 0)
        assert (partition.log.directory, values_of(partition.log)) == (f"{target}/t-0", [b"a"])
        await broker.restart()
        assert not broker.broker.upkeep.moves.under_way
        assert broker.broker.partitions.get("t", 0).log.directory == f"{target}/t-0"


async def test_a_coordinator_s_partition_may_move_while_it_is_loaded() -> None:
    """Once the load went on with the log that had been closed and set aside, and took its folder for dead."""
    files = DiskFiles()
    with tempfile.TemporaryDirectory(prefix="ottla-move-") as place:
        folders = [f"{place}/one", f"{place}/two"]
        sets = {"log.dirs": ",".join(folders), "offsets.topic.num.partitions": "1", "offsets.load.buffer.size": "200"}
        async with RunningBroker(files, **sets) as broker, broker.connect() as client:
            await client.call(FindCoordinatorRequest(key="g", key_type=0), 2)
            for number in range(30):
                await commit(client, number)
            host = broker.broker.groups.hosted(0)
            again = ShardHost(
                broker.broker,
                host.partition,
                broker.broker.groups.make_shard(host.partition),
                host._config,
                print,
                Turn(),
            )
            before = host.partition.log.directory
            (target,) = [folder for folder in folders if not before.startswith(folder)]
            loading = asyncio.create_task(again.load())
            await asyncio.sleep(0)
            assert again.loading
            step = broker.broker.logs.start_move(
                host.partition.log, broker.broker.logs.directory_at(target), lambda: False
            )
            run_here(step.copy())  # type: ignore[arg-type]
            host.partition.log = broker.broker.logs.finish_move(step, broker.clock.now_ms())
            await loading
            assert not again.loading
            assert again._next_offset == host._next_offset
            assert [each.health.failure for each in broker.broker.logs.directories] == [None, None]
            again.close()


async def commit(client: Client, offset: int) -> None:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    topic = OffsetCommitRequestTopic(name="__consumer_offsets", partitions=[partition])
    answer = await client.call(OffsetCommitRequest(group_id="g", topics=[topic]), 8)
    assert answer.topics[0].partitions[0].error_code == 0


async def test_what_can_not_be_moved_is_answered_as_kafka_does() -> None:
    async with two() as broker, broker.connect() as client:
        await broker.topic("t")
        assert await asked(client, "/nowhere") == ErrorCode.LOG_DIR_NOT_FOUND
        assert await asked(client, "/two", "unknown") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert await asked(client, broker.broker.logs.directory_of("t", 0).path) == ErrorCode.NONE
        broker.broker.logs.directories[1].health.fail(OSError(5, "Input/output error"))
        assert await asked(client, "/two") == ErrorCode.KAFKA_STORAGE_ERROR


async def test_after_a_crash_in_the_last_moment_the_longer_log_counts() -> None:
    files = MemoryFiles()
    broker = RunningBroker(files, **{"log.dirs": "/one,/two"})
    async with broker, broker.connect() as client:
        await broker.topic("t")
        await client.call(produce_request("t", batch(b"a")), 9)
        source = broker.broker.logs.directory_of("t", 0).path
        target = "/two" if source == "/one" else "/one"
        kept = {name: files.read_all(f"{source}/t-0/{name}") for name in files.list(f"{source}/t-0")}
        await asked(client, target)
        await moved(broker)
        await client.call(produce_request("t", batch(b"b")), 9)
        files.mkdir(f"{source}/t-0")
        for name, data in kept.items():
            files.replace(f"{source}/t-0/{name}", data)
        await broker.restart(clean=False)
        partition = broker.broker.partitions.get("t", 0)
        assert (partition.log.directory, values_of(partition.log)) == (f"{target}/t-0", [b"a", b"b"])
        assert [name for name in files.list(source) if name.endswith("-stray")]
