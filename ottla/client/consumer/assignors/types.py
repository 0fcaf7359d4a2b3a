"""What assignors are given and give, and what travels in JoinGroup and SyncGroup for them. Pure.

    subscription of each member ──► read_subscription ──► Member ─┐
    partitions of each topic ─────────────────────────────────────┴─► Assignor.assign ──► {member id: partitions}

The members of a group may be clients of any language: names, versions and user data are those of Kafka's Java client, so
that whoever is leader understands what the others say they own.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from ....protocol import codec
from ....protocol.consumer_protocol import (
    ConsumerProtocolAssignment,
    ConsumerProtocolAssignmentTopicPartition,
    ConsumerProtocolSubscription,
    TopicPartition,
)
from ....protocol.errors import RemoteProtocolError

TopicAndPartition = tuple[str, int]
Assignment = dict[str, list[TopicAndPartition]]

NO_GENERATION = -1
_VERSION = struct.Struct(">h")
SUBSCRIPTION_VERSION = 3
ASSIGNMENT_VERSION = 1


class Member(NamedTuple):
    """What a member said when it joined."""

    member_id: str
    topics: frozenset[str]
    instance_id: str | None = None
    owned: tuple[TopicAndPartition, ...] = ()
    generation: int = NO_GENERATION
    user_data: bytes | None = None
    rack: str | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Static members come first, by their instance id, so that their partitions do not change with member ids."""
        return (0, self.instance_id) if self.instance_id is not None else (1, self.member_id)


class Assignor(Protocol):
    """One way to distribute partitions."""

    name: str
    #: Whether members keep what they own while the group rebalances (KIP-429).
    cooperative: bool

    def user_data(self, owned: Sequence[TopicAndPartition], generation: int) -> bytes | None:
        """What a member says in its subscription beside topics and owned partitions."""
        ...

    def assign(self, counts: Mapping[str, int], members: Sequence[Member]) -> Assignment:
        """Distribute the partitions 0..count-1 of each topic; topics that do not exist are not in `counts`.

        An assignor that heeds racks (KIP-881) also has `assign_near(counts, members, racks)`, which is called where brokers have racks.
        """
        ...


def by_topic(partitions: Sequence[TopicAndPartition]) -> dict[str, list[int]]:
    """Topic -> partitions."""
    found: dict[str, list[int]] = {}
    for topic, partition in partitions:
        found.setdefault(topic, []).append(partition)
    return found


def write_subscription(
    topics: Sequence[str],
    owned: Sequence[TopicAndPartition],
    generation: int,
    rack: str | None,
    user_data: bytes | None,
) -> bytes:
    """The metadata of JoinGroup."""
    message = ConsumerProtocolSubscription(
        topics=sorted(topics),
        user_data=user_data,
        owned_partitions=[
            TopicPartition(topic=topic, partitions=sorted(partitions))
            for topic, partitions in sorted(by_topic(owned).items())
        ],
        generation_id=generation,
        rack_id=rack,
    )
    return _VERSION.pack(SUBSCRIPTION_VERSION) + codec.encode(message, SUBSCRIPTION_VERSION)


def read_subscription(member_id: str, instance_id: str | None, metadata: bytes) -> Member:
    """What a member of any client wrote; `RemoteProtocolError` where it is no subscription."""
    version = _version(metadata, SUBSCRIPTION_VERSION)
    said = codec.decode(ConsumerProtocolSubscription, metadata, version, _VERSION.size)
    owned = tuple((entry.topic, partition) for entry in said.owned_partitions for partition in entry.partitions)
    rack = said.rack_id or None
    return Member(member_id, frozenset(said.topics), instance_id, owned, said.generation_id, said.user_data, rack)


def write_assignment(partitions: Sequence[TopicAndPartition], user_data: bytes | None = None) -> bytes:
    """One member's part of SyncGroup."""
    message = ConsumerProtocolAssignment(
        assigned_partitions=[
            ConsumerProtocolAssignmentTopicPartition(topic=topic, partitions=sorted(numbers))
            for topic, numbers in sorted(by_topic(partitions).items())
        ],
        user_data=user_data,
    )
    return _VERSION.pack(ASSIGNMENT_VERSION) + codec.encode(message, ASSIGNMENT_VERSION)


def read_assignment(data: bytes) -> list[TopicAndPartition]:
    """The partitions of an assignment; none where the leader left us without a word."""
    if not data:
        return []
    said = codec.decode(ConsumerProtocolAssignment, data, _version(data, ASSIGNMENT_VERSION), _VERSION.size)
    return [(entry.topic, partition) for entry in said.assigned_partitions for partition in entry.partitions]


def _version(data: bytes, newest: int) -> int:
    if len(data) < _VERSION.size:
        raise RemoteProtocolError(f"{len(data)} bytes are too few for a consumer's metadata")
    version: int = _VERSION.unpack_from(data)[0]
    if version < 0:
        raise RemoteProtocolError(f"a consumer's metadata has version {version}")
    return min(version, newest)
