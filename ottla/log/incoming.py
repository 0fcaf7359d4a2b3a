"""What a leader does to a batch before it is written: judge it, and make its bytes what they will be for ever.

    check_incoming   size → frame, CRC, records, keys, timestamps (one compiled pass) → who may append what
    stamp            base offset, leader epoch; with LogAppendTime, or where a producer lied about its greatest
                     timestamp, also the time and a new CRC

Bytes are never rebuilt, with one exception that Kafka makes too: a topic whose `compression.type` names a codec stores
batches in that codec, so batches that come in another are compressed anew here (once, off the usual path).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from ottla.log.config import INT64_MAX, LogConfig
from ottla.log.files import Buffer
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.records.batch import INT64_MIN, build_batch, check_and_describe, patch, read_records
from ottla.records.compression import Compression
from ottla.records.header import (
    COMPRESSION_MASK,
    CONTROL_MASK,
    TIMESTAMP_TYPE_MASK,
    TRANSACTIONAL_MASK,
    BatchHeader,
    TimestampType,
)  # fmt: skip


class Origin(Enum):
    """Who appends, and so what is checked: Kafka's AppendOrigin."""

    CLIENT = "client"  # everything
    COORDINATOR = "coordinator"  # group and transaction coordinators: control batches allowed, no sequence numbers
    REPLICATION = "replication"  # a leader checked it already


class Incoming(NamedTuple):
    """A batch that may be appended once its producer was looked at."""

    records: Buffer
    header: BatchHeader
    max_timestamp: int
    offset_delta_of_max: int
    log_append_time_ms: int  # -1 with CreateTime
    corrected: bool  # max_timestamp is not what the header says


def check_incoming(records: Buffer, config: LogConfig, origin: Origin, now_ms: int, name: str) -> Incoming:
    """Check a leader's append of exactly one batch; raises what Kafka answers."""
    size = len(records)
    if size > config.max_message_bytes:
        raise too_large(size, config, name)
    append_time = config.message_timestamp_type is TimestampType.LOG_APPEND_TIME
    low, high = INT64_MIN, INT64_MAX
    if not append_time:
        low = _timestamp_low(now_ms, config)
        high = min(INT64_MAX, now_ms + config.message_timestamp_after_max_ms)
    checked = check_and_describe(
        records, 0, size, compacted="compact" in config.cleanup_policy, timestamp_low=low, timestamp_high=high
    )
    header = checked.header
    if header.batch_length + 12 != size:
        raise KafkaError(ErrorCode.INVALID_RECORD, "Compressed outer record has more than one batch")
    attributes = header.attributes
    if origin is Origin.CLIENT:
        check_client_batch(header, name)
    if config.compression_type != "producer" and not attributes & CONTROL_MASK:
        target = target_compression(config)
        if target != attributes & COMPRESSION_MASK:
            return _recompressed(records, header, target, config, origin, now_ms, name)
    if size > config.segment_bytes:
        raise KafkaError(
            ErrorCode.RECORD_LIST_TOO_LARGE,
            f"Message batch size is {size} bytes in append to partition {name}, which exceeds the maximum configured "
            f"segment size of {config.segment_bytes}.",
        )
    if append_time:
        return Incoming(records, header, now_ms, header.last_offset_delta, now_ms, True)
    if attributes & TIMESTAMP_TYPE_MASK:
        raise KafkaError(
            ErrorCode.INVALID_TIMESTAMP,
            "Invalid timestamp type in message: a producer should not set the timestamp type to LogAppendTime.",
        )
    top = checked.max_timestamp
    # The time index names the last offset of a compressed batch, and Kafka's index does so of every batch.
    return Incoming(records, header, top, header.last_offset_delta, -1, top != header.max_timestamp)


def _timestamp_low(now_ms: int, config: LogConfig) -> int:
    if config.message_timestamp_before_max_ms == INT64_MAX:
        return INT64_MIN
    return now_ms - config.message_timestamp_before_max_ms


def too_large(size: int, config: LogConfig, name: str) -> KafkaError:
    return KafkaError(
        ErrorCode.MESSAGE_TOO_LARGE,
        f"The record batch size in the append to {name} is {size} bytes which exceeds the maximum configured value of "
        f"{config.max_message_bytes}.",
    )


def check_client_batch(header: BatchHeader, name: str) -> None:
    if header.base_offset != 0:
        raise KafkaError(
            ErrorCode.INVALID_RECORD,
            f"The baseOffset of the record batch in the append to {name} should be 0, but it is {header.base_offset}",
        )
    if header.attributes & CONTROL_MASK:
        raise KafkaError(ErrorCode.INVALID_RECORD, "Clients are not allowed to write control records")
    if header.producer_id >= 0:
        if header.base_sequence < 0:
            raise KafkaError(
                ErrorCode.INVALID_RECORD,
                f"Invalid sequence number {header.base_sequence} in record batch with producerId {header.producer_id}",
            )
    elif header.attributes & TRANSACTIONAL_MASK:
        raise KafkaError(ErrorCode.INVALID_RECORD, "A transactional record batch must have a producerId")


def target_compression(config: LogConfig) -> Compression:
    kind = config.compression_type
    return Compression.NONE if kind in ("uncompressed", "none") else Compression[kind.upper()]


def _level(config: LogConfig, codec: Compression) -> int | None:
    if codec is Compression.GZIP:
        return None if config.compression_gzip_level < 0 else config.compression_gzip_level
    if codec is Compression.LZ4:
        return config.compression_lz4_level
    return config.compression_zstd_level if codec is Compression.ZSTD else None


def _recompressed(
    records: Buffer, header: BatchHeader, codec: Compression, config: LogConfig, origin: Origin, now_ms: int, name: str
) -> Incoming:  # fmt: skip
    """The same records in the topic's codec, judged again: they may have become too large."""
    rebuilt = build_batch(
        read_records(records),
        compression=codec,
        level=_level(config, codec),
        producer_id=header.producer_id,
        producer_epoch=header.producer_epoch,
        base_sequence=header.base_sequence,
        transactional=header.is_transactional,
        timestamp_type=header.timestamp_type,
    )
    return check_incoming(rebuilt, config, origin, now_ms, name)


def stamp(incoming: Incoming, offset: int, leader_epoch: int) -> None:
    """Write what the leader assigns into the bytes."""
    if not incoming.corrected:
        patch(incoming.records, 0, offset, leader_epoch)
    elif incoming.log_append_time_ms >= 0:
        patch(incoming.records, 0, offset, leader_epoch, incoming.log_append_time_ms)
    else:
        patch(incoming.records, 0, offset, leader_epoch, None, incoming.max_timestamp)
