"""ListOffsets (key 2): which offset stands at a moment of a partition's log.

Asked of the leader. A timestamp finds the first record that is not older; negative ones have meanings of their own
(below).
v1 answers one offset with its timestamp, v0 a list of segment starts. v2 knows isolation: for read_committed the end
is the last stable offset. v4 fences by leader epoch (KIP-320), v5 knows OFFSET_NOT_AVAILABLE (KIP-207), v6 is
flexible, v7 finds the record of the highest timestamp (KIP-734). v8 (KIP-405), v9 (KIP-1005) and v11 (KIP-1023) ask
about tiered storage, v10 gives that a timeout (KIP-1075).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, int64, string

#: Values of a partition's timestamp that are no time: the end (or last stable offset), the start, the record of the
#: highest timestamp, the start of what is on local disk, the last offset in tiered storage, the first not yet there.
LATEST, EARLIEST, MAX_TIMESTAMP = -1, -2, -3
EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD = -4, -5, -6


class ListOffsetsPartition(Struct):
    partition_index: int32
    current_leader_epoch: int32 = f("4+", default=-1, ignorable=True)
    timestamp: int64
    max_num_offsets: int32 = f("0", default=1)


class ListOffsetsTopic(Struct):
    name: string
    partitions: list[ListOffsetsPartition]


class ListOffsetsRequest(Request, api_key=2, versions="0-11", flexible="6+"):
    replica_id: int32
    isolation_level: int8 = f("2+")
    topics: list[ListOffsetsTopic]
    timeout_ms: int32 = f("10+", ignorable=True)


class ListOffsetsPartitionResponse(Struct):
    partition_index: int32
    error_code: int16
    old_style_offsets: list[int64] = f("0")
    timestamp: int64 = f("1+", default=-1)
    offset: int64 = f("1+", default=-1)
    leader_epoch: int32 = f("4+", default=-1)


class ListOffsetsTopicResponse(Struct):
    name: string
    partitions: list[ListOffsetsPartitionResponse]


class ListOffsetsResponse(Response, api_key=2, versions="0-11", flexible="6+"):
    throttle_time_ms: int32 = f("2+", ignorable=True)
    topics: list[ListOffsetsTopicResponse]
