"""The topology of a streams group as its first member described it: subtopologies and the topics they use.

A subtopology reads *source topics* (the user's) and *repartition source topics* (written by another subtopology as its
*repartition sink topics*), and logs its state to *changelog topics*. Repartition and changelog topics are internal: the
broker makes them. All members of a group bring the same topology or one of an older epoch; it cannot change in Kafka 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ....protocol.apis import streams_group_describe as describe
from ....protocol.apis import streams_group_heartbeat as heartbeat
from ....protocol.errors import ErrorCode, KafkaError
from ....protocol.stored.consumer_offsets import (
    CopartitionGroup,
    StreamsGroupTopologyValue,
    StreamsGroupTopologyValueTopicInfo,
    Subtopology,
    TopicConfig,
)
from ..modern.hash_order import by_string

__all__ = ["SUBTOPOLOGIES_MAX", "Topology", "topology_record_value"]

#: Kafka sets no bound; deciding partition counts takes the square of it. The largest applications have a few dozen.
SUBTOPOLOGIES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Topology:
    """What a group processes."""

    epoch: int
    #: By subtopology id.
    subtopologies: dict[str, Subtopology]
    #: Source and repartition source topic -> id of the subtopology that reads it (the last one, where two do).
    source_topics: dict[str, str] = field(compare=False)

    @classmethod
    def from_record(cls, value: StreamsGroupTopologyValue) -> Topology:
        """Take a topology out of its record; raises UNKNOWN_SERVER_ERROR if a subtopology stands there twice."""
        given = {each.subtopology_id: each for each in value.subtopologies}
        if len(given) != len(value.subtopologies):
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "a subtopology id stands twice in the topology")
        if len(given) > SUBTOPOLOGIES_MAX:
            why = f"The topology has {len(given)} subtopologies; there may be {SUBTOPOLOGIES_MAX}."
            raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, why)
        # In Kafka's order: where counts of partitions depend on each other in a circle of sorts, it decides.
        subtopologies = {key: given[key] for key in by_string(given)}
        if value.epoch < 0:
            raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, "the topology epoch is negative")
        source_topics = {
            topic: each.subtopology_id
            for each in subtopologies.values()
            for topic in (*each.source_topics, *(info.name for info in each.repartition_source_topics))
        }
        return cls(value.epoch, subtopologies, source_topics)

    def required_topics(self) -> list[str]:
        """Every topic that must exist: sources, repartition topics, changelogs; each once."""
        names: dict[str, None] = {}
        for each in self.subtopologies.values():
            names.update(dict.fromkeys(each.source_topics))
            names.update((info.name, None) for info in each.repartition_source_topics)
            names.update((info.name, None) for info in each.state_changelog_topics)
        return list(names)

    def describe(self) -> describe.Topology:
        """Show the topology as it was given, without decided partition counts."""
        return describe.Topology(
            epoch=self.epoch,
            subtopologies=[
                describe.Subtopology(
                    subtopology_id=name,
                    source_topics=sorted(each.source_topics),
                    repartition_sink_topics=sorted(each.repartition_sink_topics),
                    state_changelog_topics=_describe_topics(each.state_changelog_topics),
                    repartition_source_topics=_describe_topics(each.repartition_source_topics),
                )
                for name, each in sorted(self.subtopologies.items())
            ],
        )


def _describe_topics(infos: Iterable[StreamsGroupTopologyValueTopicInfo]) -> list[describe.TopicInfo]:
    return [
        describe.TopicInfo(
            name=info.name,
            partitions=info.partitions,
            replication_factor=info.replication_factor,
            topic_configs=[describe.KeyValue(key=each.key, value=each.value) for each in info.topic_configs],
        )
        for info in sorted(infos, key=lambda info: info.name)
    ]


def topology_record_value(topology: heartbeat.Topology) -> StreamsGroupTopologyValue:
    """Turn the topology of a heartbeat into what is stored."""
    return StreamsGroupTopologyValue(
        epoch=topology.epoch,
        subtopologies=[
            Subtopology(
                subtopology_id=each.subtopology_id,
                source_topics=list(each.source_topics),
                source_topic_regex=list(each.source_topic_regex),
                state_changelog_topics=_stored_topics(each.state_changelog_topics),
                repartition_sink_topics=list(each.repartition_sink_topics),
                repartition_source_topics=_stored_topics(each.repartition_source_topics),
                copartition_groups=[
                    CopartitionGroup(
                        source_topics=list(group.source_topics),
                        source_topic_regex=list(group.source_topic_regex),
                        repartition_source_topics=list(group.repartition_source_topics),
                    )
                    for group in each.copartition_groups
                ],
            )
            for each in topology.subtopologies
        ],
    )


def _stored_topics(infos: Iterable[Any]) -> list[StreamsGroupTopologyValueTopicInfo]:
    return [
        StreamsGroupTopologyValueTopicInfo(
            name=info.name,
            partitions=info.partitions,
            replication_factor=info.replication_factor,
            topic_configs=[TopicConfig(key=each.key, value=each.value) for each in info.topic_configs],
        )
        for info in infos
    ]
