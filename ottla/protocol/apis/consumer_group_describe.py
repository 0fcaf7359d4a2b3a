"""ConsumerGroupDescribe (key 69): members, subscriptions and assignments of groups of the new protocol (KIP-848).

Answered by each group's coordinator; classic groups are described by DescribeGroups.
v1 says of each member whether it speaks the classic or the new protocol (KIP-1099).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string, uuid


class ConsumerGroupDescribeRequest(Request, api_key=69, versions="0-1", flexible="0+"):
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
    instance_id: string | None = f(default=None)
    rack_id: string | None = f(default=None)
    member_epoch: int32
    client_id: string
    client_host: string
    subscribed_topic_names: list[string]
    subscribed_topic_regex: string | None = f(default=None)
    assignment: Assignment
    target_assignment: Assignment
    member_type: int8 = f("1+", default=-1, ignorable=True)


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


class ConsumerGroupDescribeResponse(Response, api_key=69, versions="0-1", flexible="0+"):
    throttle_time_ms: int32
    groups: list[DescribedGroup]
