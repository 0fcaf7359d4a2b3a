"""OffsetForLeaderEpoch (key 23, KIP-101, 279, 320): where a leader epoch ended in this log."""

from __future__ import annotations

from ...protocol.apis.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(OffsetForLeaderEpochRequest)
def offset_for_leader_epoch(context: Context, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse:
    """Answer, per partition, the largest epoch that is not above the asked one and the offset behind its last record."""
    return OffsetForLeaderEpochResponse(
        throttle_time_ms=0,
        topics=[
            OffsetForLeaderTopicResult(
                topic=topic.topic, partitions=[_end_offset(context, topic.topic, item) for item in topic.partitions]
            )
            for topic in request.topics
        ],
    )


def _end_offset(context: Context, topic: str, asked: OffsetForLeaderPartition) -> EpochEndOffset:
    result = EpochEndOffset(error_code=ErrorCode.NONE, partition=asked.partition)
    try:
        partition = context.broker.partitions.get(topic, asked.partition)
        partition.check_epoch(asked.current_leader_epoch)
        result.leader_epoch, result.end_offset = partition.log.end_offset_for_epoch(asked.leader_epoch)
    except KafkaError as error:
        result.error_code = error.code
    return result
