"""The names of a record batch: its header, its records, its attribute bits.

A batch (format version 2, the only one Kafka 4 knows) is a header of 61 bytes and its records:

      0  base_offset             int64   patched by the broker
      8  batch_length            int32   bytes after this field
     12  partition_leader_epoch  int32   patched by the broker
     16  magic                   int8    2
     17  crc                     uint32  CRC-32C of everything from byte 21 on
     21  attributes              int16   bits: 0-2 compression, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
     23  last_offset_delta       int32
     27  base_timestamp          int64   ms; with the delete-horizon bit: the time from which tombstones may go
     35  max_timestamp           int64   ms
     43  producer_id             int64   -1: none
     51  producer_epoch          int16
     53  base_sequence           int32
     57  record_count            int32
     61  records                 compressed as one block if attributes say so

The CRC begins behind what a broker assigns, so that offset and leader epoch are patched without touching it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from .compression import Compression

HEADER_SIZE = 61  # bytes before the first record
LOG_OVERHEAD = 12  # base_offset and batch_length: what batch_length does not count
CRC_START = 21  # the checksum covers the batch from here (attributes) to its end
MAGIC = 2
NO_TIMESTAMP = -1
NO_PRODUCER_ID = -1
NO_PRODUCER_EPOCH = -1
NO_SEQUENCE = -1
NO_LEADER_EPOCH = -1

COMPRESSION_MASK = 0x07
TIMESTAMP_TYPE_MASK = 0x08
TRANSACTIONAL_MASK = 0x10
CONTROL_MASK = 0x20
DELETE_HORIZON_MASK = 0x40

SEQUENCE_MODULUS = 1 << 31  # a sequence number wraps from 2^31-1 to 0


class TimestampType(IntEnum):
    """Who set the timestamps of a batch: its producer, or the broker that appended it."""

    CREATE_TIME = 0
    LOG_APPEND_TIME = 1


class BatchHeader(NamedTuple):
    """The fixed fields of one batch, as they stand in the bytes; the properties say what they mean."""

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        return LOG_OVERHEAD + self.batch_length

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def compression(self) -> Compression:
        """The codec; ValueError for the numbers 5 to 7, which name none."""
        return Compression(self.attributes & COMPRESSION_MASK)

    @property
    def timestamp_type(self) -> TimestampType:
        return TimestampType((self.attributes & TIMESTAMP_TYPE_MASK) >> 3)

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL_MASK)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL_MASK)

    @property
    def has_delete_horizon(self) -> bool:
        return bool(self.attributes & DELETE_HORIZON_MASK)

    @property
    def delete_horizon_ms(self) -> int | None:
        """From when tombstones and markers of this batch may be dropped (KIP-534); None while not decided."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON_MASK else None

    @property
    def last_sequence(self) -> int:
        """The sequence number of the last record, or -1 where the producer is not idempotent."""
        if self.base_sequence == NO_SEQUENCE:
            return NO_SEQUENCE
        return (self.base_sequence + self.last_offset_delta) % SEQUENCE_MODULUS


class Record(NamedTuple):
    """One record. A header key that is not UTF-8 keeps its bytes as surrogate escapes."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class BatchCheck(NamedTuple):
    """What one pass over a good batch found.

    `max_timestamp` is computed from the records (the header may lie; Kafka corrects it on append), `max_timestamp_delta`
    is the offset delta of the first record that has it. Both are -1 where no record has a time above -1.
    """

    header: BatchHeader
    max_timestamp: int
    max_timestamp_delta: int
