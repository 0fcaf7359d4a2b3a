"""The assignor `uniform` for a group whose members read different topics.

Topics are taken in an order: many partitions per subscriber first. Of each, free partitions go to its subscribers with
the fewest partitions; then, round after round over the topics, partitions move from the fullest subscribers to the
emptiest, until a round moves nothing.

    partitions │ …..            ▓   two ranges of members, sorted by what they have: the emptiest (its end moves right
      of a     │ ░░░▓▓▓▓▓▓▓▓▓▓▓▓▓   when all of it has got one more) and the fullest (its start moves left when all of it
      member   │ └─┘         └──┘   has given one); done when the two levels differ by at most one

Who gives and gets among equals follows Kafka's, so that the same group gets the same assignment from both.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..modern import hash_order
from ..modern.assignment import Assignment, frozen
from ..modern.assignor import GroupSpec

__all__ = ["assign_mixed"]

#: Members with overlapping subscriptions may take many rounds; each about halves the imbalance (Kafka's bound).
ROUNDS_MAX = 16
_NOBODY = -1


class _Ranges:
    """The emptiest and the fullest of some members, as partitions move between them. Members are numbers."""

    def __init__(self, sizes: list[int], members: list[int]) -> None:
        #: How many partitions each member has; changed by the caller as it moves them.
        self._sizes = sizes
        self._order = sorted(members, key=lambda member: (sizes[member], member))
        count = len(self._order)
        least, most = sizes[self._order[0]], sizes[self._order[-1]]
        self.imbalance = most - least
        #: The emptiest: order[:low_end], all with `low_level` partitions before the next round over them.
        self._low_end = self._low_next = 0
        self._low_level = least - 1
        #: The fullest: order[high_start:high_end]; behind them are those that have nothing to give.
        self._high_start = self._high_end = count
        self._high_next = count - 1
        self._high_level = most + 1

    def balanced(self) -> bool:
        return self._high_level - self._low_level <= 1

    def next_emptiest(self) -> int:
        """Name who gets the next partition."""
        if self._low_next >= self._low_end:
            self._low_level += 1
            while self._low_end < len(self._order) and self._sizes[self._order[self._low_end]] == self._low_level:
                self._low_end += 1
            self._low_next = 0
        self._low_next += 1
        return self._order[self._low_next - 1]

    def next_fullest(self) -> int:
        """Name who gives the next partition; -1 if nobody can."""
        if self._high_next < self._high_start:
            if self._high_end <= self._high_start and self._high_start > 0:
                # All of the range had nothing to give: go on at the level of the next below.
                self._high_level = self._sizes[self._order[self._high_start - 1]]
            else:
                self._high_level -= 1
            while self._high_start > 0 and self._sizes[self._order[self._high_start - 1]] == self._high_level:
                self._high_start -= 1
            self._high_next = self._high_end - 1
        if self._high_next < 0:
            return _NOBODY
        self._high_next -= 1
        return self._order[self._high_next + 1]

    def exclude_last_fullest(self) -> None:
        """Whom `next_fullest` named last has nothing to give: put it behind the range."""
        here, end = self._high_next + 1, self._high_end - 1
        self._order[here], self._order[end] = self._order[end], self._order[here]
        self._high_end -= 1


class _Mixed:
    """One assignment in the making."""

    def __init__(self, spec: GroupSpec) -> None:
        self._counts = spec.partition_counts
        self._sizes = [0] * len(spec.members)
        #: The subscribers of each topic, as numbers, ascending.
        self._subscribers: dict[bytes, list[int]] = {}
        for number, member in enumerate(spec.members.values()):
            for topic_id in member.topic_ids:
                self._subscribers.setdefault(topic_id, []).append(number)
        self.owners = {topic_id: [_NOBODY] * self._counts[topic_id] for topic_id in self._subscribers}
        for number, member in enumerate(spec.members.values()):
            for topic_id in member.topic_ids & member.assignment.keys():
                owners = self.owners[topic_id]
                for partition in member.assignment[topic_id]:
                    if partition < len(owners):
                        owners[partition] = number
                        self._sizes[number] += 1
        self.topics = sorted(self._subscribers, key=self._place)

    def _place(self, topic_id: bytes) -> tuple[float, int, tuple[int, int]]:
        readers = len(self._subscribers[topic_id])
        return -self._counts[topic_id] / readers, readers, hash_order.uuid_sort_key(topic_id)

    def _give(self, topic_id: bytes, partition: int, member: int) -> None:
        owners = self.owners[topic_id]
        if owners[partition] != _NOBODY:
            self._sizes[owners[partition]] -= 1
        owners[partition] = member
        self._sizes[member] += 1

    def assign_free(self) -> None:
        for topic_id in self.topics:
            free = [partition for partition, owner in enumerate(self.owners[topic_id]) if owner == _NOBODY]
            if free:
                ranges = _Ranges(self._sizes, self._subscribers[topic_id])
                for partition in free:
                    self._give(topic_id, partition, ranges.next_emptiest())

    def balance(self) -> None:
        shared = [topic_id for topic_id in self.topics if len(self._subscribers[topic_id]) > 1]
        last_moved = None
        for _ in range(ROUNDS_MAX):
            for topic_id in shared:
                if topic_id == last_moved:
                    return  # Once around without a move.
                if self._balance_topic(topic_id) or last_moved is None:
                    last_moved = topic_id

    def _balance_topic(self, topic_id: bytes) -> int:
        """Move partitions of one topic; returns how many."""
        ranges = _Ranges(self._sizes, self._subscribers[topic_id])
        if ranges.imbalance <= 1:
            return 0
        #: What each member has of the topic, and gives from the end.
        held: dict[int, list[int]] = {}
        for partition, owner in enumerate(self.owners[topic_id]):
            held.setdefault(owner, []).append(partition)
        moved = 0
        while not ranges.balanced():
            giver = ranges.next_fullest()
            while giver != _NOBODY and not held.get(giver):
                ranges.exclude_last_fullest()
                giver = ranges.next_fullest()
            if giver == _NOBODY:
                break
            partition = held[giver].pop()
            taker = ranges.next_emptiest()
            if ranges.balanced():
                break
            self._give(topic_id, partition, taker)
            moved += 1
        return moved


def assign_mixed(spec: GroupSpec) -> Mapping[str, Assignment]:
    """Assign as evenly as the subscriptions allow, moving little."""
    state = _Mixed(spec)
    state.assign_free()
    state.balance()
    member_ids = list(spec.members)
    assigned: dict[str, dict[bytes, set[int]]] = {member_id: {} for member_id in member_ids}
    for topic_id, owners in state.owners.items():
        for partition, owner in enumerate(owners):
            if owner != _NOBODY:
                assigned[member_ids[owner]].setdefault(topic_id, set()).add(partition)
    return {member_id: frozen(partitions) for member_id, partitions in assigned.items()}
