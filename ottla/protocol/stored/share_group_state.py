"""Records of __share_group_state: how far a share group got in a partition, record by record (KIP-932).

A snapshot says everything about a share partition; the updates that follow say what changed since. Both tag the
count of deliveries that are complete (KIP-1226, Kafka 4.2).
"""

from ..schema import Data, Struct, f, int8, int16, int32, int64, string, uuid
from .coordinator_records import RecordTable


class ShareSnapshotKey(Data, api_key=0, versions="0"):
    group_id: string
    topic_id: uuid
    partition: int32


class StateBatch(Struct):
    first_offset: int64
    last_offset: int64
    delivery_state: int8
    delivery_count: int16


class ShareSnapshotValue(Data, api_key=0, versions="0", flexible="0+"):
    snapshot_epoch: int32
    state_epoch: int32
    leader_epoch: int32
    start_offset: int64
    delivery_complete_count: int32 = f(default=-1, tag=0)
    create_timestamp: int64
    write_timestamp: int64
    state_batches: list[StateBatch]


class ShareUpdateKey(Data, api_key=1, versions="0"):
    group_id: string
    topic_id: uuid
    partition: int32


class ShareUpdateValue(Data, api_key=1, versions="0", flexible="0+"):
    snapshot_epoch: int32
    leader_epoch: int32
    start_offset: int64
    delivery_complete_count: int32 = f(default=-1, tag=0)
    state_batches: list[StateBatch]


RECORDS = RecordTable(list(vars().values()))
