"""Share groups as a kind of group of the shard: what they replay, their timers, and the requests about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from ....metadata.image import MetadataImage, ResourceType
from ....protocol.apis.alter_share_group_offsets import AlterShareGroupOffsetsRequest
from ....protocol.apis.delete_share_group_offsets import DeleteShareGroupOffsetsRequest
from ....protocol.apis.share_group_describe import (
    Assignment,
    DescribedGroup,
    Member,
    TopicPartitions,
)
from ....protocol.apis.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
from ....protocol.errors import ErrorCode, KafkaError
from ....protocol.stored.consumer_offsets import (
    ShareGroupCurrentMemberAssignmentKey,
    ShareGroupCurrentMemberAssignmentValue,
    ShareGroupMemberMetadataKey,
    ShareGroupMemberMetadataValue,
    ShareGroupMetadataKey,
    ShareGroupStatePartitionMetadataKey,
    ShareGroupStatePartitionMetadataValue,
    ShareGroupTargetAssignmentMemberKey,
    ShareGroupTargetAssignmentMetadataKey,
)
from ...decision import Decision, RequestContext, Timer, TimerKey
from ..kind import GroupKind, ShardState
from ..modern.assignment import NOTHING, assignment_of
from ..modern.group import MemberState, ModernMember
from ..modern.metadata_hash import TopicHashes
from . import offsets, records, states
from .assignor import ASSIGNOR_NAME
from .config import ShareConfig
from .group import NO_STATES, ShareGroup, States, StateTopic, session_key
from .members import LEAVE_EPOCH, HeartbeatResult, fence, heartbeat

__all__ = ["Share"]

#: The epoch of a member of which only a tombstone of its assignment is left.
_LEFT_EPOCH = -1


class Share(GroupKind):
    """The share groups of one partition of `__consumer_offsets`."""

    __slots__ = ("_hashes",)

    RECORD_TYPES = frozenset(
        key.API_KEY
        for key in (
            ShareGroupMemberMetadataKey, ShareGroupMetadataKey, ShareGroupTargetAssignmentMetadataKey,
            ShareGroupTargetAssignmentMemberKey, ShareGroupCurrentMemberAssignmentKey,
            ShareGroupStatePartitionMetadataKey,
        )
    )  # fmt: skip
    TIMERS = frozenset({"share-session"})

    def __init__(self, state: ShardState) -> None:
        super().__init__(state)
        self._hashes = TopicHashes()

    # -- replay ------------------------------------------------------------------------------------------------

    def replay(self, key: Any, value: Any | None, now_ms: int) -> None:
        """Apply one record; a tombstone of what is not there changes nothing."""
        group_id: str = key.group_id
        group = self.state.find(group_id, ShareGroup)
        if group is None:
            if value is None:
                return
            group = self.state.groups[group_id] = ShareGroup(group_id)
        if isinstance(key, ShareGroupMemberMetadataKey):
            _replay_member(group, key.member_id, value)
        elif isinstance(key, ShareGroupMetadataKey):
            if value is None:
                del self.state.groups[group_id]
            else:
                group.group_epoch, group.metadata_hash = value.epoch, value.metadata_hash
        elif isinstance(key, ShareGroupTargetAssignmentMemberKey):
            group.set_target(key.member_id, None if value is None else assignment_of(value.topic_partitions))
        elif isinstance(key, ShareGroupTargetAssignmentMetadataKey):
            group.target_epoch = -1 if value is None else value.assignment_epoch
        elif isinstance(key, ShareGroupCurrentMemberAssignmentKey):
            _replay_assignment(group, key.member_id, value)
        else:
            group.states = NO_STATES if value is None else _read_states(value, now_ms)

    def finish_loading(self, now_ms: int, decision: Decision) -> None:
        """Every member has its session from now on; what happened to topics meanwhile is made up for."""
        for group in self._groups():
            timeout_ms = self.config(group.group_id).session_timeout_ms
            decision.timers += [Timer(session_key(group.group_id, member), timeout_ms) for member in group.members]
            decision.records += self._forget_topics(group, self.state.image)

    def _groups(self) -> list[ShareGroup]:
        return [group for group in self.state.groups.values() if isinstance(group, ShareGroup)]

    def config(self, group_id: str) -> ShareConfig:
        """Return the settings of a group."""
        return self.state.config.share.of_group(self.state.image.configs.get(ResourceType.GROUP, group_id))

    # -- members -----------------------------------------------------------------------------------------------

    def heartbeat(self, request: ShareGroupHeartbeatRequest, context: RequestContext, now_ms: int) -> Decision:
        """ShareGroupHeartbeat, checked by `check_request`: the response is a `HeartbeatResult`; raises `KafkaError`."""
        image = self.state.image
        if request.member_epoch == LEAVE_EPOCH:
            group = self._require(request.group_id)
            decision = fence(group, group.member(request.member_id), image, self._hashes)
            decision.notes.append(f"Member {request.member_id} left the share group {group.group_id}")
            decision.response = HeartbeatResult(
                ShareGroupHeartbeatResponse(member_id=request.member_id, member_epoch=request.member_epoch)
            )
            return decision
        group = self._require_or_new(request.group_id, creates=request.member_epoch == 0)
        return heartbeat(group, request, context, self.config(request.group_id), image, self._hashes, now_ms)

    def _require(self, group_id: str) -> ShareGroup:
        group = self.state.groups.get(group_id)
        if group is None:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        if not isinstance(group, ShareGroup):
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a share group.")
        return group

    def _require_or_new(self, group_id: str, *, creates: bool) -> ShareGroup:
        """Return the group; a new one comes to be with its first record."""
        if group_id not in self.state.groups:
            if creates:
                return ShareGroup(group_id)
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Share group {group_id} not found.")
        return self._require(group_id)

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """A member was silent for too long."""
        _, group_id, member_id = key
        group = self.state.find(group_id, ShareGroup)
        member = None if group is None else group.members.get(member_id)
        if group is None or member is None:
            return Decision()
        decision = fence(group, member, self.state.image, self._hashes)
        decision.notes.append(f"Member {member_id} of share group {group_id} is removed: its session has expired")
        return decision

    # -- share partitions --------------------------------------------------------------------------------------

    def initialized(self, group_id: str, partitions: Mapping[bytes, frozenset[int]]) -> Decision:
        """The share coordinator has begun the state of these partitions."""
        group = self.state.find(group_id, ShareGroup)
        if group is None or not partitions:
            return Decision()
        return self._changed(group, states.initialized(group.states, partitions, self.state.image))

    def not_initialized(self, group_id: str, partitions: Mapping[bytes, frozenset[int]]) -> Decision:
        """The share coordinator could not."""
        group = self.state.find(group_id, ShareGroup)
        if group is None or not group.states.initializing or not partitions:
            return Decision()
        return self._changed(group, states.not_initialized(group.states, partitions))

    def deleted(self, group_id: str, topic_ids: Collection[bytes]) -> Decision:
        """The share coordinator has deleted the state of these topics."""
        group = self.state.find(group_id, ShareGroup)
        if group is None or not topic_ids:
            return Decision()
        return self._changed(group, states.deleted(group.states, topic_ids))

    @staticmethod
    def _changed(group: ShareGroup, changed: States) -> Decision:
        return Decision(records=[records.states_record(group.group_id, changed)])

    # -- administrators ----------------------------------------------------------------------------------------

    def describe(self, group_id: str) -> DescribedGroup:
        """ShareGroupDescribe of one group; raises GROUP_ID_NOT_FOUND."""
        group = self._require(group_id)
        return DescribedGroup(
            group_id=group_id,
            group_state=group.state_name,
            group_epoch=group.group_epoch,
            assignment_epoch=group.target_epoch,
            assignor_name=ASSIGNOR_NAME,
            members=[self._describe_member(member) for member in group.members.values()],
        )

    def _describe_member(self, member: ModernMember) -> Member:
        topics = self.state.image.topics
        named = [(topics.by_id(topic_id), some) for topic_id, some in member.assigned_partitions.items()]
        return Member(
            member_id=member.member_id,
            rack_id=member.rack_id,
            member_epoch=member.member_epoch,
            client_id=member.client_id,
            client_host=member.client_host,
            subscribed_topic_names=sorted(member.subscribed_topic_names),
            assignment=Assignment(
                topic_partitions=[
                    TopicPartitions(topic_id=topic.id, topic_name=topic.name, partitions=sorted(partitions))
                    for topic, partitions in named
                    if topic is not None
                ]
            ),
        )

    def initialized_partitions(self, group_id: str) -> dict[bytes, frozenset[int]]:
        """Return the partitions the group has state of; none if there is no such group."""
        group = self.state.find(group_id, ShareGroup)
        if group is None:
            return {}
        return {topic_id: topic.partitions for topic_id, topic in group.states.initialized.items()}

    def alter_offsets(self, request: AlterShareGroupOffsetsRequest) -> Decision:
        """AlterShareGroupOffsets, first step: the response is an `AlterResult`; raises `KafkaError`."""
        return offsets.alter(self._require_or_new(request.group_id, creates=True), request, self.state.image)

    def delete_offsets(self, request: DeleteShareGroupOffsetsRequest) -> Decision:
        """DeleteShareGroupOffsets, first step: the response is a `DeleteResult`; raises `KafkaError`."""
        return offsets.delete(self._require(request.group_id), request, self.state.image)

    def delete_group_states(self, group_id: str) -> Decision:
        """DeleteGroups, first step: the response is a `DeleteStates`, or None if this is no share group."""
        group = self.state.find(group_id, ShareGroup)
        if group is None:
            return Decision()
        return offsets.delete_group_states(group, self.state.image)

    # -- metadata ----------------------------------------------------------------------------------------------

    def image_changed(self, old: MetadataImage, new: MetadataImage, now_ms: int) -> list[Decision]:
        """Topics have come, grown or gone: look at them with the next heartbeat, and forget the state of those gone."""
        if old.topics is new.topics:
            return []
        decisions = []
        for group in self._groups():
            group.metadata_checked = False
            if not self.state.loading:
                decision = Decision(records=self._forget_topics(group, new))
                if decision.records:
                    decisions.append(decision)
        return decisions

    @staticmethod
    def _forget_topics(group: ShareGroup, image: MetadataImage) -> list[Any]:
        gone = {topic_id for topic_id in group.states.topic_ids() if image.topics.by_id(topic_id) is None}
        if not gone:
            return []
        return [records.states_record(group.group_id, states.without_topics(group.states, gone))]


def _replay_member(group: ShareGroup, member_id: str, value: ShareGroupMemberMetadataValue | None) -> None:
    if value is None:
        if member_id in group.members:
            group.remove_member(member_id)
        return
    member = group.members.get(member_id) or ModernMember(member_id, previous_member_epoch=-1)
    group.put_member(
        replace(
            member,
            rack_id=value.rack_id,
            client_id=value.client_id,
            client_host=value.client_host,
            subscribed_topic_names=frozenset(value.subscribed_topic_names),
        )
    )


def _replay_assignment(group: ShareGroup, member_id: str, value: ShareGroupCurrentMemberAssignmentValue | None) -> None:
    member = group.members.get(member_id)
    if value is None:
        if member is not None:
            left = replace(
                member, member_epoch=_LEFT_EPOCH, previous_member_epoch=_LEFT_EPOCH, assigned_partitions=NOTHING
            )
            group.put_member(left)
        return
    group.put_member(
        replace(
            member or ModernMember(member_id),
            member_epoch=value.member_epoch,
            previous_member_epoch=value.previous_member_epoch,
            state=MemberState.of(value.state),
            assigned_partitions=assignment_of(value.assigned_partitions),
        )
    )


def _read_states(value: ShareGroupStatePartitionMetadataValue, now_ms: int) -> States:
    return States(
        {t.topic_id: StateTopic(t.topic_name, frozenset(t.partitions)) for t in value.initializing_topics},
        {t.topic_id: StateTopic(t.topic_name, frozenset(t.partitions)) for t in value.initialized_topics},
        {t.topic_id: t.topic_name for t in value.deleting_topics},
        now_ms,
    )
