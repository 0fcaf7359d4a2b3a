"""Fetch (key 1): read record batches from partitions, as a consumer or as a replica.

Answered by the leader (a consumer may read from a follower, KIP-392), which waits up to max_wait_ms for min_bytes.
The first batch of the answer is whole however large it is, so that a reader always gets on.
v4 brings isolation levels and aborted transactions (KIP-98), v5 the log start offset. v7 brings sessions: only what
changed is named (KIP-227). v9 fences by leader epoch (KIP-320). v10 permits zstd (KIP-110), for older versions such
batches are UNSUPPORTED_COMPRESSION_TYPE. v11 has racks and preferred replicas (KIP-392). v12 is flexible and tells of
divergence (KIP-595). v13 names topics by id (KIP-516). v14 knows tiered storage (KIP-405), v15 the replica's epoch
(KIP-903), v16 tags endpoints of new leaders (KIP-951), v17 directory ids (KIP-853), v18 the follower's high watermark
(KIP-1166).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, int64, record_bytes, string, uuid


class ReplicaState(Struct):
    replica_id: int32 = f("15+", default=-1)
    replica_epoch: int64 = f("15+", default=-1)


class FetchPartition(Struct):
    partition: int32
    current_leader_epoch: int32 = f("9+", default=-1, ignorable=True)
    fetch_offset: int64
    last_fetched_epoch: int32 = f("12+", default=-1)
    log_start_offset: int64 = f("5+", default=-1, ignorable=True)
    partition_max_bytes: int32
    replica_directory_id: uuid = f("17+", tag=0, ignorable=True)
    high_watermark: int64 = f("18+", default=9223372036854775807, tag=1, ignorable=True)


class FetchTopic(Struct):
    topic: string = f("0-12", ignorable=True)
    topic_id: uuid = f("13+", ignorable=True)
    partitions: list[FetchPartition]


class ForgottenTopic(Struct):
    topic: string = f("7-12", ignorable=True)
    topic_id: uuid = f("13+", ignorable=True)
    partitions: list[int32] = f("7+")


class FetchRequest(Request, api_key=1, versions="4-18", flexible="12+"):
    cluster_id: string | None = f("12+", default=None, tag=0, ignorable=True)
    replica_id: int32 = f("0-14", default=-1)
    replica_state: ReplicaState = f("15+", tag=1)
    max_wait_ms: int32
    min_bytes: int32
    max_bytes: int32 = f(default=2147483647, ignorable=True)
    isolation_level: int8 = f(ignorable=True)
    session_id: int32 = f("7+", ignorable=True)
    session_epoch: int32 = f("7+", default=-1, ignorable=True)
    topics: list[FetchTopic]
    forgotten_topics_data: list[ForgottenTopic] = f("7+")
    rack_id: string = f("11+", ignorable=True)


class EpochEndOffset(Struct):
    epoch: int32 = f("12+", default=-1)
    end_offset: int64 = f("12+", default=-1)


class LeaderIdAndEpoch(Struct):
    leader_id: int32 = f("12+", default=-1)
    leader_epoch: int32 = f("12+", default=-1)


class SnapshotId(Struct):
    end_offset: int64 = f(default=-1)
    epoch: int32 = f(default=-1)


class AbortedTransaction(Struct):
    producer_id: int64
    first_offset: int64


class PartitionData(Struct):
    partition_index: int32
    error_code: int16
    high_watermark: int64
    last_stable_offset: int64 = f(default=-1, ignorable=True)
    log_start_offset: int64 = f("5+", default=-1, ignorable=True)
    diverging_epoch: EpochEndOffset = f("12+", tag=0)
    current_leader: LeaderIdAndEpoch = f("12+", tag=1)
    snapshot_id: SnapshotId = f("12+", tag=2)
    aborted_transactions: list[AbortedTransaction] | None = f(ignorable=True)
    preferred_read_replica: int32 = f("11+", default=-1)
    records: record_bytes | None


class FetchableTopicResponse(Struct):
    topic: string = f("0-12", ignorable=True)
    topic_id: uuid = f("13+", ignorable=True)
    partitions: list[PartitionData]


class NodeEndpoint(Struct):
    node_id: int32 = f("16+")
    host: string = f("16+")
    port: int32 = f("16+")
    rack: string | None = f("16+", default=None)


class FetchResponse(Response, api_key=1, versions="4-18", flexible="12+"):
    throttle_time_ms: int32 = f(ignorable=True)
    error_code: int16 = f("7+", ignorable=True)
    session_id: int32 = f("7+")
    responses: list[FetchableTopicResponse]
    node_endpoints: list[NodeEndpoint] = f("16+", tag=0)
