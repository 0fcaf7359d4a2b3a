"""AddOffsetsToTxn (key 25): a transaction is going to commit offsets of a consumer group.

Answered by the transaction coordinator, which takes the group's partition of __consumer_offsets into the transaction;
TxnOffsetCommit follows. Clients of transaction version 2 skip it (KIP-890).
v2 lets the coordinator answer PRODUCER_FENCED, v4 TRANSACTION_ABORTABLE (KIP-890). v3 is flexible.
"""

from ..schema import Request, Response, int16, int32, int64, string


class AddOffsetsToTxnRequest(Request, api_key=25, versions="0-4", flexible="3+"):
    transactional_id: string
    producer_id: int64
    producer_epoch: int16
    group_id: string


class AddOffsetsToTxnResponse(Response, api_key=25, versions="0-4", flexible="3+"):
    throttle_time_ms: int32
    error_code: int16
