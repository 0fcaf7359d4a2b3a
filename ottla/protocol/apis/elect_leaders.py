"""ElectLeaders (key 43): let partitions elect their preferred leader, or any replica where none is in sync.

Answered by the controller. Null partitions mean all.
v0 knows the preferred election only (KIP-183), v1 adds unclean elections (KIP-460), v2 is flexible.
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string


class TopicPartitions(Struct):
    topic: string
    partitions: list[int32]


class ElectLeadersRequest(Request, api_key=43, versions="0-2", flexible="2+"):
    election_type: int8 = f("1+")
    topic_partitions: list[TopicPartitions] | None
    timeout_ms: int32 = f(default=60000)


class PartitionResult(Struct):
    partition_id: int32
    error_code: int16
    error_message: string | None


class ReplicaElectionResult(Struct):
    topic: string
    partition_result: list[PartitionResult]


class ElectLeadersResponse(Response, api_key=43, versions="0-2", flexible="2+"):
    throttle_time_ms: int32
    error_code: int16 = f("1+")
    replica_election_results: list[ReplicaElectionResult]
