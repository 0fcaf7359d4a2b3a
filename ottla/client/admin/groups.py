"""Groups of each kind: list, describe, offsets, lag, delete, remove members.

    await admin.groups.lag("billing")                  {("orders", 0): Lag(committed=10, end=12, lag=2)}
    await admin.groups.set_offsets("billing", {("orders", 0): 7})       the group must be empty

A classic group is described by DescribeGroups, a KIP-848 group by ConsumerGroupDescribe, a share group by
ShareGroupDescribe, a streams group by StreamsGroupDescribe; `describe` finds out which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...protocol.apis.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
)
from ...protocol.apis.consumer_group_describe import ConsumerGroupDescribeRequest
from ...protocol.apis.delete_groups import DeleteGroupsRequest
from ...protocol.apis.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsRequestTopic,
)
from ...protocol.apis.describe_groups import DescribeGroupsRequest
from ...protocol.apis.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
)
from ...protocol.apis.leave_group import LeaveGroupRequest, MemberIdentity
from ...protocol.apis.list_groups import ListGroupsRequest
from ...protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ...protocol.apis.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
)
from ...protocol.apis.share_group_describe import ShareGroupDescribeRequest
from ...protocol.apis.streams_group_describe import StreamsGroupDescribeRequest
from ...protocol.errors import ErrorCode, RemoteProtocolError
from ...protocol.schema import Request
from ..cluster import GROUP, Coordinator
from ..consumer.assignors.types import read_assignment, read_subscription
from ..errors import BrokerError, UnsupportedError
from ..offsets import LATEST, READ_COMMITTED, Committed, by_topic, committed, failures_as_one, list_offsets
from .base import Room, listed, outcome

TopicAndPartition = tuple[str, int]


class ListedGroup(NamedTuple):
    """A group as the list has it. `type`: classic, consumer, share, streams; "" on brokers before 3.8."""

    id: str
    type: str
    state: str
    protocol_type: str


Groups_ = list[ListedGroup]
Names = list[str]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group and what it reads."""

    id: str
    instance_id: str | None
    client_id: str
    host: str
    topics: tuple[str, ...] = ()
    partitions: tuple[TopicAndPartition, ...] = ()
    epoch: int | None = None
    rack: str | None = None


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A group. `assignor` is the protocol that a classic group chose."""

    id: str
    type: str
    state: str
    assignor: str
    members: tuple[Member, ...]
    epoch: int | None = None
    coordinator: int = -1
    raw: Any = field(default=None, repr=False, compare=False)


class Lag(NamedTuple):
    """How far a group is behind. `committed` is None where it committed nothing; then `lag` is too."""

    committed: int | None
    end: int
    lag: int | None


class Groups(Room):
    """`admin.groups`"""

    async def list(self, *, types: Iterable[str] = (), states: Iterable[str] = ()) -> Groups_:
        """All groups of the cluster, of these types and in these states where such are named."""
        type_names, state_names = listed(types), listed(states)
        low = 5 if type_names else 4 if state_names else 0
        more: dict[str, Any] = {}
        if state_names:
            more["states_filter"] = state_names
        if type_names:
            more["types_filter"] = type_names
        answers = await self._all_nodes(ListGroupsRequest(**more), low=low)
        return sorted(
            ListedGroup(g.group_id, g.group_type.lower(), g.group_state, g.protocol_type)
            for answer in answers.values()
            for g in answer.groups
        )

    async def describe(self, group: str) -> GroupDescription:
        """One group, of whatever kind it is."""
        to = Coordinator(GROUP, group)
        problem: BrokerError | UnsupportedError | None = None
        for kind, request in _describers(group).items():
            try:
                answer = await self._ask(request, to)
            except UnsupportedError as unsupported:
                problem = unsupported
                continue
            (row,) = answer.groups
            if row.error_code not in (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.NONE, ErrorCode.UNSUPPORTED_VERSION):
                raise outcome(row.error_code, row.error_message, "DescribeGroups", group)
            if not row.error_code and (kind != "classic" or row.group_state != "Dead"):
                return _description(kind, row, await self._cluster.coordinator(GROUP, group))
            problem = None
        if problem is not None:
            raise problem
        raise outcome(ErrorCode.GROUP_ID_NOT_FOUND, None, "DescribeGroups", group)

    async def delete(self, groups: str | Iterable[str]) -> None:
        """Delete groups that have no members."""

        async def ask(left: Names) -> dict[str, Any]:
            found = {}
            for group in left:
                answer = await self._ask(DeleteGroupsRequest(groups_names=[group]), Coordinator(GROUP, group))
                for row in answer.results:
                    found[row.group_id] = outcome(row.error_code, None, "DeleteGroups", row.group_id)
                    if row.error_code in (ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE):
                        self._cluster.forget_coordinator(GROUP, group)
            return found

        await self._each(listed(groups), ask, "DeleteGroups")

    # ── offsets ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def offsets(
        self, group: str, partitions: Iterable[TopicAndPartition] | None = None
    ) -> dict[TopicAndPartition, Committed]:
        """What a group committed."""
        return await committed(self._cluster, group, partitions)

    async def lag(self, group: str) -> dict[TopicAndPartition, Lag]:
        """How far a group is behind the last stable offset, in each partition that it committed or reads."""
        offsets = await committed(self._cluster, group)
        keys = set(offsets)
        try:
            description = await self.describe(group)
        except BrokerError as problem:
            if problem.code != ErrorCode.GROUP_ID_NOT_FOUND or not keys:
                raise
        else:
            keys |= {each for member in description.members for each in member.partitions}
        ends = await list_offsets(self._cluster, dict.fromkeys(keys, LATEST), isolation=READ_COMMITTED)
        found = {}
        for key in sorted(keys):
            at, end = offsets.get(key), ends[key].offset
            found[key] = Lag(at.offset, end, max(0, end - at.offset)) if at is not None else Lag(None, end, None)
        return found

    async def set_offsets(self, group: str, offsets: Mapping[TopicAndPartition, int | Committed]) -> None:
        """Commit in the name of a group that has no members."""
        rows = {key: each if isinstance(each, Committed) else Committed(each) for key, each in offsets.items()}

        async def ask(left: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, Any]:
            topics = [
                OffsetCommitRequestTopic(
                    name=topic,
                    partitions=[
                        OffsetCommitRequestPartition(
                            partition_index=n,
                            committed_offset=rows[topic, n].offset,
                            committed_leader_epoch=rows[topic, n].leader_epoch,
                            committed_metadata=rows[topic, n].metadata,
                        )
                        for n in numbers
                    ],
                )
                for topic, numbers in by_topic(left).items()
            ]
            request = OffsetCommitRequest(group_id=group, topics=topics)
            answer = await self._ask(request, Coordinator(GROUP, group), low=2, high=9)
            return _partition_outcomes(answer.topics, "OffsetCommit")

        await self._each(rows, ask, "OffsetCommit")

    async def delete_offsets(self, group: str, partitions: Iterable[TopicAndPartition]) -> None:
        """Forget what a group committed of partitions that no member reads."""

        async def ask(left: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, Any]:
            topics = [
                OffsetDeleteRequestTopic(
                    name=topic, partitions=[OffsetDeleteRequestPartition(partition_index=n) for n in numbers]
                )
                for topic, numbers in by_topic(left).items()
            ]
            answer = await self._ask(OffsetDeleteRequest(group_id=group, topics=topics), Coordinator(GROUP, group))
            return _partition_outcomes(answer.topics, "OffsetDelete")

        await self._each(partitions, ask, "OffsetDelete")

    async def remove_members(
        self, group: str, instance_ids: Iterable[str] = (), member_ids: Iterable[str] = ()
    ) -> None:
        """Take members out of a group: static ones by instance id, others by member id. Without any: all."""
        members = [MemberIdentity(group_instance_id=each, reason="removed by an admin") for each in instance_ids]
        members += [MemberIdentity(member_id=each, reason="removed by an admin") for each in member_ids]
        if not members:
            members = [
                MemberIdentity(member_id=m.id, group_instance_id=m.instance_id, reason="removed by an admin")
                for m in (await self.describe(group)).members
            ]
        request = LeaveGroupRequest(group_id=group, members=members)
        answer = await self._ask(request, Coordinator(GROUP, group), low=3)
        rows = [
            outcome(row.error_code, None, "LeaveGroup", row.group_instance_id or row.member_id)
            for row in answer.members
        ]
        failures_as_one("LeaveGroup", [row for row in rows if row is not None])

    # ── share groups ────────────────────────────────────────────────────────────────────────────────────────────

    async def share_offsets(self, group: str) -> dict[TopicAndPartition, int]:
        """Where a share group begins to hand out records, in each partition."""
        request = DescribeShareGroupOffsetsRequest(
            groups=[DescribeShareGroupOffsetsRequestGroup(group_id=group, topics=None)]
        )
        answer = await self._ask(request, Coordinator(GROUP, group))
        (row,) = answer.groups
        if row.error_code:
            raise outcome(row.error_code, row.error_message, "DescribeShareGroupOffsets", group)
        return {(t.topic_name, p.partition_index): p.start_offset for t in row.topics for p in t.partitions}

    async def set_share_offsets(self, group: str, offsets: Mapping[TopicAndPartition, int]) -> None:
        """Let a share group without members go on elsewhere."""
        topics = [
            AlterShareGroupOffsetsRequestTopic(
                topic_name=topic,
                partitions=[
                    AlterShareGroupOffsetsRequestPartition(partition_index=n, start_offset=offsets[topic, n])
                    for n in numbers
                ],
            )
            for topic, numbers in by_topic(offsets).items()
        ]
        request = AlterShareGroupOffsetsRequest(group_id=group, topics=topics)
        answer = await self._ask(request, Coordinator(GROUP, group))
        rows = [
            outcome(p.error_code, p.error_message, "AlterShareGroupOffsets", (t.topic_name, p.partition_index))
            for t in answer.responses
            for p in t.partitions
        ]
        failures_as_one("AlterShareGroupOffsets", [row for row in rows if row is not None])

    async def delete_share_offsets(self, group: str, topics: Iterable[str]) -> None:
        """Forget topics in a share group without members."""
        rows = [DeleteShareGroupOffsetsRequestTopic(topic_name=name) for name in topics]
        request = DeleteShareGroupOffsetsRequest(group_id=group, topics=rows)
        answer = await self._ask(request, Coordinator(GROUP, group))
        found = [
            outcome(t.error_code, t.error_message, "DeleteShareGroupOffsets", t.topic_name) for t in answer.responses
        ]
        failures_as_one("DeleteShareGroupOffsets", [row for row in found if row is not None])


def _describers(group: str) -> dict[str, Request]:
    return {
        "consumer": ConsumerGroupDescribeRequest(group_ids=[group]),
        "classic": DescribeGroupsRequest(groups=[group]),
        "share": ShareGroupDescribeRequest(group_ids=[group]),
        "streams": StreamsGroupDescribeRequest(group_ids=[group]),
    }


def _partition_outcomes(topics: Iterable[Any], api: str) -> dict[TopicAndPartition, Any]:
    return {
        (key := (topic.name, part.partition_index)): outcome(part.error_code, None, api, f"{key[0]}-{key[1]}")
        for topic in topics
        for part in topic.partitions
    }


def _description(kind: str, row: Any, coordinator: int) -> GroupDescription:
    if kind == "classic":
        members = tuple(_classic_member(member) for member in row.members)
        return GroupDescription(row.group_id, kind, row.group_state, row.protocol_data, members, None, coordinator, row)
    if kind == "streams":
        members = tuple(
            Member(m.member_id, m.instance_id, m.client_id, m.client_host, epoch=m.member_epoch) for m in row.members
        )
        return GroupDescription(row.group_id, kind, row.group_state, "", members, row.group_epoch, coordinator, row)
    members = tuple(
        Member(
            m.member_id,
            getattr(m, "instance_id", None),
            m.client_id,
            m.client_host,
            tuple(m.subscribed_topic_names),
            tuple((t.topic_name, n) for t in m.assignment.topic_partitions for n in t.partitions),
            m.member_epoch,
            m.rack_id,
        )
        for m in row.members
    )
    return GroupDescription(
        row.group_id, kind, row.group_state, row.assignor_name, members, row.group_epoch, coordinator, row
    )


def _classic_member(m: Any) -> Member:
    """What a consumer says of itself; members of other kinds (Connect) speak another language."""
    try:
        topics = tuple(sorted(read_subscription(m.member_id, None, m.member_metadata).topics))
        partitions = tuple(read_assignment(m.member_assignment))
    except RemoteProtocolError:
        topics, partitions = (), ()
    return Member(m.member_id, m.group_instance_id, m.client_id, m.client_host, topics, partitions)
