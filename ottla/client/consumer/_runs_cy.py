"""From the bytes of a Fetch answer to `Columns`, run by run. Compiled like `_columns_cy`, whose head has the drawing.

A run ends before a compressed batch (that is a run alone), where leader epoch or kind of timestamp change, and when it is
long. Control batches are stepped over; with `Aborted` so are the batches of aborted transactions (read_committed).

What a broker sends is not trusted: every size is compared with what is there before it is stepped over, counts are bounded
by the bytes, decompression by a cap. Error: CORRUPT_MESSAGE or another KafkaError, naming partition and offset.
"""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...protocol.errors import ErrorCode, KafkaError
from ...records._batch_cy import crc32c
from ...records.compression import decompress
from ._columns_cy import Columns

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ... import _cython as cython
    from ..memory import Pool
else:
    try:
        import cython  # the compiler needs this very line
    except ModuleNotFoundError:
        from ... import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.buffer import Py_buffer, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

HEADER_SIZE = cython.declare(cython.Py_ssize_t, 61)
RECORD_BYTES_MIN = cython.declare(cython.Py_ssize_t, 7)
#: A run ends after so many bytes of batches, so that the loop is not held up: about 4 ms for records of 100 bytes.
RUN_BYTES_MAX = cython.declare(cython.Py_ssize_t, 4 << 20)
_M32 = cython.declare(cython.longlong, 0xFFFFFFFF)
_TWO32 = cython.declare(cython.longlong, 0x100000000)
#: A base offset beyond it would leave no room for offset deltas.
BASE_OFFSET_MAX = cython.declare(cython.longlong, 0x7FFFFFFF00000000)

_COMPRESSION = cython.declare(cython.Py_ssize_t, 0x07)
_LOG_APPEND_TIME = cython.declare(cython.Py_ssize_t, 0x08)
_TRANSACTIONAL = cython.declare(cython.Py_ssize_t, 0x10)
_CONTROL = cython.declare(cython.Py_ssize_t, 0x20)


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


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
    return raw - _TWO32 if raw > 0x7FFFFFFF else raw


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _int64(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.longlong:
    high: cython.longlong = _int32(p, pos)
    return high * _TWO32 + (_int32(p, pos + 4) & _M32)


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
            return ((raw >> 1) ^ -(raw & 1)) * 16 + size if raw <= _M32 else 0
    return 0


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _varlong_size(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """The size in bytes of the 64-bit varint at `pos`, or 0 where there is none."""
    size: cython.Py_ssize_t = 0
    while size < 10 and pos + size < end:
        size += 1
        if p[pos + size - 1] < 128:
            return size if size < 10 or p[pos + 9] < 2 else 0
    return 0


class Aborted:
    """Which producers' batches read_committed leaves out, while a Fetch answer is read from front to back."""

    __slots__ = ("_aborting", "_next", "_transactions")

    def __init__(self, transactions: list[tuple[int, int]]) -> None:
        """`transactions`: (first offset, producer id) of what was aborted, as the answer names it."""
        self._transactions = sorted(transactions)
        self._next = 0
        self._aborting: set[int] = set()

    def skips(self, producer_id: int, last_offset: int, transactional: bool) -> bool:
        """Whether the batch that ends at `last_offset` is of an aborted transaction."""
        while self._next < len(self._transactions) and self._transactions[self._next][0] <= last_offset:
            self._aborting.add(self._transactions[self._next][1])
            self._next += 1
        return transactional and producer_id in self._aborting

    def ended(self, producer_id: int) -> None:
        """An abort marker: what the producer writes behind it is another transaction."""
        self._aborting.discard(producer_id)


@cython.cfunc
def _corrupt(topic: str, partition: int, offset: object, what: str) -> KafkaError:
    return KafkaError(ErrorCode.CORRUPT_MESSAGE, f"{topic}-{partition} at offset {offset}: {what}")


@cython.cfunc
def _frame(
    p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t, topic: str, partition: int
) -> cython.Py_ssize_t:
    """Where the batch at `pos` ends, or 0 where the answer ends within it."""
    if end - pos < HEADER_SIZE:
        return 0
    size: cython.longlong = _int32(p, pos + 8) + 12
    if p[pos + 16] != 2:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT,
            f"{topic}-{partition} at offset {_int64(p, pos)}: message format {p[pos + 16]}; this client reads format 2, "
            "which Kafka writes since 0.11",
        )
    if size < HEADER_SIZE:
        raise _corrupt(topic, partition, _int64(p, pos), f"a record batch says it has {size} bytes")
    if size > end - pos:
        return 0
    base_offset: cython.longlong = _int64(p, pos)
    last_delta: cython.longlong = _int32(p, pos + 23)
    count: cython.longlong = _int32(p, pos + 57)
    if base_offset < 0 or base_offset > BASE_OFFSET_MAX or last_delta < 0 or count < 0 or last_delta + 1 < count:
        raise _corrupt(topic, partition, base_offset, f"{count} records with a last offset delta of {last_delta}")
    return pos + size


@cython.cfunc
def _marks_abort(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.bint:
    """Whether the control record at `pos` ends a transaction by aborting it: key = version int16, type int16 0."""
    packed: cython.longlong = _varint(p, pos, end)
    pos += (packed & 15) + 1
    size: cython.Py_ssize_t = _varlong_size(p, pos, end)
    pos += size
    offset: cython.longlong = _varint(p, pos, end)
    pos += offset & 15
    key: cython.longlong = _varint(p, pos, end)
    pos += key & 15
    if packed == 0 or size == 0 or offset == 0 or key >> 4 < 4 or end - pos < 4:
        return False
    return p[pos + 2] == 0 and p[pos + 3] == 0


@cython.cfunc
def _one_run(
    p: cython.p_uchar,
    whole: memoryview,
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    from_offset: cython.longlong,
    topic: str,
    partition: int,
    aborted: object,
    check_crc: cython.bint,
    max_decompressed_bytes: int,
    pool: Any,
) -> tuple[object, int, int]:
    batches: list[int] = []
    capacity: cython.longlong = 0
    first: cython.Py_ssize_t = pos
    kind: cython.longlong = -1
    epoch: cython.longlong = 0
    last_offset: cython.longlong
    next_offset: cython.longlong = from_offset
    attributes: cython.Py_ssize_t
    stop: cython.Py_ssize_t
    codec: cython.Py_ssize_t = 0
    while pos < end and pos - first < RUN_BYTES_MAX:
        stop = _frame(p, pos, end, topic, partition)
        if stop == 0:
            pos = end
            break
        attributes = p[pos + 22]
        codec = attributes & _COMPRESSION
        if batches and (codec or kind != attributes & _LOG_APPEND_TIME or epoch != _int32(p, pos + 12)):
            codec = 0
            break
        last_offset = _int64(p, pos) + _int32(p, pos + 23)
        if last_offset < from_offset:
            codec = 0
            pos = stop
            continue
        if check_crc and crc32c(whole, pos + 21, stop) != _int32(p, pos + 17) & _M32:
            raise _corrupt(
                topic, partition, _int64(p, pos), "the checksum of the record batch does not match its bytes"
            )
        skipped = aborted is not None and aborted.skips(  # type: ignore[attr-defined]
            _int64(p, pos + 43), last_offset, attributes & _TRANSACTIONAL != 0 and attributes & _CONTROL == 0
        )
        next_offset = last_offset + 1
        if attributes & _CONTROL:
            if aborted is not None and _marks_abort(p, pos + HEADER_SIZE, stop):
                aborted.ended(_int64(p, pos + 43))  # type: ignore[attr-defined]
        elif not skipped and _int32(p, pos + 57) > 0:
            kind = attributes & _LOG_APPEND_TIME
            epoch = _int32(p, pos + 12)
            batches.append(pos)
            capacity += _int32(p, pos + 57)
            if codec == 0 and _int32(p, pos + 57) * RECORD_BYTES_MIN > stop - pos:
                raise _corrupt(topic, partition, _int64(p, pos), f"{_int32(p, pos + 57)} records in {stop - pos} bytes")
            if codec:
                pos = stop
                break
        codec = 0
        pos = stop
    if not batches:
        return None, pos, next_offset
    columns = _columns(p, whole, batches, capacity, codec, from_offset, topic, partition, max_decompressed_bytes, pool)
    columns.leader_epoch = epoch
    columns.log_append_time = kind != 0
    columns.next_offset = next_offset
    return columns, pos, next_offset


@cython.cfunc
def _columns(
    p: cython.p_uchar,
    whole: memoryview,
    batches: list[int],
    capacity: cython.Py_ssize_t,
    codec: cython.Py_ssize_t,
    from_offset: cython.longlong,
    topic: str,
    partition: int,
    max_decompressed_bytes: int,
    pool: Any,
) -> Columns:
    """The records of the batches at these places, which are several plain ones or one that is compressed."""
    payload: Any = whole
    pos: cython.Py_ssize_t
    start: cython.Py_ssize_t
    stop: cython.Py_ssize_t
    append_time: cython.longlong
    if codec:
        pos = batches[0]
        payload = decompress(codec, whole[pos + HEADER_SIZE : pos + _int32(p, pos + 8) + 12], max_decompressed_bytes)
        if capacity * RECORD_BYTES_MIN > len(payload):
            raise _corrupt(topic, partition, _int64(p, pos), f"{capacity} records in {len(payload)} bytes")
    columns: Columns = Columns(topic, partition, payload, capacity, pool)
    for place in batches:
        pos = place
        start = pos + HEADER_SIZE
        stop = pos + _int32(p, pos + 8) + 12
        if codec:
            start = 0
            stop = columns.payload_bytes
        append_time = _int64(p, pos + 35) if p[pos + 22] & _LOG_APPEND_TIME else -1
        if not columns.fill(
            start, stop, _int32(p, pos + 57), _int64(p, pos), _int64(p, pos + 27), append_time, _int32(p, pos + 23),
            from_offset,
        ):  # fmt: skip
            raise _corrupt(topic, partition, _int64(p, pos), "the records of the batch are malformed")
    return columns


def scan(buffer: Buffer, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> tuple[int, int, int]:
    """(offset behind the last whole batch, its leader epoch, its place's end), or (-1, -1, pos) where there is none.

    Only sizes are looked at, so that the next Fetch can be sent before these records are read.
    """
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
        try:
            if pos < 0 or end > view.len or pos > end:
                raise IndexError(f"no range of a buffer of {view.len} bytes: {pos} to {end}")
            return _scan(cython.cast(cython.p_uchar, view.buf), pos, end)
        finally:
            PyBuffer_Release(cython.address(view))
    return _scan(memoryview(buffer).cast("B"), pos, end)


@cython.cfunc
def _scan(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> tuple[int, int, int]:
    next_offset: cython.longlong = -1
    epoch: cython.longlong = -1
    size: cython.longlong
    while end - pos >= HEADER_SIZE:
        size = _int32(p, pos + 8) + 12
        if size < HEADER_SIZE or size > end - pos:
            break
        next_offset = _int64(p, pos) + _int32(p, pos + 23) + 1
        epoch = _int32(p, pos + 12)
        pos += size
    return next_offset, epoch, pos


def read_run(
    buffer: Buffer,
    pos: cython.Py_ssize_t,
    end: cython.Py_ssize_t,
    from_offset: cython.longlong,
    topic: str,
    partition: int,
    aborted: Aborted | None,
    check_crc: cython.bint,
    max_decompressed_bytes: int,
    pool: Pool | None = None,
) -> tuple[Columns | None, int, int]:
    """(columns, place behind the run, next offset to fetch); columns are None where the run has no record to give.

    `aborted`: for read_committed; None gives the records of aborted transactions too. The place is `end` where only a
    part of a batch is left. `pool`: where the memory of the columns comes from.
    """
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
        try:
            if pos < 0 or end > view.len or pos > end:
                raise IndexError(f"no range of a buffer of {view.len} bytes: {pos} to {end}")
            return _one_run(
                cython.cast(cython.p_uchar, view.buf), memoryview(buffer).cast("B"), pos, end, from_offset, topic,
                partition, aborted, check_crc, max_decompressed_bytes, pool,
            )  # type: ignore[return-value]  # fmt: skip
        finally:
            PyBuffer_Release(cython.address(view))
    whole = memoryview(buffer).cast("B")
    if pos < 0 or end > len(whole) or pos > end:
        raise IndexError(f"no range of a buffer of {len(whole)} bytes: {pos} to {end}")
    return _one_run(  # type: ignore[return-value]
        whole, whole, pos, end, from_offset, topic, partition, aborted, check_crc, max_decompressed_bytes, pool
    )
