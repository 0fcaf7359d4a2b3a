"""A record into its partition's batch: the only work a producer does per record. Compiled by Cython where there is a compiler.

    append(topic, value, key) ──► partition ──► the partition's open batch ──► varints, key, value, headers at its end
                                  by key: murmur2, as Java                  └► Ack(batch, index): no future, no task
                                  without: sticky (KIP-480, KIP-794)

Ordinary typed Python in Cython's pure mode, like `records/_batch_cy`; uncompiled it gives the same bytes. Nothing here waits,
and nothing calls out but once per batch: `make`, `on_open`, `on_full`, `choose` (the next sticky partition). What cannot be done
at once comes back as None, with `reason`; the shell then waits or raises.

Memory: batches take memory as they grow (doubling, up to batch.size), and only growth asks whether buffer.memory has room.
So the bound is kept by what is allocated, not by what is filled, and most records never ask.

Threads: compiled, one `append` is one step to every other thread, since nothing lets go of the interpreter between the look
at the open batch and the written record; after the calls that may (`make`, `on_full`) it looks again. New batches stand in
`_fresh` in the order in which they began. Uncompiled it is no single step; `ottla.sync` then appends in the loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ... import _cython as cython
else:
    try:
        import cython  # the compiler needs this very line
    except ModuleNotFoundError:
        from ... import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.bytearray import PyByteArray_AS_STRING, PyByteArray_Resize
    from cython.cimports.libc.string import memcpy

#: The header of a batch, which `seal_batch` writes when it is sent.
HEADER_SIZE = cython.declare(cython.Py_ssize_t, 61)
#: What a batch begins with; it doubles from there.
START_BYTES = cython.declare(cython.Py_ssize_t, 1024)
#: A sticky partition is left, at the next new batch, when it got so many bytes (Kafka's batch.size).
STICKY_BYTES = cython.declare(cython.Py_ssize_t, 16384)

# Why `append` returned None.
UNKNOWN_TOPIC, STOPPED, NO_PARTITION, NO_ROOM, TOO_LARGE = 1, 2, 3, 4, 5
_DONE = cython.declare(cython.int, 0)
_FULL = cython.declare(cython.int, 6)


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


@cython.cclass
class RecordBuffer:
    """The records of one batch while they are appended, behind room for its header; `memory` is to be used again."""

    _data: bytearray
    _end: cython.Py_ssize_t
    _capacity: cython.Py_ssize_t
    _limit: cython.Py_ssize_t
    _count: cython.Py_ssize_t
    _base_timestamp: cython.longlong
    _max_timestamp: cython.longlong
    _segment: Any

    def __init__(self, limit: cython.Py_ssize_t, memory: bytearray | None = None) -> None:
        self._data = bytearray() if memory is None else memory
        self._end, self._capacity, self._limit, self._count = HEADER_SIZE, len(self._data), limit, 0
        self._base_timestamp, self._max_timestamp = 0, -1
        self._segment = None

    @property
    def count(self) -> int:
        """How many records it has."""
        return self._count

    @property
    def end(self) -> int:
        """Its size in bytes, uncompressed."""
        return self._end

    @property
    def capacity(self) -> int:
        """The memory it holds, as counted by the appender."""
        return self._capacity

    @property
    def times(self) -> tuple[int, int]:
        """The first and the greatest timestamp."""
        return self._base_timestamp, self._max_timestamp

    def take_data(self) -> bytearray:
        """The bytes: header room, records, and what was taken beyond them."""
        return self._data

    def drop_data(self) -> None:
        """Let go of the bytes."""
        self._data = bytearray()


@cython.final
@cython.cclass
class Ack:
    """Stands for the acknowledgement of one record: await it for the `RecordMetadata`, or raise what went wrong.

    In `ottla.sync` it is `result(timeout_s)`. All acks of a batch share its one answer.
    """

    _batch: Any
    _index: cython.Py_ssize_t

    @property
    def done(self) -> bool:
        """Whether the record is acknowledged or failed."""
        return bool(self._batch.done)

    def __await__(self) -> Generator[Any, None, Any]:
        waiting: Generator[Any, None, Any] = self._batch.wait(self._index).__await__()
        return waiting

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait in a thread (not in the one of the event loop) for the `RecordMetadata`."""
        return self._batch.result(self._index, timeout_s)

    def exception(self) -> BaseException | None:
        """The error of a record that is done, or None."""
        error: BaseException | None = self._batch.error_of(self._index)
        return error

    def note(self, owner: Any, segments: list[Any]) -> None:
        """Count the record as one of `owner`'s (`append_many`)."""
        _note(self._batch, self._index, owner, segments)

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        """Call `callback(ack)` when it is done, in the thread of the event loop."""
        self._batch.add_done_callback(lambda: callback(self))


@cython.final
@cython.cclass
class Segment:
    """Records of one `send_many` that follow one another in one batch."""

    _owner: Any
    _batch: Any
    _first: cython.Py_ssize_t
    _count: cython.Py_ssize_t

    @property
    def span(self) -> tuple[Any, int, int]:
        """The batch, the index of the first record, how many."""
        return self._batch, self._first, self._count


@cython.final
@cython.cclass
class TopicBuffers:
    """The open batch of each partition of a topic, and where records without key go."""

    _open: list[Any]
    _partitions: cython.Py_ssize_t
    _sticky: cython.Py_ssize_t
    _sticky_bytes: cython.Py_ssize_t
    _name: str

    def __init__(self, name: str, partitions: int) -> None:
        self._name, self._open, self._partitions = name, [None] * partitions, partitions
        self._sticky, self._sticky_bytes = -1, 0

    @property
    def partitions(self) -> int:
        return self._partitions

    def grow(self, partitions: int) -> None:
        """Know of more partitions."""
        self._open.extend([None] * (partitions - self._partitions))
        self._partitions = partitions

    def take_open(self, partition: int) -> Any:
        """The open batch of a partition, which takes no more records from now on; or None."""
        batch = self._open[partition]
        self._open[partition] = None
        return batch


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _varint_size(value: cython.longlong) -> cython.Py_ssize_t:
    """How many bytes `value` takes as a zigzag varint."""
    if -64 <= value < 64:
        return 1
    size: cython.Py_ssize_t = 1
    raw: cython.ulonglong = cython.cast(cython.ulonglong, value if value >= 0 else -(value + 1))
    raw >>= 6
    while raw:
        raw >>= 7
        size += 1
    return size


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _put_varint(p: cython.p_uchar, pos: cython.Py_ssize_t, value: cython.longlong) -> cython.Py_ssize_t:
    raw: cython.ulonglong = cython.cast(cython.ulonglong, value if value >= 0 else -(value + 1))
    raw = raw << 1 if value >= 0 else raw << 1 | 1
    while raw >= 128:
        p[pos] = cython.cast(cython.uchar, raw & 0x7F | 0x80)
        raw >>= 7
        pos += 1
    p[pos] = cython.cast(cython.uchar, raw)
    return pos + 1


@cython.cfunc
@cython.inline
def _put_bytes(p: cython.p_uchar, pos: cython.Py_ssize_t, data: bytes | None) -> cython.Py_ssize_t:
    if data is None:
        p[pos] = 1  # -1
        return pos + 1
    size: cython.Py_ssize_t = len(data)
    pos = _put_varint(p, pos, size)
    if cython.compiled:
        memcpy(cython.address(p[pos]), cython.cast(cython.p_uchar, data), size)
    else:
        p[pos : pos + size] = data
    return pos + size


@cython.cfunc
@cython.inline
def _bytes_size(data: bytes | None) -> cython.Py_ssize_t:
    if data is None:
        return 1
    size: cython.Py_ssize_t = len(data)
    return _varint_size(size) + size


@cython.cfunc
def _as_bytes(data: Any, what: str) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"a {what} is bytes, str or None, not {type(data).__name__}: give the producer a serializer")


@cython.cfunc
def _as_headers(headers: Any) -> list[Any]:
    found: list[Any] = []
    for name, value in headers.items() if hasattr(headers, "items") else headers:
        encoded = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else bytes(name)
        found.append((encoded, value if value is None or type(value) is bytes else _as_bytes(value, "header's value")))
    return found


@cython.cfunc
def _headers_size(headers: list[Any]) -> cython.Py_ssize_t:
    name: bytes
    value: bytes | None
    size: cython.Py_ssize_t = _varint_size(len(headers))
    for name, value in headers:
        size += _bytes_size(name) + _bytes_size(value)
    return size


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _murmur2(p: cython.p_uchar, length: cython.Py_ssize_t) -> cython.uint:
    """MurmurHash2 of 32 bits with Kafka's seed. Masks keep the uncompiled form within 32 bits."""
    mask: cython.ulonglong = 0xFFFFFFFF
    m: cython.ulonglong = 0x5BD1E995
    h: cython.ulonglong = 0x9747B28C ^ cython.cast(cython.ulonglong, length)
    k: cython.ulonglong
    i: cython.Py_ssize_t = 0
    while i + 4 <= length:
        k = cython.cast(cython.ulonglong, p[i]) | cython.cast(cython.ulonglong, p[i + 1]) << 8
        k |= cython.cast(cython.ulonglong, p[i + 2]) << 16 | cython.cast(cython.ulonglong, p[i + 3]) << 24
        k = k * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
        i += 4
    if i < length:
        k = p[i]
        if length - i > 1:
            k |= cython.cast(cython.ulonglong, p[i + 1]) << 8
        if length - i > 2:
            k |= cython.cast(cython.ulonglong, p[i + 2]) << 16
        h = (h ^ k) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def murmur2(key: bytes) -> int:
    """Java's hash of a key, unsigned."""
    p: cython.p_uchar = cython.cast(cython.p_uchar, key) if cython.compiled else memoryview(key)
    return _murmur2(p, len(key))


def partition_of(key: bytes, partitions: int) -> int:
    """The partition to which Java's producer sends a key; a topic has at least one (C ends the process at a division by 0)."""
    return _partition(key, partitions if partitions > 0 else 1)


@cython.final
@cython.cclass
class Appender:
    """All open batches of a producer, and the memory they may take."""

    _topics: dict[str, Any]
    _used: cython.Py_ssize_t
    _room: cython.Py_ssize_t
    _batch_bytes: cython.Py_ssize_t
    _record_max: cython.Py_ssize_t
    _clock: Any
    _make: Any
    _on_full: Any
    _choose: Any
    _stopped: cython.bint
    _pause: cython.bint
    _by_key: cython.bint
    _reason: cython.int
    _fresh: list[Any]
    _on_open: Any
    _opened: cython.bint

    def __init__(
        self, *, memory: int, batch_bytes: int, record_bytes_max: int, clock: Callable[[], float], make: Callable[[str, int, int], RecordBuffer], on_full: Callable[[Any], None], on_open: Callable[[], None], choose: Callable[[str], int], by_key: bool = True,
    ) -> None:  # fmt: skip
        self._topics, self._fresh = {}, []
        self._used, self._room, self._batch_bytes, self._record_max = 0, memory, batch_bytes, record_bytes_max
        self._clock, self._make, self._choose = clock, make, choose
        self._on_full, self._on_open = on_full, on_open
        self._stopped = self._pause = self._opened = False
        self._by_key = by_key
        self._reason = 0

    @property
    def reason(self) -> int:
        """Why the last `append` returned None."""
        return self._reason

    @property
    def used(self) -> int:
        """Bytes of buffer.memory that batches hold."""
        return self._used

    def stop(self, stopped: bool) -> None:
        """Take no records (closed, failed, no transaction begun), or take them again."""
        self._stopped = stopped

    def pause_soon(self) -> None:
        """Let `append_many` return early: the event loop has something to do."""
        self._pause = True

    def take_fresh(self) -> list[Any]:
        """The batches begun since the last time, in their order."""
        fresh = self._fresh
        self._fresh = []
        return fresh

    def release(self, size: int) -> None:
        """Count memory of a batch that is done as free."""
        self._used -= size

    def topic(self, name: str) -> TopicBuffers | None:
        return self._topics.get(name)

    def learn(self, name: str, partitions: int) -> TopicBuffers:
        """Know a topic, or that it has more partitions."""
        entry: TopicBuffers | None = self._topics.get(name)
        if entry is None or partitions < entry._partitions:
            entry = TopicBuffers(name, partitions)
            self._topics[name] = entry
        elif partitions > entry._partitions:
            entry.grow(partitions)
        return entry

    def forget(self, name: str) -> None:
        """Ask for metadata before the next record to this topic."""
        self._topics.pop(name, None)

    def append(
        self, topic: str, value: Any, key: Any = None, headers: Any = None, partition: Any = None, timestamp: Any = None,
    ) -> Ack | None:  # fmt: skip
        """Put a record at the end of its partition's batch; None where that cannot be done now (`reason`)."""
        batch: RecordBuffer | None = self._put(topic, value, key, headers, partition, timestamp)
        if batch is None:
            return None
        index: cython.Py_ssize_t = batch._count - 1  # before anything lets another thread in
        if self._opened:
            self._opened = False
            self._on_open()
        ack = Ack()
        ack._batch = batch
        ack._index = index
        return ack

    def append_many(self, topic: str, items: Any, start: cython.Py_ssize_t, owner: Any, segments: list[Any]) -> int:
        """Append items[start:] of a list, values or (key, value) pairs; how many before it had to stop.

        `segments` gets where the records of `owner` lie. It stops where `append` would give None, and soon after
        `pause_soon`; `reason` is 0 then.
        """
        batch: RecordBuffer | None
        index: cython.Py_ssize_t
        self._reason = 0
        self._pause = False
        many: list[Any] = items
        stamp: Any = int(self._clock() * 1000.0)  # one time for what comes at once
        for index in range(start, len(many)):
            item = many[index]
            if type(item) is tuple:
                key, value = item
                batch = self._put(topic, value, key, None, None, stamp)
            else:
                batch = self._put(topic, item, None, None, None, stamp)
            if batch is None:
                return index - start
            _note(batch, batch._count - 1, owner, segments)
            if self._opened:
                self._opened = False
                self._on_open()
            if self._pause:
                return index - start + 1
        return len(many) - start

    @cython.cfunc
    def _put(
        self, topic: str, value: Any, key: Any, headers: Any, partition: Any, timestamp: Any,
    ) -> RecordBuffer | None:  # fmt: skip
        found = self._topics.get(topic)
        if found is None:
            self._reason = 1  # UNKNOWN_TOPIC
            return None
        if self._stopped:
            self._reason = 2  # STOPPED
            return None
        entry: TopicBuffers = found
        if value is not None and type(value) is not bytes:
            value = _as_bytes(value, "value")
        if key is not None and type(key) is not bytes:
            key = _as_bytes(key, "key")
        encoded: list[Any] | None = _as_headers(headers) if headers else None
        stamp: cython.longlong
        if timestamp is None:
            stamp = (
                cython.cast(cython.longlong, self._clock() * 1000.0) if cython.compiled else int(self._clock() * 1000.0)
            )
        else:
            stamp = timestamp
        sticky: cython.bint = False
        index: cython.Py_ssize_t
        if partition is not None:
            index = partition
            if index < 0 or index >= entry._partitions:
                self._reason = 3  # NO_PARTITION
                return None
        elif key is not None and self._by_key:
            index = _partition(key, entry._partitions)
        else:
            sticky = True
            index = entry._sticky
            if index < 0:
                index = self._stick(entry)
        return self._into(entry, index, sticky, key, value, encoded, stamp)

    @cython.cfunc
    def _into(
        self, entry: TopicBuffers, index: cython.Py_ssize_t, sticky: cython.bint, key: bytes | None, value: bytes | None, headers: list[Any] | None, stamp: cython.longlong,
    ) -> RecordBuffer | None:  # fmt: skip
        batch: RecordBuffer
        result: cython.int
        held: cython.Py_ssize_t
        while True:
            found = entry._open[index]
            if found is None:
                if sticky and entry._sticky_bytes >= STICKY_BYTES:
                    index = self._stick(entry)
                    if entry._open[index] is not None:
                        continue
                batch = self._make(entry._name, index, self._batch_bytes)
                if entry._open[index] is not None:
                    continue  # another thread was faster while `make` ran
                held = batch._capacity
                result = self._write(batch, key, value, headers, stamp)
                if result != _DONE:
                    self._reason = result
                    return None
                self._used += held
                entry._open[index] = batch
                self._fresh.append(batch)
                self._opened = True
            else:
                batch = found
                result = self._write(batch, key, value, headers, stamp)
                if result == _FULL:
                    entry._open[index] = None
                    self._on_full(batch)
                    continue
                if result != _DONE:
                    self._reason = result
                    return None
            if sticky:
                entry._sticky_bytes += 64 + (0 if value is None else len(value))
            return batch

    @cython.cfunc
    def _stick(self, entry: TopicBuffers) -> cython.Py_ssize_t:
        entry._sticky_bytes = 0
        chosen: cython.Py_ssize_t = self._choose(entry._name)
        entry._sticky = chosen % entry._partitions
        return entry._sticky

    @cython.cfunc
    def _write(
        self, batch: RecordBuffer, key: bytes | None, value: bytes | None, headers: list[Any] | None, stamp: cython.longlong,
    ) -> cython.int:  # fmt: skip
        """Write the record at the end of the batch; _DONE, _FULL, or the reason why not."""
        elapsed: cython.longlong = 0
        if batch._count:
            elapsed = stamp - batch._base_timestamp
        body: cython.Py_ssize_t = 1 + _varint_size(elapsed) + _varint_size(batch._count)
        body += _bytes_size(key) + _bytes_size(value) + (1 if headers is None else _headers_size(headers))
        total: cython.Py_ssize_t = body + _varint_size(body)
        if batch._end + total > batch._limit:
            if batch._count:
                return 6  # _FULL
            if HEADER_SIZE + total > self._record_max or HEADER_SIZE + total > self._room:
                return 5  # TOO_LARGE
        if batch._end + total > batch._capacity and not self._grow(batch, total):
            return 4  # NO_ROOM
        data: Any = batch._data
        p: cython.p_uchar = cython.cast(cython.p_uchar, PyByteArray_AS_STRING(data)) if cython.compiled else data
        pos: cython.Py_ssize_t = _put_varint(p, batch._end, body)
        p[pos] = 0  # attributes
        pos = _put_varint(p, pos + 1, elapsed)
        pos = _put_varint(p, pos, batch._count)
        pos = _put_bytes(p, pos, key)
        pos = _put_bytes(p, pos, value)
        if headers is None:
            p[pos] = 0
            pos += 1
        else:
            pos = _put_varint(p, pos, len(headers))
            for name, content in headers:
                pos = _put_bytes(p, pos, name)
                pos = _put_bytes(p, pos, content)
        if batch._count == 0:
            batch._base_timestamp = stamp
        if stamp > batch._max_timestamp:
            batch._max_timestamp = stamp
        batch._end = pos
        batch._count += 1
        return 0  # _DONE

    @cython.cfunc
    def _grow(self, batch: RecordBuffer, total: cython.Py_ssize_t) -> cython.bint:
        """Give the batch room for `total` more bytes; False where buffer.memory has none."""
        needed: cython.Py_ssize_t = batch._end + total
        size: cython.Py_ssize_t = max(2 * batch._capacity, needed + START_BYTES if batch._capacity == 0 else needed)
        if size > batch._limit:
            size = max(batch._limit, needed)
        if self._used + size - batch._capacity > self._room:
            size = needed
            if self._used + size - batch._capacity > self._room:
                return False
        if cython.compiled:
            PyByteArray_Resize(batch._data, size)
        else:
            batch._data.extend(bytes(size - len(batch._data)))
        self._used += size - batch._capacity
        batch._capacity = size
        return True


@cython.cfunc
@cython.inline
def _partition(key: bytes, partitions: cython.Py_ssize_t) -> cython.Py_ssize_t:
    p: cython.p_uchar = cython.cast(cython.p_uchar, key) if cython.compiled else memoryview(key)
    return (_murmur2(p, len(key)) & 0x7FFFFFFF) % partitions


@cython.cfunc
def _note(batch: RecordBuffer, index: cython.Py_ssize_t, owner: Any, segments: list[Any]) -> None:
    """Count a record of the batch as one of `owner`'s."""
    segment: Segment
    if batch._segment is not None:
        segment = batch._segment
        if segment._owner is owner and segment._first + segment._count == index:
            segment._count += 1
            return
    segment = Segment()
    segment._owner, segment._batch, segment._first, segment._count = owner, batch, index, 1
    batch._segment = segment
    segments.append(segment)
