"""The coordinators' topics are compacted while they are written, and a start from what is left knows the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ottla.log.log import Log
from ottla.protocol.apis.delete_groups import DeleteGroupsRequest
from ottla.protocol.apis.describe_groups import DescribeGroupsRequest
from ottla.protocol.apis.describe_transactions import DescribeTransactionsRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.list_groups import ListGroupsRequest
from ottla.protocol.errors import ErrorCode
from tests.broker.handlers.test_groups import committed, committing, join
from tests.broker.test_flush import until
from tests.support.in_process import Client, RunningBroker
from tests.support.transactions import Producer, committed_offset, read_committed, settled

OFFSETS, TRANSACTIONS = "__consumer_offsets", "__transaction_state"
GROUPS = [f"group-{number}" for number in range(4)]
IDS = [f"app-{number}" for number in range(3)]
SETS = {
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "log.cleaner.backoff.ms": "2",
    "log.cleaner.min.cleanable.ratio": "0",
    "log.cleaner.delete.retention.ms": "1000",
}


def log_of(running: RunningBroker, topic: str) -> Log:
    return running.broker.partitions.get(topic, 0).log


async def compacted(running: RunningBroker) -> None:
    """Roll both topics, and wait until the cleaner has nothing left to do."""
    cleaner = running.broker.upkeep.cleaner
    for topic in (OFFSETS, TRANSACTIONS):
        log_of(running, topic).roll(running.clock.now_ms())
    await until(lambda: not cleaner.busy and cleaner._choose() is None)
    assert not cleaner.uncleanable


async def known(client: Client) -> dict[str, Any]:
    """All that clients can learn of groups, their offsets and transactions."""
    groups = await client.call(ListGroupsRequest(states_filter=[]), 4)
    described = await client.call(DescribeGroupsRequest(groups=["g", *GROUPS]), 5)
    transactions = await client.call(DescribeTransactionsRequest(transactional_ids=IDS), 0)
    offsets = {group: await committed(client, group) for group in GROUPS}
    # An id that only aborted transactions named is an empty group while the broker runs, in Kafka too.
    real = {"g", *(group for group, found in offsets.items() if found)}
    return {
        "groups": sorted(
            (each.group_id, each.protocol_type, each.group_state) for each in groups.groups if each.group_id in real
        ),
        "members": [
            (each.group_id, each.group_state, each.protocol_data, [row.member_id for row in each.members])
            for each in described.groups
            if each.group_id in real
        ],
        "offsets": offsets,
        "transactions": [
            (each.transactional_id, each.error_code, each.transaction_state, each.producer_id, each.producer_epoch)
            for each in transactions.transaction_states
        ],
    }


async def random_use(
    client: Client, producers: list[Producer], rng: random.Random, steps: int, groups: list[str] = GROUPS
) -> None:
    for step in range(steps):
        group = rng.choice(groups)
        what = rng.random()
        if what < 0.5:
            answer = await client.call(committing(9, group_id=group, offset=step), 9)
            assert answer.topics[0].partitions[0].error_code == 0
        elif what < 0.9:
            producer = rng.choice(producers)
            assert await producer.produce(b"%d" % step) == 0
            if rng.random() < 0.7:
                assert await producer.commit_offset(1000 + step, group) == 0
            assert await producer.end(commit=rng.random() < 0.5) == 0
            await settled(client, producer.transactional_id)
        else:
            answer = await client.call(DeleteGroupsRequest(groups_names=[group]), 2)
            assert answer.results[0].error_code in (0, ErrorCode.GROUP_ID_NOT_FOUND)


@pytest.mark.parametrize("seed", range(2))
async def test_what_compaction_leaves_of_the_coordinators_topics_loads_to_the_same_state(seed: int) -> None:
    rng = random.Random(seed)
    async with RunningBroker(**SETS) as running:
        async with running.connect() as client:
            await client.call(FindCoordinatorRequest(key="g"), 0)
            await running.topic("t")
            await join(client)
            producers = [Producer(client, name) for name in IDS]
            assert [await producer.init() for producer in producers] == [0, 0, 0]
        for clean in (False, True, False):
            async with running.connect() as client:
                for producer in producers:
                    producer.client = client
                appended = running.broker.partitions.get(OFFSETS, 0).appends
                for _ in range(2):
                    await random_use(client, producers, rng, 20)
                    await compacted(running)
                    running.clock.time_ms += rng.choice([0, 2000])  # past the horizon of tombstones and markers
                assert running.broker.upkeep.cleaner.passes >= 3
                before = await known(client)
                records = await read_committed(client)
                assert running.broker.partitions.get(OFFSETS, 0).appends > appended + 10
            await running.restart(clean=clean)
            async with running.connect() as client:
                assert await known(client) == before
                assert await read_committed(client) == records
        left = sum(segment.size for segment in log_of(running, TRANSACTIONS).segments[:-1])
        assert 0 < left < 3000, "of hundreds of states the last of each id"


async def test_an_open_transaction_with_offsets_outlives_compaction_and_a_restart() -> None:
    async with RunningBroker(**SETS) as running:
        async with running.connect() as client:
            await client.call(FindCoordinatorRequest(key="g"), 0)
            await running.topic("t")
            producer, other = Producer(client, "app-0"), Producer(client, "app-1")
            assert [await producer.init(), await other.init()] == [0, 0]
            await random_use(client, [other], random.Random(3), 20, GROUPS[1:])
            answer = await client.call(committing(9, group_id="group-0", offset=1), 9)
            assert answer.topics[0].partitions[0].error_code == 0
            assert [await producer.produce(b"last"), await producer.commit_offset(77, "group-0")] == [0, 0]
            await random_use(client, [other], random.Random(4), 20, GROUPS[1:])
            answer = await client.call(committing(9, group_id="group-1", offset=5), 9)
            assert answer.topics[0].partitions[0].error_code == 0
            await compacted(running)
            assert (await committed_offset(client, group="group-0"))[0] == ErrorCode.UNSTABLE_OFFSET_COMMIT
            cleaned = running.broker.logs.cleaner_offset(log_of(running, OFFSETS))
            assert cleaned is None or cleaned <= log_of(running, OFFSETS).last_stable_offset
        await running.restart(clean=False)
        async with running.connect() as client:
            producer.client = client
            assert (await committed_offset(client, group="group-0"))[0] == ErrorCode.UNSTABLE_OFFSET_COMMIT
            assert await producer.end() == 0
            await settled(client, "app-0")
            assert await committed_offset(client, group="group-0") == (0, 77)
            assert b"last" in await read_committed(client)
            await compacted(running)
        await running.restart(clean=False)
        async with running.connect() as client:
            assert await committed_offset(client, group="group-0") == (0, 77)
            assert await committed_offset(client, group="group-1") == (0, 5)
