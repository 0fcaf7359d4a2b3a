"""OffsetForLeaderEpoch (key 23): where does a leader epoch end in this log?

Answered by the leader; replicas and consumers find out where their log parted from its (KIP-101, KIP-320).
v1 answers with the epoch found, v2 fences the asker's idea of the leader, v3 says who asks, v4 is flexible.
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string


class OffsetForLeaderPartition(Struct):
    partition: int32
    current_leader_epoch: int32 = f("2+", default=-1, ignorable=True)
    leader_epoch: int32


class OffsetForLeaderTopic(Struct):
    topic: string
    partitions: list[OffsetForLeaderPartition]


class OffsetForLeaderEpochRequest(Request, api_key=23, versions="0-4", flexible="4+"):
    replica_id: int32 = f("3+", default=-2, ignorable=True)
    topics: list[OffsetForLeaderTopic]


class EpochEndOffset(Struct):
    error_code: int16
    partition: int32
    leader_epoch: int32 = f("1+", default=-1, ignorable=True)
    end_offset: int64 = f(default=-1)


class OffsetForLeaderTopicResult(Struct):
    topic: string
    partitions: list[EpochEndOffset]


class OffsetForLeaderEpochResponse(Response, api_key=23, versions="0-4", flexible="4+"):
    throttle_time_ms: int32 = f("2+", ignorable=True)
    topics: list[OffsetForLeaderTopicResult]
