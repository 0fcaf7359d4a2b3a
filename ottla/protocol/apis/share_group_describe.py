"""ShareGroupDescribe (key 77): members, subscriptions and assignments of share groups (KIP-932).

Answered by each group's coordinator. v0 was a preview.
"""

from ..schema import Request, Response, Struct, f, int16, int32, string, uuid


class ShareGroupDescribeRequest(Request, api_key=77, versions="1", flexible="0+"):
    group_ids: list[string]
    include_authorized_operations: bool


class TopicPartitions(Struct):
    topic_id: uuid
    topic_name: string
    partitions: list[int32]


class Assignment(Struct):
    topic_partitions: list[TopicPartitions]


class Member(Struct):
    member_id: string
    rack_id: string | None = f(default=None)
    member_epoch: int32
    client_id: string
    client_host: string
    subscribed_topic_names: list[string]
    assignment: Assignment


class DescribedGroup(Struct):
    error_code: int16
    error_message: string | None = f(default=None)
    group_id: string
    group_state: string
    group_epoch: int32
    assignment_epoch: int32
    assignor_name: string
    members: list[Member]
    authorized_operations: int32 = f(default=-2147483648)


class ShareGroupDescribeResponse(Response, api_key=77, versions="1", flexible="0+"):
    throttle_time_ms: int32
    groups: list[DescribedGroup]
