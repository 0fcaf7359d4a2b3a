"""DeleteRecords (key 21, KIP-107): raise the log start of partitions; -1 means up to the high watermark."""

from __future__ import annotations

import asyncio

from ...log.errors import KafkaStorageError
from ...protocol.apis.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..topic_names import is_internal

INVALID_LOW_WATERMARK = -1


@handler(DeleteRecordsRequest)
async def delete_records(context: Context, request: DeleteRecordsRequest) -> DeleteRecordsResponse:
    """Delete records; each partition has its own result. A partition named twice: the last counts, as in Kafka."""
    topics: dict[str, dict[int, DeleteRecordsPartition]] = {}
    for topic in request.topics:
        topics.setdefault(topic.name, {}).update({item.partition_index: item for item in topic.partitions})
    results = [
        DeleteRecordsTopicResult(name=name, partitions=[_delete(context, name, one) for one in items.values()])
        for name, items in topics.items()
        if items
    ]
    # What was deleted stays deleted, whatever happens after the answer.
    try:
        await asyncio.to_thread(context.broker.logs.prepare_log_starts())
    except KafkaStorageError:
        _tell_failures(context, results)
    return DeleteRecordsResponse(throttle_time_ms=0, topics=results)


def _tell_failures(context: Context, results: list[DeleteRecordsTopicResult]) -> None:
    """The log dir of some of them failed while the log starts were written."""
    logs = context.broker.logs
    for topic in results:
        for result in topic.partitions:
            if not result.error_code and logs.directory_of(topic.name, result.partition_index).health.failure:
                result.error_code, result.low_watermark = ErrorCode.KAFKA_STORAGE_ERROR, INVALID_LOW_WATERMARK


def _delete(context: Context, topic: str, asked: DeleteRecordsPartition) -> DeleteRecordsPartitionResult:
    result = DeleteRecordsPartitionResult(
        partition_index=asked.partition_index, low_watermark=INVALID_LOW_WATERMARK, error_code=ErrorCode.NONE
    )
    try:
        partition = context.broker.partitions.get(topic, asked.partition_index)
        if is_internal(topic):
            raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION)
        if partition.log.config.cleanup_policy == {"compact"}:
            raise KafkaError(ErrorCode.POLICY_VIOLATION)
        result.low_watermark = partition.delete_records_before(asked.offset)
    except KafkaError as error:
        result.error_code = error.code
    return result
