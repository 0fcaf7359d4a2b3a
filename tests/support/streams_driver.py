"""Runs streams groups in memory: a `GroupDriver` with topics, and Streams clients that keep what they were told.

A client is a name. It knows its epoch, the tasks it was assigned and those it really runs; it takes an assignment over when
it is told to `settle`, and reports what it runs when the two are the same, as Kafka's clients do: what it said between
could be taken for tasks given back, and its answer be lost. `create_topics` is the broker's part: what a
heartbeat found missing comes into being.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ottla.coordinator import GroupCoordinatorConfig, GroupShard
from ottla.coordinator.deadlines import Deadlines
from ottla.coordinator.groups.streams.configured import InternalTopic
from ottla.coordinator.groups.streams.group import StreamsGroup
from ottla.coordinator.groups.streams.heartbeat import HeartbeatResult
from ottla.coordinator.groups.streams.requests import validate_request
from ottla.metadata.image import MetadataImage, ResourceType
from ottla.protocol.apis.streams_group_heartbeat import (
    CopartitionGroup,
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Subtopology,
    TaskIds,
    TopicInfo,
    Topology,
)
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.protocol.stored.metadata import ConfigRecord, PartitionRecord, TopicRecord

from .group_driver import GroupDriver

#: A task as a test reads it.
Task = tuple[str, int]
Refusal = KafkaError


def word_count(epoch: int = 0) -> Topology:
    """Two subtopologies with a repartition topic between them; the second counts."""
    return Topology(
        epoch=epoch,
        subtopologies=[
            Subtopology(subtopology_id="0", source_topics=["in"], repartition_sink_topics=["rep"]),
            Subtopology(
                subtopology_id="1",
                repartition_source_topics=[TopicInfo(name="rep")],
                state_changelog_topics=[TopicInfo(name="log")],
            ),
        ],
    )


def join_of(*sources: str) -> Topology:
    """One subtopology that reads several topics together."""
    group = CopartitionGroup(source_topics=list(range(len(sources))))
    each = Subtopology(subtopology_id="0", source_topics=list(sources), copartition_groups=[group])
    return Topology(epoch=0, subtopologies=[each])


@dataclass
class StreamsClient:
    """What one Streams thread knows."""

    process: str
    topology: Topology
    epoch: int = 0
    #: What it was told to run, and what it runs.
    active: frozenset[Task] = frozenset()
    standby: frozenset[Task] = frozenset()
    runs: frozenset[Task] = frozenset()
    copies: frozenset[Task] = frozenset()


def _tasks(ids: Iterable[Any]) -> frozenset[Task]:
    return frozenset((each.subtopology_id, partition) for each in ids for partition in each.partitions)


def _ids(tasks: Iterable[Task]) -> list[TaskIds]:
    found: dict[str, list[int]] = {}
    for key, partition in sorted(tasks):
        found.setdefault(key, []).append(partition)
    return [TaskIds(subtopology_id=key, partitions=partitions) for key, partitions in found.items()]


class StreamsDriver(GroupDriver):
    """A shard, topics, and Streams clients."""

    def __init__(self, config: GroupCoordinatorConfig | None = None) -> None:
        self.image = MetadataImage.empty()
        self.clients: dict[str, StreamsClient] = {}
        #: What the last heartbeat asked to be created.
        self.to_create: Mapping[str, InternalTopic] = {}
        super().__init__(config)

    def restart(self) -> None:
        """Forget everything but the log and the metadata."""
        self.shard = GroupShard(self.config)
        self.shard.image_changed(self.image, self.now_ms)
        self.deadlines = Deadlines()
        self._held = []
        for offset, record in enumerate(self.log):
            self.shard.replay(record, offset, self.now_ms)
        self.carry_out("", self.shard.finish_loading(self.now_ms))

    # -- metadata ----------------------------------------------------------------------------------------------------

    def _apply(self, records: list[Any]) -> None:
        self.image = self.image.apply(records)
        for decision in self.shard.image_changed(self.image, self.now_ms):
            self.carry_out("", decision)

    def topics(self, **partitions: int) -> None:
        """Make topics, or more partitions of them."""
        for name, count in partitions.items():
            topic = self.image.topics.get(name)
            topic_id = name.encode().rjust(16, b"\0") if topic is None else topic.id
            records: list[Any] = [] if topic is not None else [TopicRecord(name=name, topic_id=topic_id)]
            records += [
                PartitionRecord(
                    partition_id=index, topic_id=topic_id, replicas=[1], isr=[1], leader=1, leader_epoch=0,
                    partition_epoch=0, directories=[bytes(16)],
                )
                for index in range(0 if topic is None else len(topic.partitions), count)
            ]  # fmt: skip
            self._apply(records)

    def create_topics(self) -> None:
        """Create what the last heartbeat found missing."""
        self.topics(**{topic.name: topic.partitions for topic in self.to_create.values()})

    def configure(self, **configs: str) -> None:
        """Set configs of the group; dots as underscores."""
        self._apply(
            [
                ConfigRecord(
                    resource_type=ResourceType.GROUP, resource_name=self.group_id, name=name.replace("_", "."), value=value
                )
                for name, value in configs.items()
            ]
        )  # fmt: skip

    # -- members -----------------------------------------------------------------------------------------------------

    @property
    def group(self) -> StreamsGroup:
        """The group as it is stored."""
        group = self.shard.state.groups[self.group_id]
        assert isinstance(group, StreamsGroup)
        return group

    def send(self, who: str, **fields: Any) -> StreamsGroupHeartbeatResponse:
        """Send one heartbeat; raises the `KafkaError` that refuses it."""
        request = StreamsGroupHeartbeatRequest(**{"group_id": self.group_id, "member_id": who, **fields})
        validate_request(request)
        decision = self.shard.streams.heartbeat(request, self.context(who, 0))
        self.carry_out(who, decision)
        result = self.answers.pop().response if decision.response is not None else None
        assert isinstance(result, HeartbeatResult), "an append failed"
        self.to_create = result.to_create
        return result.response

    def join(self, who: str, *, process: str = "", topology: Topology | None = None, **fields: Any) -> Any:  # type: ignore[override]
        """Join, or join again with nothing."""
        client = StreamsClient(process or f"process-{who}", topology or word_count())
        self.clients[who] = client
        wanted = {
            "rebalance_timeout_ms": 60_000, "topology": client.topology, "process_id": client.process,
            "active_tasks": [], "standby_tasks": [], "warmup_tasks": [],
        }  # fmt: skip
        response = self.send(who, member_epoch=0, **{**wanted, **fields})
        return self._told(client, response)

    def beat(self, who: str, **fields: Any) -> Any:
        """Send a heartbeat that reports what the client runs, unless it is about to change that."""
        client = self.clients[who]
        wanted: dict[str, Any] = {}
        if (client.runs, client.copies) == (client.active, client.standby):
            wanted = {"active_tasks": _ids(client.runs), "standby_tasks": _ids(client.copies), "warmup_tasks": []}
        return self._told(client, self.send(who, **{"member_epoch": client.epoch, **wanted, **fields}))

    def _told(self, client: StreamsClient, response: StreamsGroupHeartbeatResponse) -> StreamsGroupHeartbeatResponse:
        client.epoch = response.member_epoch
        if response.active_tasks is not None:
            client.active = _tasks(response.active_tasks)
            client.standby = _tasks(response.standby_tasks or ())
        return response

    def settle(self, who: str) -> None:
        """The client runs what it was told to, and nothing else."""
        client = self.clients[who]
        client.runs, client.copies = client.active, client.standby

    def leave(self, *whos: str, **_: Any) -> None:
        """Leave for good."""
        for who in whos:
            self.send(who, member_epoch=-1)
            del self.clients[who]

    def try_to(self, action: Any, *arguments: Any, **fields: Any) -> ErrorCode:
        """Do something that may be refused: the error."""
        try:
            action(*arguments, **fields)
        except KafkaError as error:
            return error.code
        return ErrorCode.NONE

    def converge(self, rounds: int = 20) -> None:
        """Let everybody settle and send heartbeats until the group is stable."""
        for _ in range(rounds):
            for who in list(self.clients):
                self.settle(who)
                self.beat(who)
            self.create_topics()
            settled = all(c.runs == c.active and c.copies == c.standby for c in self.clients.values())
            if self.group.state_name == "Stable" and settled and not self.to_create:
                return
        raise AssertionError(f"{self.group_id} is {self.group.state_name} after {rounds} rounds")
