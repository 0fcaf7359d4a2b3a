"""DescribeQuorum (key 55): leader, voters and observers of the metadata log, and how far each is (KIP-595).

Answered by the leader of the quorum; brokers pass it on.
v1 adds times of the last fetch and of last being caught up (KIP-836), v2 directory ids, endpoints and messages of
errors (KIP-853).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string, uint16, uuid


class PartitionData(Struct):
    partition_index: int32


class TopicData(Struct):
    topic_name: string
    partitions: list[PartitionData]


class DescribeQuorumRequest(Request, api_key=55, versions="0-2", flexible="0+"):
    topics: list[TopicData]


class ReplicaState(Struct):
    replica_id: int32
    replica_directory_id: uuid = f("2+")
    log_end_offset: int64
    last_fetch_timestamp: int64 = f("1+", default=-1, ignorable=True)
    last_caught_up_timestamp: int64 = f("1+", default=-1, ignorable=True)


class ResponsePartitionData(Struct):
    partition_index: int32
    error_code: int16
    error_message: string | None = f("2+", ignorable=True)
    leader_id: int32
    leader_epoch: int32
    high_watermark: int64
    current_voters: list[ReplicaState]
    observers: list[ReplicaState]


class ResponseTopicData(Struct):
    topic_name: string
    partitions: list[ResponsePartitionData]


class Listener(Struct):
    name: string = f("2+")
    host: string = f("2+")
    port: uint16 = f("2+")


class Node(Struct):
    node_id: int32 = f("2+")
    listeners: list[Listener] = f("2+")


class DescribeQuorumResponse(Response, api_key=55, versions="0-2", flexible="0+"):
    error_code: int16
    error_message: string | None = f("2+", ignorable=True)
    topics: list[ResponseTopicData]
    nodes: list[Node] = f("2+")
