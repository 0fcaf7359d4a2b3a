"""The APIs of groups through a running broker: joining, offsets, administration, restarts.

What groups do is tested in tests/coordinator; here it is what the handlers add: versions, topics and ids, durability.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ottla.coordinator import Timer
from ottla.coordinator.groups.rebalance import heartbeat_key
from ottla.protocol.apis.delete_groups import DeleteGroupsRequest
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest
from ottla.protocol.apis.describe_groups import DescribeGroupsRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.heartbeat import HeartbeatRequest
from ottla.protocol.apis.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.protocol.apis.leave_group import LeaveGroupRequest, MemberIdentity
from ottla.protocol.apis.list_groups import ListGroupsRequest
from ottla.protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.protocol.apis.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from ottla.protocol.apis.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from ottla.protocol.apis.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ottla.protocol.errors import ErrorCode
from tests.support.group_driver import subscription
from tests.support.in_process import Client, RunningBroker

ABSENT_ID = bytes(range(16))
ALL_COMMITS = range(11)


def joining(member_id: str = "", group_id: str = "g", **options: Any) -> JoinGroupRequest:
    protocols = [JoinGroupRequestProtocol(name="range", metadata=subscription(["t"]))]
    return JoinGroupRequest(
        group_id=group_id, session_timeout_ms=10_000, rebalance_timeout_ms=10_000, member_id=member_id,
        protocol_type="consumer", protocols=protocols, **options,
    )  # fmt: skip


def finding(version: int, *keys: str, key_type: int = 0) -> FindCoordinatorRequest:
    request = (
        FindCoordinatorRequest(coordinator_keys=list(keys)) if version >= 4 else FindCoordinatorRequest(key=keys[0])
    )
    if version >= 1:
        request.key_type = key_type
    return request


def leaving(version: int, member_id: str) -> LeaveGroupRequest:
    if version >= 3:
        return LeaveGroupRequest(group_id="g", members=[MemberIdentity(member_id=member_id)])
    return LeaveGroupRequest(group_id="g", member_id=member_id)


async def join(client: Client) -> Any:
    """Become the only member of group g, all the way to the assignment."""
    joined = await client.call(joining(), 3)
    assignments = [SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"all")]
    synced = await client.call(
        SyncGroupRequest(
            group_id="g", generation_id=joined.generation_id, member_id=joined.member_id, assignments=assignments
        ),
        3,
    )
    assert synced.assignment == b"all"
    return joined


def committing(version: int, topic_id: bytes = ABSENT_ID, topic: str = "t", **options: Any) -> OffsetCommitRequest:
    partition = OffsetCommitRequestPartition(
        partition_index=options.pop("partition", 0), committed_offset=options.pop("offset", 5), committed_metadata="m"
    )
    if version >= 10:
        topics = [OffsetCommitRequestTopic(topic_id=topic_id, partitions=[partition])]
    else:
        topics = [OffsetCommitRequestTopic(name=topic, partitions=[partition])]
    return OffsetCommitRequest(group_id=options.pop("group_id", "g"), topics=topics, **options)


async def committed(client: Client, group_id: str = "g") -> dict[tuple[str, int], int]:
    groups = [OffsetFetchRequestGroup(group_id=group_id, topics=None)]
    group = (await client.call(OffsetFetchRequest(groups=groups), 9)).groups[0]
    return {(t.name, p.partition_index): p.committed_offset for t in group.topics for p in t.partitions}


@pytest.fixture
async def topic_id(broker: RunningBroker, client: Client) -> bytes:
    """A topic t with one partition, and the coordinator's topic; the id of t."""
    await client.call(FindCoordinatorRequest(key="g"), 0)
    return (await broker.topic("t")).topic_id


@pytest.mark.parametrize("version", range(7))
async def test_the_coordinator_is_found_in_every_version(broker: RunningBroker, client: Client, version: int) -> None:
    found = await client.call(finding(version, "g", "h"), version)
    for each in found.coordinators if version >= 4 else [found]:
        assert (each.error_code, each.port) == (ErrorCode.NONE, broker.port)
    assert len(broker.broker.image.topics.get("__consumer_offsets").partitions) == 50


@pytest.mark.parametrize(("key_type", "version", "error"), [(2, 6, 42), (2, 5, 42), (9, 4, 42), (-1, 2, 42)])
async def test_other_coordinators_are_not_there(client: Client, key_type: int, version: int, error: int) -> None:
    found = await client.call(finding(version, "g", key_type=key_type), version)
    answer = found.coordinators[0] if version >= 4 else found
    assert (answer.error_code, answer.node_id, answer.host, answer.port) == (error, -1, "", -1)


async def test_without_the_topic_there_is_no_coordinator(client: Client) -> None:
    heartbeat = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
    assert (await client.call(heartbeat, 4)).error_code == ErrorCode.NOT_COORDINATOR


@pytest.mark.parametrize("version", range(10))
@pytest.mark.usefixtures("topic_id")
async def test_joining_works_in_every_version(client: Client, version: int) -> None:
    joined = await client.call(joining(), version)
    if version >= 4:
        assert joined.error_code == ErrorCode.MEMBER_ID_REQUIRED
        assert joined.protocol_name == (None if version >= 7 else "")
        joined = await client.call(joining(joined.member_id), version)
    assert (joined.error_code, joined.generation_id, joined.protocol_name) == (0, 1, "range")
    assert joined.leader == joined.member_id == joined.members[0].member_id
    assert joined.member_id.startswith("test-")


@pytest.mark.usefixtures("topic_id")
async def test_sync_needs_the_protocol_from_version_5(client: Client) -> None:
    joined = await join(client)
    request = SyncGroupRequest(group_id="g", generation_id=joined.generation_id, member_id=joined.member_id)
    assert (await client.call(request, 5)).error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    assert (await client.call(request, 4)).assignment == b"all"


@pytest.mark.usefixtures("topic_id")
async def test_an_empty_group_id_is_refused(client: Client) -> None:
    answers = [
        await client.call(joining(group_id=""), 9),
        await client.call(HeartbeatRequest(group_id="", generation_id=1, member_id="m"), 4),
        await client.call(SyncGroupRequest(group_id="", generation_id=1, member_id="m"), 4),
        await client.call(LeaveGroupRequest(group_id="", members=[MemberIdentity(member_id="m")]), 5),
        await client.call(OffsetDeleteRequest(group_id=""), 0),
    ]
    assert {answer.error_code for answer in answers} == {ErrorCode.INVALID_GROUP_ID}


@pytest.mark.parametrize("version", range(6))
@pytest.mark.usefixtures("topic_id")
async def test_leaving_works_in_every_version(client: Client, version: int) -> None:
    joined = await join(client)
    request = leaving(version, joined.member_id)
    left = await client.call(request, version)
    assert (left.error_code, [member.error_code for member in left.members]) == (0, [0] if version >= 3 else [])
    again = await client.call(request, version)
    code = again.members[0].error_code if version >= 3 else again.error_code
    assert code == ErrorCode.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("version", ALL_COMMITS)
async def test_offsets_are_committed_and_fetched_in_every_version(
    client: Client, topic_id: bytes, version: int
) -> None:
    answer = await client.call(committing(version, topic_id, offset=version), version)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.NONE
    assert await committed(client) == {("t", 0): version}


@pytest.mark.parametrize("version", range(11))
async def test_fetching_offsets_by_topic_in_every_version(client: Client, topic_id: bytes, version: int) -> None:
    await client.call(committing(8), 8)
    if version >= 8:
        wanted = OffsetFetchRequestTopics(partition_indexes=[0, 7])
        if version >= 10:
            wanted.topic_id = topic_id
        else:
            wanted.name = "t"
        request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=[wanted])])
        found = (await client.call(request, version)).groups[0].topics[0]
    else:
        topics = [OffsetFetchRequestTopic(name="t", partition_indexes=[0, 7])]
        found = (await client.call(OffsetFetchRequest(group_id="g", topics=topics), version)).topics[0]
    assert [(part.committed_offset, part.metadata, part.error_code) for part in found.partitions] == [
        (5, "m", 0), (-1, "", 0),
    ]  # fmt: skip


@pytest.mark.usefixtures("topic_id")
async def test_topics_that_do_not_exist_cannot_be_committed(client: Client) -> None:
    for request, version, error in [
        (committing(9, topic="no"), 9, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (committing(9, partition=1), 9, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (committing(9, partition=-1), 9, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (committing(10), 10, ErrorCode.UNKNOWN_TOPIC_ID),
    ]:
        assert (await client.call(request, version)).topics[0].partitions[0].error_code == error
    assert await committed(client) == {}


@pytest.mark.usefixtures("topic_id")
async def test_a_refused_commit_says_so_for_each_partition_that_exists(client: Client) -> None:
    await join(client)
    request = committing(9)
    request.topics[0].partitions.append(OffsetCommitRequestPartition(partition_index=9, committed_offset=1))
    answer = await client.call(request, 9)
    assert [part.error_code for part in answer.topics[0].partitions] == [
        ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]  # fmt: skip


async def test_an_id_no_topic_has_is_answered_with_an_error(client: Client, topic_id: bytes) -> None:
    await client.call(committing(10, topic_id), 10)
    topics = [OffsetFetchRequestTopics(topic_id=each, partition_indexes=[0]) for each in (ABSENT_ID, topic_id)]
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=topics)])
    found = (await client.call(request, 10)).groups[0]
    assert {t.topic_id: (t.partitions[0].committed_offset, t.partitions[0].error_code) for t in found.topics} == {
        topic_id: (5, 0), ABSENT_ID: (-1, ErrorCode.UNKNOWN_TOPIC_ID),
    }  # fmt: skip


@pytest.mark.usefixtures("topic_id")
async def test_offsets_are_deleted_where_nobody_reads(client: Client) -> None:
    await client.call(committing(9), 9)
    partitions = [OffsetDeleteRequestPartition(partition_index=index) for index in (0, 9)]
    topics = [OffsetDeleteRequestTopic(name=name, partitions=partitions) for name in ("t", "no")]
    joined = await join(client)
    subscribed = await client.call(OffsetDeleteRequest(group_id="g", topics=topics[:1]), 0)
    assert subscribed.topics[0].partitions[0].error_code == ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
    await client.call(LeaveGroupRequest(group_id="g", member_id=joined.member_id), 2)
    deleted = await client.call(OffsetDeleteRequest(group_id="g", topics=topics), 0)
    codes = {(t.name, p.partition_index): p.error_code for t in deleted.topics for p in t.partitions}
    assert codes == {("t", 0): 0, ("t", 9): 3, ("no", 0): 3, ("no", 9): 3}
    assert await committed(client) == {}
    unknown = await client.call(OffsetDeleteRequest(group_id="nobody", topics=topics), 0)
    assert unknown.error_code == ErrorCode.GROUP_ID_NOT_FOUND


@pytest.mark.parametrize("version", range(7))
@pytest.mark.usefixtures("topic_id")
async def test_groups_are_described_in_every_version(client: Client, version: int) -> None:
    joined = await join(client)
    request = DescribeGroupsRequest(groups=["g", "no"])
    if version >= 3:
        request.include_authorized_operations = True
    known, unknown = (await client.call(request, version)).groups
    assert (known.group_state, known.protocol_type, known.protocol_data) == ("Stable", "consumer", "range")
    assert [(m.member_id, m.client_host, m.member_assignment) for m in known.members] == [
        (joined.member_id, "/127.0.0.1", b"all")
    ]
    assert unknown.group_state == "Dead"
    assert unknown.error_code == (ErrorCode.GROUP_ID_NOT_FOUND if version >= 6 else ErrorCode.NONE)
    if version >= 3:
        assert known.authorized_operations == 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11


@pytest.mark.usefixtures("topic_id")
async def test_groups_are_listed_by_state_and_type(client: Client) -> None:
    await join(client)
    await client.call(committing(9, group_id="simple"), 9)

    async def listed(**filters: Any) -> set[str]:
        return {group.group_id for group in (await client.call(ListGroupsRequest(**filters), 5)).groups}

    assert await listed() == {"g", "simple"}
    assert await listed(states_filter=["stable"]) == {"g"}
    assert await listed(states_filter=["Empty"], types_filter=["CLASSIC"]) == {"simple"}
    assert await listed(types_filter=["consumer"]) == set()


@pytest.mark.usefixtures("topic_id")
async def test_groups_without_members_are_deleted(client: Client) -> None:
    await join(client)
    await client.call(committing(9, group_id="simple"), 9)
    deleted = await client.call(DeleteGroupsRequest(groups_names=["g", "simple", "simple", "no"]), 2)
    assert {result.group_id: result.error_code for result in deleted.results} == {
        "g": ErrorCode.NON_EMPTY_GROUP, "simple": ErrorCode.NONE, "no": ErrorCode.GROUP_ID_NOT_FOUND,
    }  # fmt: skip
    assert await committed(client, "simple") == {}


async def test_everything_survives_a_restart(broker: RunningBroker) -> None:
    async with broker.connect() as client:
        await client.call(FindCoordinatorRequest(key="g"), 0)
        await broker.topic("t")
        joined = await join(client)
        commit = committing(9, generation_id_or_member_epoch=1, member_id=joined.member_id)
        assert (await client.call(commit, 9)).topics[0].partitions[0].error_code == 0
    await broker.restart()
    async with broker.connect() as client:
        heartbeat = HeartbeatRequest(group_id="g", generation_id=1, member_id=joined.member_id)
        assert (await client.call(heartbeat, 4)).error_code == ErrorCode.NONE
        assert await committed(client) == {("t", 0): 5}


async def test_deleting_a_topic_drops_what_was_committed_for_it(broker: RunningBroker, client: Client) -> None:
    await client.call(FindCoordinatorRequest(key="g"), 0)
    await broker.topic("t")
    await broker.topic("u")
    for topic in ("t", "u"):
        await client.call(committing(9, topic=topic), 9)
    await client.call(DeleteTopicsRequest(topic_names=["t"], timeout_ms=1000), 5)
    assert await committed(client) == {("u", 0): 5}


@pytest.mark.usefixtures("topic_id")
async def test_commits_of_one_turn_share_a_batch(broker: RunningBroker) -> None:
    clients = [broker.connect() for _ in range(5)]
    for client in clients:
        await client.__aenter__()
        client.writer.write(client.frame(committing(9), 9))
    for client in clients:
        assert (await client.receive()).topics[0].partitions[0].error_code == ErrorCode.NONE
        await client.__aexit__()
    groups = broker.broker.groups
    log = broker.broker.partitions.get("__consumer_offsets", groups.partition_of("g")).log
    assert log.log_end_offset == 5


@pytest.mark.usefixtures("topic_id")
async def test_a_commit_larger_than_a_batch_may_be_is_refused_alone(client: Client) -> None:
    """Two hundred groups worth of metadata in one request do not fit; the coordinator serves on."""
    partitions = [
        OffsetCommitRequestPartition(partition_index=0, committed_offset=1, committed_metadata="m" * 4096)
        for _ in range(300)
    ]
    request = OffsetCommitRequest(group_id="g", topics=[OffsetCommitRequestTopic(name="t", partitions=partitions)])
    answer = await client.call(request, 9)
    assert {part.error_code for part in answer.topics[0].partitions} == {ErrorCode.UNKNOWN_SERVER_ERROR}
    assert (await client.call(committing(9), 9)).topics[0].partitions[0].error_code == ErrorCode.NONE
    assert await committed(client) == {("t", 0): 5}


async def test_a_member_that_falls_silent_is_removed(broker: RunningBroker, client: Client) -> None:
    """The session ends by the loop's clock; here its end is moved to now instead of waited for."""
    await client.call(FindCoordinatorRequest(key="g"), 0)
    joined = await join(client)
    groups = broker.broker.groups
    host = groups.host("g")
    host._deadlines.apply([Timer(heartbeat_key("g", joined.member_id), -1)], host._now_ms())
    host._on_timer()
    heartbeat = HeartbeatRequest(group_id="g", generation_id=1, member_id=joined.member_id)
    assert (await client.call(heartbeat, 4)).error_code == ErrorCode.UNKNOWN_MEMBER_ID


async def test_a_loop_that_was_held_up_reads_before_it_judges(broker: RunningBroker, client: Client) -> None:
    await client.call(FindCoordinatorRequest(key="g"), 0)
    joined = await join(client)
    groups = broker.broker.groups
    host = groups.host("g")
    host._timer_ms -= 60_000
    host._deadlines.apply([Timer(heartbeat_key("g", joined.member_id), -30_000)], host._now_ms())
    host._on_timer()
    heartbeat = HeartbeatRequest(group_id="g", generation_id=1, member_id=joined.member_id)
    assert (await client.call(heartbeat, 4)).error_code == ErrorCode.NONE


@pytest.mark.usefixtures("topic_id")
async def test_a_failed_append_sends_clients_away_and_loads_again(broker: RunningBroker, client: Client) -> None:
    """After an append that failed the state may be ahead of the log, so it is read anew."""
    await client.call(committing(9), 9)
    groups = broker.broker.groups
    partition = groups.host("g").partition
    isr, partition.isr = partition.isr, ()
    answer = await client.call(committing(9, offset=6), 9)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    partition.isr = isr
    async with asyncio.timeout(5):
        await groups._to_load.join()
    assert await committed(client) == {("t", 0): 5}
