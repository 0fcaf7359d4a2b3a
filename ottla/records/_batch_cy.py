"""The loop over record bytes that checks a batch. Compiled by Cython where there is a compiler.

Called once per batch by `batch`; nothing here is public. Ordinary typed Python in Cython's pure mode: compiled, `p` is
a C pointer and the annotated locals are C integers; uncompiled, `p` is a memoryview and they are Python's. Both forms
give the same answers to the same bytes (tests/records run every case on both), so no step may rely on wrap-around.

How it works. A record is

    length varint | attributes int8 | timestamp delta varlong | offset delta varint
    | key size varint, key | value size varint, value | header count varint, headers: key size, key, value size, value

with zigzag varints, and -1 as the size of null. The walk never reads at or beyond `end`: each varint is bounded by it
and each size is compared with what is left before it is stepped over, so a hostile size costs nothing. No memory is
taken by what a field claims, only by what is there.

Stricter than Kafka, because what it lets through hurts other readers: sizes below -1 (Java takes any negative one for
null), varints with bits beyond their type (Java drops them), timestamps beyond int64 (Java wraps), and offset deltas
other than 0, 1, 2 ... of a produced batch without compression (Kafka stores them).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import google_crc32c

from ..protocol.errors import ErrorCode, KafkaError
from .compression import decompress
from .header import HEADER_SIZE, BatchCheck, BatchHeader

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .. import _cython as cython
else:
    try:
        import cython  # the compiler needs this very line
    except ModuleNotFoundError:
        from .. import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.buffer import (
        Py_buffer,
        PyBUF_SIMPLE,
        PyBUF_WRITABLE,
        PyBuffer_Release,
        PyObject_GetBuffer,
    )

_extend = google_crc32c.extend
_new_tuple = tuple.__new__
_HEADER = struct.Struct(">qiibIhiqqqhii")

#: Bytes handed to the checksum at a time: it takes bytes objects only, and a copy of this size stays in the cache.
CRC_CHUNK_BYTES = cython.declare(cython.Py_ssize_t, 32 * 1024)
#: How many bad records an error names. A 16 KiB batch has fewer; a hostile one shall not make us write a book.
RECORD_ERRORS_MAX = cython.declare(cython.Py_ssize_t, 1000)

INT64_MAX = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)
INT64_MIN = cython.declare(cython.longlong, -0x7FFFFFFFFFFFFFFF - 1)

# Reasons to refuse a batch, beside the faults of single records.
_FINE = cython.declare(cython.Py_ssize_t, 0)
_TOO_SHORT = cython.declare(cython.Py_ssize_t, 1)
_BAD_SIZE = cython.declare(cython.Py_ssize_t, 2)
_BAD_OFFSET = cython.declare(cython.Py_ssize_t, 3)
_BAD_HEADER = cython.declare(cython.Py_ssize_t, 4)
_BAD_TIMESTAMP = cython.declare(cython.Py_ssize_t, 5)
_LEFT_OVER = cython.declare(cython.Py_ssize_t, 6)
_REASONS = {
    _TOO_SHORT: "the batch ends before record {index} of {count}",
    _BAD_SIZE: "a size in record {index} does not fit",
    _BAD_OFFSET: "the offset of record {index} is out of order",
    _BAD_HEADER: "a header of record {index} is malformed",
    _BAD_TIMESTAMP: "the timestamp of record {index} is no 64-bit number",
    _LEFT_OVER: "bytes follow the last of {count} records",
}
# Faults of a single record, which the answer to the producer names by index.
NO_KEY = 1
TIMESTAMP_OUT_OF_RANGE = 2


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


class RecordFaultsError(Exception):
    """Some records of an otherwise good batch are not wanted: [(index, fault, timestamp)], in order."""

    def __init__(self, faults: list[tuple[int, int, int]]) -> None:
        super().__init__(faults)
        self.faults = faults


@cython.final
@cython.cclass
class _Walk:
    """What a walk over the records of one batch found."""

    reason: cython.Py_ssize_t
    index: cython.Py_ssize_t
    max_timestamp: cython.longlong
    max_timestamp_delta: cython.longlong
    faults: list[tuple[int, int, int]] | None

    def __init__(self) -> None:
        self.reason = _FINE
        self.index = 0
        self.max_timestamp = -1
        self.max_timestamp_delta = -1
        self.faults = None


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _int32(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.longlong:
    raw: cython.longlong = (
        cython.cast(cython.uint, p[pos]) << 24
        | cython.cast(cython.uint, p[pos + 1]) << 16
        | cython.cast(cython.uint, p[pos + 2]) << 8
        | cython.cast(cython.uint, p[pos + 3])
    )
    return raw - 0x100000000 if raw > 0x7FFFFFFF else raw


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _int64(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.longlong:
    high: cython.longlong = _int32(p, pos)
    return high * 0x100000000 + (_int32(p, pos + 4) & 0xFFFFFFFF)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _varint(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.longlong:
    """The 32-bit zigzag varint at `pos`: value * 16 + its size in bytes, or 0 where there is none."""
    if pos >= end:
        return 0
    byte: cython.longlong = p[pos]
    if byte < 128:
        return ((byte >> 1) ^ -(byte & 1)) * 16 + 1
    raw: cython.longlong = byte & 0x7F
    size: cython.longlong = 1
    while size < 5 and pos + size < end:
        byte = p[pos + size]
        raw |= (byte & 0x7F) << (7 * size)
        size += 1
        if byte < 128:
            return ((raw >> 1) ^ -(raw & 1)) * 16 + size if raw <= 0xFFFFFFFF else 0
    return 0


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _varlong_size(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.longlong:
    """The size in bytes of the 64-bit varint at `pos`, or 0 where there is none."""
    size: cython.Py_ssize_t = 0
    while size < 10 and pos + size < end:
        size += 1
        if p[pos + size - 1] < 128:
            return size if size < 10 or p[pos + 9] < 2 else 0
    return 0


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _varlong(p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.Py_ssize_t) -> cython.longlong:
    """The 64-bit zigzag varint of `size` bytes at `pos`."""
    raw: cython.ulonglong = 0
    byte: cython.ulonglong
    i: cython.Py_ssize_t
    for i in range(size):
        byte = p[pos + i] & 0x7F
        raw |= byte << (7 * i)
    half: cython.longlong = cython.cast(cython.longlong, raw >> 1)
    return -half - 1 if raw & 1 else half


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _skip_bytes(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """The place behind a nullable size and its bytes, or -1 where they do not fit."""
    packed: cython.longlong = _varint(p, pos, end)
    if packed == 0:
        return -1
    pos += packed & 15
    size: cython.longlong = packed >> 4
    if size <= 0:
        return pos if size >= -1 else -1
    return pos + size if size <= end - pos else -1


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _skip_headers(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """The place behind the headers of a record, or -1 where they are malformed. A header key is never null."""
    packed: cython.longlong = _varint(p, pos, end)
    count: cython.longlong = packed >> 4
    pos += packed & 15
    if packed == 0 or count < 0 or count > (end - pos) >> 1:  # the smallest header takes two bytes
        return -1
    while count > 0:
        count -= 1
        if pos >= end or _varint(p, pos, end) < 0:
            return -1
        pos = _skip_bytes(p, pos, end)
        if pos >= 0:
            pos = _skip_bytes(p, pos, end)
        if pos < 0:
            return -1
    return pos


@cython.cfunc
def _refuse(walk: _Walk, reason: cython.Py_ssize_t, index: cython.Py_ssize_t) -> _Walk:
    walk.reason = reason
    walk.index = index
    return walk


@cython.cfunc
def _walk_records(
    p: cython.p_uchar,
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    count: cython.Py_ssize_t,
    base_timestamp: cython.longlong,
    delta_max: cython.longlong,
    consecutive: cython.bint,
    compacted: cython.bint,
    timestamp_low: cython.longlong,
    timestamp_high: cython.longlong,
) -> _Walk:
    """Step over `count` records that must fill pos..end exactly; the walk says how far they are good."""
    walk: _Walk = _Walk()
    index: cython.Py_ssize_t
    stop: cython.Py_ssize_t
    packed: cython.longlong
    size: cython.longlong
    timestamp: cython.longlong
    delta_before: cython.longlong = -1
    max_timestamp: cython.longlong = -1  # as Kafka: a batch of earlier times has no greatest
    max_timestamp_delta: cython.longlong = -1
    for index in range(count):
        packed = _varint(p, pos, end)
        pos += packed & 15
        size = packed >> 4
        if packed == 0:
            return _refuse(walk, _TOO_SHORT, index)
        if size < 1 or size > end - pos:
            return _refuse(walk, _BAD_SIZE, index)
        stop = pos + size
        pos += 1  # the attributes, of which no bit has a meaning

        size = _varlong_size(p, pos, stop)
        if size == 0:
            return _refuse(walk, _BAD_SIZE, index)
        timestamp = _varlong(p, pos, size)
        pos += size
        if (timestamp > 0 and base_timestamp > INT64_MAX - timestamp) or (
            timestamp < 0 and base_timestamp < INT64_MIN - timestamp
        ):
            return _refuse(walk, _BAD_TIMESTAMP, index)
        timestamp += base_timestamp

        packed = _varint(p, pos, stop)
        if packed == 0:
            return _refuse(walk, _BAD_SIZE, index)
        pos += packed & 15
        size = packed >> 4  # the offset delta
        if (size != index) if consecutive else (size <= delta_before or size > delta_max):
            return _refuse(walk, _BAD_OFFSET, index)
        delta_before = size
        if timestamp > max_timestamp:
            max_timestamp = timestamp
            max_timestamp_delta = size

        if compacted and pos < stop and (p[pos] & 1):  # every negative size is odd in zigzag
            _note(walk, index, NO_KEY, timestamp)
        elif (timestamp < timestamp_low or timestamp > timestamp_high) and timestamp != -1:
            _note(walk, index, TIMESTAMP_OUT_OF_RANGE, timestamp)
        pos = _skip_bytes(p, pos, stop)
        if pos >= 0:
            pos = _skip_bytes(p, pos, stop)
        if pos < 0:
            return _refuse(walk, _BAD_SIZE, index)
        # Nearly every record has no headers, and ends with their count.
        if (pos + 1 != stop or p[pos] != 0) and _skip_headers(p, pos, stop) != stop:
            return _refuse(walk, _BAD_HEADER, index)
        pos = stop
    if pos != end:
        return _refuse(walk, _LEFT_OVER, count)
    walk.max_timestamp = max_timestamp
    walk.max_timestamp_delta = max_timestamp_delta
    return walk


@cython.cfunc
def _note(walk: _Walk, index: cython.Py_ssize_t, fault: int, timestamp: cython.longlong) -> None:
    if walk.faults is None:
        walk.faults = []
    if len(walk.faults) < RECORD_ERRORS_MAX:
        walk.faults.append((index, fault, timestamp))


@cython.cfunc
def _crc(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> int:
    """CRC-32C of pos..end."""
    crc: int = 0
    stop: cython.Py_ssize_t
    while pos < end:
        stop = min(pos + CRC_CHUNK_BYTES, end)
        crc = _extend(crc, p[pos:stop]) if cython.compiled else _extend(crc, bytes(p[pos:stop]))
        pos = stop
    return crc


@cython.cfunc
def _header(p: cython.p_uchar, pos: cython.Py_ssize_t) -> BatchHeader:
    if not cython.compiled:
        return BatchHeader._make(_HEADER.unpack_from(p, pos))
    fields = (
        _int64(p, pos),
        _int32(p, pos + 8),
        _int32(p, pos + 12),
        cython.cast(cython.schar, p[pos + 16]),
        _int32(p, pos + 17) & 0xFFFFFFFF,
        cython.cast(cython.short, _int32(p, pos + 21) >> 16),
        _int32(p, pos + 23),
        _int64(p, pos + 27),
        _int64(p, pos + 35),
        _int64(p, pos + 43),
        cython.cast(cython.short, _int32(p, pos + 51) >> 16),
        _int32(p, pos + 53),
        _int32(p, pos + 57),
    )
    return _new_tuple(BatchHeader, fields)


@cython.cfunc
def _check_frame(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """Check magic and size before anything else of a batch is read; where the batch ends."""
    if end - pos <= 16:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"{end - pos} bytes are too few for a record batch")
    magic: cython.Py_ssize_t = p[pos + 16]
    if magic < 2:
        raise KafkaError(
            ErrorCode.INVALID_RECORD,
            f"Record batches of magic version {magic} are not accepted, only those of version 2",
        )
    if magic > 2:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"Invalid magic found in record: {magic}")
    size: cython.longlong = _int32(p, pos + 8) + 12
    if size < HEADER_SIZE:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"A record batch of {size} bytes is smaller than its header")
    if size > end - pos:
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"The record batch says {size} bytes, {end - pos} are there")
    return pos + size


@cython.cfunc
def _check_counts(header: BatchHeader, produced: cython.bint) -> None:
    """Whether record count and offset range agree; a batch that was compacted has gaps, a produced one has not."""
    count: cython.longlong = header.record_count
    last: cython.longlong = header.last_offset_delta
    if produced:
        if last < 0:
            raise KafkaError(ErrorCode.INVALID_RECORD, f"Batch has an invalid offset range: last offset delta {last}")
        if count <= 0:
            raise KafkaError(ErrorCode.INVALID_RECORD, f"Invalid reported count for record batch: {count}")
        if last + 1 != count:
            raise KafkaError(
                ErrorCode.INVALID_RECORD, f"Inconsistent last offset delta {last} and count of records {count}"
            )
    elif count < 0 or last < 0 or last + 1 < count:
        raise KafkaError(ErrorCode.INVALID_RECORD, f"Last offset delta {last} does not fit {count} records")


@cython.cfunc
def _check(
    p: cython.p_uchar,
    buffer: Buffer,
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    produced: cython.bint,
    compacted: cython.bint,
    max_decompressed_bytes: int,
    timestamp_low: cython.longlong,
    timestamp_high: cython.longlong,
) -> BatchCheck:
    end = _check_frame(p, pos, end)
    crc: cython.longlong = _crc(p, pos + 21, end)
    if crc != _int32(p, pos + 17) & 0xFFFFFFFF:
        stored = _int32(p, pos + 17) & 0xFFFFFFFF
        raise KafkaError(ErrorCode.CORRUPT_MESSAGE, f"Record is corrupt (stored crc = {stored}, computed crc = {crc})")
    header = _header(p, pos)
    _check_counts(header, produced)
    attributes: cython.longlong = p[pos + 22]
    if attributes & 8:  # the broker's own time: not a matter of the records
        timestamp_low, timestamp_high = INT64_MIN, INT64_MAX
    walk: _Walk
    if attributes & 7 == 0:
        walk = _walk_records(
            p, pos + HEADER_SIZE, end, header.record_count, header.base_timestamp, header.last_offset_delta,
            produced, compacted, timestamp_low, timestamp_high,
        )  # fmt: skip
    else:
        payload = decompress(attributes & 7, memoryview(buffer)[pos + HEADER_SIZE : end], max_decompressed_bytes)
        walk = _walk_buffer(payload, header, produced, compacted, timestamp_low, timestamp_high)
    if walk.reason != _FINE:
        raise _structure_error(walk, header.record_count)
    if walk.faults is not None:
        raise RecordFaultsError(walk.faults)
    if attributes & 8 and header.record_count > 0:
        return _new_tuple(BatchCheck, (header, header.max_timestamp, 0))
    return _new_tuple(BatchCheck, (header, walk.max_timestamp, walk.max_timestamp_delta))


def admit(
    buffer: Buffer,
    base_offset: cython.longlong,
    leader_epoch: cython.longlong,
    timestamp_low: cython.longlong,
    timestamp_high: cython.longlong,
) -> tuple[int, int, BatchHeader | None] | None:
    """See `batch.admit`."""
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(buffer, cython.address(view), PyBUF_WRITABLE)
        try:
            return _admit(
                cython.cast(cython.p_uchar, view.buf),
                view.len,
                base_offset,
                leader_epoch,
                timestamp_low,
                timestamp_high,
            )
        finally:
            PyBuffer_Release(cython.address(view))
    whole = memoryview(buffer).cast("B")
    return _admit(whole, len(whole), base_offset, leader_epoch, timestamp_low, timestamp_high)


@cython.cfunc
def _admit(
    p: cython.p_uchar,
    end: cython.Py_ssize_t,
    base_offset: cython.longlong,
    leader_epoch: cython.longlong,
    timestamp_low: cython.longlong,
    timestamp_high: cython.longlong,
) -> tuple[int, int, BatchHeader | None] | None:
    if end < HEADER_SIZE or p[16] != 2 or _int32(p, 8) + 12 != end or _int64(p, 0) != 0 or p[21] != 0 or p[22] != 0:
        return None
    count: cython.longlong = _int32(p, 57)
    last: cython.longlong = _int32(p, 23)
    idempotent: cython.bint = _int64(p, 43) >= 0
    if idempotent and _int32(p, 53) < 0:
        return None
    if count <= 0 or last + 1 != count or _crc(p, 21, end) != _int32(p, 17) & 0xFFFFFFFF:
        return None
    walk: _Walk = _walk_records(
        p, HEADER_SIZE, end, count, _int64(p, 27), last, True, False, timestamp_low, timestamp_high
    )
    if walk.reason != _FINE or walk.faults is not None or walk.max_timestamp != _int64(p, 35):
        return None
    header = _header(p, 0) if idempotent else None
    i: cython.Py_ssize_t
    for i in range(8):
        p[i] = (base_offset >> (56 - 8 * i)) & 0xFF
    for i in range(4):
        p[12 + i] = (leader_epoch >> (24 - 8 * i)) & 0xFF
    return last, walk.max_timestamp, header


@cython.cfunc
def _walk_buffer(
    buffer: Buffer,
    header: BatchHeader,
    produced: cython.bint,
    compacted: cython.bint,
    timestamp_low: cython.longlong,
    timestamp_high: cython.longlong,
) -> _Walk:
    """Walk records that stand alone in `buffer`."""
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
        try:
            return _walk_records(
                cython.cast(cython.p_uchar, view.buf), 0, view.len, header.record_count, header.base_timestamp,
                header.last_offset_delta, produced, compacted, timestamp_low, timestamp_high,
            )  # fmt: skip
        finally:
            PyBuffer_Release(cython.address(view))
    whole = memoryview(buffer).cast("B")
    return _walk_records(
        whole, 0, len(whole), header.record_count, header.base_timestamp,
        header.last_offset_delta, produced, compacted, timestamp_low, timestamp_high,
    )  # fmt: skip


def check_and_describe(
    buffer: Buffer,
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    produced: cython.bint,
    compacted: cython.bint,
    max_decompressed_bytes: int,
    timestamp_low: cython.longlong,
    timestamp_high: cython.longlong,
) -> BatchCheck:
    """See `batch.check_and_describe`."""
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
        try:
            _check_range(pos, end, view.len)
            return _check(
                cython.cast(cython.p_uchar, view.buf), buffer, pos, end, produced, compacted, max_decompressed_bytes,
                timestamp_low, timestamp_high,
            )  # fmt: skip
        finally:
            PyBuffer_Release(cython.address(view))
    whole = memoryview(buffer).cast("B")
    _check_range(pos, end, len(whole))
    return _check(whole, buffer, pos, end, produced, compacted, max_decompressed_bytes, timestamp_low, timestamp_high)


@cython.cfunc
@cython.inline
def _check_range(pos: cython.Py_ssize_t, end: cython.Py_ssize_t, size: cython.Py_ssize_t) -> None:
    """The caller's own mistake: a C pointer has no bounds."""
    if pos < 0 or end > size or pos > end:
        raise IndexError(f"no range of a buffer of {size} bytes: {pos} to {end}")


def read_header(buffer: Buffer, pos: cython.Py_ssize_t) -> BatchHeader:
    """The header at `pos`, as it stands; IndexError where there are not 61 bytes."""
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
        try:
            _check_range(pos, pos + HEADER_SIZE, view.len)
            return _header(cython.cast(cython.p_uchar, view.buf), pos)
        finally:
            PyBuffer_Release(cython.address(view))
    whole = memoryview(buffer).cast("B")
    _check_range(pos, pos + HEADER_SIZE, len(whole))
    return _header(whole, pos)


def crc32c(buffer: Buffer, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> int:
    """CRC-32C of a range of any buffer."""
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
        try:
            _check_range(pos, end, view.len)
            return _crc(cython.cast(cython.p_uchar, view.buf), pos, end)
        finally:
            PyBuffer_Release(cython.address(view))
    whole = memoryview(buffer).cast("B")
    _check_range(pos, end, len(whole))
    return _crc(whole, pos, end)


@cython.cfunc
def _structure_error(walk: _Walk, count: int) -> KafkaError:
    message = _REASONS[walk.reason].format(index=walk.index, count=count)
    return KafkaError(ErrorCode.INVALID_RECORD, f"Found invalid record structure: {message}")


def check_structure(payload: Buffer, header: BatchHeader) -> None:
    """Raise INVALID_RECORD unless `payload` is exactly the uncompressed records that `header` announces."""
    _check_counts(header, False)
    walk: _Walk = _walk_buffer(payload, header, False, False, INT64_MIN, INT64_MAX)
    if walk.reason != _FINE:
        raise _structure_error(walk, header.record_count)
