"""DescribeShareGroupOffsets (key 90): where share groups stand in partitions (KIP-932).

Answered by each group's coordinator; null topics ask for all. v1 adds the lag (KIP-1226).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string, uuid


class DescribeShareGroupOffsetsRequestTopic(Struct):
    topic_name: string
    partitions: list[int32]


class DescribeShareGroupOffsetsRequestGroup(Struct):
    group_id: string
    topics: list[DescribeShareGroupOffsetsRequestTopic] | None


class DescribeShareGroupOffsetsRequest(Request, api_key=90, versions="0-1", flexible="0+"):
    groups: list[DescribeShareGroupOffsetsRequestGroup]


class DescribeShareGroupOffsetsResponsePartition(Struct):
    partition_index: int32
    start_offset: int64
    leader_epoch: int32
    lag: int64 = f("1+", default=-1, ignorable=True)
    error_code: int16
    error_message: string | None = f(default=None)


class DescribeShareGroupOffsetsResponseTopic(Struct):
    topic_name: string
    topic_id: uuid
    partitions: list[DescribeShareGroupOffsetsResponsePartition]


class DescribeShareGroupOffsetsResponseGroup(Struct):
    group_id: string
    topics: list[DescribeShareGroupOffsetsResponseTopic]
    error_code: int16
    error_message: string | None = f(default=None)


class DescribeShareGroupOffsetsResponse(Response, api_key=90, versions="0-1", flexible="0+"):
    throttle_time_ms: int32
    groups: list[DescribeShareGroupOffsetsResponseGroup]
