"""Fetched record batches as columns, and records that are looked at one by one. Compiled by Cython where it can be.

Ordinary typed Python in pure mode (records/_batch_cy.py has the rules). One call makes columns of a run of batches:

    Fetch answer   batch │ batch │ batch │ ...          the run ends before a compressed batch (that is a run alone),
                   └────── run ─────┘                   where leader epoch or kind of timestamp change, or when it is long
    Columns        offset     q q q q ...
                   timestamp  q q q q ...               places in the payload; a null has the size -1
                   key        place q q q q ..., size q q q q ...
                   value      place q q q q ..., size q q q q ...
                   headers    place q q q q ...
    payload        the answer's own bytes, or what decompression gave: never copied again

No Python object is made per record. `Record` is a view of one row, made when somebody iterates, and its key and value
become bytes when they are asked for. `RecordStream` is the `async for` over records: while the row is here, a turn of the
loop costs no task switch and no coroutine.

What a broker sends is not trusted: every size is compared with what is there before it is stepped over, counts are bounded
by the bytes, decompression by a cap. Error: CORRUPT_MESSAGE or INVALID_RECORD, naming the offset.
"""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...protocol.errors import ErrorCode, KafkaError
from ...records._batch_cy import crc32c
from ...records.compression import decompress

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from ... import _cython as cython
else:
    try:
        import cython  # the compiler needs this very line
    except ModuleNotFoundError:
        from ... import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.buffer import (
        Py_buffer,
        PyBUF_SIMPLE,
        PyBUF_WRITABLE,
        PyBuffer_Release,
        PyObject_GetBuffer,
    )
    from cython.cimports.libc.string import memcpy

HEADER_SIZE = cython.declare(cython.Py_ssize_t, 61)
RECORD_BYTES_MIN = cython.declare(cython.Py_ssize_t, 7)
#: A run ends after so many bytes of batches, so that the loop is not held up: about 4 ms for records of 100 bytes.
RUN_BYTES_MAX = cython.declare(cython.Py_ssize_t, 4 << 20)
COLUMNS = cython.declare(cython.Py_ssize_t, 7)
_M32 = cython.declare(cython.longlong, 0xFFFFFFFF)
_TWO32 = cython.declare(cython.longlong, 0x100000000)
INT64_MAX = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)
INT64_MIN = cython.declare(cython.longlong, -0x7FFFFFFFFFFFFFFF - 1)
#: A base offset beyond it would leave no room for offset deltas.
BASE_OFFSET_MAX = cython.declare(cython.longlong, 0x7FFFFFFF00000000)

# Columns of the table, in their order.
_OFFSET = cython.declare(cython.Py_ssize_t, 0)
_TIMESTAMP = cython.declare(cython.Py_ssize_t, 1)
_KEY = cython.declare(cython.Py_ssize_t, 2)
_KEY_SIZE = cython.declare(cython.Py_ssize_t, 3)
_VALUE = cython.declare(cython.Py_ssize_t, 4)
_VALUE_SIZE = cython.declare(cython.Py_ssize_t, 5)
_HEADERS = cython.declare(cython.Py_ssize_t, 6)
KEY, VALUE = 2, 4
OFFSET, TIMESTAMP = 0, 1

_COMPRESSION = cython.declare(cython.Py_ssize_t, 0x07)
_LOG_APPEND_TIME = cython.declare(cython.Py_ssize_t, 0x08)
_TRANSACTIONAL = cython.declare(cython.Py_ssize_t, 0x10)
_CONTROL = cython.declare(cython.Py_ssize_t, 0x20)


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


# Bytes ---------------------------------------------------------------------------------------------------------------


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
def _skip_headers(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    """The place behind the headers of a record, or -1 where they are malformed. A header key is never null."""
    packed: cython.longlong = _varint(p, pos, end)
    count: cython.longlong = packed >> 4
    size: cython.longlong
    pos += packed & 15
    if packed == 0 or count < 0 or count > (end - pos) >> 1:  # the smallest header takes two bytes
        return -1
    while count > 0:
        count -= 1
        packed = _varint(p, pos, end)
        size = packed >> 4
        pos += packed & 15
        if packed == 0 or size < 0 or size > end - pos:
            return -1
        pos += size
        packed = _varint(p, pos, end)
        size = packed >> 4
        pos += packed & 15
        if packed == 0 or size < -1 or size > end - pos:
            return -1
        if size > 0:
            pos += size
    return pos


@cython.cfunc
@cython.inline
def _bytes(p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.Py_ssize_t) -> bytes:
    if cython.compiled:
        data: bytes = p[pos : pos + size]  # type: ignore[assignment]  # of a C pointer this makes bytes
        return data
    return bytes(p[pos : pos + size])


# Columns -------------------------------------------------------------------------------------------------------------


@cython.final
@cython.cclass
class Columns:
    """A run of records of one partition; see the head of the module for what lies where."""

    topic = cython.declare(str, visibility="public")
    partition = cython.declare(int, visibility="public")
    leader_epoch = cython.declare(int, visibility="public")
    log_append_time = cython.declare(object, visibility="public")
    count = cython.declare(cython.Py_ssize_t, visibility="public")
    next_offset = cython.declare(cython.longlong, visibility="public")
    payload_bytes = cython.declare(cython.Py_ssize_t, visibility="public")
    read_key = cython.declare(object, visibility="public")
    read_value = cython.declare(object, visibility="public")
    _hold: Any
    _table: Any
    _p: cython.p_uchar
    _t: cython.p_longlong
    _capacity: cython.Py_ssize_t

    def __init__(self, topic: str, partition: int, payload: Buffer, capacity: cython.Py_ssize_t) -> None:
        self.topic = topic
        self.partition = partition
        self.leader_epoch = -1
        self.log_append_time = False
        self.count = 0
        self.next_offset = 0
        self.read_key = None
        self.read_value = None
        # Our own view of the payload keeps its bytes where they are for as long as this object lives.
        self._hold = memoryview(payload).cast("B")
        self.payload_bytes = len(self._hold)
        self._table = bytearray(COLUMNS * 8 * capacity)
        self._capacity = capacity
        if cython.compiled:
            view = cython.declare(Py_buffer)
            PyObject_GetBuffer(self._hold, cython.address(view), PyBUF_SIMPLE)
            self._p = cython.cast(cython.p_uchar, view.buf)
            PyBuffer_Release(cython.address(view))
            self._table = memoryview(self._table)
            PyObject_GetBuffer(self._table, cython.address(view), PyBUF_WRITABLE)
            self._t = cython.cast(cython.p_longlong, view.buf)
            PyBuffer_Release(cython.address(view))
        else:
            self._p = self._hold
            self._table = memoryview(self._table)
            self._t = self._table.cast("q")

    def __len__(self) -> int:
        return self.count

    @cython.ccall
    def offset(self, row: cython.Py_ssize_t) -> cython.longlong:
        return self._t[row]

    @cython.ccall
    def timestamp(self, row: cython.Py_ssize_t) -> cython.longlong:
        return self._t[self._capacity + row]

    @cython.ccall
    def take(self, column: cython.Py_ssize_t, row: cython.Py_ssize_t) -> object:
        """The bytes of KEY or VALUE, or None."""
        size: cython.longlong = self._t[(column + 1) * self._capacity + row]
        if size < 0:
            return None
        return _bytes(self._p, self._t[column * self._capacity + row], size)

    @cython.ccall
    def headers(self, row: cython.Py_ssize_t) -> tuple:  # type: ignore[type-arg]
        """((name, value), ...); a name that is not UTF-8 keeps its bytes as surrogate escapes."""
        p: cython.p_uchar = self._p
        pos: cython.Py_ssize_t = self._t[_HEADERS * self._capacity + row]
        if p[pos] == 0:
            return ()
        end: cython.Py_ssize_t = self.payload_bytes
        packed: cython.longlong = _varint(p, pos, end)
        count: cython.longlong = packed >> 4
        size: cython.longlong
        pos += packed & 15
        found: list[tuple[str, bytes | None]] = []
        while count > 0:
            count -= 1
            packed = _varint(p, pos, end)
            pos += packed & 15
            size = packed >> 4
            name = _bytes(p, pos, size).decode("utf-8", "surrogateescape")
            pos += size
            packed = _varint(p, pos, end)
            pos += packed & 15
            size = packed >> 4
            if size < 0:
                found.append((name, None))
            else:
                found.append((name, _bytes(p, pos, size)))
                pos += size
        return tuple(found)

    def record(self, row: cython.Py_ssize_t) -> Record:
        if row < 0 or row >= self.count:
            raise IndexError(f"row {row} of {self.count}")
        return _record(self, row)

    def column(self, number: cython.Py_ssize_t, first: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> memoryview:
        """The rows first..stop of OFFSET or TIMESTAMP: int64 in the machine's order, not copied."""
        start: cython.Py_ssize_t = number * self._capacity
        return self._table[8 * (start + first) : 8 * (start + stop)]

    def row_of(self, offset: cython.longlong) -> int:
        """The first row at or behind `offset`."""
        low: cython.Py_ssize_t = 0
        high: cython.Py_ssize_t = self.count
        middle: cython.Py_ssize_t
        while low < high:
            middle = (low + high) >> 1
            if self._t[middle] < offset:
                low = middle + 1
            else:
                high = middle
        return low

    def offset_behind(self, offset: cython.longlong) -> int:
        """The offset of the row behind the one at `offset`, or that behind the run."""
        row: cython.Py_ssize_t = self.row_of(offset) + 1
        return self._t[row] if row < self.count else self.next_offset

    def lacks_timestamps(self, first: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> bool:
        """Whether some record of the rows has no timestamp."""
        row: cython.Py_ssize_t
        for row in range(first, stop):
            if self._t[self._capacity + row] < 0:
                return True
        return False

    def has_headers(self, first: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> bool:
        """Whether some record of the rows has headers."""
        row: cython.Py_ssize_t
        for row in range(first, stop):
            if self._p[self._t[_HEADERS * self._capacity + row]] != 0:
                return True
        return False

    def total(self, column: cython.Py_ssize_t, first: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> tuple[int, int]:
        """(bytes, nulls) of KEY or VALUE in the rows first..stop."""
        row: cython.Py_ssize_t
        size: cython.longlong
        total: cython.longlong = 0
        nulls: cython.longlong = 0
        start: cython.Py_ssize_t = (column + 1) * self._capacity
        for row in range(first, stop):
            size = self._t[start + row]
            if size < 0:
                nulls += 1
            else:
                total += size
        return total, nulls

    def gather(
        self,
        column: cython.Py_ssize_t,
        first: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        ends: Buffer,
        data: Buffer,
        validity: Buffer,
        index: cython.Py_ssize_t,
        filled: cython.Py_ssize_t,
    ) -> int:
        """Write KEY or VALUE of the rows as Arrow lays out binary: bytes into `data` from `filled` on, their ends into
        `ends` (int32) from `index` + 1 on, and a bit for each null into `validity`, if that has a length. New `filled`.
        """
        if cython.compiled:
            a = cython.declare(Py_buffer)
            b = cython.declare(Py_buffer)
            c = cython.declare(Py_buffer)
            PyObject_GetBuffer(ends, cython.address(a), PyBUF_WRITABLE)
            PyObject_GetBuffer(data, cython.address(b), PyBUF_WRITABLE)
            PyObject_GetBuffer(validity, cython.address(c), PyBUF_WRITABLE)
            try:
                if (
                    a.len < 4 * (index + 1 + stop - first)
                    or b.len < filled + self.total(column, first, stop)[0]
                    or (c.len != 0 and c.len * 8 < index + stop - first)
                    or first < 0
                    or stop > self.count
                ):
                    raise IndexError("the rows do not fit the buffers")
                return self._gather(
                    column, first, stop, cython.cast(cython.p_int, a.buf), cython.cast(cython.p_uchar, b.buf),
                    cython.cast(cython.p_uchar, c.buf), c.len != 0, index, filled,
                )  # fmt: skip
            finally:
                PyBuffer_Release(cython.address(a))
                PyBuffer_Release(cython.address(b))
                PyBuffer_Release(cython.address(c))
        return self._gather(
            column, first, stop, memoryview(ends).cast("B").cast("i"), memoryview(data), memoryview(validity),
            len(memoryview(validity)) != 0, index, filled,
        )  # fmt: skip

    @cython.cfunc
    def _gather(
        self,
        column: cython.Py_ssize_t,
        first: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        ends: cython.p_int,
        data: cython.p_uchar,
        validity: cython.p_uchar,
        nulls: cython.bint,
        index: cython.Py_ssize_t,
        filled: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:
        row: cython.Py_ssize_t
        size: cython.Py_ssize_t
        pos: cython.Py_ssize_t
        places: cython.Py_ssize_t = column * self._capacity
        sizes: cython.Py_ssize_t = places + self._capacity
        for row in range(first, stop):
            size = self._t[sizes + row]
            if size > 0:
                pos = self._t[places + row]
                if cython.compiled:
                    memcpy(cython.address(data[filled]), cython.address(self._p[pos]), size)
                else:
                    data[filled : filled + size] = self._p[pos : pos + size]
                filled += size
            if nulls and size >= 0:
                validity[index >> 3] = validity[index >> 3] | (1 << (index & 7))
            index += 1
            ends[index] = filled
        return filled

    @cython.cfunc
    def _fill(
        self,
        pos: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
        count: cython.Py_ssize_t,
        base_offset: cython.longlong,
        base_timestamp: cython.longlong,
        append_time: cython.longlong,
        last_delta: cython.longlong,
        from_offset: cython.longlong,
    ) -> cython.bint:
        """Add the records at pos..end that are not before `from_offset`; False where they are no such records."""
        p: cython.p_uchar = self._p
        t: cython.p_longlong = self._t
        capacity: cython.Py_ssize_t = self._capacity
        row: cython.Py_ssize_t = self.count
        stop: cython.Py_ssize_t
        packed: cython.longlong
        size: cython.longlong
        timestamp: cython.longlong
        delta_before: cython.longlong = -1
        delta: cython.longlong
        for _ in range(count):
            packed = _varint(p, pos, end)
            pos += packed & 15
            size = packed >> 4
            if packed == 0 or size < 1 or size > end - pos:
                return False
            stop = pos + size
            pos += 1  # the attributes, of which no bit has a meaning
            size = _varlong_size(p, pos, stop)
            if size == 0:
                return False
            timestamp = _varlong(p, pos, size)
            pos += size
            if (timestamp > 0 and base_timestamp > INT64_MAX - timestamp) or (
                timestamp < 0 and base_timestamp < INT64_MIN - timestamp
            ):
                return False
            packed = _varint(p, pos, stop)
            pos += packed & 15
            delta = packed >> 4
            if packed == 0 or delta <= delta_before or delta > last_delta:
                return False
            delta_before = delta
            t[row] = base_offset + delta
            t[capacity + row] = append_time if append_time >= 0 else base_timestamp + timestamp

            packed = _varint(p, pos, stop)
            pos += packed & 15
            size = packed >> 4
            if packed == 0 or size < -1 or size > stop - pos:
                return False
            t[2 * capacity + row] = pos
            t[3 * capacity + row] = size
            if size > 0:
                pos += size
            packed = _varint(p, pos, stop)
            pos += packed & 15
            size = packed >> 4
            if packed == 0 or size < -1 or size > stop - pos:
                return False
            t[4 * capacity + row] = pos
            t[5 * capacity + row] = size
            if size > 0:
                pos += size
            t[6 * capacity + row] = pos
            # Nearly every record has no headers, and ends with their count.
            if (pos + 1 != stop or p[pos] != 0) and _skip_headers(p, pos, stop) != stop:
                return False
            pos = stop
            if base_offset + delta >= from_offset:
                row += 1
        self.count = row
        return pos == end


@cython.final
@cython.no_gc
@cython.freelist(256)
@cython.cclass
class Record:
    """One record, as a view: key and value are made when they are asked for.

    `key` and `value` are what the consumer's deserializers give (bytes without one; None for null). A record keeps the
    whole Fetch answer that it came in; `dict(record)` or its fields are what to put aside for long.
    """

    _columns: Columns
    _row: cython.Py_ssize_t

    @property
    def topic(self) -> str:
        return self._columns.topic

    @property
    def partition(self) -> int:
        return self._columns.partition

    @property
    def offset(self) -> int:
        return self._columns.offset(self._row)

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970; -1 where the producer set none."""
        return self._columns.timestamp(self._row)

    @property
    def log_append_time(self) -> bool:
        """Whether the broker set the timestamp, not the producer."""
        return self._columns.log_append_time

    @property
    def leader_epoch(self) -> int:
        return self._columns.leader_epoch

    @property
    def key(self) -> Any:
        raw = self._columns.take(_KEY, self._row)
        reader = self._columns.read_key
        return raw if reader is None or raw is None else reader(raw, self)

    @property
    def value(self) -> Any:
        raw = self._columns.take(_VALUE, self._row)
        reader = self._columns.read_value
        return raw if reader is None or raw is None else reader(raw, self)

    @property
    def raw_key(self) -> bytes | None:
        return self._columns.take(_KEY, self._row)  # type: ignore[return-value]

    @property
    def raw_value(self) -> bytes | None:
        return self._columns.take(_VALUE, self._row)  # type: ignore[return-value]

    @property
    def headers(self) -> tuple[tuple[str, bytes | None], ...]:
        return self._columns.headers(self._row)

    def header(self, name: str) -> bytes | None:
        """The last value under this name, or None."""
        found: bytes | None = None
        for each, value in self._columns.headers(self._row):
            if each == name:
                found = value
        return found

    def keys(self) -> list[str]:
        return ["topic", "partition", "offset", "timestamp", "key", "value", "headers"]

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __repr__(self) -> str:
        return (
            f"Record({self.topic}-{self.partition}@{self.offset}, timestamp={self.timestamp}, "
            f"key={self.raw_key!r}, value={self.raw_value!r})"
        )


@cython.cfunc
def _record(columns: Columns, row: cython.Py_ssize_t) -> Record:
    record: Record = Record.__new__(Record)
    record._columns = columns
    record._row = row
    return record


# Runs ----------------------------------------------------------------------------------------------------------------


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
    columns = _columns(p, whole, batches, capacity, codec, from_offset, topic, partition, max_decompressed_bytes)
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
    columns: Columns = Columns(topic, partition, payload, capacity)
    for place in batches:
        pos = place
        start = pos + HEADER_SIZE
        stop = pos + _int32(p, pos + 8) + 12
        if codec:
            start = 0
            stop = columns.payload_bytes
        append_time = _int64(p, pos + 35) if p[pos + 22] & _LOG_APPEND_TIME else -1
        if not columns._fill(
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
) -> tuple[Columns | None, int, int]:
    """(columns, place behind the run, next offset to fetch); columns are None where the run has no record to give.

    `aborted`: for read_committed; None gives the records of aborted transactions too. The place is `end` where only a
    part of a batch is left.
    """
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
        try:
            if pos < 0 or end > view.len or pos > end:
                raise IndexError(f"no range of a buffer of {view.len} bytes: {pos} to {end}")
            return _one_run(
                cython.cast(cython.p_uchar, view.buf), memoryview(buffer).cast("B"), pos, end, from_offset, topic,
                partition, aborted, check_crc, max_decompressed_bytes,
            )  # type: ignore[return-value]  # fmt: skip
        finally:
            PyBuffer_Release(cython.address(view))
    whole = memoryview(buffer).cast("B")
    if pos < 0 or end > len(whole) or pos > end:
        raise IndexError(f"no range of a buffer of {len(whole)} bytes: {pos} to {end}")
    return _one_run(  # type: ignore[return-value]
        whole, whole, pos, end, from_offset, topic, partition, aborted, check_crc, max_decompressed_bytes
    )


# Iteration -----------------------------------------------------------------------------------------------------------


@cython.final
@cython.cclass
class RecordStream:
    """`async for record in stream`: gives the rows of what was loaded, then asks `more` for the next record.

    It is its own awaitable: `__await__` of a row that is here ends at once with the record. A record is in hand from
    when it is given until the loop comes back for the next one.
    """

    _columns: Columns | None
    _row: cython.Py_ssize_t
    _stop: cython.Py_ssize_t
    _more: Any
    in_hand = cython.declare(bool, visibility="public")

    def __init__(self, more: Callable[[], Any]) -> None:
        self._columns = None
        self._row = 0
        self._stop = 0
        self._more = more
        self.in_hand = False

    def __aiter__(self) -> RecordStream:
        return self

    def __anext__(self) -> Any:
        if self._row < self._stop:
            return self
        self.in_hand = False
        return self._more()

    def __await__(self) -> RecordStream:
        return self

    def __iter__(self) -> RecordStream:
        return self

    def __next__(self) -> Any:
        row: cython.Py_ssize_t = self._row
        self._row = row + 1
        raise StopIteration(_record(self._columns, row))  # type: ignore[arg-type]  # `_row` < `_stop`: it is there

    def load(self, columns: Columns, row: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> Record:
        """Go on with these rows; gives the first of them, which is then in hand."""
        if row < 0 or stop > columns.count or row >= stop:
            raise IndexError(f"rows {row} to {stop} of {columns.count}")
        self._columns = columns
        self._row = row + 1
        self._stop = stop
        self.in_hand = True
        return _record(columns, row)

    def drop(self) -> tuple[Columns, int, int] | None:
        """Give no row behind the one in hand; which rows are left: (columns, row, stop)."""
        columns = self._columns
        left = None if columns is None or self._row >= self._stop else (columns, self._row, self._stop)
        self._stop = self._row
        return left

    def position(self) -> tuple[Columns, int, int] | None:
        """(columns, the first offset that is not done, how many rows are left); None where nothing is loaded."""
        if self._columns is None:
            return None
        columns: Columns = self._columns
        left: cython.Py_ssize_t = self._stop - self._row
        if self.in_hand:
            return columns, columns.offset(self._row - 1), left
        if self._row < columns.count:
            return columns, columns.offset(self._row), left
        return columns, columns.next_offset, left
