"""What a client knows of the cluster: brokers, and of each topic its id, partitions and leaders. Pure.

`Metadata` takes answers to Metadata requests and hints inside other answers (KIP-951), and never goes back: an answer that
tells of an older leader epoch of the same topic is an old broker's and changes nothing. A topic that was deleted and made
anew has another id; then all that was known of it is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..protocol.errors import ErrorCode
from ..protocol.schema import ZERO_UUID
from .errors import error_code
from .net import Address


class Node(NamedTuple):
    """A broker as metadata tells of it."""

    id: int
    address: Address
    rack: str | None = None


class PartitionView(NamedTuple):
    """A partition. `leader` is -1 while there is none."""

    leader: int
    leader_epoch: int
    replicas: tuple[int, ...] = ()
    isr: tuple[int, ...] = ()
    offline: tuple[int, ...] = ()
    error: ErrorCode = ErrorCode.NONE


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic: `partitions[i]` is partition i. With an `error` there may be none."""

    name: str
    id: bytes = ZERO_UUID
    partitions: tuple[PartitionView, ...] = ()
    error: ErrorCode = ErrorCode.NONE
    is_internal: bool = False


@dataclass(slots=True)
class Metadata:
    """The client's picture of the cluster; one per `Cluster`."""

    cluster_id: str | None = None
    controller_id: int = -1
    nodes: dict[int, Node] = field(default_factory=dict)
    topics: dict[str, TopicView] = field(default_factory=dict)
    names: dict[bytes, str] = field(default_factory=dict)

    def update(self, answer: Any) -> list[TopicView]:
        """Take a MetadataResponse; returns the topics of which it told, as they are now."""
        if answer.brokers:
            self.nodes = {b.node_id: Node(b.node_id, Address(b.host, b.port), b.rack) for b in answer.brokers}
        self.cluster_id = answer.cluster_id or self.cluster_id
        self.controller_id = answer.controller_id
        return [self._topic(told) for told in answer.topics]

    def _topic(self, told: Any) -> TopicView:
        name = told.name if told.name is not None else self.names.get(told.topic_id, "")
        before = self.topics.get(name)
        error = error_code(told.error_code)
        if error != ErrorCode.NONE:
            if error.retriable and error != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION and before is not None:
                return before  # it says nothing about what we know
            self.forget(name)
            return TopicView(name, told.topic_id, (), error)
        same = before is not None and before.id == told.topic_id
        known = before.partitions if same and before is not None else ()
        partitions = [PartitionView(-1, -1, error=ErrorCode.LEADER_NOT_AVAILABLE)] * _count(told.partitions)
        for part in told.partitions:
            if not 0 <= part.partition_index < len(partitions):
                continue
            view = PartitionView(
                part.leader_id, part.leader_epoch, tuple(part.replica_nodes), tuple(part.isr_nodes),
                tuple(part.offline_replicas), error_code(part.error_code),
            )  # fmt: skip
            if part.partition_index < len(known):
                old = known[part.partition_index]
                if 0 <= view.leader_epoch < old.leader_epoch:
                    view = old
            partitions[part.partition_index] = view
        topic = TopicView(name, told.topic_id, tuple(partitions), is_internal=told.is_internal)
        if before is not None and before.id != topic.id:
            self.names.pop(before.id, None)
        self.topics[name] = topic
        if topic.id != ZERO_UUID:
            self.names[topic.id] = name
        return topic

    def forget(self, name: str) -> None:
        """Know nothing of a topic any more."""
        topic = self.topics.pop(name, None)
        if topic is not None:
            self.names.pop(topic.id, None)

    def leader(self, topic: str, partition: int) -> int:
        """The id of the broker that leads a partition, or -1 where none is known."""
        view = self.topics.get(topic)
        if view is None or not 0 <= partition < len(view.partitions):
            return -1
        node = view.partitions[partition].leader
        return node if node in self.nodes else -1

    def learn_leader(self, topic: str, partition: int, leader: int, epoch: int, endpoints: list[Any]) -> bool:
        """Take the hint that an answer gave about a new leader (KIP-951); whether it told anything new."""
        for end in endpoints:
            self.nodes.setdefault(end.node_id, Node(end.node_id, Address(end.host, end.port), end.rack))
        view = self.topics.get(topic)
        if view is None or not 0 <= partition < len(view.partitions) or leader not in self.nodes:
            return False
        old = view.partitions[partition]
        if epoch <= old.leader_epoch:
            return False
        parts = list(view.partitions)
        parts[partition] = old._replace(leader=leader, leader_epoch=epoch, error=ErrorCode.NONE)
        self.topics[topic] = replace(view, partitions=tuple(parts))
        return True


def _count(partitions: list[Any]) -> int:
    """How many partitions an answer speaks of; the indexes of a broker in its right mind run from 0 without a gap."""
    return min(len(partitions), max((part.partition_index for part in partitions), default=-1) + 1)
