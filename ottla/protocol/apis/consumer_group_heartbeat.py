"""ConsumerGroupHeartbeat (key 68): join, stay in, change and leave a group of the new protocol (KIP-848).

Answered by the group's coordinator, which computes the assignment. The member epoch tells what is meant: 0 joins, -1
leaves, -2 leaves but keeps the place of a static member. Fields that did not change since the last heartbeat are
null.
v1 adds the subscription by regular expression; the member makes up its own id (KIP-1082).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string, uuid


class TopicPartitions(Struct):
    topic_id: uuid
    partitions: list[int32]


class ConsumerGroupHeartbeatRequest(Request, api_key=68, versions="0-1", flexible="0+"):
    group_id: string
    member_id: string
    member_epoch: int32
    instance_id: string | None = f(default=None)
    rack_id: string | None = f(default=None)
    rebalance_timeout_ms: int32 = f(default=-1)
    subscribed_topic_names: list[string] | None = f(default=None)
    subscribed_topic_regex: string | None = f("1+", default=None)
    server_assignor: string | None = f(default=None)
    topic_partitions: list[TopicPartitions] | None = f(default=None)


class Assignment(Struct):
    topic_partitions: list[TopicPartitions]


class ConsumerGroupHeartbeatResponse(Response, api_key=68, versions="0-1", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = f(default=None)
    member_id: string | None = f(default=None)
    member_epoch: int32
    heartbeat_interval_ms: int32
    assignment: Assignment | None = f(default=None)
