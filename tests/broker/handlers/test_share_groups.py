"""The APIs of share groups through a running broker: members, share partitions' state, offsets, restarts.

What members do to a group is tested in tests/coordinator/groups; here it is the group coordinator and the share coordinator
together, what is stored, and the errors of the handlers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ottla.broker.auto_create import auto_create
from ottla.broker.coordinators.share_state import coordinator_key
from ottla.broker.share.persister import ShareState, ShareStateSummary, StateBatch
from ottla.coordinator.groups.share.group import session_key
from ottla.coordinator.share_state.records import SharePartitionKey
from ottla.protocol.apis.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from ottla.protocol.apis.delete_groups import DeleteGroupsRequest
from ottla.protocol.apis.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
)
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest
from ottla.protocol.apis.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsRequestTopic,
)
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.apis.list_groups import ListGroupsRequest
from ottla.protocol.apis.share_group_describe import ShareGroupDescribeRequest
from ottla.protocol.apis.share_group_heartbeat import ShareGroupHeartbeatRequest
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.support.in_process import Client, RunningBroker

GROUP_CONFIGS = 32
SET = 0


class Member:
    """A member that sends heartbeats."""

    def __init__(self, client: Client, name: str = "member", group_id: str = "g") -> None:
        self.client, self.name, self.group_id = client, name, group_id
        self.epoch = 0
        self.assignment: dict[bytes, list[int]] = {}

    async def beat(self, *topics: str, epoch: int | None = None) -> Any:
        request = ShareGroupHeartbeatRequest(
            group_id=self.group_id, member_id=self.name, member_epoch=self.epoch if epoch is None else epoch,
            subscribed_topic_names=list(topics) or None,
        )  # fmt: skip
        response = await self.client.call(request, 1)
        if response.error_code == ErrorCode.NONE:
            self.epoch = max(response.member_epoch, 0)
            if response.assignment is not None:
                self.assignment = {t.topic_id: t.partitions for t in response.assignment.topic_partitions}
        return response

    async def leave(self) -> Any:
        return await self.beat(epoch=-1)


@pytest.fixture
async def broker() -> AsyncIterator[RunningBroker]:
    async with RunningBroker(**{"num.partitions": "2"}) as running:
        assert await auto_create(running.broker, ["t", "u"]) == {}
        await running.broker.groups.ensure_topic()
        yield running


def topic_id(running: RunningBroker, name: str = "t") -> bytes:
    topic = running.broker.image.topics.get(name)
    assert topic is not None
    return topic.id


async def initialized(running: RunningBroker) -> None:
    """Wait until what heartbeats began at the share coordinator is done."""
    await asyncio.gather(*running.broker.share_groups._tasks)


async def joined(running: RunningBroker, client: Client, *topics: str, name: str = "member") -> Member:
    """Become a member that has its partitions."""
    member = Member(client, name)
    await member.beat(*(topics or ("t",)))
    await initialized(running)
    await member.beat()
    return member


def describing(*topics: str, group_id: str = "g", partitions: tuple[int, ...] = (0, 1)) -> Any:
    asked = [DescribeShareGroupOffsetsRequestTopic(topic_name=name, partitions=list(partitions)) for name in topics]
    group = DescribeShareGroupOffsetsRequestGroup(group_id=group_id, topics=asked or None)
    return DescribeShareGroupOffsetsRequest(groups=[group])


async def offsets(client: Client, *topics: str, group_id: str = "g") -> dict[tuple[str, int], tuple[int, int]]:
    """Start offset and lag by partition."""
    response = await client.call(describing(*topics, group_id=group_id), 1)
    assert response.groups[0].error_code == ErrorCode.NONE
    return {
        (topic.topic_name, one.partition_index): (one.start_offset, one.lag)
        for topic in response.groups[0].topics
        for one in topic.partitions
    }


def altering(offset: int, *topics: str, partitions: tuple[int, ...] = (0, 1), group_id: str = "g") -> Any:
    return AlterShareGroupOffsetsRequest(
        group_id=group_id,
        topics=[
            AlterShareGroupOffsetsRequestTopic(
                topic_name=name,
                partitions=[
                    AlterShareGroupOffsetsRequestPartition(partition_index=index, start_offset=offset)
                    for index in partitions
                ],
            )
            for name in topics
        ],
    )


def deleting(*topics: str) -> Any:
    return DeleteShareGroupOffsetsRequest(
        group_id="g", topics=[DeleteShareGroupOffsetsRequestTopic(topic_name=name) for name in topics]
    )


async def test_partitions_are_assigned_once_their_state_is_initialized(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        member = Member(client)
        first = await member.beat("t")
        assert (first.error_code, first.member_epoch, first.heartbeat_interval_ms) == (0, 1, 5000)
        assert member.assignment == {}
        await initialized(broker)
        second = await member.beat()
        assert second.member_epoch == 2
        assert member.assignment == {topic_id(broker): [0, 1]}
        third = await member.beat()
        assert (third.member_epoch, third.assignment) == (2, None)


async def test_two_members_share_the_partitions(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        one = await joined(broker, client, name="one")
        two = Member(client, "two")
        await two.beat("t")
        await one.beat()
        everything = sorted([*one.assignment[topic_id(broker)], *two.assignment[topic_id(broker)]])
        assert everything == [0, 1]
        await two.leave()
        await one.beat()
        assert one.assignment == {topic_id(broker): [0, 1]}


async def test_a_group_is_described_and_listed(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        await joined(broker, client)
        described = (await client.call(ShareGroupDescribeRequest(group_ids=["g"]), 1)).groups[0]
        assert (described.group_state, described.group_epoch, described.assignment_epoch) == ("Stable", 2, 2)
        assert described.assignor_name == "simple"
        (member,) = described.members
        assert (member.member_id, member.member_epoch, member.subscribed_topic_names) == ("member", 2, ["t"])
        (assigned,) = member.assignment.topic_partitions
        assert (assigned.topic_name, assigned.partitions) == ("t", [0, 1])
        listed = (await client.call(ListGroupsRequest(types_filter=["Share"]), 5)).groups
        assert [(one.group_id, one.protocol_type, one.group_state, one.group_type) for one in listed] == [
            ("g", "share", "Stable", "share")
        ]


async def test_nonsense_in_the_state_is_described_as_far_as_a_number_reaches(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        await joined(broker, client)
        await broker.broker.persister.write(
            "g", topic_id(broker), 0, state_epoch=1, leader_epoch=0, start_offset=-(1 << 63), delivery_complete_count=0,
            batches=[],
        )  # fmt: skip
        assert (await offsets(client))["t", 0] == (-(1 << 63), (1 << 63) - 1)


async def test_describing_says_what_is_wrong(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        request = ShareGroupDescribeRequest(group_ids=["absent", ""], include_authorized_operations=True)
        absent, empty = (await client.call(request, 1)).groups
        assert (absent.error_code, absent.error_message) == (ErrorCode.GROUP_ID_NOT_FOUND, "Group absent not found.")
        assert empty.error_code == ErrorCode.INVALID_GROUP_ID


async def test_a_group_survives_a_restart_with_members_and_state(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        await joined(broker, client)
        await broker.broker.persister.write(
            "g", topic_id(broker), 0, state_epoch=1, leader_epoch=0, start_offset=5, delivery_complete_count=2,
            batches=[StateBatch(5, 9, 2, 1)],
        )  # fmt: skip
    await broker.restart()
    async with broker.connect() as client:
        member = Member(client)
        member.epoch = 2
        response = await member.beat("t")
        assert (response.error_code, response.member_epoch) == (0, 2)
        assert member.assignment == {topic_id(broker): [0, 1]}
        state = await broker.broker.persister.read("g", topic_id(broker), 0, 0)
        assert state == ShareState(1, 5, (StateBatch(5, 9, 2, 1),))
        assert state.delivery_complete_count == 5


async def test_a_silent_member_is_removed(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        await joined(broker, client)
        host = broker.broker.groups.host("g")
        host.carry_out(host.shard.on_timer(session_key("g", "member"), 0))
        described = (await client.call(ShareGroupDescribeRequest(group_ids=["g"]), 1)).groups[0]
        assert (described.group_state, described.group_epoch, described.members) == ("Empty", 3, [])
        assert (await Member(client).beat(epoch=2)).error_code == ErrorCode.UNKNOWN_MEMBER_ID


async def test_the_session_timeout_of_the_group_counts(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        config = AlterableConfig(name="share.heartbeat.interval.ms", config_operation=SET, value="7000")
        resource = AlterConfigsResource(resource_type=GROUP_CONFIGS, resource_name="g", configs=[config])
        altered = await client.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)
        assert altered.responses[0].error_code == ErrorCode.NONE
        assert (await Member(client).beat("t")).heartbeat_interval_ms == 7000


async def test_wrong_heartbeats_are_refused_in_kafkas_words(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        await joined(broker, client)
        await client.call(altering(3, "t", group_id="other"), 0)
        rows = [
            (Member(client, "new").beat(), ErrorCode.INVALID_REQUEST, "SubscribedTopicNames must be set"),
            (Member(client, "").beat("t"), ErrorCode.INVALID_REQUEST, ""),
            (Member(client, "x" * 37).beat("t"), ErrorCode.INVALID_REQUEST, ""),
            (Member(client, " ").beat("t"), ErrorCode.INVALID_REQUEST, "MemberId can't be empty"),
            (Member(client, group_id="").beat("t"), ErrorCode.INVALID_REQUEST, "GroupId can't be empty"),
            (Member(client).beat("t", epoch=-2), ErrorCode.INVALID_REQUEST, "MemberEpoch is invalid"),
            (Member(client).beat(epoch=9), ErrorCode.FENCED_MEMBER_EPOCH, "greater member epoch"),
            (Member(client, "new").beat(epoch=1), ErrorCode.UNKNOWN_MEMBER_ID, "not a member of group g"),
            (Member(client, group_id="h").beat(epoch=1), ErrorCode.GROUP_ID_NOT_FOUND, "Share group h not found"),
            (Member(client, group_id="h").leave(), ErrorCode.GROUP_ID_NOT_FOUND, "Group h not found"),
        ]
        for row, error, why in rows:
            response = await row
            assert response.error_code == error, (response.error_message, why)
            assert why in (response.error_message or "")


async def test_a_full_group_takes_nobody_else() -> None:
    async with RunningBroker(**{"group.share.max.size": "1"}) as running, running.connect() as client:
        assert await auto_create(running.broker, ["t"]) == {}
        await running.broker.groups.ensure_topic()
        await joined(running, client)
        assert (await Member(client, "two").beat("t")).error_code == ErrorCode.GROUP_MAX_SIZE_REACHED


async def test_offsets_are_altered_described_and_deleted(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        altered = await client.call(altering(3, "t", "absent", partitions=(0, 1, 7)), 0)
        assert altered.error_code == ErrorCode.NONE
        codes = {(t.topic_name, p.partition_index): p.error_code for t in altered.responses for p in t.partitions}
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        assert codes == {
            ("t", 0): 0, ("t", 1): 0, ("t", 7): unknown,
            ("absent", 0): unknown, ("absent", 1): unknown, ("absent", 7): unknown,
        }  # fmt: skip
        assert await offsets(client) == {("t", 0): (3, -3), ("t", 1): (3, -3)}
        assert await offsets(client, "u", "absent") == {
            ("u", 0): (-1, -1), ("u", 1): (-1, -1), ("absent", 0): (-1, -1), ("absent", 1): (-1, -1),
        }  # fmt: skip
        deleted = await client.call(deleting("t", "u", "absent"), 0)
        assert [(one.topic_name, one.error_code) for one in deleted.responses] == [
            ("t", 0), ("u", unknown), ("absent", unknown),
        ]  # fmt: skip
        assert await offsets(client) == {}
        with pytest.raises(KafkaError, match="INVALID_REQUEST"):
            await broker.broker.persister.read("g", topic_id(broker), 0, 0)


async def test_offsets_of_a_group_with_members_are_left_alone(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        await joined(broker, client)
        assert (await client.call(altering(3, "t"), 0)).error_code == ErrorCode.NON_EMPTY_GROUP
        assert (await client.call(deleting("t"), 0)).error_code == ErrorCode.NON_EMPTY_GROUP
        assert (await client.call(DeleteGroupsRequest(groups_names=["g"]), 2)).results[0].error_code == (
            ErrorCode.NON_EMPTY_GROUP
        )
        assert await offsets(client) == {("t", 0): (-1, -1), ("t", 1): (-1, -1)}


async def test_administrators_of_absent_groups_are_told_so(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        assert (await client.call(deleting("t"), 0)).error_code == ErrorCode.GROUP_ID_NOT_FOUND
        assert (await client.call(altering(1, "t", group_id=""), 0)).error_code == ErrorCode.INVALID_GROUP_ID
        assert await offsets(client) == {}


async def test_a_deleted_group_leaves_nothing_behind(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        member = await joined(broker, client)
        await member.leave()
        assert (await client.call(DeleteGroupsRequest(groups_names=["g"]), 2)).results[0].error_code == 0
        assert (await client.call(ListGroupsRequest(), 5)).groups == []
        summary = await broker.broker.persister.summary("g", topic_id(broker), 0, -1)
        assert summary == ShareStateSummary(0, 0, -1, -1)
    await broker.restart()
    async with broker.connect() as client:
        assert (await client.call(ListGroupsRequest(), 5)).groups == []


async def test_the_state_of_a_deleted_topic_goes_with_it(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        member = await joined(broker, client, "t", "u")
        assert len(member.assignment) == 2
        gone = topic_id(broker, "u")
        await client.call(DeleteTopicsRequest(topic_names=["u"], timeout_ms=1000), 5)
        await member.beat()
        assert set(member.assignment) == {topic_id(broker)}
        assert set(await offsets(client)) == {("t", 0), ("t", 1)}
        with pytest.raises(KafkaError):
            await broker.broker.persister.read("g", gone, 0, 0)


async def test_an_empty_share_group_does_not_expire(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        member = await joined(broker, client)
        await member.leave()
        host = broker.broker.groups.host("g")
        assert host.shard.clean_up(2**60) == []


async def test_find_coordinator_knows_share_partitions(broker: RunningBroker) -> None:
    key = coordinator_key(SharePartitionKey("g:h", topic_id(broker), 1))
    async with broker.connect() as client:
        request = FindCoordinatorRequest(key_type=2, coordinator_keys=[key, "g:h", ""])
        found, *wrong = (await client.call(request, 6)).coordinators
        assert (found.error_code, found.node_id) == (0, broker.broker.node_id)
        assert [one.error_code for one in wrong] == [ErrorCode.INVALID_REQUEST] * 2


async def test_without_the_feature_share_groups_are_refused(broker: RunningBroker) -> None:
    broker.broker.image.features.pop("share.version")  # type: ignore[attr-defined]
    async with broker.connect() as client:
        assert (await Member(client).beat("t")).error_code == ErrorCode.UNSUPPORTED_VERSION
        assert (await client.call(deleting("t"), 0)).error_code == ErrorCode.UNSUPPORTED_VERSION
