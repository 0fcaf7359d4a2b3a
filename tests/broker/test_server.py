"""The life of a broker: what survives it, what keeps it from starting, and how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from ottla.broker.identity import IdentityError
from ottla.broker.upkeep import Upkeep
from ottla.log.errors import LockedError
from ottla.log.memory_files import FaultyFiles, MemoryFiles
from ottla.metadata.log import BrokerIdInUse, MetadataLogError, load_image
from ottla.metadata.sqlite import SqliteMetadataLog
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.init_producer_id import InitProducerIdRequest
from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ottla.protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.protocol.apis.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
)
from ottla.protocol.errors import ErrorCode
from ottla.protocol.stored.metadata import RemoveTopicRecord
from ottla.records.batch import iter_headers, read_records
from tests.support.in_process import Client, RunningBroker, SharedMetadata, batch, produce_request
from tests.support.wires import turns


async def produce(client: Client, *values: bytes, topic: str = "t", acks: int = -1, **options: Any) -> Any:
    request = produce_request(topic, batch(*values, **options), acks=acks)
    return (await client.call(request, 9)).responses[0].partition_responses[0]


async def fetch(client: Client, topic: str = "t", wait_ms: int = 0) -> Any:
    wanted = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    request = FetchRequest(
        topics=[FetchTopic(topic=topic, partitions=[wanted])], max_wait_ms=wait_ms, min_bytes=1, max_bytes=1 << 20
    )
    return (await client.call(request, 12)).responses[0].partitions[0]


def values(answer: Any) -> list[bytes | None]:
    return [r.value for pos, _ in iter_headers(answer.records) for r in read_records(answer.records, pos)]


# ── what survives ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("clean", [True, False])
async def test_topics_and_records_survive_a_restart(broker: RunningBroker, clean: bool) -> None:
    topic_id = (await broker.topic("t")).topic_id
    async with broker.connect() as client:
        for value in (b"a", b"b", b"c"):
            assert (await produce(client, value)).error_code == 0
    await broker.restart(clean=clean)
    found = broker.broker.partitions.get("t", 0)
    assert (found.topic_id, found.is_leader, found.high_watermark) == (topic_id, True, 3)
    async with broker.connect() as client:
        assert values(await fetch(client)) == [b"a", b"b", b"c"]
        assert (await produce(client, b"d")).base_offset == 3


@pytest.mark.parametrize("clean", [True, False])
async def test_a_producer_s_repeated_batch_is_known_after_a_restart(broker: RunningBroker, clean: bool) -> None:
    await broker.topic("t")
    async with broker.connect() as client:
        producer_id = (await client.call(InitProducerIdRequest(transactional_id=None), 4)).producer_id
        options = {"producer_id": producer_id, "producer_epoch": 0}
        assert (await produce(client, b"a", base_sequence=0, **options)).base_offset == 0
        assert (await produce(client, b"b", base_sequence=1, **options)).base_offset == 1
    await broker.restart(clean=clean)
    async with broker.connect() as client:
        again = await produce(client, b"b", base_sequence=1, **options)
        assert (again.error_code, again.base_offset) == (0, 1)
        assert broker.broker.partitions.get("t", 0).log.log_end_offset == 2
        gap = await produce(client, b"d", base_sequence=7, **options)
        assert gap.error_code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
        assert (await produce(client, b"c", base_sequence=2, **options)).base_offset == 2


@pytest.mark.parametrize("clean", [True, False])
async def test_committed_offsets_survive_a_restart(clean: bool) -> None:
    commit = OffsetCommitRequest(
        group_id="g", generation_id_or_member_epoch=-1, member_id="",
        topics=[OffsetCommitRequestTopic(
            name="t", partitions=[OffsetCommitRequestPartition(partition_index=0, committed_offset=42)]
        )],
    )  # fmt: skip
    asked = OffsetFetchRequestGroup(group_id="g", topics=[OffsetFetchRequestTopics(name="t", partition_indexes=[0])])
    async with RunningBroker(**{"offsets.topic.num.partitions": "2"}) as running:
        await running.topic("t")
        async with running.connect() as client:
            await client.call(FindCoordinatorRequest(key="g"), 2)
            assert (await client.call(commit, 8)).topics[0].partitions[0].error_code == 0
        await running.restart(clean=clean)
        async with running.connect() as client:
            answer = await client.call(OffsetFetchRequest(groups=[asked]), 8)
            assert answer.groups[0].topics[0].partitions[0].committed_offset == 42


async def test_what_acks_all_acknowledged_survives_the_loss_of_power() -> None:
    """The disk keeps what was synced, and of the rest what it likes."""
    for seed in range(5):
        files = FaultyFiles(seed)
        async with RunningBroker(files) as running:
            await running.topic("t")
            async with running.connect() as client:
                acked = [b"%d" % n for n in range(10)]
                for value in acked:
                    assert (await produce(client, value)).error_code == 0
                for n in range(5):
                    assert (await produce(client, b"not synced %d" % n, acks=1)).error_code == 0
            await running.broker.stop(clean=False)
            files.crash()
            running.broker = running._make()
            await running.broker.start()
            async with running.connect() as client:
                found = values(await fetch(client))
                assert found[: len(acked)] == acked
                assert all(value is not None and value.startswith(b"not synced") for value in found[len(acked) :])


async def test_the_cluster_keeps_its_id(broker: RunningBroker) -> None:
    cluster_id = broker.broker.cluster_id
    await broker.restart()
    assert broker.broker.cluster_id == cluster_id == broker.broker.image.cluster_id
    assert f"cluster.id={cluster_id}" in broker.files.read_all("/data/meta.properties").decode()


async def test_each_life_of_a_broker_has_a_higher_epoch(broker: RunningBroker) -> None:
    first = broker.broker.epoch
    await broker.restart()
    assert broker.broker.epoch > first


@pytest.mark.parametrize("clean", [True, False])
async def test_a_clean_stop_leaves_the_marker_and_a_kill_does_not(broker: RunningBroker, clean: bool) -> None:
    assert not broker.files.exists("/data/.kafka_cleanshutdown")
    await broker.broker.stop(clean=clean)
    assert broker.files.exists("/data/.kafka_cleanshutdown") == clean
    broker.broker = broker._make()
    await broker.broker.start()
    assert not broker.files.exists("/data/.kafka_cleanshutdown")


async def test_a_folder_that_the_metadata_does_not_know_is_set_aside_with_its_data(
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = MemoryFiles()
    async with RunningBroker(files) as second:
        topic_id = (await second.topic("t")).topic_id
        async with second.connect() as client:
            await produce(client, b"a")
        await second.broker.stop()
        await second.metadata.open("")  # somebody else deletes the topic while this broker is away
        version = (await load_image(second.metadata, "")).version
        await second.metadata.append([RemoveTopicRecord(topic_id=topic_id)], version)
        await second.metadata.close()
        await second.restart()
        assert len(second.broker.partitions) == 0
        (stray,) = [name for name, size in files.list("/data").items() if size < 0]
        assert stray.startswith("t-0.")
        assert stray.endswith("-stray")
        assert files.size(f"/data/{stray}/00000000000000000000.log") > 0
        assert "t-0 is unknown to the metadata" in caplog.text
        assert (await second.topic("t")).high_watermark == 0


async def test_a_lost_metadata_log_is_not_replaced_by_an_empty_one_beside_data() -> None:
    files = MemoryFiles()
    async with RunningBroker(files) as first:
        await first.topic("t")
    with pytest.raises(IdentityError, match=r"/data holds partitions \(t-0, 1 in all\).* restore ottla-metadata\.db"):
        await RunningBroker(files).broker.start()  # its metadata log is a new one
    assert files.exists("/data/t-0/00000000000000000000.log")


# ── what keeps a broker from starting ───────────────────────────────────────────────────────────────────────────────


def free(files: MemoryFiles, folder: str = "/data") -> bool:
    """Whether nobody holds the lock of a log dir."""
    files.lock(f"{folder}/.lock")()
    return True


async def test_the_folder_of_another_node_is_refused_and_left_as_it_was() -> None:
    files = MemoryFiles()
    async with RunningBroker(files, **{"node.id": "7"}):
        pass
    before = files.read_all("/data/meta.properties")
    with pytest.raises(IdentityError, match=r"/data belongs to node 7 .* start with node\.id=7"):
        await RunningBroker(files).broker.start()
    assert files.read_all("/data/meta.properties") == before
    assert files.exists("/data/.kafka_cleanshutdown"), "the next start must not recover for nothing"
    assert free(files)


async def test_a_folder_of_another_cluster_than_the_metadata_s_is_refused() -> None:
    files, metadata = MemoryFiles(), SharedMetadata()
    async with RunningBroker(files) as first:
        theirs = first.broker.cluster_id
    async with RunningBroker(metadata=metadata) as second:
        with pytest.raises(IdentityError, match=theirs) as caught:
            await RunningBroker(files, metadata=metadata, **{"node.id": "1"}).broker.start()
        assert second.broker.cluster_id in str(caught.value)
    assert theirs in files.read_all("/data/meta.properties").decode()
    assert free(files)


async def test_a_locked_folder_is_refused_and_stays_its_owner_s(broker: RunningBroker) -> None:
    with pytest.raises(LockedError, match=r"/data/\.lock is locked by"):
        await RunningBroker(broker.files).broker.start()
    with pytest.raises(LockedError):
        broker.files.lock("/data/.lock")


async def test_the_second_log_dir_being_locked_frees_the_first() -> None:
    files = MemoryFiles()
    files.mkdir("/two")
    files.lock("/two/.lock")
    with pytest.raises(LockedError):
        await RunningBroker(files, **{"log.dirs": "/one,/two"}).broker.start()
    assert free(files, "/one")


async def test_a_taken_port_leaves_nothing_behind(broker: RunningBroker) -> None:
    files = MemoryFiles()
    with pytest.raises(OSError, match="in use"):
        await RunningBroker(files, listeners=f"PLAINTEXT://127.0.0.1:{broker.port}").broker.start()
    assert free(files)
    async with RunningBroker(files):
        pass


async def test_a_broker_id_in_use_leaves_nothing_behind() -> None:
    metadata, files = SharedMetadata(), MemoryFiles()
    async with RunningBroker(metadata=metadata) as first:
        with pytest.raises(BrokerIdInUse):
            await RunningBroker(files, metadata=metadata).broker.start()
        assert free(files)
        assert await metadata.alive() == {first.broker.node_id}


# ── several brokers ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_brokers_of_one_process_know_nothing_of_each_other(broker: RunningBroker) -> None:
    async with RunningBroker() as other:
        await broker.topic("mine")
        await other.topic("theirs")
        assert broker.port != other.port
        assert broker.broker.cluster_id != other.broker.cluster_id
        assert [topic.name for topic in broker.broker.image.topics] == ["mine"]
        assert [topic.name for topic in other.broker.image.topics] == ["theirs"]
        async with broker.connect() as client:
            await client.call(MetadataRequest(topics=[]), 4)
        assert (broker.broker.metrics.requests, other.broker.metrics.requests) == (1, 0)


async def until(condition: Any) -> None:
    """Give the loop turns until something holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_two_brokers_of_one_cluster_send_clients_to_the_leader() -> None:
    metadata = SharedMetadata()
    async with (
        RunningBroker(metadata=metadata, **{"node.id": "1", "num.partitions": "2"}) as one,
        RunningBroker(metadata=metadata, **{"node.id": "2", "num.partitions": "2"}) as two,
    ):
        await until(lambda: one.broker.live_brokers == {1, 2} == two.broker.live_brokers)
        async with one.connect() as client:
            wanted = MetadataRequest(topics=[MetadataRequestTopic(name="t")], allow_auto_topic_creation=True)
            await client.call(wanted, 12)
            answer = await client.call(wanted, 12)
            assert [(node.node_id, node.port) for node in answer.brokers] == [(1, one.port), (2, two.port)]
            leaders = {item.partition_index: item.leader_id for item in answer.topics[0].partitions}
            assert sorted(leaders.values()) == [1, 2]
            await until(lambda: "t" in two.broker.image.topics.names())
            for index, leader in leaders.items():
                request = produce_request("t", batch(b"v"), partition=index)
                here = (await client.call(request, 10)).responses[0].partition_responses[0]
                assert here.error_code == (0 if leader == 1 else ErrorCode.NOT_LEADER_OR_FOLLOWER)
                if leader == 2:
                    assert here.current_leader.leader_id == 2
                    async with two.connect() as other:
                        there = (await other.call(request, 10)).responses[0].partition_responses[0]
                        assert there.error_code == 0


async def test_topics_and_configs_of_one_broker_reach_the_other_over_a_file(tmp_path: Path) -> None:
    """Two logs on one file, as two processes have them."""
    path = tmp_path / "metadata.db"
    async with (
        RunningBroker(metadata=SqliteMetadataLog(path), **{"node.id": "1"}) as one,
        RunningBroker(metadata=SqliteMetadataLog(path), **{"node.id": "2"}) as two,
    ):
        assert one.broker.cluster_id == two.broker.cluster_id
        created = await asyncio.gather(
            *(running.broker.controller.submit(_create(running, name)) for running in (one, two) for name in "ab")
        )
        assert sorted(code for response in created for code in [response.topics[0].error_code]) == [0, 0, 36, 36]
        await until(lambda: one.broker.image.version == two.broker.image.version)
        assert one.broker.image == two.broker.image
        assert len(one.broker.partitions) + len(two.broker.partitions) == 2


def _create(running: RunningBroker, name: str) -> Any:
    from ottla.broker.chance import RANDOM
    from ottla.controller.topics import create_topics
    from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest

    topic = CreatableTopic(name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[])
    request = CreateTopicsRequest(topics=[topic], timeout_ms=1000)
    return lambda image: create_topics(image, request, levels=running.broker.config.levels_in(image), random=RANDOM)


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_stop_does_not_wait_for_clients_or_waiting_fetches() -> None:
    running = RunningBroker()
    await running.broker.start()
    await running.topic("t")
    tasks_before = asyncio.all_tasks()
    clients = [Client(running.port) for _ in range(5)]
    waiting = []
    for client in clients:
        await client.__aenter__()
        waiting.append(asyncio.create_task(fetch(client, wait_ms=60_000)))
    await until(lambda: len(running.broker.partitions.get("t", 0).fetches_waiting) == 5)
    began = time.monotonic()
    await running.broker.stop()
    assert time.monotonic() - began < 1
    for each in waiting:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await each
    for client in clients:
        client.writer.close()
    await turns()
    assert asyncio.all_tasks() <= tasks_before - set(running.broker._tasks)
    assert running.broker.metrics.connections_open == 0


async def test_a_stopped_broker_takes_no_connection(broker: RunningBroker) -> None:
    port = broker.port
    await broker.broker.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    broker.broker = broker._make()
    await broker.broker.start()


async def test_stop_twice_is_no_error(broker: RunningBroker) -> None:
    await broker.broker.stop()
    await broker.broker.stop()
    broker.broker = broker._make()
    await broker.broker.start()


async def test_a_metadata_log_that_fails_makes_the_broker_say_so(
    broker: RunningBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(version: int) -> int:
        raise MetadataLogError("cannot use the metadata log: disk I/O error; look at the file's disk")

    broker.broker.metadata.wait = fail  # type: ignore[method-assign]
    await broker.topic("t")
    await asyncio.wait_for(broker.broker.failed.wait(), 5)
    assert "disk I/O error" in caplog.text


async def test_a_start_that_is_cancelled_leaves_nothing_behind() -> None:
    files = MemoryFiles()
    running = RunningBroker(files)
    running.broker.metadata.register = lambda broker_id: asyncio.Event().wait()  # type: ignore[assignment, return-value]
    starting = asyncio.create_task(running.broker.start())
    await turns(10)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert free(files)


# ── upkeep ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_retention_and_checkpoints_run_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    times: dict[str, int] = {"retention": 0, "checkpoint": 0}

    def counts(what: str) -> Callable[[Upkeep], Coroutine[Any, Any, None]]:
        async def work(_: Upkeep) -> None:
            times[what] += 1

        return work

    monkeypatch.setattr(Upkeep, "apply_retention", counts("retention"))
    monkeypatch.setattr(Upkeep, "checkpoint", counts("checkpoint"))
    intervals = {
        "log.initial.task.delay.ms": "0",
        "log.retention.check.interval.ms": "1",
        "log.flush.offset.checkpoint.interval.ms": "1",
    }
    async with RunningBroker(**intervals):
        await until(lambda: min(times.values()) > 2)
    after = dict(times)
    await turns(10)
    assert times == after, "not after the stop"


async def test_a_checkpoint_says_how_far_the_log_is_synced(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    await produce(client, b"a", b"b")
    await broker.broker.upkeep.checkpoint()
    assert broker.files.read_all("/data/recovery-point-offset-checkpoint").decode().split() == ["0", "1", "t", "0", "2"]
