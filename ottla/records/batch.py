"""Record batches: look at, check, patch, read and build. The public face of this room.

Who calls what:

    broker/produce     check_produce_request   one batch, of version 2, of a codec the request version knows
    log append         check_and_describe      everything that is checked of a batch, in one pass; then patch
    log read, recover  read_header, iter_headers
    coordinators       read_records, build_batch
    compaction         build_batch(keep_offsets=True), empty_batch

A batch is checked once, when it comes in, and never rebuilt: `patch` writes what a broker assigns (base offset, leader
epoch; with LogAppendTime also the time) into its bytes. The layout of the header stands in `header`, the loops over
records in `_batch_cy`. Buffers are taken as they come (bytes, bytearray, memoryview); none is copied or kept.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..protocol.errors import ErrorCode, KafkaError
from . import _batch_cy, _records_cy
from .compression import MAX_DECOMPRESSED_BYTES, Compression, compress, decompress
from .header import (
    COMPRESSION_MASK,
    CONTROL_MASK,
    CRC_START,
    DELETE_HORIZON_MASK,
    HEADER_SIZE,
    LOG_OVERHEAD,
    MAGIC,
    NO_LEADER_EPOCH,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    TIMESTAMP_TYPE_MASK,
    TRANSACTIONAL_MASK,
    BatchCheck,
    BatchHeader,
    Record,
    TimestampType,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = [
    "CRC_START",
    "HEADER_SIZE",
    "LOG_OVERHEAD",
    "MAGIC",
    "MAX_DECOMPRESSED_BYTES",
    "NO_LEADER_EPOCH",
    "NO_PRODUCER_EPOCH",
    "NO_PRODUCER_ID",
    "NO_SEQUENCE",
    "NO_TIMESTAMP",
    "BatchCheck",
    "BatchHeader",
    "Compression",
    "Record",
    "RecordValidationError",
    "TimestampType",
    "admit",
    "build_batch",
    "check_and_describe",
    "check_batch",
    "check_produce_request",
    "crc32c",
    "empty_batch",
    "find_timestamp",
    "iter_headers",
    "patch",
    "read_header",
    "read_payload",
    "read_records",
    "seal_batch",
]

INT64_MIN = -(1 << 63)
INT64_MAX = (1 << 63) - 1
ZSTD_PRODUCE_VERSION_MIN = 7  # Produce request version that may carry zstd (KIP-110)

_PREFIX = struct.Struct(">qiib")  # up to the magic, which every format has at the same place
_OFFSET = struct.Struct(">q")
_INT32 = struct.Struct(">i")
_UINT32 = struct.Struct(">I")
_ATTRIBUTES = struct.Struct(">h")
_AFTER_CRC = struct.Struct(">hiqqqhii")
_BEFORE_ATTRIBUTES = struct.Struct(">qiibI")


class RecordValidationError(KafkaError):
    """INVALID_RECORD or INVALID_TIMESTAMP because of single records: `record_errors` is [(batch index, sentence)]."""

    def __init__(self, code: ErrorCode, message: str, record_errors: list[tuple[int, str]]) -> None:
        super().__init__(code, message)
        self.record_errors = record_errors


def read_header(buffer: Buffer, pos: int = 0) -> BatchHeader:
    """Read the 61 bytes at `pos` as they stand; IndexError where there are fewer. Nothing is checked."""
    return _batch_cy.read_header(buffer, pos)


def iter_headers(buffer: Buffer, pos: int = 0, end: int | None = None) -> Iterator[tuple[int, BatchHeader]]:
    """Give (position, header) of each whole batch; stops before a last one that is cut off.

    Raises CORRUPT_MESSAGE at a batch whose size is impossible, for nothing behind it can be found.
    """
    view = memoryview(buffer).cast("B")
    end = len(view) if end is None else end
    while end - pos >= HEADER_SIZE:
        header = _batch_cy.read_header(view, pos)
        size = header.batch_length + LOG_OVERHEAD
        if size < HEADER_SIZE:
            raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"A record batch of {size} bytes is smaller than its header")
        if size > end - pos:
            return
        yield pos, header
        pos += size


def check_and_describe(
    buffer: Buffer,
    pos: int = 0,
    end: int | None = None,
    *,
    produced: bool = True,
    compacted: bool = False,
    max_decompressed_bytes: int = MAX_DECOMPRESSED_BYTES,
    timestamp_low: int = INT64_MIN,
    timestamp_high: int = INT64_MAX,
) -> BatchCheck:
    """Check the batch at `pos` completely and give its header and greatest timestamp.

    Checked are size, magic, checksum, counts, the structure of every record (decompressed under the cap), offset
    deltas, keys if the topic is `compacted`, timestamps against the bounds. `produced`: offset deltas must be
    0, 1, 2 ... and fill the range, as of a batch that a producer made; otherwise they must only rise within it, as in
    one that was compacted. What depends on who appends (control batches, sequences) is the log's business.

    Raises CORRUPT_MESSAGE, INVALID_RECORD, UNSUPPORTED_COMPRESSION_TYPE, MESSAGE_TOO_LARGE, and RecordValidationError.
    """
    try:
        return _batch_cy.check_and_describe(
            buffer,
            pos,
            memoryview(buffer).nbytes if end is None else end,
            produced,
            compacted,
            max_decompressed_bytes,
            timestamp_low,
            timestamp_high,
        )
    except _batch_cy.RecordFaultsError as faults:
        raise _record_errors(faults, timestamp_low, timestamp_high) from None


def admit(
    buffer: Buffer, base_offset: int, leader_epoch: int, timestamp_low: int = INT64_MIN, timestamp_high: int = INT64_MAX
) -> tuple[int, int, BatchHeader | None] | None:
    """Check and stamp an ordinary produced batch that fills a writable buffer; the short way of an append.

    Ordinary: from a client, neither compressed nor transactional nor control, the producer's times, and nothing wrong
    with it. Its base offset and leader epoch are then written, and (last offset delta, maximum timestamp, header) come
    back; the header, as it was sent, only if the producer is idempotent. For any other batch the answer is None, its
    bytes are as before, and `check_and_describe` says what is the matter.
    """
    return _batch_cy.admit(buffer, base_offset, leader_epoch, timestamp_low, timestamp_high)


def check_batch(
    buffer: Buffer,
    pos: int = 0,
    header: BatchHeader | None = None,
    *,
    compacted: bool = False,
    max_decompressed_bytes: int = MAX_DECOMPRESSED_BYTES,
    produced: bool = True,
) -> BatchCheck:
    """`check_and_describe` for a caller that has read the header already."""
    end = None if header is None else min(pos + max(header.size, 0), memoryview(buffer).nbytes)
    return check_and_describe(
        buffer, pos, end, produced=produced, compacted=compacted, max_decompressed_bytes=max_decompressed_bytes
    )


def _record_errors(faults: _batch_cy.RecordFaultsError, low: int, high: int) -> RecordValidationError:
    errors: list[tuple[int, str]] = []
    for index, fault, timestamp in faults.faults:
        if fault == _batch_cy.NO_KEY:
            errors.append((index, "Compacted topic cannot accept message without key."))
        else:
            errors.append(
                (index, f"Timestamp {timestamp} is out of range. The timestamp should be within [{low}, {high}].")
            )
    if faults.faults[0][1] == _batch_cy.TIMESTAMP_OUT_OF_RANGE:
        message = "One or more records have been rejected due to invalid timestamp"
        return RecordValidationError(ErrorCode.INVALID_TIMESTAMP, message, errors)
    message = f"One or more records have been rejected due to {len(errors)} record errors: {errors[0][1]}"
    return RecordValidationError(ErrorCode.INVALID_RECORD, message, errors)


def check_produce_request(buffer: Buffer, version: int) -> None:
    """Check the outer form of one partition's records in a Produce request of version 3 or later.

    Exactly one batch, of magic 2, and zstd only since version 7; the batch itself is not yet checked. Errors are those
    of Kafka's ProduceRequest.validateRecords, but that it overlooks a beginning of a second batch.
    """
    size = memoryview(buffer).nbytes
    prefix = f"Produce requests with version {version}"
    if size < _PREFIX.size:
        raise KafkaError(ErrorCode.INVALID_RECORD, f"{prefix} must have at least one record batch per partition")
    _, length, _, magic = _PREFIX.unpack_from(buffer)
    if length + LOG_OVERHEAD > size and 0 <= magic <= MAGIC:
        raise KafkaError(ErrorCode.INVALID_RECORD, f"{prefix} must have at least one whole record batch per partition")
    if magic in (0, 1):
        raise KafkaError(
            ErrorCode.INVALID_RECORD, f"{prefix} are only allowed to contain record batches with magic version 2"
        )
    if magic != MAGIC or length + LOG_OVERHEAD < HEADER_SIZE:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"No record batch begins with magic {magic} and size {length}")
    if version < ZSTD_PRODUCE_VERSION_MIN:
        (attributes,) = _ATTRIBUTES.unpack_from(buffer, CRC_START)
        if attributes & COMPRESSION_MASK == Compression.ZSTD:
            raise KafkaError(
                ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"{prefix} are not allowed to use ZStandard compression"
            )
    if length + LOG_OVERHEAD < size:
        raise KafkaError(
            ErrorCode.INVALID_RECORD, f"{prefix} are only allowed to contain exactly one record batch per partition"
        )


def patch(
    buffer: Buffer,
    pos: int,
    base_offset: int,
    leader_epoch: int,
    log_append_time_ms: int | None = None,
    max_timestamp: int | None = None,
) -> None:
    """Write what the broker assigns into the batch at `pos` of a writable buffer.

    Offset and epoch lie before the checksum. The time of LogAppendTime, or a `max_timestamp` that corrects the one a
    producer claimed, lie behind it: then the checksum is computed anew.
    """
    _OFFSET.pack_into(buffer, pos, base_offset)
    _INT32.pack_into(buffer, pos + 12, leader_epoch)
    if log_append_time_ms is None and max_timestamp is None:
        return
    if log_append_time_ms is not None:
        (attributes,) = _ATTRIBUTES.unpack_from(buffer, pos + CRC_START)
        _ATTRIBUTES.pack_into(buffer, pos + CRC_START, attributes | TIMESTAMP_TYPE_MASK)
        max_timestamp = log_append_time_ms
    _OFFSET.pack_into(buffer, pos + 35, max_timestamp)
    (length,) = _INT32.unpack_from(buffer, pos + 8)
    end = pos + LOG_OVERHEAD + length
    _UINT32.pack_into(buffer, pos + 17, _batch_cy.crc32c(buffer, pos + CRC_START, end))


def crc32c(buffer: Buffer, pos: int = 0, end: int | None = None) -> int:
    """CRC-32C of a range of a buffer, without copying the range as a whole."""
    return _batch_cy.crc32c(buffer, pos, memoryview(buffer).nbytes if end is None else end)


def read_payload(
    buffer: Buffer, pos: int = 0, *, max_decompressed_bytes: int = MAX_DECOMPRESSED_BYTES
) -> tuple[BatchHeader, Buffer]:
    """The header of the batch at `pos` and its records, decompressed and of checked structure; not its checksum."""
    view = memoryview(buffer).cast("B")
    if len(view) - pos < HEADER_SIZE:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"{len(view) - pos} bytes are too few for a record batch")
    header = _batch_cy.read_header(view, pos)
    end = pos + header.batch_length + LOG_OVERHEAD
    if header.magic != MAGIC or end < pos + HEADER_SIZE or end > len(view):
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, "No whole record batch of version 2 is here")
    codec = header.attributes & COMPRESSION_MASK
    payload: Buffer = view[pos + HEADER_SIZE : end]
    if codec != Compression.NONE:
        payload = decompress(codec, payload, max_decompressed_bytes)
    _batch_cy.check_structure(payload, header)
    return header, payload


def read_records(buffer: Buffer, pos: int = 0, *, max_decompressed_bytes: int = MAX_DECOMPRESSED_BYTES) -> list[Record]:
    """Read the records of the one batch at `pos`; its structure is checked, its checksum is not."""
    header, payload = read_payload(buffer, pos, max_decompressed_bytes=max_decompressed_bytes)
    return _records_cy.read(payload, header)


def find_timestamp(buffer: Buffer, pos: int, timestamp: int, offset: int = 0) -> tuple[int, int] | None:
    """(timestamp, offset) of the first record of the batch at `pos` that is not earlier than either, or None."""
    header, payload = read_payload(buffer, pos)
    return _records_cy.find_timestamp(payload, header, timestamp, offset)


def build_batch(
    records: Iterable[Record],
    *,
    base_offset: int = 0,
    compression: Compression = Compression.NONE,
    level: int | None = None,
    producer_id: int = NO_PRODUCER_ID,
    producer_epoch: int = NO_PRODUCER_EPOCH,
    base_sequence: int = NO_SEQUENCE,
    transactional: bool = False,
    control: bool = False,
    timestamp_type: TimestampType = TimestampType.CREATE_TIME,
    leader_epoch: int = NO_LEADER_EPOCH,
    keep_offsets: bool = False,
    last_offset_delta: int | None = None,
    delete_horizon_ms: int | None = None,
) -> bytearray:
    """Build a batch as a producer would: offsets count from `base_offset`, whatever the records say.

    With `keep_offsets` the records keep theirs (as compaction does), and `last_offset_delta` may reach beyond the last.
    """
    records = list(records)
    if not records:
        raise ValueError("a batch has at least one record; see empty_batch")
    base_timestamp = records[0][1] if delete_horizon_ms is None else delete_horizon_ms
    out, max_timestamp, last = _records_cy.write(HEADER_SIZE, records, keep_offsets, base_offset, base_timestamp)
    if last_offset_delta is not None:
        last = last_offset_delta
    attributes = (
        compression
        | (timestamp_type << 3)
        | (TRANSACTIONAL_MASK if transactional else 0)
        | (CONTROL_MASK if control else 0)
        | (DELETE_HORIZON_MASK if delete_horizon_ms is not None else 0)
    )
    if compression:
        with memoryview(out) as view:
            packed = compress(compression, view[HEADER_SIZE:], level)
        out[HEADER_SIZE:] = packed
    _AFTER_CRC.pack_into(
        out,
        CRC_START,
        attributes,
        last,
        base_timestamp,
        max_timestamp,
        producer_id,
        producer_epoch,
        base_sequence,
        len(records),
    )
    crc = _batch_cy.crc32c(out, CRC_START, len(out))
    _BEFORE_ATTRIBUTES.pack_into(out, 0, base_offset, len(out) - LOG_OVERHEAD, leader_epoch, MAGIC, crc)
    return out


def seal_batch(
    buffer: Buffer, end: int, *, compression: Compression = Compression.NONE, count: int, base_timestamp: int,
    max_timestamp: int, producer_id: int = NO_PRODUCER_ID, producer_epoch: int = NO_PRODUCER_EPOCH,
    base_sequence: int = NO_SEQUENCE, transactional: bool = False,
) -> None:  # fmt: skip
    """Write the header of a batch whose `count` records lie in buffer[61:end], compressed or not; for a producer.

    It may be done again with another producer id, epoch and sequence.
    """
    attributes = compression | (TRANSACTIONAL_MASK if transactional else 0)
    _AFTER_CRC.pack_into(
        buffer, CRC_START, attributes, count - 1, base_timestamp, max_timestamp, producer_id, producer_epoch,
        base_sequence, count,
    )  # fmt: skip
    crc = _batch_cy.crc32c(buffer, CRC_START, end)
    _BEFORE_ATTRIBUTES.pack_into(buffer, 0, 0, end - LOG_OVERHEAD, NO_LEADER_EPOCH, MAGIC, crc)


def empty_batch(header: BatchHeader) -> bytearray:
    """`header` without records: what compaction keeps of a batch for its producer's sequence (as Kafka does)."""
    out = bytearray(HEADER_SIZE)
    attributes = header.attributes & ~COMPRESSION_MASK
    _AFTER_CRC.pack_into(
        out, CRC_START, attributes, header.last_offset_delta, NO_TIMESTAMP, NO_TIMESTAMP,
        header.producer_id, header.producer_epoch, header.base_sequence, 0,
    )  # fmt: skip
    crc = _batch_cy.crc32c(out, CRC_START, HEADER_SIZE)
    size = HEADER_SIZE - LOG_OVERHEAD
    _BEFORE_ATTRIBUTES.pack_into(out, 0, header.base_offset, size, header.partition_leader_epoch, MAGIC, crc)
    return out
