"""Runs consumer groups in memory: a `GroupDriver` with topics, and clients that keep what they were told.

A client is a name. It knows its epoch, what it was assigned and what it owns: it gives partitions back (and takes new ones)
when it is told to `settle`, and reports what it owns when that changed, as Kafka's clients do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ottla.coordinator import Decision, GroupCoordinatorConfig, GroupShard
from ottla.coordinator.deadlines import Deadlines
from ottla.coordinator.groups.consumer.classic_side import read_assignment
from ottla.coordinator.groups.consumer.group import ConsumerGroup
from ottla.coordinator.groups.consumer.patterns import ResolvePatterns
from ottla.coordinator.groups.consumer.requests import check_heartbeat
from ottla.metadata.image import MetadataImage
from ottla.protocol import codec
from ottla.protocol.apis.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    TopicPartitions,
)
from ottla.protocol.apis.join_group import JoinGroupResponse
from ottla.protocol.apis.sync_group import SyncGroupResponse
from ottla.protocol.consumer_protocol import ConsumerProtocolSubscription, TopicPartition
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.protocol.stored.metadata import PartitionRecord, RegisterBrokerRecord, RemoveTopicRecord, TopicRecord

from .group_driver import GroupDriver

#: A partition as a test reads it.
Partition = tuple[str, int]


@dataclass
class Client:
    """What a consumer knows."""

    epoch: int = 0
    assigned: frozenset[Partition] = frozenset()
    owned: frozenset[Partition] = frozenset()
    #: What it last reported as its own; None: it has to say everything anew.
    reported: frozenset[Partition] | None = None
    #: Whether it was assigned something, the same or not, since it last settled; it acknowledges every assignment.
    news: bool = False
    acknowledges: bool = False
    subscription: dict[str, Any] = field(default_factory=dict)


def topic_id(name: str, generation: int = 0) -> bytes:
    """The id of a topic in tests: readable, and another one when the topic is made again."""
    return name.encode().rjust(15, b"\0") + bytes([generation + 1])


def cooperative_subscription(topics: Iterable[str], owned: Iterable[Partition]) -> bytes:
    """Write what a cooperative consumer puts into JoinGroup."""
    by_topic: dict[str, list[int]] = {}
    for topic, index in sorted(owned):
        by_topic.setdefault(topic, []).append(index)
    value = ConsumerProtocolSubscription(
        topics=sorted(topics),
        owned_partitions=[TopicPartition(topic=topic, partitions=some) for topic, some in by_topic.items()],
    )
    return (1).to_bytes(2, "big") + codec.encode(value, 1)


class ConsumerDriver(GroupDriver):
    """A shard, topics, and clients."""

    def __init__(self, config: GroupCoordinatorConfig | None = None) -> None:
        self.image = MetadataImage.empty().apply(
            [RegisterBrokerRecord(broker_id=1, incarnation_id=bytes(16), broker_epoch=1, rack="r1")]
        )
        self.clients: dict[str, Client] = {}
        self._topic_generations: dict[str, int] = {}
        #: Pattern work is kept back as long as this is set.
        self.hold_patterns = False
        self._work: list[ResolvePatterns] = []
        super().__init__(config)

    # -- the shell's part ----------------------------------------------------------------------------------------

    def restart(self) -> None:
        """Forget everything but the log and the metadata."""
        self.shard = GroupShard(self.config)
        self.shard.image_changed(self.image, self.now_ms)
        self.deadlines = Deadlines()
        self._held = []
        self._work = []
        for offset, record in enumerate(self.log):
            self.shard.replay(record, offset, self.now_ms)
        self.carry_out("", self.shard.finish_loading(self.now_ms))

    def carry_out(self, who: str, decision: Decision) -> None:
        """Do what a decision says; patterns are matched after it."""
        super().carry_out(who, decision)
        self._work += decision.effects
        if not self.hold_patterns:
            self.match_patterns()

    def match_patterns(self) -> None:
        """Do the pattern work that has been asked for."""
        work, self._work = self._work, []
        for each in work:
            self.carry_out("", self.shard.consumer.patterns_resolved(each, each.run(), self.now_ms))

    def topics(self, **partitions: int) -> None:
        """Make topics, change their partition counts, or delete them (0)."""
        records: list[Any] = []
        for name, count in partitions.items():
            topic = self.image.topics.get(name)
            if count == 0:
                if topic is not None:
                    records.append(RemoveTopicRecord(topic_id=topic.id))
                continue
            if topic is None:
                generation = self._topic_generations[name] = self._topic_generations.get(name, -1) + 1
                records.append(TopicRecord(name=name, topic_id=topic_id(name, generation)))
            have = 0 if topic is None else len(topic.partitions)
            id_ = topic_id(name, self._topic_generations[name])
            records += [
                PartitionRecord(partition_id=i, topic_id=id_, replicas=[1], isr=[1], leader=1, leader_epoch=0,
                    partition_epoch=0, directories=[bytes(16)])
                for i in range(have, count)
            ]  # fmt: skip
        self.image = self.image.apply(records)
        for decision in self.shard.image_changed(self.image, self.now_ms):
            self.carry_out("", decision)

    # -- members of the consumer protocol --------------------------------------------------------------------------

    @property
    def group(self) -> ConsumerGroup:
        """The group as it is stored."""
        group = self.shard.state.groups[self.group_id]
        assert isinstance(group, ConsumerGroup)
        return group

    def client(self, who: str) -> Client:
        return self.clients.setdefault(who, Client())

    def send(self, who: str, *, version: int = 1, client_id: str | None = None, **fields: Any) -> None:
        """Send one heartbeat as it is given; the answer, or the `KafkaError`, is kept."""
        request = ConsumerGroupHeartbeatRequest(**{"group_id": self.group_id, "member_id": who, **fields})
        try:
            context = self.context(client_id or who, version)
            check_heartbeat(request, version, self.config.consumer.assignors)
            decision = self.shard.consumer.heartbeat(request, context, "new-id", self.now_ms)
        except KafkaError as error:
            self._answer(who, error)
            return
        self.carry_out(who, decision)

    def join_group(self, who: str, *, topics: Iterable[str] | None = ("t",), **fields: Any) -> None:
        """Join, or join again, giving up whatever it had."""
        client = self.clients[who] = Client()
        names = None if topics is None else list(topics)
        client.subscription = {"subscribed_topic_names": names, **fields}
        self.send(who, **self._everything(client))

    def _everything(self, client: Client) -> dict[str, Any]:
        return {
            "member_epoch": client.epoch, "rebalance_timeout_ms": 60_000,
            "topic_partitions": self.as_structs(client.owned), **client.subscription,
        }  # fmt: skip

    def beat(self, who: str, *, full: bool = False, **fields: Any) -> None:
        """Send the heartbeat the client would send now."""
        client = self.client(who)
        if full or client.reported is None:
            sent = self._everything(client)
        else:
            sent = {"member_epoch": client.epoch}
            if client.reported != client.owned or client.acknowledges:
                sent["topic_partitions"] = self.as_structs(client.owned)
        client.reported, client.acknowledges = client.owned, False
        self.send(who, **{**sent, **fields})

    def settle(self, who: str) -> None:
        """Give back what it must, and begin with what it may."""
        client = self.client(who)
        client.owned = client.assigned
        client.news, client.acknowledges = False, client.news

    def leave_group(self, who: str, *, epoch: int = -1, **fields: Any) -> None:
        self.send(who, member_epoch=epoch, **fields)
        self.clients.pop(who, None)

    def as_structs(self, partitions: Iterable[Partition]) -> list[TopicPartitions]:
        by_topic: dict[bytes, list[int]] = {}
        for name, index in sorted(partitions):
            topic = self.image.topics.get(name)
            if topic is not None:
                by_topic.setdefault(topic.id, []).append(index)
        return [TopicPartitions(topic_id=id_, partitions=some) for id_, some in by_topic.items()]

    def as_partitions(self, structs: Iterable[TopicPartitions]) -> frozenset[Partition]:
        named = ((self.name_of(struct.topic_id), struct.partitions) for struct in structs)
        return frozenset((name, index) for name, some in named for index in some)

    def name_of(self, id_: bytes) -> str:
        """A topic that is gone keeps a name of its own, so that it is nobody else's."""
        topic = self.image.topics.by_id(id_)
        return topic.name if topic is not None else f"gone-{id_.hex()}"

    def show(self, assignment: Mapping[bytes, Iterable[int]]) -> str:
        """Print an assignment."""
        parts = [f"{self.name_of(id_)}:{','.join(map(str, sorted(some)))}" for id_, some in assignment.items()]
        return " ".join(sorted(parts)) or "nothing"

    # -- members of the classic protocol ---------------------------------------------------------------------------

    def classic_join(self, who: str, topics: Iterable[str], *, owned: Iterable[Partition] = ()) -> None:
        """JoinGroup of a cooperative consumer."""
        self.join(who, protocols={"cooperative-sticky": cooperative_subscription(topics, owned)})

    def _answer(self, who: str, response: Any) -> None:
        super()._answer(who, response)
        client = self.client(who) if who else Client()
        if isinstance(response, ConsumerGroupHeartbeatResponse):
            client.epoch = response.member_epoch
            if response.assignment is not None:
                client.news = True
                client.assigned = self.as_partitions(response.assignment.topic_partitions)
        elif isinstance(response, JoinGroupResponse) and not response.error_code:
            client.epoch = response.generation_id
        elif isinstance(response, SyncGroupResponse) and response.assignment:
            found = read_assignment(response.assignment).assigned_partitions
            client.assigned = frozenset((topic.topic, index) for topic in found for index in topic.partitions)
        elif isinstance(response, KafkaError) and response.code in _FENCING:
            client.epoch, client.reported = 0, None
            client.assigned = client.owned = frozenset()


_FENCING = (ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.GROUP_ID_NOT_FOUND)
