"""DescribeShareGroupOffsets (key 90): where share groups stand, and how far they are behind (KIP-932, KIP-1226).

A partition without state, or of an unknown topic, has offset -1 and no error: there is nothing to tell, as in OffsetFetch.
The lag is end offset - start offset - what is done with behind the start; -1 where the start is not known yet.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...protocol.apis.describe_share_group_offsets import (
    DescribeShareGroupOffsetsRequest,
    DescribeShareGroupOffsetsRequestGroup,
    DescribeShareGroupOffsetsResponse,
    DescribeShareGroupOffsetsResponseGroup,
    DescribeShareGroupOffsetsResponsePartition,
    DescribeShareGroupOffsetsResponseTopic,
)
from ...protocol.errors import KafkaError
from ...protocol.schema import ZERO_UUID
from ..dispatch import Context, handler
from ..share.persister import NOT_INITIALIZED

UNKNOWN = -1
_INT64_MAX = (1 << 63) - 1


@handler(DescribeShareGroupOffsetsRequest)
async def describe_share_group_offsets(
    context: Context, request: DescribeShareGroupOffsetsRequest
) -> DescribeShareGroupOffsetsResponse:
    """Describe groups."""
    return DescribeShareGroupOffsetsResponse(groups=[await _group(context, group) for group in request.groups])


async def _group(
    context: Context, asked: DescribeShareGroupOffsetsRequestGroup
) -> DescribeShareGroupOffsetsResponseGroup:
    response = DescribeShareGroupOffsetsResponseGroup(group_id=asked.group_id)
    broker = context.broker
    try:
        broker.share_groups.check_enabled()
    except KafkaError as error:
        response.error_code = error.code
        return response
    try:
        if asked.topics is None:
            wanted = await broker.share_groups.initialized_partitions(asked.group_id)
            for topic_id, partitions in wanted.items():
                topic = broker.image.topics.by_id(topic_id)
                if topic is not None:
                    response.topics.append(await _topic(context, asked.group_id, topic.name, sorted(partitions)))
            return response
        known = [topic for topic in asked.topics if topic.topic_name in broker.image.topics]
        unknown = [topic for topic in asked.topics if topic.topic_name not in broker.image.topics]
        for each in (*known, *unknown):
            response.topics.append(await _topic(context, asked.group_id, each.topic_name, each.partitions))
    except KafkaError as error:
        response.topics = []
        response.error_code, response.error_message = error.code, error.message
    return response


async def _topic(
    context: Context, group_id: str, name: str, partitions: Iterable[int]
) -> DescribeShareGroupOffsetsResponseTopic:
    topic = context.broker.image.topics.get(name)
    topic_id = ZERO_UUID if topic is None else topic.id
    return DescribeShareGroupOffsetsResponseTopic(
        topic_name=name,
        topic_id=topic_id,
        partitions=[await _partition(context, group_id, name, topic_id, index) for index in partitions],
    )


async def _partition(
    context: Context, group_id: str, topic: str, topic_id: bytes, index: int
) -> DescribeShareGroupOffsetsResponsePartition:
    response = DescribeShareGroupOffsetsResponsePartition(
        partition_index=index, start_offset=NOT_INITIALIZED, leader_epoch=0, lag=UNKNOWN
    )
    if topic_id == ZERO_UUID:
        return response
    try:
        summary = await context.broker.persister.summary(group_id, topic_id, index, UNKNOWN)
    except KafkaError:
        return response  # Whatever the share coordinator says is absence of data, as Kafka has it.
    response.start_offset, response.leader_epoch = summary.start_offset, summary.leader_epoch
    if summary.start_offset == NOT_INITIALIZED or summary.delivery_complete_count == UNKNOWN:
        return response
    try:
        end = context.broker.partitions.get(topic, index).high_watermark
    except KafkaError as error:
        return DescribeShareGroupOffsetsResponsePartition(
            partition_index=index, lag=UNKNOWN, error_code=error.code, error_message=error.message
        )
    lag = end - summary.start_offset - summary.delivery_complete_count
    response.lag = max(-_INT64_MAX, min(lag, _INT64_MAX))  # whoever may write the state may write nonsense
    return response
