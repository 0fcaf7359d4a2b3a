"""OffsetCommit (key 8): a group stores how far it has read.

Topics and partitions must exist. v0 knew no members (any group without members may be committed to), v1 generation
and member, v2 to v4 a retention time of its own, v6 the leader epoch, v7 static members, v9 consumer groups (KIP-848)
and GROUP_ID_NOT_FOUND, v10 topic ids instead of names. v0 went to ZooKeeper in old brokers; here it is stored as all
others. The timestamp of v1 is ignored, as Kafka does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ...protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..coordinators.service import mapped
from ..dispatch import Context, handler
from ..purgatory import Deferred

_TOPIC_IDS_SINCE = 10


class _Place(NamedTuple):
    """Where the result of a committed partition belongs in the response."""

    topic: int
    partition: int


@handler(OffsetCommitRequest)
def offset_commit(context: Context, request: OffsetCommitRequest) -> Any:
    """Commit offsets."""
    if _all_exist(context, request):
        return _commit(context, request, partial(_complete, request))
    response = OffsetCommitResponse()
    known: list[OffsetCommitRequestTopic] = []
    places: list[_Place] = []
    for topic in request.topics:
        valid, results = _check_topic(context, topic, len(response.topics), places)
        response.topics.append(OffsetCommitResponseTopic(name=topic.name, topic_id=topic.topic_id, partitions=results))
        if valid.partitions:
            known.append(valid)
    if not known:
        return response
    request.topics = known

    def merge(result: Any) -> OffsetCommitResponse:
        if isinstance(result, KafkaError):
            for place in places:
                response.topics[place.topic].partitions[place.partition].error_code = result.code
            return response
        committed = (partition for topic in result.topics for partition in topic.partitions)
        for place, partition in zip(places, committed, strict=True):
            response.topics[place.topic].partitions[place.partition].error_code = partition.error_code
        return response

    return _commit(context, request, merge)


def _commit(
    context: Context, request: OffsetCommitRequest, answer: Callable[[Any], OffsetCommitResponse]
) -> OffsetCommitResponse | Deferred:
    try:
        result = context.broker.groups.commit_offsets(context, request)
    except KafkaError as error:
        return answer(error)
    return mapped(result, answer)


def _all_exist(context: Context, request: OffsetCommitRequest) -> bool:
    """Whether all topics and partitions exist, as nearly always; the topics then have both name and id."""
    topics = context.broker.image.topics
    uses_ids = context.version >= _TOPIC_IDS_SINCE
    for topic in request.topics:
        image = topics.by_id(topic.topic_id) if uses_ids else topics.get(topic.name)
        if image is None or not topic.partitions:
            return False
        count = len(image.partitions)
        for partition in topic.partitions:
            if not 0 <= partition.partition_index < count:
                return False
        topic.name, topic.topic_id = image.name, image.id
    return bool(request.topics)


def _complete(request: OffsetCommitRequest, result: Any) -> OffsetCommitResponse:
    """Say of every partition what holds for the commit as a whole, where it was refused as a whole."""
    if not isinstance(result, KafkaError):
        committed: OffsetCommitResponse = result
        return committed
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=result.code)
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _check_topic(
    context: Context, topic: OffsetCommitRequestTopic, topic_place: int, places: list[_Place]
) -> tuple[OffsetCommitRequestTopic, list[OffsetCommitResponsePartition]]:
    """Split a topic into the partitions that exist and a list of results with the errors of all others."""
    topics = context.broker.image.topics
    uses_ids = context.version >= _TOPIC_IDS_SINCE
    image = topics.by_id(topic.topic_id) if uses_ids else topics.get(topic.name)
    unknown = ErrorCode.UNKNOWN_TOPIC_ID if uses_ids else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    valid = OffsetCommitRequestTopic(
        name=topic.name if image is None else image.name,
        topic_id=topic.topic_id if image is None else image.id,
        partitions=[],
    )
    results: list[OffsetCommitResponsePartition] = []
    for partition in topic.partitions:
        index = partition.partition_index
        error = ErrorCode.NONE
        if image is None:
            error = unknown
        elif not 0 <= index < len(image.partitions):
            error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        else:
            valid.partitions.append(partition)
            places.append(_Place(topic_place, len(results)))
        results.append(OffsetCommitResponsePartition(partition_index=index, error_code=error))
    return valid, results
