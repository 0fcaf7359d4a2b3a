"""Records handed to members of a share group, and what becomes of them: through sockets, with state that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ottla.broker.partition import Partition
from ottla.protocol.apis.share_fetch import FetchPartition
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import iter_headers
from tests.support.in_process import RunningBroker, batch, produce_request
from tests.support.share_member import ACCEPT, REJECT, RELEASE, RENEW, ShareMember, error_of, handed_out

LOCK_MS = 1000


@pytest.fixture
async def running() -> AsyncIterator[RunningBroker]:
    sets = {
        "group.share.record.lock.duration.ms": str(LOCK_MS), "group.share.min.record.lock.duration.ms": "1000",
        "share.coordinator.state.topic.num.partitions": "1", "group.share.max.share.sessions": "3",
    }  # fmt: skip
    async with RunningBroker(**sets) as broker:
        yield broker


async def topic(running: RunningBroker, *values: bytes, start: int = 0) -> Partition:
    """A topic with one batch of values, and a share group that begins at `start` (-1: where it is told to)."""
    partition = await running.topic("t")
    async with running.connect() as client:
        for value in values:
            await client.call(produce_request("t", batch(value)), 9)
    await running.broker.persister.initialize("g", partition.topic_id, 0, 1, start)
    return partition


async def produce(running: RunningBroker, *values: bytes) -> None:
    async with running.connect() as client:
        await client.call(produce_request("t", batch(*values)), 9)


async def first_fetch(member: ShareMember, **fields: int) -> list[tuple[int, int]]:
    """Fetch; the first one of a group has to wait for its state."""
    got = await member.fetch(max_wait_ms=5000, **fields)
    return [(record.offset, record.delivery_count) for record in got]


async def test_each_record_goes_to_one_member(running: RunningBroker) -> None:
    partition = await topic(running, b"a", b"b", b"c")
    async with ShareMember(running, partition.topic_id) as one, ShareMember(running, partition.topic_id) as two:
        assert await first_fetch(one, max_records=2) == [(0, 1), (1, 1)]
        assert await first_fetch(two) == [(2, 1)]
        assert await one.fetch() == []


async def test_what_is_accepted_is_done_with_and_kept(running: RunningBroker) -> None:
    partition = await topic(running, b"a", b"b", b"c")
    async with ShareMember(running, partition.topic_id) as one:
        await first_fetch(one)
        assert error_of(await one.acknowledge((0, 1, [ACCEPT]))) == (0, None)
    await running.restart(clean=False)
    partition = running.broker.partitions.get("t", 0)
    async with ShareMember(running, partition.topic_id) as two:
        assert await first_fetch(two) == [(2, 2)]


async def test_what_is_released_comes_again_and_the_last_time_alone(running: RunningBroker) -> None:
    partition = await topic(running)
    await produce(running, b"a", b"b", b"c", b"d")
    async with ShareMember(running, partition.topic_id) as one:
        counts = [await first_fetch(one)]
        for _ in range(4):
            await one.acknowledge(*((offset, offset, [RELEASE]) for offset, _ in counts[-1]))
            counts.append(await first_fetch(one))
        assert counts[:3] == [[(offset, count) for offset in range(4)] for count in (1, 2, 3)]
        assert counts[3:] == [[(0, 4), (1, 4)], [(0, 5)]]  # half of the batch, then each alone
        await one.acknowledge((0, 0, [RELEASE]))  # that was the fifth time: archived
        assert await first_fetch(one) == [(1, 5)]


async def test_a_lock_that_ends_gives_the_record_to_another(running: RunningBroker) -> None:
    partition = await topic(running, b"a")
    async with ShareMember(running, partition.topic_id) as one, ShareMember(running, partition.topic_id) as two:
        assert await first_fetch(one) == [(0, 1)]
        assert await first_fetch(two) == [(0, 2)]  # waited for the lock
        late = error_of(await one.acknowledge((0, 0, [ACCEPT])))
        assert late == (ErrorCode.INVALID_RECORD_STATE, "Member is not the owner of batch record")
        assert running.broker.share_partitions.metrics.acquisition_lock_timeouts == 1


async def test_a_renewed_lock_holds_on(running: RunningBroker) -> None:
    partition = await topic(running, b"a")
    async with ShareMember(running, partition.topic_id) as one, ShareMember(running, partition.topic_id) as two:
        await first_fetch(one)
        began = asyncio.get_running_loop().time()
        renewed = await one.acknowledge((0, 0, [RENEW]), renew=True)
        assert error_of(renewed) == (0, None)
        assert renewed.acquisition_lock_timeout_ms == LOCK_MS
        host = next(iter(running.broker.share_partitions))
        deadline = host.machine.next_deadline_ms()
        assert deadline is not None
        assert deadline >= int(began * 1000) + LOCK_MS
        assert await two.fetch() == []
        assert error_of(await one.acknowledge((0, 0, [RENEW]))) == (ErrorCode.INVALID_REQUEST, None)


async def test_a_renewal_may_not_read(running: RunningBroker) -> None:
    partition = await topic(running, b"a", b"b")
    async with ShareMember(running, partition.topic_id) as one:
        await first_fetch(one, max_records=1)
        nothing = {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 0, "max_records": 0}
        response = await one.fetch_raw((0, 0, [RENEW]), is_renew_ack=True, **nothing)
        (partition_data,) = response.responses[0].partitions
        assert (partition_data.acknowledge_error_code, partition_data.acquired_records) == (0, [])
        wrong = await one.fetch_raw((0, 0, [RENEW]), is_renew_ack=True, **{**nothing, "max_records": 1})
        assert wrong.error_code == ErrorCode.INVALID_REQUEST


async def test_a_connection_that_ends_releases_what_it_held(running: RunningBroker) -> None:
    partition = await topic(running, b"a")
    async with ShareMember(running, partition.topic_id) as two:
        async with ShareMember(running, partition.topic_id) as one:
            assert await first_fetch(one) == [(0, 1)]
            await two.fetch()
            waiting = asyncio.create_task(first_fetch(two))
            await asyncio.sleep(0)
        assert await waiting == [(0, 2)]
    assert running.broker.share_partitions.metrics.share_session_evictions >= 1


async def test_the_final_epoch_takes_acknowledgements_and_releases_the_rest(running: RunningBroker) -> None:
    partition = await topic(running, b"a", b"b")
    async with ShareMember(running, partition.topic_id) as one, ShareMember(running, partition.topic_id) as two:
        await first_fetch(one)
        response = await one.fetch_raw((0, 0, [ACCEPT]), epoch=-1, max_wait_ms=5000)
        assert (response.error_code, handed_out(response)) == (0, [])
        assert await first_fetch(two) == [(1, 2)]
        assert (await one.fetch_raw(epoch=-1)).error_code == ErrorCode.SHARE_SESSION_NOT_FOUND


async def test_acknowledgements_ride_along_with_a_fetch(running: RunningBroker) -> None:
    partition = await topic(running, b"a", b"b")
    async with ShareMember(running, partition.topic_id) as one:
        await first_fetch(one, max_records=1)
        response = await one.fetch_raw((0, 0, [ACCEPT]))
        (data,) = response.responses[0].partitions
        assert data.acknowledge_error_code == 0
        assert [record.offset for record in handed_out(response)] == [1]
        again = await one.fetch_raw((0, 0, [ACCEPT]))
        assert again.responses[0].partitions[0].acknowledge_error_code == 0  # below the start offset by now
        wrong = await one.fetch_raw((1, 7, [ACCEPT]))
        data = wrong.responses[0].partitions[0]
        assert data.acknowledge_error_code == ErrorCode.INVALID_REQUEST
        assert "last offset in request is past" in data.acknowledge_error_message


async def test_record_limit_hands_out_no_more_than_asked_and_the_rest_to_others(running: RunningBroker) -> None:
    partition = await topic(running)
    await produce(running, *(b"%d" % n for n in range(10)))
    async with ShareMember(running, partition.topic_id) as one, ShareMember(running, partition.topic_id) as two:
        limited = {"max_records": 3, "share_acquire_mode": 1}
        assert await first_fetch(one, **limited) == [(0, 1), (1, 1), (2, 1)]
        assert await first_fetch(two, **limited) == [(3, 1), (4, 1), (5, 1)]
        assert await first_fetch(one, max_records=1) == [(offset, 1) for offset in range(6, 10)]


async def test_batch_optimised_gives_whole_batches(running: RunningBroker) -> None:
    partition = await topic(running)
    await produce(running, *(b"%d" % n for n in range(4)))
    await produce(running, *(b"%d" % n for n in range(4)))
    async with ShareMember(running, partition.topic_id) as one:
        response = await one.fetch_raw(max_wait_ms=5000, max_records=5, batch_size=2)
        pieces = response.responses[0].partitions[0].acquired_records
        assert [(p.first_offset, p.last_offset, p.delivery_count) for p in pieces] == [(0, 3, 1), (4, 7, 1)]


async def test_only_the_batches_of_what_was_handed_out_are_sent(running: RunningBroker) -> None:
    partition = await topic(running, b"a", b"b", b"c", b"d")
    async with ShareMember(running, partition.topic_id) as one:
        response = await one.fetch_raw(max_wait_ms=5000, max_records=2)
        records = response.responses[0].partitions[0].records
        assert [header.base_offset for _, header in iter_headers(records)] == [0, 1]


@pytest.mark.parametrize(("reset", "expected"), [("latest", []), ("earliest", [0, 1]), ("by_duration:PT1H", [1])])
async def test_where_a_new_group_begins(running: RunningBroker, reset: str, expected: list[int]) -> None:
    from tests.support.share_configs import set_group_config

    partition = await topic(running, start=-1)
    hour = 3_600_000
    async with running.connect() as client:
        old = running.clock.time_ms - 2 * hour
        await client.call(produce_request("t", batch(b"old", timestamp=old)), 9)
        await client.call(produce_request("t", batch(b"new", timestamp=running.clock.time_ms)), 9)
    await set_group_config(running, "g", {"share.auto.offset.reset": reset})
    async with ShareMember(running, partition.topic_id) as one:
        got = [record.offset for record in await one.fetch(max_wait_ms=0 if not expected else 5000)]
        while not next(iter(running.broker.share_partitions)).machine.next_offset and not expected:
            got += [record.offset for record in await one.fetch(max_wait_ms=1)]
        assert got == expected


async def test_latest_is_remembered_before_the_first_acknowledgement(running: RunningBroker) -> None:
    """Else a crash would begin at a later end and lose what came between."""
    partition = await topic(running, b"before", start=-1)
    async with ShareMember(running, partition.topic_id) as one:
        assert await one.fetch(max_wait_ms=1) == []
        while (await running.broker.persister.summary("g", partition.topic_id, 0, 0)).start_offset != 1:
            await one.fetch(max_wait_ms=1)
        await produce(running, b"after")
    await running.restart(clean=False)
    partition = running.broker.partitions.get("t", 0)
    async with ShareMember(running, partition.topic_id) as two:
        assert await first_fetch(two) == [(1, 1)]


async def test_deleted_records_are_skipped(running: RunningBroker) -> None:
    partition = await topic(running, b"a", b"b", b"c")
    async with ShareMember(running, partition.topic_id) as one:
        await first_fetch(one, max_records=1)
        partition.delete_records_before(2)
        assert await first_fetch(one) == [(2, 1)]
        assert error_of(await one.acknowledge((0, 2, [ACCEPT]))) == (0, None)


async def test_a_deleted_topic_ends_its_share_partitions(running: RunningBroker) -> None:
    from ottla.protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicState

    partition = await topic(running, b"a")
    async with ShareMember(running, partition.topic_id) as one, running.connect() as client:
        await first_fetch(one)
        state = DeleteTopicState(name=None, topic_id=partition.topic_id)
        await client.call(DeleteTopicsRequest(topics=[state], timeout_ms=5000), 6)
        response = await one.fetch_raw()
        assert response.responses[0].partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert len(running.broker.share_partitions) == 0


async def test_sessions_are_limited_and_epochs_checked(running: RunningBroker) -> None:
    partition = await topic(running, b"a")
    async with ShareMember(running, partition.topic_id) as one:
        assert (await one.fetch_raw(epoch=5)).error_code == ErrorCode.SHARE_SESSION_NOT_FOUND
        assert (await one.fetch_raw((0, 0, [ACCEPT]), epoch=0)).error_code == ErrorCode.INVALID_REQUEST
        await first_fetch(one)
        assert (await one.fetch_raw(epoch=7)).error_code == ErrorCode.INVALID_SHARE_SESSION_EPOCH
        assert (await one.acknowledge((0, 0, [ACCEPT]), epoch=0)).error_code == ErrorCode.INVALID_SHARE_SESSION_EPOCH
        one.member = "x" * 37
        assert (await one.fetch_raw(epoch=0)).error_code == ErrorCode.INVALID_REQUEST
        for name in ("two", "three"):
            one.member = name
            assert (await one.fetch_raw(epoch=0)).error_code == 0
        one.member = "four"
        assert (await one.fetch_raw(epoch=0)).error_code == ErrorCode.SHARE_SESSION_LIMIT_REACHED
        (listener,) = running.broker.listeners
        one.client.send(one.fetch_request(epoch=0, max_wait_ms=600_000), one.version)
        async with asyncio.timeout(10):
            while not listener.tasks:
                await asyncio.sleep(0)
    async with asyncio.timeout(10):  # who hangs up is not slowed down any more
        while listener.tasks:
            await asyncio.sleep(0)


async def test_a_full_partition_hands_out_nothing_new(running: RunningBroker) -> None:
    running.sets["group.share.partition.max.record.locks"] = "100"
    await running.restart()
    partition = await topic(running)
    for _ in range(3):
        await produce(running, *(b"x" for _ in range(60)))
    async with ShareMember(running, partition.topic_id) as one:
        assert len(await first_fetch(one)) == 120  # a batch of the log is not cut
        assert await one.fetch() == []
        await one.acknowledge((0, 59, [ACCEPT]))
        assert len(await one.fetch()) == 60


async def test_rejected_records_are_archived(running: RunningBroker) -> None:
    partition = await topic(running, b"a", b"b")
    async with ShareMember(running, partition.topic_id) as one:
        await first_fetch(one)
        await one.acknowledge((0, 1, [REJECT, ACCEPT]))
        host = next(iter(running.broker.share_partitions))
        assert (host.machine.start_offset, host.machine.is_idle) == (2, True)
        counted = running.broker.share_partitions.metrics.record_acknowledgements
        assert (counted[ACCEPT], counted[REJECT]) == (1, 1)


async def test_the_first_partition_that_is_loaded_answers_the_first_fetch() -> None:
    """As in Kafka: it does not wait for the states of the others, which come with the next fetch."""
    sets = {"num.partitions": "2", "share.coordinator.state.topic.num.partitions": "1"}
    async with RunningBroker(**sets) as running:
        topic_id = (await running.topic("t")).topic_id
        async with running.connect() as client:
            for index in range(2):
                await client.call(produce_request("t", batch(b"a", b"b"), partition=index), 9)
        for index in range(2):
            await running.broker.persister.initialize("g", topic_id, index, 1, 0)
        async with ShareMember(running, topic_id) as one:
            request = one.fetch_request(max_wait_ms=5000)
            request.topics[0].partitions = [FetchPartition(partition_index=index) for index in range(2)]
            first = await one.client.call(request, one.version)
            one.epoch += 1
            assert [len(handed_out(answer)) for answer in (first, await one.fetch_raw(max_wait_ms=5000))] == [2, 2]
