"""DescribeProducers (key 61, KIP-664): which producers a partition remembers, to find hanging transactions."""

from __future__ import annotations

from ...controller.names import check_name
from ...protocol.apis.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicRequest,
    TopicResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(DescribeProducersRequest)
def describe_producers(context: Context, request: DescribeProducersRequest) -> DescribeProducersResponse:
    """List the active producers of partitions."""
    return DescribeProducersResponse(throttle_time_ms=0, topics=[_topic(context, topic) for topic in request.topics])


def _topic(context: Context, asked: TopicRequest) -> TopicResponse:
    problem: KafkaError | None = None
    try:
        check_name(asked.name)
        if asked.name not in context.broker.image.topics:
            # Kafka puts the error's own text here, but not where only the partition is unknown.
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION.message)
    except KafkaError as error:
        problem = error
    rows = [_partition(context, asked.name, index, problem) for index in asked.partition_indexes]
    return TopicResponse(name=asked.name, partitions=rows)


def _partition(context: Context, topic: str, index: int, problem: KafkaError | None) -> PartitionResponse:
    result = PartitionResponse(partition_index=index, error_code=ErrorCode.NONE, active_producers=[])
    if problem is not None:
        result.error_code, result.error_message = problem.code, problem.message
        return result
    try:
        partition = context.broker.partitions.get(topic, index)
        if not partition.is_leader:
            raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        now_ms = context.broker.clock.now_ms()
        result.active_producers = [
            ProducerState(
                producer_id=producer.producer_id,
                producer_epoch=producer.epoch,
                last_sequence=producer.last_sequence,
                last_timestamp=producer.last_timestamp,
                coordinator_epoch=producer.coordinator_epoch,
                current_txn_start_offset=producer.current_txn_first_offset,
            )
            for producer in partition.log.active_producers(now_ms)
        ]
    except KafkaError as error:
        result.error_code = error.code
    return result
