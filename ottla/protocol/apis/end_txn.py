"""EndTxn (key 26): commit or abort the open transaction (KIP-98).

Answered by the transaction coordinator when the decision is durable; the markers are written after that.
v2 knows PRODUCER_FENCED, v3 is flexible, v4 knows TRANSACTION_ABORTABLE. From v5 each transaction has a producer
epoch of its own, and the answer says which comes next (KIP-890).
"""

from ..schema import Request, Response, f, int16, int32, int64, string


class EndTxnRequest(Request, api_key=26, versions="0-5", flexible="3+"):
    transactional_id: string
    producer_id: int64
    producer_epoch: int16
    committed: bool


class EndTxnResponse(Response, api_key=26, versions="0-5", flexible="3+"):
    throttle_time_ms: int32
    error_code: int16
    producer_id: int64 = f("5+", default=-1, ignorable=True)
    producer_epoch: int16 = f("5+", default=-1, ignorable=True)
