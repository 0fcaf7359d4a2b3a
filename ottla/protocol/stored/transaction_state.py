"""Records of __transaction_state: one per transactional id, the newest of which is the state of its transaction.

`TransactionLogValue` v1 (KIP-890) is flexible and tags the producer ids before and after an epoch overflow, and the
transaction version that the client speaks.
"""

from ..schema import Data, Struct, f, int8, int16, int32, int64, string
from .coordinator_records import RecordTable


class TransactionLogKey(Data, api_key=0, versions="0"):
    transactional_id: string


class PartitionsSchema(Struct):
    topic: string
    partition_ids: list[int32]


class TransactionLogValue(Data, api_key=0, versions="0-1", flexible="1+"):
    producer_id: int64
    previous_producer_id: int64 = f("1+", default=-1, tag=0)
    next_producer_id: int64 = f("1+", default=-1, tag=1)
    producer_epoch: int16
    next_producer_epoch: int16 = f("1+", default=-1, tag=3)
    transaction_timeout_ms: int32
    transaction_status: int8
    transaction_partitions: list[PartitionsSchema] | None
    transaction_last_update_timestamp_ms: int64
    transaction_start_timestamp_ms: int64
    client_transaction_version: int16 = f("1+", tag=2)


RECORDS = RecordTable(list(vars().values()))
