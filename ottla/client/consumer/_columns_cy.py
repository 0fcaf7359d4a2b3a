"""Fetched record batches as columns, and records that are looked at one by one. Compiled by Cython where it can be.

Ordinary typed Python in pure mode (records/_batch_cy.py has the rules). One call makes columns of a run of batches:

    Fetch answer   batch │ batch │ batch │ ...          the run ends before a compressed batch (that is a run alone),
                   └────── run ─────┘                   where leader epoch or kind of timestamp change, or when it is long
    Columns        offset     q q q q ...
                   timestamp  q q q q ...               places in the payload; a null has the size -1
                   key        place i i i i ..., size i i i i ...
                   value      place i i i i ..., size i i i i ...      the headers stand behind the value
    payload        the answer's own bytes, or what decompression gave: never copied again

No Python object is made per record. `Record` is a view of one row; its key and value become bytes when they are asked for.
`RecordStream` is the `async for` over records: while the row is here, a turn of the loop costs no task switch and no coroutine.

What a broker sends is not trusted: every size is compared with what is there before it is stepped over, counts are bounded
by the bytes. Error: CORRUPT_MESSAGE or INVALID_RECORD, naming the offset.
"""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from ... import _cython as cython
    from ..memory import Pool
else:
    try:
        import cython  # the compiler needs this very line
    except ModuleNotFoundError:
        from ... import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.buffer import (  # noqa: I001
        Py_buffer, PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
    )  # fmt: skip
    from cython.cimports.libc.string import memcpy

#: Bytes of the table for a record: two numbers of 64 bits, four of 32.
ROW_BYTES = cython.declare(cython.Py_ssize_t, 32)
_M32 = cython.declare(cython.longlong, 0xFFFFFFFF)
INT64_MAX = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)

# Columns of the table, counted in their own kind of number; a size stands behind its place.
_KEY = cython.declare(cython.Py_ssize_t, 0)
_VALUE = cython.declare(cython.Py_ssize_t, 2)
KEY, VALUE = 0, 2
OFFSET, TIMESTAMP = 0, 1


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


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
        pos += size if size > 0 else 0
    return pos


@cython.cfunc
@cython.inline
def _bytes(p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.Py_ssize_t) -> bytes:
    if cython.compiled:
        return p[pos : pos + size]  # type: ignore[return-value]  # of a C pointer this makes bytes
    return bytes(p[pos : pos + size])


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
    pool = cython.declare(object, visibility="public")
    payload = cython.declare(object, visibility="public")
    _table: Any
    _p: cython.p_uchar
    _t: cython.p_longlong
    _s: cython.p_int
    _capacity: cython.Py_ssize_t

    def __init__(
        self, topic: str, partition: int, payload: Buffer, capacity: cython.Py_ssize_t, pool: Pool | None = None
    ) -> None:
        self.topic, self.partition = topic, partition
        self.leader_epoch = -1
        self.log_append_time = False
        self.count = self.next_offset = 0
        self.read_key = self.read_value = None
        # Our own view of the payload keeps its bytes where they are for as long as this object lives.
        self.payload = memoryview(payload).cast("B")
        self.payload_bytes = len(self.payload)
        if self.payload_bytes > 0x7FFFFFFF:
            raise OverflowError(f"places in {self.payload_bytes} bytes do not fit 32 bits")
        self.pool = pool
        self._table = bytearray(ROW_BYTES * capacity) if pool is None else pool.take(ROW_BYTES * capacity)
        self._capacity = capacity
        if cython.compiled:
            view = cython.declare(Py_buffer)
            PyObject_GetBuffer(self.payload, cython.address(view), PyBUF_SIMPLE)
            self._p = cython.cast(cython.p_uchar, view.buf)
            PyBuffer_Release(cython.address(view))
            self._table = memoryview(self._table)
            PyObject_GetBuffer(self._table, cython.address(view), PyBUF_WRITABLE)
            self._t = cython.cast(cython.p_longlong, view.buf)
            self._s = cython.cast(cython.p_int, cython.address(self._t[2 * capacity]))
            PyBuffer_Release(cython.address(view))
        else:
            self._p = self.payload
            self._table = memoryview(self._table)[: ROW_BYTES * capacity]
            self._t = self._table[: 16 * capacity].cast("q")
            self._s = self._table[16 * capacity :].cast("i")

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
        size: cython.Py_ssize_t = self._s[(column + 1) * self._capacity + row]
        return None if size < 0 else _bytes(self._p, self._s[column * self._capacity + row], size)

    @cython.ccall
    def headers(self, row: cython.Py_ssize_t) -> tuple:  # type: ignore[type-arg]
        """((name, value), ...); a name that is not UTF-8 keeps its bytes as surrogate escapes."""
        p: cython.p_uchar = self._p
        pos: cython.Py_ssize_t = self._s[2 * self._capacity + row] + max(self._s[3 * self._capacity + row], 0)
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

    def spots(self, column: cython.Py_ssize_t) -> tuple[memoryview, memoryview]:
        """(places, sizes) of KEY or VALUE in all rows: int32 in the machine's order, not copied."""
        start: cython.Py_ssize_t = (16 + 4 * column) * self._capacity
        behind: cython.Py_ssize_t = start + 4 * self._capacity
        return self._table[start : start + 4 * self.count], self._table[behind : behind + 4 * self.count]

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
            if self._p[self._s[2 * self._capacity + row] + max(self._s[3 * self._capacity + row], 0)] != 0:
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
            size = self._s[start + row]
            if size < 0:
                nulls += 1
            else:
                total += size
        return total, nulls

    def gather(
        self, column: cython.Py_ssize_t, first: cython.Py_ssize_t, stop: cython.Py_ssize_t, ends: Buffer,
        data: Buffer, validity: Buffer, index: cython.Py_ssize_t, filled: cython.Py_ssize_t,
    ) -> int:  # fmt: skip
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
        self, column: cython.Py_ssize_t, first: cython.Py_ssize_t, stop: cython.Py_ssize_t, ends: cython.p_int,
        data: cython.p_uchar, validity: cython.p_uchar, nulls: cython.bint, index: cython.Py_ssize_t,
        filled: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:  # fmt: skip
        row: cython.Py_ssize_t
        size: cython.Py_ssize_t
        pos: cython.Py_ssize_t
        places: cython.Py_ssize_t = column * self._capacity
        sizes: cython.Py_ssize_t = places + self._capacity
        for row in range(first, stop):
            size = self._s[sizes + row]
            if size > 0:
                pos = self._s[places + row]
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

    def fill(
        self, pos: cython.Py_ssize_t, end: cython.Py_ssize_t, count: cython.Py_ssize_t,
        base_offset: cython.longlong, base_timestamp: cython.longlong, append_time: cython.longlong,
        last_delta: cython.longlong, from_offset: cython.longlong,
    ) -> bool:  # fmt: skip
        """Add the records at pos..end that are not before `from_offset`; False where they are no such records."""
        p: cython.p_uchar = self._p
        t: cython.p_longlong = self._t
        s: cython.p_int = self._s
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
            packed = _varint(p, pos, stop)
            if packed != 0:
                timestamp = packed >> 4
                pos += packed & 15
            else:  # more than 32 bits apart, or malformed
                size = _varlong_size(p, pos, stop)
                if size == 0:
                    return False
                timestamp = _varlong(p, pos, size)
                pos += size
            if (timestamp > 0 and base_timestamp > INT64_MAX - timestamp) or (
                timestamp < 0 and base_timestamp < -INT64_MAX - 1 - timestamp
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
            s[row] = cython.cast(cython.int, pos)
            s[capacity + row] = cython.cast(cython.int, size)
            pos += size if size > 0 else 0
            packed = _varint(p, pos, stop)
            pos += packed & 15
            size = packed >> 4
            if packed == 0 or size < -1 or size > stop - pos:
                return False
            s[2 * capacity + row] = cython.cast(cython.int, pos)
            s[3 * capacity + row] = cython.cast(cython.int, size)
            pos += size if size > 0 else 0
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

    `key`, `value`: what the consumer's deserializers give. It keeps its whole Fetch answer in memory: put `as_dict()` aside.
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
    def headers(self) -> tuple[tuple[str, bytes | None], ...]:
        return self._columns.headers(self._row)

    def header(self, name: str) -> bytes | None:
        """The last value under this name, or None."""
        return dict(self._columns.headers(self._row)).get(name)

    def as_dict(self) -> dict[str, Any]:
        """All fields, detached from the answer."""
        names = ("topic", "partition", "offset", "timestamp", "key", "value", "headers")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        return (
            f"Record({self.topic}-{self.partition}@{self.offset}, timestamp={self.timestamp}, "
            f"key={self._columns.take(_KEY, self._row)!r}, value={self._columns.take(_VALUE, self._row)!r})"
        )


@cython.cfunc
def _record(columns: Columns, row: cython.Py_ssize_t) -> Record:
    record: Record = Record.__new__(Record)
    record._columns, record._row = columns, row
    return record


@cython.final
@cython.cclass
class RecordStream:
    """`async for record in stream`: gives the rows of what was loaded, then asks `more` for the next record.

    Its own awaitable: that of a row that is here ends at once. A record is in hand until the loop comes back for the next.
    """

    _columns: Columns | None
    _row: cython.Py_ssize_t
    _stop: cython.Py_ssize_t
    _more: Any
    in_hand = cython.declare(bool, visibility="public")

    def __init__(self, more: Callable[[], Any]) -> None:
        self._columns = None
        self._row = self._stop = 0
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

    def __next__(self) -> Any:
        raise StopIteration(_take_row(self))

    def load(self, columns: Columns, row: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> Record:
        """Go on with these rows; gives the first of them, which is then in hand."""
        if row < 0 or stop > columns.count or row >= stop:
            raise IndexError(f"rows {row} to {stop} of {columns.count}")
        self._columns, self._row, self._stop = columns, row + 1, stop
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


@cython.cfunc
def _take_row(awaited: object) -> object:
    """The record that an awaited stream ends with; see the .pxd."""
    stream: RecordStream = cython.cast(RecordStream, awaited)
    row: cython.Py_ssize_t = stream._row
    stream._row = row + 1
    return _record(stream._columns, row)  # type: ignore[arg-type]  # `_row` < `_stop`: it is there


if cython.compiled:
    ottla_install(RecordStream, _take_row)  # type: ignore[name-defined]  # noqa: F821  # declared in the .pxd
