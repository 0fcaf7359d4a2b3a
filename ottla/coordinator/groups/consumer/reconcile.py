"""How a member comes from what it has to what it shall have: give back first, then receive, never both at once.

has and target         kept
has, not in target     to be revoked: while the member reports any of them as its own, it stays at its epoch
in target, not has     given as soon as nobody else holds it; the epoch rises to that of the target

STABLE ──target changed──► UNREVOKED_PARTITIONS ──all given back──► STABLE, or UNRELEASED_PARTITIONS while others
                                                                    still hold some of what it shall have
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ....protocol.errors import ErrorCode, KafkaError
from ..modern.assignment import Assignment, TopicPartitions
from ..modern.group import MemberState
from .group import ConsumerGroup
from .member import ConsumerMember

__all__ = ["reconcile"]

_NO_PARTITIONS: frozenset[int] = frozenset()


def reconcile(
    group: ConsumerGroup,
    member: ConsumerMember,
    target_epoch: int,
    target: Assignment,
    subscribed: frozenset[bytes],
    owned: Sequence[TopicPartitions] | None,
    *,
    subscription_changed: bool,
) -> ConsumerMember:
    """Compute a member's next assignment. `owned` is what it says it has (None: as before), `subscribed` its topics' ids.

    Raises FENCED_MEMBER_EPOCH if the member's state was written by a coordinator that knew more states than we do.
    """
    if not subscription_changed and member.is_reconciled_to(target_epoch):
        return member
    step = _Step(group, member, target_epoch, target, subscribed, owned)
    if member.state is MemberState.STABLE:
        if member.member_epoch != target_epoch:
            return step.advance(member.member_epoch)
        return step.drop_unsubscribed()
    if member.state is MemberState.UNREVOKED_PARTITIONS:
        if step.still_owns(member.partitions_pending_revocation):
            return step.drop_unsubscribed() if subscription_changed else member
        return step.advance(member.member_epoch)
    if member.state is MemberState.UNKNOWN:
        if owned is None or owned:
            raise KafkaError(
                ErrorCode.FENCED_MEMBER_EPOCH,
                "The consumer group member is in a unknown state. "
                "The member must abandon all its partitions and rejoin.",
            )
        return step.advance(target_epoch)
    return step.advance(member.member_epoch)


class _Step:
    """One step of one member."""

    def __init__(
        self, group: ConsumerGroup, member: ConsumerMember, target_epoch: int, target: Assignment,
        subscribed: frozenset[bytes], owned: Sequence[TopicPartitions] | None,
    ) -> None:  # fmt: skip
        self._group = group
        self._member = member
        self._target_epoch = target_epoch
        self._target = target
        self._subscribed = subscribed
        self._owned = owned

    def still_owns(self, revoked: Assignment) -> bool:
        """Whether the member reports some of these as its own; one that reports nothing has them all."""
        if self._owned is None:
            return True
        return any(not revoked.get(some.topic_id, _NO_PARTITIONS).isdisjoint(some.partitions) for some in self._owned)

    def drop_unsubscribed(self) -> ConsumerMember:
        """Take away, at the same epoch, what the member does not subscribe to any more."""
        member = self._member
        dropped = {t: p for t, p in member.assigned_partitions.items() if t not in self._subscribed}
        if not dropped:
            return member
        kept = {t: p for t, p in member.assigned_partitions.items() if t in self._subscribed}
        pending = dict(member.partitions_pending_revocation)
        for topic_id, partitions in dropped.items():
            pending[topic_id] = pending.get(topic_id, _NO_PARTITIONS) | partitions
        if not self.still_owns(pending):
            return replace(member, assigned_partitions=kept)
        return replace(
            member,
            state=MemberState.UNREVOKED_PARTITIONS,
            assigned_partitions=kept,
            partitions_pending_revocation=pending,
        )

    def advance(self, epoch: int) -> ConsumerMember:
        """Go on towards the target; the member stays at `epoch` if it has something to give back first."""
        member, has = self._member, self._member.assigned_partitions
        kept: dict[bytes, frozenset[int]] = {}
        revoked: dict[bytes, frozenset[int]] = {}
        given: dict[bytes, frozenset[int]] = {}
        waits = False
        for topic_id in dict.fromkeys((*self._target, *has)):
            wanted = self._target.get(topic_id, _NO_PARTITIONS) if topic_id in self._subscribed else _NO_PARTITIONS
            had = has.get(topic_id, _NO_PARTITIONS)
            if had & wanted:
                kept[topic_id] = had & wanted
            if had - wanted:
                revoked[topic_id] = had - wanted
            missing = wanted - had
            free = missing - self._held_by_others(topic_id)
            waits = waits or len(free) < len(missing)
            if free:
                given[topic_id] = free
        if revoked and self.still_owns(revoked):
            return replace(
                member,
                state=MemberState.UNREVOKED_PARTITIONS,
                member_epoch=epoch,
                previous_member_epoch=member.member_epoch,
                assigned_partitions=kept,
                partitions_pending_revocation=revoked,
            )
        for topic_id, partitions in given.items():
            kept[topic_id] = kept.get(topic_id, _NO_PARTITIONS) | partitions
        return replace(
            member,
            state=MemberState.UNRELEASED_PARTITIONS if waits else MemberState.STABLE,
            member_epoch=self._target_epoch,
            previous_member_epoch=member.member_epoch,
            assigned_partitions=kept if kept != has else has,
            partitions_pending_revocation={},
        )

    def _held_by_others(self, topic_id: bytes) -> frozenset[int]:
        """Partitions that have an owner. What the member itself has just given back is free."""
        back = self._member.partitions_pending_revocation.get(topic_id, _NO_PARTITIONS)
        return frozenset(self._group.owners.get(topic_id, ())) - back
