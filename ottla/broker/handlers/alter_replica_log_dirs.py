"""AlterReplicaLogDirs (key 34, KIP-113): move replicas to another log directory of this broker."""

from __future__ import annotations

from ...protocol.apis.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(AlterReplicaLogDirsRequest)
def alter_replica_log_dirs(context: Context, request: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse:
    """Begin each move and answer; DescribeLogDirs tells how far they are. A partition named twice: the last counts."""
    asked: dict[str, dict[int, str]] = {}
    for one in request.dirs:
        for topic in one.topics:
            asked.setdefault(topic.name, {}).update(dict.fromkeys(topic.partitions, one.path))
    return AlterReplicaLogDirsResponse(
        throttle_time_ms=0,
        results=[
            AlterReplicaLogDirTopicResult(
                topic_name=name,
                partitions=[
                    AlterReplicaLogDirPartitionResult(
                        partition_index=index, error_code=_move(context, name, index, path)
                    )
                    for index, path in partitions.items()
                ],
            )
            for name, partitions in asked.items()
        ],
    )


def _move(context: Context, topic: str, index: int, path: str) -> ErrorCode:
    broker = context.broker
    try:
        target = broker.logs.directory_at(path)
        if (topic, index) in broker.partitions.failed:
            raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)
        broker.logs.prefer(topic, index, target)
        broker.upkeep.moves.start(broker.partitions.get(topic, index), target)
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE
