"""ShareAcknowledge (key 79): what became of the records that a share consumer got (KIP-932).

Answered by the leader of each partition, within a share session.
v0 was a preview. v2 can renew the time a record is held (KIP-1222).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, int64, string, uuid


class AcknowledgementBatch(Struct):
    first_offset: int64
    last_offset: int64
    acknowledge_types: list[int8]


class AcknowledgePartition(Struct):
    partition_index: int32
    acknowledgement_batches: list[AcknowledgementBatch]


class AcknowledgeTopic(Struct):
    topic_id: uuid
    partitions: list[AcknowledgePartition]


class ShareAcknowledgeRequest(Request, api_key=79, versions="1-2", flexible="0+"):
    group_id: string | None = f(default=None)
    member_id: string | None
    share_session_epoch: int32
    is_renew_ack: bool = f("2+")
    topics: list[AcknowledgeTopic]


class LeaderIdAndEpoch(Struct):
    leader_id: int32
    leader_epoch: int32


class PartitionData(Struct):
    partition_index: int32
    error_code: int16
    error_message: string | None = f(default=None)
    current_leader: LeaderIdAndEpoch


class ShareAcknowledgeTopicResponse(Struct):
    topic_id: uuid
    partitions: list[PartitionData]


class NodeEndpoint(Struct):
    node_id: int32
    host: string
    port: int32
    rack: string | None = f(default=None)


class ShareAcknowledgeResponse(Response, api_key=79, versions="1-2", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = f(default=None)
    acquisition_lock_timeout_ms: int32 = f("2+", ignorable=True)
    responses: list[ShareAcknowledgeTopicResponse]
    node_endpoints: list[NodeEndpoint]
