"""Which partitions can be asked for where: what instances tell each other for interactive queries, through heartbeats.

Every member that gave an endpoint (`application.server`) is listed with the partitions of the source topics of its active
and of its standby tasks. What was worked out for a member is kept until its tasks, or the topology's topics, change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ....metadata.image import TopicsImage
from ....protocol.apis.streams_group_heartbeat import Endpoint, EndpointToPartitions, TopicPartition
from ..modern.hash_order import by_string
from .configured import ConfiguredSubtopology
from .group import StreamsGroup
from .member import StreamsMember

__all__ = ["endpoints_of"]


def endpoints_of(group: StreamsGroup, updated: StreamsMember, topics: TopicsImage) -> list[EndpointToPartitions]:
    """List all endpoints, the asking member's last."""
    members = [member for member in group.members.values() if member.member_id != updated.member_id]
    found = []
    for member in (*members, updated):
        if member.user_endpoint is None:
            continue
        shown = group.endpoints_cache.get(member.member_id)
        if shown is None:
            shown = group.endpoints_cache[member.member_id] = _show(group, member, topics)
        found.append(shown)
    return found


def _show(group: StreamsGroup, member: StreamsMember, topics: TopicsImage) -> EndpointToPartitions:
    endpoint = member.user_endpoint
    assert endpoint is not None
    # Where the topics do not fit, Kafka 4.2 fails the heartbeat here; we say that nothing can be asked for yet.
    configured = (group.configured.subtopologies if group.configured is not None else None) or {}
    active = {key: list(partitions) for key, partitions in member.assigned.active.items()}
    standby = {key: list(partitions) for key, partitions in member.assigned.standby.items()}
    return EndpointToPartitions(
        user_endpoint=Endpoint(host=endpoint.host, port=endpoint.port),
        active_partitions=_partitions(active, configured, topics),
        standby_partitions=_partitions(standby, configured, topics),
    )


def _partitions(
    tasks: Mapping[str, Iterable[int]], configured: Mapping[str, ConfiguredSubtopology], topics: TopicsImage
) -> list[TopicPartition]:
    found = []
    for key in by_string(tasks):
        subtopology = configured.get(key)
        if subtopology is None:
            continue
        names = by_string(dict.fromkeys((*subtopology.source_topics, *subtopology.repartition_source_topics)))
        wanted = sorted(tasks[key])
        for name in names:
            image = topics.get(name)
            if image is not None:
                found.append(TopicPartition(topic=name, partitions=wanted[: len(image.partitions)]))
    return found
