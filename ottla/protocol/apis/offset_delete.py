"""OffsetDelete (key 47): forget the offsets that a group committed for partitions (KIP-496).

Answered by the group's coordinator; topics the group still reads are GROUP_SUBSCRIBED_TO_TOPIC. Never became
flexible.
"""

from ..schema import Request, Response, Struct, f, int16, int32, string


class OffsetDeleteRequestPartition(Struct):
    partition_index: int32


class OffsetDeleteRequestTopic(Struct):
    name: string
    partitions: list[OffsetDeleteRequestPartition]


class OffsetDeleteRequest(Request, api_key=47, versions="0"):
    group_id: string
    topics: list[OffsetDeleteRequestTopic]


class OffsetDeleteResponsePartition(Struct):
    partition_index: int32
    error_code: int16


class OffsetDeleteResponseTopic(Struct):
    name: string
    partitions: list[OffsetDeleteResponsePartition]


class OffsetDeleteResponse(Response, api_key=47, versions="0"):
    error_code: int16
    throttle_time_ms: int32 = f(ignorable=True)
    topics: list[OffsetDeleteResponseTopic]
