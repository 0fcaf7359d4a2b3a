"""`sticky` and `cooperative-sticky`: as even as can be, and everybody keeps what they have where that allows it.

    1. Who owns what: a claim counts from members of the newest generation that was seen for the partition; a partition
       that two members of one generation claim belongs to neither.
    2. All subscriptions equal: everybody keeps up to the quota, the rest is dealt out to those below it, in order.
       Otherwise: everybody keeps all, what is free goes to the least loaded reader, then partitions move from a reader
       to another that has at least two fewer, until there is none. Each move makes the sum of squares smaller, so it ends.
    3. `cooperative-sticky` (KIP-429): what moves is given to nobody in this round, because its owner still reads it;
       the owner gives it up and the group rebalances once more.

The result is balanced and sticky as that of Kafka's AbstractStickyAssignor, and the same where nobody owns anything. Which
of several equally good answers is chosen otherwise depends in Java on the order of its hash tables; here on names.

With racks (KIP-881), and all subscriptions equal, what is near to its owner stays, and what is free goes to a member of a rack with a replica first;
evenness comes before nearness.

User data: `sticky` sends {[topic, [partition]], generation}, `cooperative-sticky` {generation}: what it owns stands in the
subscription itself.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from ....protocol import codec
from ....protocol.errors import RemoteProtocolError
from .racks import Racks, racks_matter
from .types import NO_GENERATION, Assignment, Member, TopicAndPartition, by_topic
from .user_data import StickyTopic, StickyUserData

_GENERATION = struct.Struct(">i")


class StickyAssignor:
    """Kafka's StickyAssignor: eager, so what is owned travels in the user data."""

    name = "sticky"
    cooperative = False

    def user_data(self, owned: Sequence[TopicAndPartition], generation: int) -> bytes | None:
        if not owned:
            return None
        topics = [StickyTopic(topic=t, partitions=sorted(p)) for t, p in sorted(by_topic(owned).items())]
        return codec.encode(StickyUserData(previous_assignment=topics, generation=generation), 1)

    def assign(self, counts: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        return self.assign_near(counts, members, {})

    def assign_near(self, counts: Mapping[str, int], members: Sequence[Member], racks: Racks) -> Assignment:
        """The same, with the racks in which each partition has replicas."""
        return _assign(counts, [_with_user_data(member) for member in members], racks)


class CooperativeStickyAssignor:
    """Kafka's CooperativeStickyAssignor."""

    name = "cooperative-sticky"
    cooperative = True

    def user_data(self, owned: Sequence[TopicAndPartition], generation: int) -> bytes | None:
        return _GENERATION.pack(generation)

    def assign(self, counts: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        return self.assign_near(counts, members, {})

    def assign_near(self, counts: Mapping[str, int], members: Sequence[Member], racks: Racks) -> Assignment:
        """The same, with the racks in which each partition has replicas."""
        known = [_with_generation(member) for member in members]
        assignment = _assign(counts, known, racks)
        owner = {partition: member.member_id for member in known for partition in member.owned}
        return {
            member_id: [each for each in given if owner.get(each, member_id) == member_id]
            for member_id, given in assignment.items()
        }


def _with_generation(member: Member) -> Member:
    """A member whose subscription is older than v2 tells its generation in the user data."""
    if member.generation == NO_GENERATION and member.user_data is not None and len(member.user_data) >= 4:
        return member._replace(generation=_GENERATION.unpack_from(member.user_data)[0])
    return member


def _with_user_data(member: Member) -> Member:
    """What the user data of `sticky` says it owns; data that cannot be read owns nothing, as in Kafka."""
    if not member.user_data:
        return member._replace(owned=(), generation=NO_GENERATION)
    for version in (1, 0):
        try:
            said = codec.decode(StickyUserData, member.user_data, version)
        except RemoteProtocolError:
            continue
        owned = tuple((entry.topic, partition) for entry in said.previous_assignment for partition in entry.partitions)
        return member._replace(owned=owned, generation=said.generation)
    return member._replace(owned=(), generation=NO_GENERATION)


def owners(counts: Mapping[str, int], members: Sequence[Member]) -> dict[TopicAndPartition, str]:
    """Who owns a partition by the newest claim; nobody where two claims are equally new."""
    newest: dict[TopicAndPartition, int] = {}
    owner: dict[TopicAndPartition, str | None] = {}
    for member in members:
        for topic, partition in set(member.owned):
            if topic not in member.topics or not 0 <= partition < counts.get(topic, 0):
                continue
            before = newest.get((topic, partition))
            if before is None or member.generation > before:
                newest[topic, partition] = member.generation
                owner[topic, partition] = member.member_id
            elif member.generation == before:
                owner[topic, partition] = None
    return {partition: member_id for partition, member_id in owner.items() if member_id is not None}


def _assign(counts: Mapping[str, int], members: Sequence[Member], racks: Racks) -> Assignment:
    if not members:
        return {}
    owner = owners(counts, members)
    if len({member.topics for member in members}) == 1:
        return _assign_equal(counts, members, owner, racks)
    return _assign_general(counts, members, owner)


def _partitions(counts: Mapping[str, int], topics: frozenset[str]) -> list[TopicAndPartition]:
    return [(topic, partition) for topic in sorted(counts) if topic in topics for partition in range(counts[topic])]


def _near(partitions: Sequence[TopicAndPartition], members: Sequence[Member], racks: Racks) -> dict[str, str | None]:
    """Member -> its rack, where racks make a difference; else none has one."""
    matter = racks_matter(members, [racks.get(each, frozenset()) for each in partitions])
    return {member.member_id: member.rack if matter else None for member in members}


def _assign_equal(
    counts: Mapping[str, int], members: Sequence[Member], owner: Mapping[TopicAndPartition, str], racks: Racks
) -> Assignment:
    partitions = _partitions(counts, members[0].topics)
    rack_of = _near(partitions, members, racks)
    if any(rack_of.values()):
        owner = _nearer(partitions, rack_of, owner, racks)
    low, fuller = divmod(len(partitions), len(members))  # so many members get one more
    kept: Assignment = {member_id: [] for member_id in sorted(member.member_id for member in members)}
    for partition in partitions:
        if partition in owner:
            kept[owner[partition]].append(partition)
    full = 0
    for given in kept.values():
        if len(given) > low and full < fuller:
            full += 1
            del given[low + 1 :]
        else:
            del given[low:]
    taken = {partition for given in kept.values() for partition in given}
    free = [partition for partition in partitions if partition not in taken]
    hungry = [member_id for member_id, given in kept.items() if len(given) < low]
    next_free = iter(free)
    while hungry:
        for member_id in hungry:
            kept[member_id].append(next(next_free))
        hungry = [member_id for member_id in hungry if len(kept[member_id]) < low]
    room = [member_id for member_id, given in kept.items() if len(given) == low]
    for member_id, partition in zip(room, next_free, strict=False):
        kept[member_id].append(partition)
    return kept


def _nearer(
    partitions: Sequence[TopicAndPartition], rack_of: Mapping[str, str | None], owner: Mapping[TopicAndPartition, str],
    racks: Racks,
) -> dict[TopicAndPartition, str]:  # fmt: skip
    """Who shall keep or get what, by racks: what is near its owner stays there; the rest goes to a member that is near and has room, else
    back to its owner. Run on its own outcome it gives the same again, so that a group comes to rest.
    """
    low, fuller = divmod(len(partitions), len(rack_of))
    load = dict.fromkeys(sorted(rack_of), 0)
    found: dict[TopicAndPartition, str] = {}

    def give(partition: TopicAndPartition, member_id: str) -> bool:
        nonlocal fuller
        if load[member_id] >= low + (fuller > 0):
            return False
        fuller -= load[member_id] >= low
        load[member_id] += 1
        found[partition] = member_id
        return True

    def is_near(partition: TopicAndPartition, member_id: str) -> bool:
        return rack_of[member_id] is None or rack_of[member_id] in racks.get(partition, frozenset())

    left = [
        each for each in partitions if not (each in owner and is_near(each, owner[each]) and give(each, owner[each]))
    ]
    # What few are near to is given first: it has the least choice.
    near = {each: [member_id for member_id in load if is_near(each, member_id)] for each in left}
    rest = [
        each for each in sorted(left, key=lambda each: (len(near[each]), each))
        if not any(give(each, member_id) for member_id in sorted(near[each], key=load.__getitem__))
    ]  # fmt: skip
    for partition in rest:
        if partition in owner:
            give(partition, owner[partition])
    return found


def _assign_general(
    counts: Mapping[str, int], members: Sequence[Member], owner: Mapping[TopicAndPartition, str]
) -> Assignment:
    topics = frozenset().union(*(member.topics for member in members))
    readers = {
        topic: sorted(member.member_id for member in members if topic in member.topics)
        for topic in topics & counts.keys()
    }
    partitions = _partitions(counts, topics)
    holder = {partition: owner[partition] for partition in partitions if partition in owner}
    load = dict.fromkeys(sorted(member.member_id for member in members), 0)
    for member_id in holder.values():
        load[member_id] += 1
    # What few can read is given first: it has the least choice.
    for partition in sorted(partitions, key=lambda each: (len(readers[each[0]]), each)):
        if partition not in holder:
            best = min(readers[partition[0]], key=lambda member_id: (load[member_id], member_id))
            holder[partition] = best
            load[best] += 1
    _even_out(partitions, readers, holder, load)
    assignment: Assignment = {member_id: [] for member_id in load}
    for partition in partitions:
        assignment[holder[partition]].append(partition)
    return assignment


def _even_out(
    partitions: Sequence[TopicAndPartition],
    readers: Mapping[str, list[str]],
    holder: dict[TopicAndPartition, str],
    load: dict[str, int],
) -> None:
    moved = True
    while moved:
        moved = False
        for partition in partitions:
            now = holder[partition]
            best = min(readers[partition[0]], key=lambda member_id: (load[member_id], member_id))
            if load[best] + 1 < load[now]:
                holder[partition] = best
                load[now] -= 1
                load[best] += 1
                moved = True
