"""Consumer groups as a kind of group: what their records do, their timers, and the way of a heartbeat.

    1. who is it        create or find the group and the member; fence what is not the present epoch
    2. what is new      subscription, assignor, rack … written if they differ;
                        group epoch + 1 if subscribed topics changed, by the member's will or because topics did
    3. target           computed for all members if the group epoch is ahead of it
    4. reconcile        one step of this member towards its target (`reconcile`)
    5. answer           the assignment only if it changed or the member asked with everything it knows

Most heartbeats say "I live" in a group where nothing happens: `_is_idle` finds that out without making anything.
Members of the classic protocol in a consumer group are the business of `classic_side`; the way from one kind of group to the
other and back of `migration`. Behaviour and error codes are those of Kafka 4.2's GroupMetadataManager.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ....metadata.image import ResourceType
from ....protocol.apis import consumer_group_heartbeat as api
from ....protocol.apis.consumer_group_describe import DescribedGroup
from ....protocol.apis.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from ....protocol.errors import ErrorCode, KafkaError
from ....protocol.schema import Data
from ...decision import Decision, RequestContext, StoredRecord, Timer, TimerKey
from ..classic_group import ClassicGroup
from ..kind import GroupKind, ShardState
from ..modern.assignment import NOTHING, Assignment, is_within, topic_partitions
from ..modern.group import MemberState
from . import classic_side, migration, records
from .describe import describe_group
from .group import ConsumerGroup, member_timers, rebalance_key, session_key
from .member import ConsumerMember
from .patterns import PatternChange, ResolvePatterns, needs_refresh
from .reconcile import reconcile
from .replay import RECORD_TYPES, apply
from .requests import JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH
from .subscriptions import Subscriptions
from .target import retarget

__all__ = ["Consumer"]


class Consumer(GroupKind):
    """The consumer groups of one partition of `__consumer_offsets`."""

    __slots__ = ("_config", "_resolving")

    RECORD_TYPES = RECORD_TYPES
    TIMERS = frozenset({"consumer-session", "consumer-rebalance", "consumer-join", "consumer-sync"})
    COMPLETIONS = (classic_side.Joined,)

    def __init__(self, state: ShardState) -> None:
        super().__init__(state)
        self._config = state.config.consumer
        #: Groups whose patterns the shell is matching now.
        self._resolving: set[str] = set()

    # -- the kind ------------------------------------------------------------------------------------------------

    def replay(self, key: Data, value: Data | None, now_ms: int) -> None:
        """Apply one record."""
        apply(self.state, key, value)

    def finish_loading(self, now_ms: int, decision: Decision) -> None:
        """Every member has its session from now on, and its time to give back what it must."""
        for group in self.state.groups.values():
            if isinstance(group, ConsumerGroup):
                for member in group.members.values():
                    decision.timers.append(self.session_timer(group.group_id, member))
                    if member.state is MemberState.UNREVOKED_PARTITIONS and not member.is_classic:
                        key = rebalance_key(group.group_id, member.member_id)
                        decision.timers.append(Timer(key, member.rebalance_timeout_ms))

    def image_changed(self, old: Any, new: Any, now_ms: int) -> list[Decision]:
        """Topics changed: every group looks at its own with its next heartbeat."""
        if old.topics is not new.topics or old.brokers is not new.brokers:
            for group in self.state.groups.values():
                if isinstance(group, ConsumerGroup):
                    group.metadata_checked = False
        return []

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """Somebody was silent, or did not do in time what it had to."""
        kind, group_id, member_id = key
        decision = Decision()
        group = self.state.find(group_id, ConsumerGroup)
        member = None if group is None else group.members.get(member_id)
        if group is None or member is None:
            return decision
        if kind == "consumer-rebalance" and member.state is not MemberState.UNREVOKED_PARTITIONS:
            return decision
        why = {
            "consumer-session": "the member session expired",
            "consumer-rebalance": f"it failed to transition from epoch {member.member_epoch} in time",
            "consumer-join": "the classic member failed to join within the rebalance timeout",
            "consumer-sync": "the member failed to sync within timeout",
        }[kind]
        decision.notes.append(f"[GroupId {group_id}] Member {member_id} fenced from the group because {why}")
        self.remove(group, [member], decision, now_ms)
        return decision

    def on_appended(self, completion: Any, error: ErrorCode, now_ms: int) -> Decision:
        """A classic member has joined."""
        return classic_side.joined(self, completion, error)

    def session_timer(self, group_id: str, member: ConsumerMember) -> Timer:
        """Give a member its full session from now."""
        timeout_ms = self._session_ms(group_id) if member.classic is None else member.classic.session_timeout_ms
        return Timer(session_key(group_id, member.member_id), timeout_ms)

    def _session_ms(self, group_id: str) -> int:
        own = self.state.image.configs.get(ResourceType.GROUP, group_id).get("consumer.session.timeout.ms")
        return self._config.session_timeout_ms if own is None else int(own)

    def _interval_ms(self, group_id: str) -> int:
        own = self.state.image.configs.get(ResourceType.GROUP, group_id).get("consumer.heartbeat.interval.ms")
        return self._config.heartbeat_interval_ms if own is None else int(own)

    # -- ConsumerGroupHeartbeat ----------------------------------------------------------------------------------

    def heartbeat(
        self, request: ConsumerGroupHeartbeatRequest, context: RequestContext, random_id: str, now_ms: int
    ) -> Decision:
        """Join, stay, change or leave; raises `KafkaError`. What the request must look like was checked (`requests`).

        `random_id` is for a member that has no id yet.
        """
        group_id, epoch = request.group_id, request.member_epoch
        group = self.state.groups.get(group_id)
        if epoch > JOIN_EPOCH and type(group) is ConsumerGroup:
            member = group.members.get(request.member_id)
            if member is not None and _is_idle(group, member, request, context):
                response = ConsumerGroupHeartbeatResponse(
                    error_code=ErrorCode.NONE, member_id=member.member_id, member_epoch=epoch,
                    heartbeat_interval_ms=self._interval_ms(group_id),
                )  # fmt: skip
                key = ("consumer-session", group_id, member.member_id)
                return Decision(timers=[Timer(key, self._session_ms(group_id))], response=response)
        if epoch in (LEAVE_EPOCH, STATIC_LEAVE_EPOCH):
            return self._leave(request, now_ms)
        decision = Decision()
        found = self._group_for(group_id, decision, now_ms, create=epoch == JOIN_EPOCH)
        self.check_room(found, request.member_id)
        member_id = request.member_id or random_id
        old = self._member_for(found, member_id, request, decision)
        return self._update(found, old, request, context, decision, now_ms)

    def _group_for(self, group_id: str, decision: Decision, now_ms: int, *, create: bool) -> ConsumerGroup:
        """Find the group; or make a draft of one, which the records of the decision will turn into a real one."""
        group = self.state.groups.get(group_id)
        if isinstance(group, ConsumerGroup):
            return group
        if group is None and not create:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Consumer group {group_id} not found.")
        if group is None:
            return ConsumerGroup(group_id)
        if not create or not isinstance(group, ClassicGroup):
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group.")
        if not group.is_empty():
            return migration.upgrade(self, group, decision)
        decision.records += group.tombstones()
        decision.timers += [Timer(key, None) for key in group.timers()]
        decision.notes.append(f"[GroupId {group_id}] Converted the empty classic group to a consumer group")
        return ConsumerGroup(group_id)

    def check_room(self, group: ConsumerGroup, member_id: str) -> None:
        """Raise GROUP_MAX_SIZE_REACHED if there is no place for somebody new."""
        if len(group.members) >= self._config.max_size and member_id not in group.members:
            raise KafkaError(
                ErrorCode.GROUP_MAX_SIZE_REACHED,
                f"The consumer group has reached its maximum capacity of {self._config.max_size} members.",
            )

    def _member_for(
        self, group: ConsumerGroup, member_id: str, request: ConsumerGroupHeartbeatRequest, decision: Decision
    ) -> ConsumerMember:
        """Find the member, or make one that joins; raises what fences it."""
        epoch, instance_id = request.member_epoch, request.instance_id
        if instance_id is not None:
            return self._static_member_for(group, member_id, instance_id, request, decision)
        member = group.members.get(member_id)
        if member is None and epoch == JOIN_EPOCH:
            decision.notes.append(
                f"[GroupId {group.group_id}] Member {member_id} joins the consumer group using the consumer protocol"
            )
            return ConsumerMember(member_id)
        member = group.member(member_id)
        _check_epoch(member, epoch, request.topic_partitions)
        return member

    def _static_member_for(
        self, group: ConsumerGroup, member_id: str, instance_id: str, request: ConsumerGroupHeartbeatRequest,
        decision: Decision,
    ) -> ConsumerMember:  # fmt: skip
        existing = group.static_member(instance_id)
        if request.member_epoch != JOIN_EPOCH:
            existing = known_static(group, member_id, instance_id)
            _check_epoch(existing, request.member_epoch, request.topic_partitions)
            return existing
        if existing is None:
            decision.notes.append(
                f"[GroupId {group.group_id}] Static member {member_id} with instance id {instance_id} joins the consumer group"
            )
            return group.members.get(member_id) or ConsumerMember(member_id)
        if not existing.is_classic and existing.member_epoch != STATIC_LEAVE_EPOCH:
            raise KafkaError(
                ErrorCode.UNRELEASED_INSTANCE_ID,
                f"Static member {member_id} with instance id {instance_id} cannot join the group because the "
                f"instance id is owned by {existing.member_id} member.",
            )
        return replace_static(group, existing, member_id, decision)

    def _update(
        self, group: ConsumerGroup, old: ConsumerMember, request: ConsumerGroupHeartbeatRequest,
        context: RequestContext, decision: Decision, now_ms: int,
    ) -> Decision:  # fmt: skip
        names, regex = request.subscribed_topic_names, request.subscribed_topic_regex
        new = _told(old, request, context)
        named = self.store_member(group, old, new, decision)
        pattern = self.change_pattern(group, old, new, decision, now_ms)
        bump = group.group_epoch == 0 or named or (pattern.changed and pattern.resolved)
        target_epoch, target = self.retarget(group, old, new, decision, bump=bump)
        owned = request.topic_partitions
        done = self.reconcile(
            group, new, target_epoch, target, owned, decision, subscription_changed=named or pattern.changed
        )
        decision.timers.append(Timer(session_key(group.group_id, done.member_id), self._session_ms(group.group_id)))
        if old.is_classic:
            decision.timers += [Timer(key, None) for key in member_timers(group.group_id, done.member_id)[2:]]
        response = ConsumerGroupHeartbeatResponse(
            error_code=ErrorCode.NONE, member_id=done.member_id, member_epoch=done.member_epoch,
            heartbeat_interval_ms=self._interval_ms(group.group_id),
        )  # fmt: skip
        is_full = request.rebalance_timeout_ms != -1 and (names is not None or regex is not None) and owned is not None
        if request.member_epoch == JOIN_EPOCH or is_full or done.assigned_partitions != old.assigned_partitions:
            assigned = topic_partitions(done.assigned_partitions, api.TopicPartitions)
            response.assignment = api.Assignment(topic_partitions=assigned)
        decision.response = response
        return decision

    # -- the steps -----------------------------------------------------------------------------------------------

    def store_member(self, group: ConsumerGroup, old: ConsumerMember, new: ConsumerMember, decision: Decision) -> bool:
        """Write the member if it is new or differs; returns whether it names other topics."""
        if new is old or new == old:
            return False
        decision.records.append(records.member_metadata(group.group_id, new))
        return new.subscribed_topic_names != old.subscribed_topic_names

    def change_pattern(
        self, group: ConsumerGroup, old: ConsumerMember, new: ConsumerMember, decision: Decision, now_ms: int
    ) -> PatternChange:
        """Follow a change of the member's pattern, and have the group's patterns matched if it is time."""
        change = PatternChange.of(group, old, new)
        if change.forgotten is not None:
            decision.records.append(records.pattern_tombstone(group.group_id, change.forgotten))
        if not (group.pattern_counts or change.is_new) or group.group_id in self._resolving:
            return change
        patterns = Subscriptions(group, old, new).patterns
        if needs_refresh(
            group, patterns, is_new=change.is_new, topics_version=self.state.topics_created_version,
            interval_ms=self._config.regex_refresh_interval_ms, now_ms=now_ms,
        ):  # fmt: skip
            self._resolving.add(group.group_id)
            image = self.state.image
            work = ResolvePatterns(group.group_id, tuple(patterns), tuple(image.topics.names()), image.version, now_ms)
            decision.effects.append(work)
        return change

    def retarget(
        self, group: ConsumerGroup, old: ConsumerMember, new: ConsumerMember, decision: Decision, *, bump: bool
    ) -> tuple[int, Assignment]:
        """Raise the group epoch if need be, and compute the target for it. Returns the member's target and its epoch."""
        epoch = group.group_epoch
        after = None
        if bump or not group.metadata_checked:
            after = Subscriptions(group, old, new)
            metadata_hash = self.state.topic_hashes.of_group(after.topic_names(), self.state.image)
            if bump or metadata_hash != group.metadata_hash:
                epoch += 1
                decision.records.append(records.group_epoch(group.group_id, epoch, metadata_hash))
                decision.notes.append(
                    f"[GroupId {group.group_id}] Bumped group epoch to {epoch} with metadata hash {metadata_hash}"
                )
            group.metadata_checked = True
            if group.has_subscription_metadata:
                decision.records.append(records.subscription_metadata_tombstone(group.group_id))
        if epoch <= group.target_epoch:
            return group.target_epoch, group.target_of(new.member_id, new.instance_id)
        # Kafka looks at the group without what is new in it if no epoch was raised here; then members whose subscriptions
        # differ may be taken for equal, and partitions are left to nobody.
        homogeneous = (Subscriptions(group, old, new) if after is None else after).homogeneous()
        assignor = group.preferred_assignor(old, new) or self._config.assignors[0]
        return epoch, retarget(group, old, new, epoch, assignor, self.state.image, decision, homogeneous=homogeneous)

    def reconcile(
        self, group: ConsumerGroup, member: ConsumerMember, target_epoch: int, target: Assignment,
        owned: Sequence[api.TopicPartitions] | None, decision: Decision, *, subscription_changed: bool,
    ) -> ConsumerMember:  # fmt: skip
        """Take one step towards the target, and watch over what the member has to give back."""
        if not subscription_changed and member.is_reconciled_to(target_epoch):
            return member
        topics = self.state.image.topics
        found = (topics.get(name) for name in group.topics_of(member))
        subscribed = frozenset(topic.id for topic in found if topic is not None)
        done = reconcile(
            group, member, target_epoch, target, subscribed, owned, subscription_changed=subscription_changed
        )
        if done == member:
            return member
        decision.records.append(records.current_assignment(group.group_id, done))
        if not done.is_classic:
            waits = done.state is MemberState.UNREVOKED_PARTITIONS
            key = rebalance_key(group.group_id, done.member_id)
            decision.timers.append(Timer(key, done.rebalance_timeout_ms if waits else None))
        return done

    # -- leaving -------------------------------------------------------------------------------------------------

    def _leave(self, request: ConsumerGroupHeartbeatRequest, now_ms: int) -> Decision:
        group_id, member_id, instance_id = request.group_id, request.member_id, request.instance_id
        group = self.find(group_id)
        decision = Decision(
            response=ConsumerGroupHeartbeatResponse(
                error_code=ErrorCode.NONE, member_id=member_id, member_epoch=request.member_epoch
            )
        )
        if instance_id is None:
            member = group.member(member_id)
        else:
            member = known_static(group, member_id, instance_id)
            if request.member_epoch == STATIC_LEAVE_EPOCH:
                away = replace(member, member_epoch=STATIC_LEAVE_EPOCH, partitions_pending_revocation=NOTHING)
                decision.records.append(records.current_assignment(group_id, away))
                decision.notes.append(
                    f"[GroupId {group_id}] Static member {member_id} with instance id {instance_id} left for a while"
                )
                return decision
        decision.notes.append(f"[GroupId {group_id}] Member {member_id} left the consumer group")
        self.remove(group, [member], decision, now_ms)
        return decision

    def describe(self, group_id: str) -> DescribedGroup:
        """ConsumerGroupDescribe of one group; raises GROUP_ID_NOT_FOUND."""
        return describe_group(self.find(group_id), self._config.assignors[0], self.state.image.topics)

    def find(self, group_id: str) -> ConsumerGroup:
        """Find a group; raises GROUP_ID_NOT_FOUND."""
        group = self.state.groups.get(group_id)
        if group is None:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")
        if not isinstance(group, ConsumerGroup):
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} is not a consumer group.")
        return group

    def remove(self, group: ConsumerGroup, members: Sequence[ConsumerMember], decision: Decision, now_ms: int) -> None:
        """Take members out: the group epoch rises; or the group becomes classic, if only classic members remain."""
        if not members:
            return
        group_id = group.group_id
        for member in members:
            decision.timers += [Timer(key, None) for key in member_timers(group_id, member.member_id)]
        if migration.may_downgrade(self, group, members):
            migration.downgrade(self, group, members, decision, now_ms)
            return
        for member in members:
            decision.records += records.member_tombstones(group_id, member.member_id)
        after = Subscriptions.without(group, members)
        gone = [pattern for pattern in group.pattern_counts if pattern not in after.patterns]
        decision.records += [records.pattern_tombstone(group_id, pattern) for pattern in gone]
        metadata_hash = self.state.topic_hashes.of_group(after.topic_names(), self.state.image)
        decision.records.append(records.group_epoch(group_id, group.group_epoch + 1, metadata_hash))

    # -- patterns ------------------------------------------------------------------------------------------------

    def patterns_resolved(self, work: ResolvePatterns, found: dict[str, frozenset[str]], now_ms: int) -> Decision:
        """The shell has matched the patterns of a group: store the result, and assign anew if it is another."""
        decision = Decision()
        self._resolving.discard(work.group_id)
        group = self.state.find(work.group_id, ConsumerGroup)
        if group is None:
            return decision
        changed = False
        names = set(group.name_counts)
        for pattern, resolved in group.resolved.items():
            names |= found.get(pattern, resolved.topics)
        for pattern, topics in found.items():
            if pattern not in group.pattern_counts:
                continue  # Nobody subscribes to it any more.
            names |= topics
            before = group.resolved.get(pattern)
            changed = changed or topics != (frozenset() if before is None else before.topics)
            decision.records.append(
                records.resolved_pattern(work.group_id, pattern, topics, work.version, work.asked_ms)
            )
        metadata_hash = self.state.topic_hashes.of_group(names, self.state.image)
        if changed or metadata_hash != group.metadata_hash:
            epoch = group.group_epoch + 1
            decision.records.append(records.group_epoch(work.group_id, epoch, metadata_hash))
            decision.notes.append(
                f"[GroupId {work.group_id}] Bumped group epoch to {epoch}: patterns match other topics"
            )
            group.metadata_checked = True
        return decision


def _is_idle(
    group: ConsumerGroup, member: ConsumerMember, request: ConsumerGroupHeartbeatRequest, context: RequestContext
) -> bool:
    """Whether a heartbeat says nothing new in a group where nothing happens."""
    return (
        request.member_epoch == member.member_epoch == group.target_epoch == group.group_epoch
        and member.state is MemberState.STABLE
        and group.metadata_checked
        and not group.pattern_counts
        and member.classic is None
        and request.instance_id == member.instance_id
        and request.rack_id is None
        and request.rebalance_timeout_ms == -1
        and request.subscribed_topic_names is None
        and request.subscribed_topic_regex is None
        and request.server_assignor is None
        and request.topic_partitions is None
        and context.client_id == member.client_id
        and context.client_host == member.client_host
    )


def _told(old: ConsumerMember, request: ConsumerGroupHeartbeatRequest, context: RequestContext) -> ConsumerMember:
    """The member with what its heartbeat says of it; the same object if that is nothing, as in nearly all of them."""
    names, regex = request.subscribed_topic_names, request.subscribed_topic_regex
    if (
        names is None and regex is None and old.classic is None and request.rebalance_timeout_ms == -1
        and request.instance_id is None and request.rack_id is None and request.server_assignor is None
        and old.client_id == context.client_id and old.client_host == context.client_host
    ):  # fmt: skip
        return old
    return replace(
        old,
        instance_id=old.instance_id if request.instance_id is None else request.instance_id,
        rack_id=old.rack_id if request.rack_id is None else request.rack_id,
        rebalance_timeout_ms=old.rebalance_timeout_ms
        if request.rebalance_timeout_ms == -1
        else request.rebalance_timeout_ms,
        server_assignor=old.server_assignor if request.server_assignor is None else request.server_assignor,
        subscribed_topic_names=old.subscribed_topic_names if names is None else frozenset(names),
        subscribed_topic_regex=old.subscribed_topic_regex if regex is None else regex,
        client_id=context.client_id,
        client_host=context.client_host,
        classic=None,
    )


def _check_epoch(member: ConsumerMember, epoch: int, owned: Sequence[api.TopicPartitions] | None) -> None:
    """Raise FENCED_MEMBER_EPOCH, unless the member only missed the answer that raised its epoch."""
    if epoch in (JOIN_EPOCH, member.member_epoch):
        return
    was_missed = epoch == member.previous_member_epoch and epoch < member.member_epoch
    if was_missed and is_within(owned, member.assigned_partitions):
        return
    relation = "greater" if epoch > member.member_epoch else "smaller"
    raise KafkaError(
        ErrorCode.FENCED_MEMBER_EPOCH,
        f"The consumer group member has a {relation} member epoch ({epoch}) than the one known by the group "
        f"coordinator ({member.member_epoch}). The member must abandon all its partitions and rejoin.",
    )


def known_static(group: ConsumerGroup, member_id: str, instance_id: str) -> ConsumerMember:
    """Find who bears an instance id; raises UNKNOWN_MEMBER_ID, or FENCED_INSTANCE_ID if it is somebody else."""
    member = group.static_member(instance_id)
    if member is None:
        raise KafkaError(ErrorCode.UNKNOWN_MEMBER_ID, f"Instance id {instance_id} is unknown.")
    if member.member_id != member_id:
        raise KafkaError(
            ErrorCode.FENCED_INSTANCE_ID,
            f"Static member {member_id} with instance id {instance_id} was fenced by member {member.member_id}.",
        )
    return member


def replace_static(
    group: ConsumerGroup, existing: ConsumerMember, member_id: str, decision: Decision
) -> ConsumerMember:
    """Give the place of a static member to itself under a new id: what it had and shall have stay."""
    group_id = group.group_id
    member = replace(existing, member_id=member_id, member_epoch=0, previous_member_epoch=0)
    stored: list[StoredRecord] = [
        *records.member_tombstones(group_id, existing.member_id),
        records.member_metadata(group_id, member),
        records.target_assignment(group_id, member_id, group.target_of(existing.member_id)),
        records.current_assignment(group_id, member),
    ]
    decision.records += stored
    if member_id != existing.member_id:
        decision.timers += [Timer(key, None) for key in member_timers(group_id, existing.member_id)]
    decision.notes.append(
        f"[GroupId {group_id}] Static member with instance id {existing.instance_id} is back: {member_id} replaces "
        f"{existing.member_id}"
    )
    return member
