"""OffsetCommit (key 8): a group records how far it has read.

Answered by the group's coordinator when the offsets are durable.
v0 kept them elsewhere, v1 has a time per partition, v2-4 a retention for all, v5 leaves retention to the broker
(KIP-211). v6 adds the leader epoch (KIP-320), v7 static members (KIP-345), v8 is flexible. v9 is also for groups of
the new protocol, whose member epoch stands in the field of the generation (KIP-848). v10 names topics by id.
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string, uuid


class OffsetCommitRequestPartition(Struct):
    partition_index: int32
    committed_offset: int64
    committed_leader_epoch: int32 = f("6+", default=-1, ignorable=True)
    commit_timestamp: int64 = f("1", default=-1)
    committed_metadata: string | None


class OffsetCommitRequestTopic(Struct):
    name: string = f("0-9", ignorable=True)
    topic_id: uuid = f("10+", ignorable=True)
    partitions: list[OffsetCommitRequestPartition]


class OffsetCommitRequest(Request, api_key=8, versions="0-10", flexible="8+"):
    group_id: string
    generation_id_or_member_epoch: int32 = f("1+", default=-1, ignorable=True)
    member_id: string = f("1+", ignorable=True)
    group_instance_id: string | None = f("7+", default=None)
    retention_time_ms: int64 = f("2-4", default=-1, ignorable=True)
    topics: list[OffsetCommitRequestTopic]


class OffsetCommitResponsePartition(Struct):
    partition_index: int32
    error_code: int16


class OffsetCommitResponseTopic(Struct):
    name: string = f("0-9", ignorable=True)
    topic_id: uuid = f("10+", ignorable=True)
    partitions: list[OffsetCommitResponsePartition]


class OffsetCommitResponse(Response, api_key=8, versions="0-10", flexible="8+"):
    throttle_time_ms: int32 = f("3+", ignorable=True)
    topics: list[OffsetCommitResponseTopic]
