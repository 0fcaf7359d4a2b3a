"""OffsetFetch (key 9): how far a group has read.

A partition without a committed offset is answered with offset -1 and no error, also if the topic does not exist.
v2 asks for all partitions by a null list and has an error of its own, v5 the leader epoch, v7 refuses offsets of open
transactions (`require_stable`, KIP-447), v8 several groups at once, v9 member epochs (KIP-848; ignored for classic
groups), v10 topic ids: an id that no topic has is UNKNOWN_TOPIC_ID.

Unlike Kafka, a request by name does not see what was committed for an earlier topic of that name either.
"""

from __future__ import annotations

from ...protocol.apis.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...protocol.schema import ZERO_UUID
from ..dispatch import Context, handler

_ERROR_OF_ITS_OWN_SINCE = 2
_GROUPS_SINCE = 8
_TOPIC_IDS_SINCE = 10


@handler(OffsetFetchRequest)
async def offset_fetch(context: Context, request: OffsetFetchRequest) -> OffsetFetchResponse:
    """Look up committed offsets."""
    if context.version >= _GROUPS_SINCE:
        groups = [await _fetch_group(context, group, request.require_stable) for group in request.groups]
        return OffsetFetchResponse(groups=groups)
    topics = None
    if request.topics is not None:
        topics = [OffsetFetchRequestTopics(name=t.name, partition_indexes=t.partition_indexes) for t in request.topics]
    group = OffsetFetchRequestGroup(group_id=request.group_id, topics=topics)
    return _single(await _fetch_group(context, group, request.require_stable))


def _single(group: OffsetFetchResponseGroup) -> OffsetFetchResponse:
    """Write the answer for one group in the form before v8."""
    return OffsetFetchResponse(
        error_code=group.error_code,
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=partition.partition_index,
                        committed_offset=partition.committed_offset,
                        committed_leader_epoch=partition.committed_leader_epoch,
                        metadata=partition.metadata,
                        error_code=partition.error_code,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in group.topics
        ],
    )


async def _fetch_group(
    context: Context, group: OffsetFetchRequestGroup, require_stable: bool
) -> OffsetFetchResponseGroup:
    images = context.broker.image.topics
    uses_ids = context.version >= _TOPIC_IDS_SINCE
    unknown: list[OffsetFetchRequestTopics] = []
    wanted = group
    if group.topics is not None:
        known = []
        for topic in group.topics:
            image = images.by_id(topic.topic_id) if uses_ids else images.get(topic.name)
            if image is not None:
                topic.name, topic.topic_id = image.name, image.id
            if image is None and uses_ids:
                unknown.append(topic)
            else:
                known.append(topic)
        wanted = OffsetFetchRequestGroup(
            group_id=group.group_id, member_id=group.member_id, member_epoch=group.member_epoch, topics=known
        )
    try:
        response = await context.broker.groups.fetch_offsets(wanted, require_stable=require_stable)
    except KafkaError as error:
        return _group_error(context, group, error.code)
    if uses_ids and group.topics is None:
        for answered in response.topics:
            image = images.get(answered.name)
            answered.topic_id = ZERO_UUID if image is None else image.id
        # A topic without an id cannot be named in this version.
        response.topics = [topic for topic in response.topics if topic.topic_id != ZERO_UUID]
    response.topics += [_topic_error(topic, ErrorCode.UNKNOWN_TOPIC_ID) for topic in unknown]
    return response


def _group_error(context: Context, group: OffsetFetchRequestGroup, code: ErrorCode) -> OffsetFetchResponseGroup:
    """Answer for a group that cannot be read; before v2 only partitions can say so."""
    if context.version >= _ERROR_OF_ITS_OWN_SINCE:
        return OffsetFetchResponseGroup(group_id=group.group_id, error_code=code, topics=[])
    topics = [_topic_error(topic, code) for topic in group.topics or []]
    return OffsetFetchResponseGroup(group_id=group.group_id, error_code=ErrorCode.NONE, topics=topics)


def _topic_error(topic: OffsetFetchRequestTopics, code: ErrorCode) -> OffsetFetchResponseTopics:
    return OffsetFetchResponseTopics(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            OffsetFetchResponsePartitions(
                partition_index=index, committed_offset=-1, committed_leader_epoch=-1, metadata="", error_code=code
            )
            for index in topic.partition_indexes
        ],
    )
