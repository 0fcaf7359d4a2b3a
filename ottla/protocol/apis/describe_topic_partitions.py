"""DescribeTopicPartitions (key 75): partitions of topics, page by page (KIP-966).

Answered by any broker. Like Metadata, with the eligible leader replicas, and with a cursor from which the next
request goes on, so that one answer stays small however many partitions there are.
"""

from ..schema import Request, Response, Struct, f, int16, int32, string, uuid


class TopicRequest(Struct):
    name: string


class Cursor(Struct):
    topic_name: string
    partition_index: int32


class DescribeTopicPartitionsRequest(Request, api_key=75, versions="0", flexible="0+"):
    topics: list[TopicRequest]
    response_partition_limit: int32 = f(default=2000)
    cursor: Cursor | None = f(default=None)


class DescribeTopicPartitionsResponsePartition(Struct):
    error_code: int16
    partition_index: int32
    leader_id: int32
    leader_epoch: int32 = f(default=-1, ignorable=True)
    replica_nodes: list[int32]
    isr_nodes: list[int32]
    eligible_leader_replicas: list[int32] | None = f(default=None)
    last_known_elr: list[int32] | None = f(default=None)
    offline_replicas: list[int32] = f(ignorable=True)


class DescribeTopicPartitionsResponseTopic(Struct):
    error_code: int16
    name: string | None
    topic_id: uuid = f(ignorable=True)
    is_internal: bool = f(ignorable=True)
    partitions: list[DescribeTopicPartitionsResponsePartition]
    topic_authorized_operations: int32 = f(default=-2147483648)


class DescribeTopicPartitionsResponse(Response, api_key=75, versions="0", flexible="0+"):
    throttle_time_ms: int32 = f(ignorable=True)
    topics: list[DescribeTopicPartitionsResponseTopic]
    next_cursor: Cursor | None = f(default=None)
