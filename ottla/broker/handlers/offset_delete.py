"""OffsetDelete (key 47, KIP-496): forget committed offsets of topics that no member of the group reads.

Refused as a whole while the group has members that are no ordinary consumers (NON_EMPTY_GROUP), per topic where a
consumer is subscribed (GROUP_SUBSCRIBED_TO_TOPIC). As in Kafka, the topic and partition must exist.
"""

from __future__ import annotations

from ...protocol.apis.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler
from ..purgatory import settled


@handler(OffsetDeleteRequest)
async def offset_delete(context: Context, request: OffsetDeleteRequest) -> OffsetDeleteResponse:
    """Delete offsets."""
    known: list[OffsetDeleteRequestTopic] = []
    refused: dict[str, OffsetDeleteResponseTopic] = {}
    for topic in request.topics:
        image = context.broker.image.topics.get(topic.name)
        count = 0 if image is None else len(image.partitions)
        valid = [partition for partition in topic.partitions if 0 <= partition.partition_index < count]
        if valid:
            known.append(OffsetDeleteRequestTopic(name=topic.name, partitions=valid))
        unknown = [
            OffsetDeleteResponsePartition(
                partition_index=partition.partition_index, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            )
            for partition in topic.partitions
            if not 0 <= partition.partition_index < count
        ]
        if unknown:
            refused[topic.name] = OffsetDeleteResponseTopic(name=topic.name, partitions=unknown)
    request.topics = known
    response: OffsetDeleteResponse = await settled(context.broker.groups.delete_offsets(request))
    for answered in response.topics:
        rest = refused.pop(answered.name, None)
        if rest is not None:
            answered.partitions += rest.partitions
    response.topics += refused.values()
    return response
