"""Streams groups through a running broker: internal topics, restarts, and what the handlers check themselves.

What groups do is tested in tests/coordinator/groups/streams.
"""

from __future__ import annotations

from typing import Any

import pytest

from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.streams_group_describe import StreamsGroupDescribeRequest
from ottla.protocol.apis.streams_group_heartbeat import (
    KeyValue,
    StreamsGroupHeartbeatRequest,
    Subtopology,
    TopicInfo,
    Topology,
)
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker

NO_DELAY = {"group.streams.initial.rebalance.delay.ms": "0"}
MISSING_INTERNAL_TOPICS = 3


def counting(source: str = "in", **log: Any) -> Topology:
    """One subtopology that keeps state in a changelog `log`."""
    changelog = TopicInfo(name="log", **log)
    each = Subtopology(subtopology_id="0", source_topics=[source], state_changelog_topics=[changelog])
    return Topology(epoch=0, subtopologies=[each])


async def beat(client: Client, epoch: int, member: str = "m", **fields: Any) -> Any:
    request = StreamsGroupHeartbeatRequest(group_id="g", member_id=member, member_epoch=epoch, **fields)
    return await client.call(request, 0)


async def join(client: Client, topology: Topology | None = None) -> Any:
    return await beat(
        client, 0, topology=topology or counting(), rebalance_timeout_ms=1000, process_id="p", active_tasks=[],
        standby_tasks=[], warmup_tasks=[],
    )  # fmt: skip


async def describe(client: Client, *groups: str, **fields: Any) -> Any:
    return (await client.call(StreamsGroupDescribeRequest(group_ids=list(groups), **fields), 0)).groups


@pytest.fixture
async def streams_broker() -> Any:
    """A broker that assigns at once, with a topic `in` of one partition and the coordinator's topic."""
    async with RunningBroker(**NO_DELAY) as running:
        async with running.connect() as client:
            await client.call(FindCoordinatorRequest(key="g"), 0)
        await running.topic("in")
        yield running


async def created(broker: RunningBroker) -> None:
    """Wait until what the last heartbeat asked for was tried."""
    for task in list(broker.broker.groups.streams_topics._tasks):
        await task


async def test_internal_topics_are_made_as_the_topology_asks(streams_broker: RunningBroker) -> None:
    async with streams_broker.connect() as client:
        configs = [KeyValue(key="cleanup.policy", value="compact")]
        first = await join(client, counting(topic_configs=configs))
        assert [status.status_code for status in first.status] == [MISSING_INTERNAL_TOPICS]
        await created(streams_broker)
        second = await beat(client, first.member_epoch)
    assert (second.status, second.active_tasks[0].partitions) == ([], [0])
    image = streams_broker.broker.image
    assert len(image.topics.get("log").partitions) == 1
    assert image.configs.get(2, "log") == {"cleanup.policy": "compact"}


async def test_why_a_topic_could_not_be_made_is_told(streams_broker: RunningBroker) -> None:
    async with streams_broker.connect() as client:
        first = await join(client, counting(replication_factor=3))
        await created(streams_broker)
        second = await beat(client, first.member_epoch)
    (status,) = second.status
    assert status.status_code == MISSING_INTERNAL_TOPICS
    assert "; Creation failed: log (Unable to replicate the partition 3 time(s)" in status.status_detail


async def test_a_restart_keeps_the_group(streams_broker: RunningBroker) -> None:
    async with streams_broker.connect() as client:
        await join(client)
        await created(streams_broker)
        stable = await beat(client, 2)
        (before,) = await describe(client, "g")
    await streams_broker.restart(clean=False)
    async with streams_broker.connect() as client:
        (after,) = await describe(client, "g")
        again = await beat(client, stable.member_epoch)
        assert (await beat(client, -1)).error_code == ErrorCode.NONE
    assert (before.group_state, after.group_state) == ("Stable", "Stable")
    assert (after.members, after.group_epoch) == (before.members, before.group_epoch)
    assert (again.error_code, again.member_epoch, again.active_tasks) == (ErrorCode.NONE, stable.member_epoch, None)


@pytest.mark.parametrize("name", ["__consumer_offsets", "not a name", ""])
async def test_topics_must_be_the_users_own(streams_broker: RunningBroker, name: str) -> None:
    async with streams_broker.connect() as client:
        refused = await join(client, counting(name))
    assert refused.error_code == ErrorCode.STREAMS_INVALID_TOPOLOGY


async def test_unknown_groups_are_described_as_errors(streams_broker: RunningBroker) -> None:
    async with streams_broker.connect() as client:
        unknown, nameless = await describe(client, "x", "", include_authorized_operations=True)
    assert (unknown.error_code, unknown.error_message) == (ErrorCode.GROUP_ID_NOT_FOUND, "Group x not found.")
    assert nameless.error_code == ErrorCode.INVALID_GROUP_ID


async def test_streams_groups_can_be_switched_off() -> None:
    sets = {"group.coordinator.rebalance.protocols": "classic"}
    async with RunningBroker(**sets) as broker, broker.connect() as client:
        joined = await join(client)
        (described,) = await describe(client, "g")
    assert joined.error_code == described.error_code == ErrorCode.UNSUPPORTED_VERSION
