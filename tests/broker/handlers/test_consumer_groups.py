"""Consumer groups (KIP-848) through a running broker: what the handlers and the shell add to the machine.

What groups do is tested in tests/coordinator; here it is versions, durability, group configs, offsets and patterns off the loop.
"""

from __future__ import annotations

from typing import Any

import pytest

from ottla.broker.coordinators import groups as service
from ottla.protocol.apis.consumer_group_describe import ConsumerGroupDescribeRequest
from ottla.protocol.apis.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse
from ottla.protocol.apis.delete_groups import DeleteGroupsRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.apis.list_groups import ListGroupsRequest
from ottla.protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.protocol.apis.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker

GROUP_RESOURCE = 32


async def heartbeat(client: Client, member: str, epoch: int, version: int = 1, **fields: Any) -> Any:
    request = ConsumerGroupHeartbeatRequest(group_id="g", member_id=member, member_epoch=epoch, **fields)
    return await client.call(request, version)


async def join(client: Client, member: str = "a", version: int = 1, **fields: Any) -> Any:
    """Join, with the coordinator's topic made first."""
    await client.call(FindCoordinatorRequest(coordinator_keys=["g"]), 4)
    wanted = {"rebalance_timeout_ms": 60_000, "topic_partitions": [], "subscribed_topic_names": ["t"], **fields}
    return await heartbeat(client, member, 0, version, **wanted)


def assigned(response: ConsumerGroupHeartbeatResponse) -> list[int] | None:
    """The partitions of the one topic, or None if the answer says nothing of them."""
    if response.assignment is None:
        return None
    return [index for topic in response.assignment.topic_partitions for index in topic.partitions]


def committing(epoch: int, offset: int, member: str = "a") -> OffsetCommitRequest:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    topics = [OffsetCommitRequestTopic(name="t", partitions=[partition])]
    return OffsetCommitRequest(group_id="g", generation_id_or_member_epoch=epoch, member_id=member, topics=topics)


async def test_a_member_joins_stays_and_leaves() -> None:
    async with RunningBroker() as running, running.connect() as client:
        await running.topic("t")
        joined = await join(client)
        assert (joined.error_code, joined.member_epoch, assigned(joined)) == (ErrorCode.NONE, 1, [0])
        assert joined.heartbeat_interval_ms == 5_000
        stayed = await heartbeat(client, "a", 1)
        assert (stayed.member_epoch, assigned(stayed)) == (1, None)
        left = await heartbeat(client, "a", -1)
        assert (left.error_code, left.member_epoch) == (ErrorCode.NONE, -1)


async def test_version_0_gives_a_member_its_id() -> None:
    async with RunningBroker() as running, running.connect() as client:
        await running.topic("t")
        joined = await join(client, "", version=0)
        assert len(joined.member_id) == 22
        assert (await heartbeat(client, joined.member_id, 1, version=0)).error_code == ErrorCode.NONE


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
async def test_members_epochs_and_offsets_survive(clean: bool) -> None:
    async with RunningBroker() as running:
        async with running.connect() as client:
            await running.topic("t")
            await join(client)
            committed = await client.call(committing(1, 7), 9)
            assert committed.topics[0].partitions[0].error_code == ErrorCode.NONE
        await running.restart(clean=clean)
        async with running.connect() as client:
            assert (await heartbeat(client, "a", 1)).error_code == ErrorCode.NONE
            described = (await client.call(ConsumerGroupDescribeRequest(group_ids=["g"]), 1)).groups[0]
            assert (described.group_state, described.group_epoch) == ("Stable", 1)
            assert described.members[0].assignment.topic_partitions[0].partitions == [0]
            fetched = OffsetFetchRequest(
                groups=[OffsetFetchRequestGroup(group_id="g", member_id="a", member_epoch=1, topics=None)]
            )
            group = (await client.call(fetched, 9)).groups[0]
            assert (group.error_code, group.topics[0].partitions[0].committed_offset) == (ErrorCode.NONE, 7)


async def test_commits_are_fenced_by_member_epoch() -> None:
    async with RunningBroker() as running, running.connect() as client:
        await running.topic("t")
        await join(client)
        codes = []
        for version, epoch, member in ((9, 0, "a"), (9, 1, "b"), (8, 1, "a"), (9, -1, "")):
            answer = await client.call(committing(epoch, 1, member), version)
            codes.append(ErrorCode(answer.topics[0].partitions[0].error_code))
        assert codes == [
            ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.UNSUPPORTED_VERSION,
            ErrorCode.UNKNOWN_MEMBER_ID,
        ]  # fmt: skip


async def test_a_group_is_listed_by_its_type_and_deleted_when_empty() -> None:
    async with RunningBroker() as running, running.connect() as client:
        await running.topic("t")
        await join(client)
        listed = await client.call(ListGroupsRequest(types_filter=["Consumer"]), 5)
        assert [(g.group_id, g.group_type, g.group_state, g.protocol_type) for g in listed.groups] == [
            ("g", "consumer", "Stable", "consumer")
        ]
        refused = await client.call(DeleteGroupsRequest(groups_names=["g"]), 2)
        assert refused.results[0].error_code == ErrorCode.NON_EMPTY_GROUP
        await heartbeat(client, "a", -1)
        deleted = await client.call(DeleteGroupsRequest(groups_names=["g"]), 2)
        assert deleted.results[0].error_code == ErrorCode.NONE
        described = (await client.call(ConsumerGroupDescribeRequest(group_ids=["g"]), 1)).groups[0]
        assert (described.error_code, described.error_message) == (ErrorCode.GROUP_ID_NOT_FOUND, "Group g not found.")


async def test_a_groups_own_configs_hold() -> None:
    async with RunningBroker() as running, running.connect() as client:
        await running.topic("t")
        config = AlterableConfig(name="consumer.heartbeat.interval.ms", config_operation=0, value="7000")
        resource = AlterConfigsResource(resource_type=GROUP_RESOURCE, resource_name="g", configs=[config])
        await client.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)
        assert (await join(client)).heartbeat_interval_ms == 7_000


@pytest.mark.parametrize("on_loop_max", [1_000, 0], ids=["on the loop", "in a thread"])
async def test_a_pattern_is_matched_beside_the_heartbeat(monkeypatch: pytest.MonkeyPatch, on_loop_max: int) -> None:
    monkeypatch.setattr(service, "PATTERN_MATCHES_ON_LOOP_MAX", on_loop_max)
    async with RunningBroker() as running, running.connect() as client:
        await running.topic("t")
        joined = await join(client, subscribed_topic_names=None, subscribed_topic_regex="t|u")
        assert assigned(joined) == []
        for _ in range(1_000):
            beat = await heartbeat(client, "a", 1)
            if beat.assignment is not None:
                break
        assert (beat.member_epoch, assigned(beat)) == (2, [0])


async def test_it_is_not_served_where_it_is_switched_off() -> None:
    sets: dict[str, Any] = {"group.coordinator.rebalance.protocols": "classic"}
    async with RunningBroker(**sets) as running, running.connect() as client:
        assert (await join(client)).error_code == ErrorCode.UNSUPPORTED_VERSION
        described = (await client.call(ConsumerGroupDescribeRequest(group_ids=["g"]), 1)).groups[0]
        assert described.error_code == ErrorCode.UNSUPPORTED_VERSION
