"""ShareGroupHeartbeat (key 76): join, stay in, change and leave a share group (KIP-932).

Answered by the group's coordinator. Epoch 0 joins, -1 leaves; fields that did not change are null. v0 was a preview.
"""

from ..schema import Request, Response, Struct, f, int16, int32, string, uuid


class ShareGroupHeartbeatRequest(Request, api_key=76, versions="1", flexible="0+"):
    group_id: string
    member_id: string
    member_epoch: int32
    rack_id: string | None = f(default=None)
    subscribed_topic_names: list[string] | None = f(default=None)


class TopicPartitions(Struct):
    topic_id: uuid
    partitions: list[int32]


class Assignment(Struct):
    topic_partitions: list[TopicPartitions]


class ShareGroupHeartbeatResponse(Response, api_key=76, versions="1", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = f(default=None)
    member_id: string | None = f(default=None)
    member_epoch: int32
    heartbeat_interval_ms: int32
    assignment: Assignment | None = f(default=None)
