"""InitProducerId (key 22): get a producer id and epoch, and end what an earlier producer left open (KIP-98).

Answered by any broker if the producer is only idempotent, by the coordinator of the transactional id otherwise.
v2 is flexible, v3 lets a producer go on with its id and a higher epoch (KIP-360), v4 knows PRODUCER_FENCED (KIP-588),
v5 TRANSACTION_ABORTABLE (KIP-890). v6 prepares two-phase commit (KIP-939) and is not advertised yet.
"""

from ..schema import Request, Response, f, int16, int32, int64, string


class InitProducerIdRequest(Request, api_key=22, versions="0-6", flexible="2+", latest_version_unstable=True):
    transactional_id: string | None
    transaction_timeout_ms: int32
    producer_id: int64 = f("3+", default=-1)
    producer_epoch: int16 = f("3+", default=-1)
    enable2_pc: bool = f("6+")
    keep_prepared_txn: bool = f("6+")


class InitProducerIdResponse(Response, api_key=22, versions="0-6", flexible="2+"):
    throttle_time_ms: int32 = f(ignorable=True)
    error_code: int16
    producer_id: int64 = f(default=-1)
    producer_epoch: int16
    ongoing_txn_producer_id: int64 = f("6+", default=-1)
    ongoing_txn_producer_epoch: int16 = f("6+", default=-1)
