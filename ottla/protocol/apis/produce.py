"""Produce (key 0): append record batches to partitions.

Answered by each partition's leader: with acks=1 when it has the batch, with acks=all when the in-sync replicas have
it, with acks=0 not at all. One batch per partition and request.
v3 brings record format v2 and transactional ids (KIP-98); older formats are not accepted. v5 answers with the log
start offset. v7 permits zstd (KIP-110). v8 names the records that spoilt a batch (KIP-467). v9 is flexible. v10 tags
the new leader and its endpoint (KIP-951). v11 knows TRANSACTION_ABORTABLE, v12 lets the write itself add the
partition to the transaction (KIP-890). v13 names topics by id (KIP-516). ApiVersions must offer v0-2 all the same, or
librdkafka believes there is no compression (KAFKA-18659).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, record_bytes, string, uuid


class PartitionProduceData(Struct):
    index: int32
    records: record_bytes | None


class TopicProduceData(Struct):
    name: string = f("0-12", ignorable=True)
    topic_id: uuid = f("13+", ignorable=True)
    partition_data: list[PartitionProduceData]


class ProduceRequest(Request, api_key=0, versions="3-13", flexible="9+"):
    transactional_id: string | None = f(default=None)
    acks: int16
    timeout_ms: int32
    topic_data: list[TopicProduceData]


class BatchIndexAndErrorMessage(Struct):
    batch_index: int32 = f("8+")
    batch_index_error_message: string | None = f("8+", default=None)


class LeaderIdAndEpoch(Struct):
    leader_id: int32 = f("10+", default=-1)
    leader_epoch: int32 = f("10+", default=-1)


class PartitionProduceResponse(Struct):
    index: int32
    error_code: int16
    base_offset: int64
    log_append_time_ms: int64 = f(default=-1, ignorable=True)
    log_start_offset: int64 = f("5+", default=-1, ignorable=True)
    record_errors: list[BatchIndexAndErrorMessage] = f("8+", ignorable=True)
    error_message: string | None = f("8+", default=None, ignorable=True)
    current_leader: LeaderIdAndEpoch = f("10+", tag=0)


class TopicProduceResponse(Struct):
    name: string = f("0-12", ignorable=True)
    topic_id: uuid = f("13+", ignorable=True)
    partition_responses: list[PartitionProduceResponse]


class NodeEndpoint(Struct):
    node_id: int32 = f("10+")
    host: string = f("10+")
    port: int32 = f("10+")
    rack: string | None = f("10+", default=None)


class ProduceResponse(Response, api_key=0, versions="3-13", flexible="9+"):
    responses: list[TopicProduceResponse]
    throttle_time_ms: int32 = f(ignorable=True)
    node_endpoints: list[NodeEndpoint] = f("10+", tag=0)
