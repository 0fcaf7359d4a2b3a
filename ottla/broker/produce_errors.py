"""How Produce tells a partition's error: its code and message, which records were wrong (KIP-467), who leads (KIP-951)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..protocol.apis.produce import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceResponse,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from ..protocol.errors import ErrorCode, KafkaError
from ..records.batch import RecordValidationError

if TYPE_CHECKING:
    from .connection import Connection
    from .partition import Partition

#: The version that began to tell the present leader.
CURRENT_LEADER_VERSION = 10
#: Errors of an append with which Kafka does not tell the log start.
NO_LOG_START = frozenset({
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.MESSAGE_TOO_LARGE,
    ErrorCode.RECORD_LIST_TOO_LARGE, ErrorCode.CORRUPT_MESSAGE, ErrorCode.KAFKA_STORAGE_ERROR,
})  # fmt: skip


def describe_error(
    connection: Connection,
    version: int,
    response: ProduceResponse,
    topic: TopicProduceData | TopicProduceResponse,
    item: PartitionProduceResponse,
    error: KafkaError,
    partition: Partition | None,
) -> None:
    """Write an error into a partition's answer, with what the version can say; `partition` is None where none was found."""
    item.error_code = error.code
    item.base_offset = -1
    item.error_message = error.message
    if partition is not None:
        partition.failed_appends += 1
        if error.code not in NO_LOG_START:
            item.log_start_offset = partition.log.log_start_offset
    if isinstance(error, RecordValidationError):
        item.record_errors = [
            BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=message)
            for index, message in error.record_errors
        ]
    if error.code == ErrorCode.NOT_LEADER_OR_FOLLOWER and version >= CURRENT_LEADER_VERSION:
        broker = connection.broker
        leader = broker.partitions.current_leader(topic.name, topic.topic_id, item.index)
        if leader is not None:
            item.current_leader = LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])
            endpoint = broker.endpoint_of(leader[0], connection.listener_name)
            if endpoint is not None and all(node.node_id != leader[0] for node in response.node_endpoints):
                response.node_endpoints.append(
                    NodeEndpoint(node_id=leader[0], host=endpoint.host, port=endpoint.port, rack=endpoint.rack)
                )
