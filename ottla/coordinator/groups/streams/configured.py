"""How many partitions each internal topic of a topology needs, and so how many tasks there are; or why that is not known.

    source topics exist? ──no──► MISSING_SOURCE_TOPICS
        │ yes
    repartition topics: the count the member fixed, or the most of the sources of the subtopology that writes it
        │                                 (again and again, for one repartition topic may feed the next)
    copartition groups: all topics of one have one count  ──no──► INCORRECTLY_PARTITIONED_TOPICS
        │   those with a free count are bent to the others
    changelogs: as many as the subtopology has tasks = the most of its sources
        │
    internal topics that exist have that count?           ──no──► INCORRECTLY_PARTITIONED_TOPICS
        │ yes
    all of them exist? ──no──► MISSING_INTERNAL_TOPICS, and what to create      ──yes──► ready

A topology that no set of topics can satisfy (a repartition topic nobody writes, a circle, a subtopology without sources)
is refused with STREAMS_INVALID_TOPOLOGY.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from ....protocol.apis import streams_group_describe as describe
from ....protocol.errors import ErrorCode, KafkaError
from ....protocol.stored.consumer_offsets import StreamsGroupTopologyValueTopicInfo, Subtopology
from ..modern.hash_order import by_string
from .topology import Topology

__all__ = ["ConfiguredSubtopology", "ConfiguredTopology", "InternalTopic", "StatusCode", "configure"]

#: Names the number of partitions of an existing topic; None if it does not exist.
PartitionCount = Callable[[str], int | None]

#: How many topics a status names.
_TOPICS_NAMED_MAX = 3


class StatusCode(IntEnum):
    """What a heartbeat tells beside the assignment."""

    STALE_TOPOLOGY = 0
    MISSING_SOURCE_TOPICS = 1
    INCORRECTLY_PARTITIONED_TOPICS = 2
    MISSING_INTERNAL_TOPICS = 3
    SHUTDOWN_APPLICATION = 4
    ASSIGNMENT_DELAYED = 5


class _NotConfiguredError(Exception):
    """The topics do not fit the topology as they are."""

    def __init__(self, code: StatusCode, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class InternalTopic:
    """A topic the broker makes for the group."""

    name: str
    partitions: int
    #: 0 where the broker's default counts.
    replication_factor: int
    configs: dict[str, str]

    def describe(self) -> describe.TopicInfo:
        """Show it."""
        return describe.TopicInfo(
            name=self.name,
            partitions=self.partitions,
            replication_factor=self.replication_factor,
            topic_configs=[describe.KeyValue(key=key, value=self.configs[key]) for key in by_string(self.configs)],
        )


@dataclass(frozen=True, slots=True)
class ConfiguredSubtopology:
    """A subtopology whose tasks are counted."""

    tasks: int
    source_topics: list[str]
    repartition_sink_topics: list[str]
    repartition_source_topics: dict[str, InternalTopic]
    state_changelog_topics: dict[str, InternalTopic]

    @property
    def stateful(self) -> bool:
        """Whether there is state to keep warm copies of."""
        return bool(self.state_changelog_topics)

    def describe(self, subtopology_id: str) -> describe.Subtopology:
        """Show it, with the decided counts."""
        return describe.Subtopology(
            subtopology_id=subtopology_id,
            source_topics=sorted(self.source_topics),
            repartition_sink_topics=sorted(self.repartition_sink_topics),
            state_changelog_topics=_describe(self.state_changelog_topics),
            repartition_source_topics=_describe(self.repartition_source_topics),
        )


def _describe(topics: Mapping[str, InternalTopic]) -> list[describe.TopicInfo]:
    return [topic.describe() for _, topic in sorted(topics.items())]


@dataclass(frozen=True, slots=True)
class ConfiguredTopology:
    """A topology held against the topics there are."""

    epoch: int
    #: By id, in order; None where the counts could not be decided.
    subtopologies: dict[str, ConfiguredSubtopology] | None
    to_create: dict[str, InternalTopic] = field(default_factory=dict)
    #: Why it is not ready; None if it is.
    problem: tuple[StatusCode, str] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether tasks can be handed out."""
        return self.problem is None

    def describe(self) -> describe.Topology:
        """Show it."""
        found = self.subtopologies or {}
        return describe.Topology(epoch=self.epoch, subtopologies=[each.describe(name) for name, each in found.items()])


def configure(topology: Topology, partition_count: PartitionCount) -> ConfiguredTopology:
    """Decide partition counts. Raises `KafkaError` for a topology that can never work."""
    try:
        _check_sources(topology, partition_count)
        counts = _decide_counts(topology, partition_count)
        count_of = _with_decided(partition_count, counts)
        subtopologies = {
            name: _configure_subtopology(each, counts, count_of)
            for name, each in sorted(topology.subtopologies.items())
        }
        to_create = _missing(topology, subtopologies, partition_count)
    except _NotConfiguredError as problem:
        return ConfiguredTopology(topology.epoch, None, problem=(problem.code, problem.detail))
    trouble = None
    if to_create:
        detail = f"Internal topics are missing: {_summarize(by_string(to_create))}"
        trouble = (StatusCode.MISSING_INTERNAL_TOPICS, detail)
    return ConfiguredTopology(topology.epoch, subtopologies, to_create, trouble)


def _check_sources(topology: Topology, partition_count: PartitionCount) -> None:
    sources = {topic for each in topology.subtopologies.values() for topic in each.source_topics}
    missing = sorted(topic for topic in sources if partition_count(topic) is None)
    if missing:
        detail = f"Source topics {_summarize(missing)} are missing."
        raise _NotConfiguredError(StatusCode.MISSING_SOURCE_TOPICS, detail)


def _summarize(topics: list[str]) -> str:
    more = len(topics) - _TOPICS_NAMED_MAX
    return ", ".join(topics[:_TOPICS_NAMED_MAX]) + (f" and {more} additional topics" if more > 0 else "")


def _with_decided(partition_count: PartitionCount, decided: Mapping[str, int]) -> PartitionCount:
    def count_of(topic: str) -> int | None:
        found = partition_count(topic)
        return decided.get(topic) if found is None else found

    return count_of


def _invalid(message: str) -> KafkaError:
    return KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, message)


def _broken(message: str) -> KafkaError:
    """Make the error of a topology that Kafka does not check and stumbles over."""
    return KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, message)


def _decide_counts(topology: Topology, partition_count: PartitionCount) -> dict[str, int]:
    decided: dict[str, int] = {}
    count_of = _with_decided(partition_count, decided)
    decided.update(_repartition_counts(list(topology.subtopologies.values()), count_of))
    infos = [info for each in topology.subtopologies.values() for info in each.repartition_source_topics]
    fixed = {info.name for info in infos if info.partitions}
    flexible = {info.name for info in infos if not info.partitions}
    for each in topology.subtopologies.values():
        for group in _copartition_groups(each):
            decided.update(_copartition(group, fixed, flexible, count_of))
    decided.update(_changelog_counts(topology, count_of))
    return decided


def _repartition_counts(subtopologies: list[Subtopology], count_of: PartitionCount) -> dict[str, int]:
    counts = {
        info.name: info.partitions
        for each in subtopologies
        for info in each.repartition_source_topics
        if info.partitions
    }
    waiting = subtopologies
    while waiting:
        turn, waiting, progress = waiting, [], False
        for each in turn:
            wanted = [topic for topic in each.repartition_sink_topics if topic not in counts]
            count = _most_partitions(each, counts, count_of) if wanted else None
            own = {info.name for info in each.repartition_source_topics} if wanted else set()
            if wanted and count is None:
                waiting.append(each)
                continue
            for topic in wanted:
                if count is not None and topic not in counts:
                    counts[topic] = count
                    progress = True
                    if topic in own:  # It writes to itself.
                        count = _most_partitions(each, counts, count_of)
        if waiting and not progress:
            raise _invalid(
                "Failed to compute number of partitions for all repartition topics. There may be loops in the topology"
                " that cannot be resolved."
            )
    for each in subtopologies:
        if any(info.name not in counts for info in each.repartition_source_topics):
            raise _invalid(
                "Failed to compute number of partitions for all repartition topics, because a repartition source topic"
                " is never used as a sink topic."
            )
    return counts


def _most_partitions(each: Subtopology, counts: Mapping[str, int], count_of: PartitionCount) -> int | None:
    found = [counts[info.name] for info in each.repartition_source_topics if info.name in counts]
    found += [count for topic in each.source_topics if (count := count_of(topic)) is not None]
    return max(found, default=None)


def _copartition_groups(each: Subtopology) -> list[set[str]]:
    groups = []
    for group in each.copartition_groups:
        places = [(each.source_topics, place) for place in group.source_topics]
        repartition = [info.name for info in each.repartition_source_topics]
        places += [(repartition, place) for place in group.repartition_source_topics]
        if not all(0 <= place < len(topics) for topics, place in places):
            raise _broken("a copartition group names a topic by a place that does not exist")
        groups.append({topics[place] for topics, place in places})
    return groups


def _copartition(group: set[str], fixed: set[str], flexible: set[str], count_of: PartitionCount) -> dict[str, int]:
    """Give the repartition topics of a copartition group one count."""
    if not group:
        return {}
    counts = {topic: _known(count_of, topic) for topic in sorted(group)}
    repartition = {topic: count for topic, count in counts.items() if topic in fixed or topic in flexible}
    external = {topic: count for topic, count in counts.items() if topic not in repartition}
    if external:
        wanted = _same(external.values(), external)
    elif fixed:
        # As in Kafka, all fixed repartition topics of the topology are looked at, not only those of the group.
        wanted = _same([_known(count_of, topic) for topic in by_string(sorted(fixed))], repartition)
    else:
        wanted = max(repartition.values())
    for topic, count in repartition.items():
        if topic in fixed and count != wanted:
            detail = (
                f"Number of partitions [{count}] of repartition topic [{topic}] doesn't match number of partitions"
                f" [{wanted}] of the source topic."
            )
            raise _NotConfiguredError(StatusCode.INCORRECTLY_PARTITIONED_TOPICS, detail)
    return dict.fromkeys(repartition, wanted)


def _known(count_of: PartitionCount, topic: str) -> int:
    count = count_of(topic)
    if count is None:
        raise _broken(f"the number of partitions of {topic} is not known")
    return count


def _same(counts: Iterable[int], shown: Mapping[str, int]) -> int:
    found = list(counts)
    if any(count != found[0] for count in found):
        topics = ", ".join(f"{topic}={count}" for topic, count in sorted(shown.items()))
        detail = f"Following topics do not have the same number of partitions: [{{{topics}}}]"
        raise _NotConfiguredError(StatusCode.INCORRECTLY_PARTITIONED_TOPICS, detail)
    return found[0]


def _changelog_counts(topology: Topology, count_of: PartitionCount) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in topology.subtopologies.values():
        most = max((_known(count_of, topic) for topic in _all_sources(each)), default=None)
        if most is None:
            raise _invalid(f"No source topics found for subtopology {each.subtopology_id}")
        counts.update((info.name, most) for info in each.state_changelog_topics)
    return counts


def _all_sources(each: Subtopology) -> list[str]:
    return [*each.source_topics, *(info.name for info in each.repartition_source_topics)]


def _configure_subtopology(
    each: Subtopology, decided: Mapping[str, int], count_of: PartitionCount
) -> ConfiguredSubtopology:
    tasks = max(_known(count_of, topic) for topic in _all_sources(each))
    return ConfiguredSubtopology(
        tasks,
        list(dict.fromkeys(each.source_topics)),
        list(dict.fromkeys(each.repartition_sink_topics)),
        _internal_topics(each.repartition_source_topics, decided),
        _internal_topics(each.state_changelog_topics, decided),
    )


def _internal_topics(
    infos: Iterable[StreamsGroupTopologyValueTopicInfo], decided: Mapping[str, int]
) -> dict[str, InternalTopic]:
    topics: dict[str, InternalTopic] = {}
    for info in infos:
        partitions = info.partitions or decided[info.name]
        configs = {each.key: each.value for each in info.topic_configs}
        if partitions < 1 or info.name in topics or len(configs) != len(info.topic_configs):
            raise _broken(f"internal topic {info.name} has no partitions, stands there twice, or has a config twice")
        topics[info.name] = InternalTopic(info.name, partitions, info.replication_factor, configs)
    return topics


def _missing(
    topology: Topology, subtopologies: Mapping[str, ConfiguredSubtopology], partition_count: PartitionCount
) -> dict[str, InternalTopic]:
    missing: dict[str, InternalTopic] = {}
    for each in subtopologies.values():
        missing.update(each.repartition_source_topics)
        missing.update(each.state_changelog_topics)
    for topic in topology.required_topics():
        found = partition_count(topic)
        expected = missing.pop(topic, None) if found is not None else None
        if expected is not None and found != expected.partitions:
            detail = (
                f"Existing topic {topic} has different number of partitions: expected {expected.partitions},"
                f" found {found}"
            )
            raise _NotConfiguredError(StatusCode.INCORRECTLY_PARTITIONED_TOPICS, detail)
    return missing
