"""DescribeQuorum (key 55): who keeps the metadata log, and how far it is (KIP-595).

Ottla's metadata log is one database (`metadata/sqlite`) and needs no quorum: whoever is asked answers as the one voter that
leads. Offsets are versions of the log, and the epoch is that of the broker's registration, which rises with every start.
"""

from __future__ import annotations

import time

from ...protocol.apis.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    Listener,
    Node,
    ReplicaState,
    ResponsePartitionData,
    ResponseTopicData,
)
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler

NODES_VERSION = 2
CLUSTER_METADATA_TOPIC = "__cluster_metadata"


@handler(DescribeQuorumRequest)
def describe_quorum(context: Context, request: DescribeQuorumRequest) -> DescribeQuorumResponse:
    """Describe partition 0 of the metadata log; there is no other."""
    broker = context.broker
    asked = [(topic.topic_name, [p.partition_index for p in topic.partitions]) for topic in request.topics]
    if asked != [(CLUSTER_METADATA_TOPIC, [0])]:
        return DescribeQuorumResponse(error_code=ErrorCode.NONE, error_message="", topics=_unknown(asked))
    now_ms = time.time_ns() // 1_000_000
    version = broker.image.version
    voter = ReplicaState(
        replica_id=broker.node_id,
        log_end_offset=version,
        last_fetch_timestamp=now_ms,
        last_caught_up_timestamp=now_ms,
    )
    partition = ResponsePartitionData(
        partition_index=0,
        error_code=ErrorCode.NONE,
        error_message="",
        leader_id=broker.node_id,
        leader_epoch=max(broker.epoch, 0) & 0x7FFFFFFF,
        high_watermark=version,
        current_voters=[voter],
        observers=[],
    )
    topic = ResponseTopicData(topic_name=CLUSTER_METADATA_TOPIC, partitions=[partition])
    endpoint = broker.endpoint_of(broker.node_id, context.connection.listener_name)
    listeners = []
    if endpoint is not None and context.version >= NODES_VERSION:
        listeners = [Listener(name=context.connection.listener_name, host=endpoint.host, port=endpoint.port)]
    return DescribeQuorumResponse(
        error_code=ErrorCode.NONE,
        error_message="",
        topics=[topic],
        nodes=[Node(node_id=broker.node_id, listeners=listeners)] if context.version >= NODES_VERSION else [],
    )


def _unknown(asked: list[tuple[str, list[int]]]) -> list[ResponseTopicData]:
    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return [
        ResponseTopicData(
            topic_name=name,
            partitions=[
                ResponsePartitionData(
                    partition_index=index, error_code=code, error_message=code.message, current_voters=[], observers=[]
                )
                for index in indexes
            ],
        )
        for name, indexes in asked
    ]
