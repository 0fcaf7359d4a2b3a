"""AlterReplicaLogDirs (key 34): move replicas between the log directories of one broker (KIP-113).

Answered by that broker. v2 is flexible.
"""

from ..schema import Request, Response, Struct, int16, int32, string


class AlterReplicaLogDirTopic(Struct):
    name: string
    partitions: list[int32]


class AlterReplicaLogDir(Struct):
    path: string
    topics: list[AlterReplicaLogDirTopic]


class AlterReplicaLogDirsRequest(Request, api_key=34, versions="0-2", flexible="2+"):
    dirs: list[AlterReplicaLogDir]


class AlterReplicaLogDirPartitionResult(Struct):
    partition_index: int32
    error_code: int16


class AlterReplicaLogDirTopicResult(Struct):
    topic_name: string
    partitions: list[AlterReplicaLogDirPartitionResult]


class AlterReplicaLogDirsResponse(Response, api_key=34, versions="0-2", flexible="2+"):
    throttle_time_ms: int32
    results: list[AlterReplicaLogDirTopicResult]
