"""ShareFetch (key 78): get records to process, shared with the other members of the group (KIP-932).

Answered by the leader of each partition, which keeps what is handed out and to whom; acknowledgements may ride along.
v0 was a preview. v2 chooses how records are acquired (KIP-1206) and can renew (KIP-1222).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, int64, record_bytes, string, uuid


class AcknowledgementBatch(Struct):
    first_offset: int64
    last_offset: int64
    acknowledge_types: list[int8]


class FetchPartition(Struct):
    partition_index: int32
    partition_max_bytes: int32 = f("0")
    acknowledgement_batches: list[AcknowledgementBatch]


class FetchTopic(Struct):
    topic_id: uuid
    partitions: list[FetchPartition]


class ForgottenTopic(Struct):
    topic_id: uuid
    partitions: list[int32]


class ShareFetchRequest(Request, api_key=78, versions="1-2", flexible="0+"):
    group_id: string | None = f(default=None)
    member_id: string | None
    share_session_epoch: int32
    max_wait_ms: int32
    min_bytes: int32
    max_bytes: int32 = f(default=2147483647)
    max_records: int32
    batch_size: int32
    share_acquire_mode: int8 = f("2+", ignorable=True)
    is_renew_ack: bool = f("2+")
    topics: list[FetchTopic]
    forgotten_topics_data: list[ForgottenTopic]


class LeaderIdAndEpoch(Struct):
    leader_id: int32
    leader_epoch: int32


class AcquiredRecords(Struct):
    first_offset: int64
    last_offset: int64
    delivery_count: int16


class PartitionData(Struct):
    partition_index: int32
    error_code: int16
    error_message: string | None = f(default=None)
    acknowledge_error_code: int16
    acknowledge_error_message: string | None = f(default=None)
    current_leader: LeaderIdAndEpoch
    records: record_bytes
    acquired_records: list[AcquiredRecords]


class ShareFetchableTopicResponse(Struct):
    topic_id: uuid
    partitions: list[PartitionData]


class NodeEndpoint(Struct):
    node_id: int32
    host: string
    port: int32
    rack: string | None = f(default=None)


class ShareFetchResponse(Response, api_key=78, versions="1-2", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = f(default=None)
    acquisition_lock_timeout_ms: int32
    responses: list[ShareFetchableTopicResponse]
    node_endpoints: list[NodeEndpoint]
