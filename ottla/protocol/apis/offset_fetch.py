"""OffsetFetch (key 9): how far has a group read?

Answered by the group's coordinator.
v2 gives all partitions for null topics, and has a top-level error. v5 adds the leader epoch (KIP-320), v6 is
flexible. v7 can insist on offsets that no open transaction may change, else UNSTABLE_OFFSET_COMMIT (KIP-447). v8 asks
for many groups, in new fields (KIP-709), v9 checks the member epoch of the new protocol (KIP-848), v10 names topics
by id.
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string, uuid


class OffsetFetchRequestTopic(Struct):
    name: string = f("0-7")
    partition_indexes: list[int32] = f("0-7")


class OffsetFetchRequestTopics(Struct):
    name: string = f("8-9", ignorable=True)
    topic_id: uuid = f("10+", ignorable=True)
    partition_indexes: list[int32] = f("8+")


class OffsetFetchRequestGroup(Struct):
    group_id: string = f("8+")
    member_id: string | None = f("9+", default=None, ignorable=True)
    member_epoch: int32 = f("9+", default=-1, ignorable=True)
    topics: list[OffsetFetchRequestTopics] | None = f("8+")


class OffsetFetchRequest(Request, api_key=9, versions="0-10", flexible="6+"):
    group_id: string = f("0-7")
    topics: list[OffsetFetchRequestTopic] | None = f("0-7", nullable="2-7")
    groups: list[OffsetFetchRequestGroup] = f("8+")
    require_stable: bool = f("7+")


class OffsetFetchResponsePartition(Struct):
    partition_index: int32 = f("0-7")
    committed_offset: int64 = f("0-7")
    committed_leader_epoch: int32 = f("5-7", default=-1, ignorable=True)
    metadata: string | None = f("0-7")
    error_code: int16 = f("0-7")


class OffsetFetchResponseTopic(Struct):
    name: string = f("0-7")
    partitions: list[OffsetFetchResponsePartition] = f("0-7")


class OffsetFetchResponsePartitions(Struct):
    partition_index: int32 = f("8+")
    committed_offset: int64 = f("8+")
    committed_leader_epoch: int32 = f("8+", default=-1, ignorable=True)
    metadata: string | None = f("8+")
    error_code: int16 = f("8+")


class OffsetFetchResponseTopics(Struct):
    name: string = f("8-9", ignorable=True)
    topic_id: uuid = f("10+", ignorable=True)
    partitions: list[OffsetFetchResponsePartitions] = f("8+")


class OffsetFetchResponseGroup(Struct):
    group_id: string = f("8+")
    topics: list[OffsetFetchResponseTopics] = f("8+")
    error_code: int16 = f("8+")


class OffsetFetchResponse(Response, api_key=9, versions="0-10", flexible="6+"):
    throttle_time_ms: int32 = f("3+", ignorable=True)
    topics: list[OffsetFetchResponseTopic] = f("0-7")
    error_code: int16 = f("2-7", ignorable=True)
    groups: list[OffsetFetchResponseGroup] = f("8+")
