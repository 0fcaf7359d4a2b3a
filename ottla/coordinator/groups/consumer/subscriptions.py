"""What a group would be subscribed to if one member changed: the question every heartbeat that changes something asks."""

from __future__ import annotations

from collections.abc import Iterable

from ..modern.group import adjust
from .group import ConsumerGroup
from .member import ConsumerMember

__all__ = ["Subscriptions"]


class Subscriptions:
    """The subscriptions of a group with `new` in the place of `old`; without arguments, as they are."""

    __slots__ = ("_members", "_names", "_pattern_topics", "patterns")

    def __init__(
        self, group: ConsumerGroup, old: ConsumerMember | None = None, new: ConsumerMember | None = None
    ) -> None:
        self._names, self.patterns = dict(group.name_counts), dict(group.pattern_counts)
        self._pattern_topics = dict(group.pattern_topics)
        self._members = len(group.members)
        if new is not None and new.member_id not in group.members and new.instance_id not in group.static_members:
            self._members += 1
        for member, step in ((old, -1), (new, +1)):
            if member is not None:
                adjust(self._names, member.subscribed_topic_names, step)
                if member.pattern is not None:
                    adjust(self.patterns, [member.pattern], step)
        gone = None if old is None else old.pattern
        if gone is not None and gone not in self.patterns and gone in group.resolved:
            adjust(self._pattern_topics, group.resolved[gone].topics, -1)

    @classmethod
    def without(cls, group: ConsumerGroup, leaving: Iterable[ConsumerMember]) -> Subscriptions:
        """What remains when members leave."""
        found = cls(group)
        for member in leaving:
            found._members -= 1
            adjust(found._names, member.subscribed_topic_names, -1)
            if member.pattern is not None:
                adjust(found.patterns, [member.pattern], -1)
                if member.pattern not in found.patterns and member.pattern in group.resolved:
                    adjust(found._pattern_topics, group.resolved[member.pattern].topics, -1)
        return found

    def topic_names(self) -> set[str]:
        """All topics, by name or by pattern."""
        return self._names.keys() | self._pattern_topics.keys()

    def homogeneous(self) -> bool:
        """Whether all members read the same topics, as far as Kafka looks: by the same names, or by one pattern alone."""
        if not self.patterns:
            return all(self._names.get(name, 0) == self._members for name in self.topic_names())
        if next(iter(self.patterns.values())) != self._members:
            return False
        return not self._names and all(count == 1 for count in self._pattern_topics.values())
