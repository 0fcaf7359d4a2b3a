"""Control batches: what a broker writes between the records of producers, and no consumer is given.

A control batch holds one record (attribute bit 5 set). Its key is a version and a type, two int16; its value depends
on the type. COMMIT and ABORT end a transaction of the batch's producer id: the value is the epoch of the transaction
coordinator that decided, so that an older coordinator's marker is refused. The other types occur in the metadata log
of Apache Kafka, whose folder can be taken over; their values are declared in `protocol.stored.control_records`.

A type that is not known is not an error: newer brokers may have written it, and readers step over it.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from ..protocol import codec
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.stored.control_records import LeaderChangeMessage, Voter
from .batch import build_batch
from .header import NO_LEADER_EPOCH, Record

CONTROL_KEY_VERSION = 0
END_TRANSACTION_VERSION = 0
LEADER_CHANGE_VERSION = 0

_KEY = struct.Struct(">hh")  # version, type
_END_TRANSACTION = struct.Struct(">hi")  # version, coordinator epoch


class ControlType(IntEnum):
    """The type in the key of a control record. UNKNOWN is no number on the wire."""

    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6
    UNKNOWN = -1


class EndTransactionMarker(NamedTuple):
    """How a transaction ended, and the epoch of the coordinator that said so."""

    committed: bool
    coordinator_epoch: int


def control_type(key: bytes | None) -> ControlType:
    """The type that the key of a control record names; INVALID_RECORD where it is no such key."""
    if key is None or len(key) < _KEY.size:
        raise KafkaError(ErrorCode.INVALID_RECORD, "The key of a control record is too short")
    version, number = _KEY.unpack_from(key)
    if version < CONTROL_KEY_VERSION:
        raise KafkaError(ErrorCode.INVALID_RECORD, f"Invalid version found for control record: {version}")
    try:
        return ControlType(number)
    except ValueError:
        return ControlType.UNKNOWN


def read_end_transaction_marker(record: Record) -> EndTransactionMarker | None:
    """The marker in a control record, or None where it is of another type."""
    kind = control_type(record.key)
    if kind not in (ControlType.ABORT, ControlType.COMMIT):
        return None
    if record.value is None or len(record.value) < _END_TRANSACTION.size:
        raise KafkaError(ErrorCode.INVALID_RECORD, "The value of a transaction marker is too short")
    version, coordinator_epoch = _END_TRANSACTION.unpack_from(record.value)
    if version < END_TRANSACTION_VERSION:
        raise KafkaError(ErrorCode.INVALID_RECORD, f"Invalid version found for transaction marker: {version}")
    return EndTransactionMarker(kind == ControlType.COMMIT, coordinator_epoch)


def build_end_transaction_marker(
    marker: EndTransactionMarker,
    *,
    producer_id: int,
    producer_epoch: int,
    timestamp_ms: int,
    base_offset: int = 0,
    leader_epoch: int = NO_LEADER_EPOCH,
) -> bytearray:
    """The control batch that ends a transaction; it has no sequence number, so it takes none from the producer."""
    kind = ControlType.COMMIT if marker.committed else ControlType.ABORT
    record = Record(
        0,
        timestamp_ms,
        _KEY.pack(CONTROL_KEY_VERSION, kind),
        _END_TRANSACTION.pack(END_TRANSACTION_VERSION, marker.coordinator_epoch),
    )
    return build_batch(
        [record],
        base_offset=base_offset,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        transactional=True,
        control=True,
        leader_epoch=leader_epoch,
    )


def build_leader_change(
    leader_id: int, voters: list[int], *, timestamp_ms: int, base_offset: int = 0, leader_epoch: int = NO_LEADER_EPOCH
) -> bytearray:
    """The batch with which a Raft leader opens its epoch, as Apache Kafka's metadata log has it."""
    change = LeaderChangeMessage(
        version=LEADER_CHANGE_VERSION,
        leader_id=leader_id,
        voters=[Voter(voter_id=voter) for voter in voters],
        granting_voters=[Voter(voter_id=voter) for voter in voters],
    )
    key = _KEY.pack(CONTROL_KEY_VERSION, ControlType.LEADER_CHANGE)
    record = Record(0, timestamp_ms, key, codec.encode(change, LEADER_CHANGE_VERSION))
    return build_batch([record], base_offset=base_offset, control=True, leader_epoch=leader_epoch)
