"""The loops that make Record objects of record bytes, and record bytes of Record objects. Compiled like `_batch_cy`.

The bytes read here were walked by `_batch_cy.check_structure` before; nothing is checked a second time, and what is
called without that walk may read beyond its buffer. Writing takes two passes: one that measures, so that the batch is
one allocation of its final size, and one that puts the bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .header import TIMESTAMP_TYPE_MASK, BatchHeader, Record

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
    from cython.cimports.libc.string import memcpy

_new_tuple = tuple.__new__
INT64_MAX = cython.declare(cython.longlong, 0x7FFFFFFFFFFFFFFF)
INT64_MIN = cython.declare(cython.longlong, -0x7FFFFFFFFFFFFFFF - 1)


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


# Reading -------------------------------------------------------------------------------------------------------------


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _varint_end(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.Py_ssize_t:
    while p[pos] >= 128:
        pos += 1
    return pos + 1


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _varint(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.longlong:
    raw: cython.ulonglong = p[pos] & 0x7F
    byte: cython.ulonglong
    shift: cython.Py_ssize_t = 0
    while p[pos] >= 128:
        pos += 1
        shift += 7
        byte = p[pos] & 0x7F
        raw |= byte << shift
    half: cython.longlong = cython.cast(cython.longlong, raw >> 1)
    return -half - 1 if raw & 1 else half


@cython.cfunc
def _take(p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.longlong) -> bytes | None:
    if size < 0:
        return None
    if cython.compiled:
        data: bytes = p[pos : pos + size]  # type: ignore[assignment]  # of a C pointer this makes bytes
        return data
    return bytes(p[pos : pos + size])


@cython.cfunc
def _read_headers(
    p: cython.p_uchar, pos: cython.Py_ssize_t, count: cython.Py_ssize_t
) -> tuple[tuple[str, bytes | None], ...]:
    size: cython.longlong
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        size = _varint(p, pos)
        pos = _varint_end(p, pos)
        name = str(p[pos : pos + size], "utf-8", "surrogateescape")
        pos += size
        size = _varint(p, pos)
        pos = _varint_end(p, pos)
        headers.append((name, _take(p, pos, size)))
        if size > 0:
            pos += size
    return tuple(headers)


@cython.cfunc
def _read(p: cython.p_uchar, header: BatchHeader) -> list[Record]:
    records: list[Record] = []
    base_offset: cython.longlong = header.base_offset
    base_timestamp: cython.longlong = header.base_timestamp
    appended: cython.bint = header.attributes & TIMESTAMP_TYPE_MASK != 0
    max_timestamp: cython.longlong = header.max_timestamp
    pos: cython.Py_ssize_t = 0
    stop: cython.Py_ssize_t
    size: cython.longlong
    offset: cython.longlong
    timestamp: cython.longlong
    for _ in range(header.record_count):
        size = _varint(p, pos)
        pos = _varint_end(p, pos)
        stop = pos + size
        pos += 1  # attributes
        timestamp = max_timestamp if appended else base_timestamp + _varint(p, pos)
        pos = _varint_end(p, pos)
        offset = base_offset + _varint(p, pos)
        pos = _varint_end(p, pos)
        size = _varint(p, pos)
        pos = _varint_end(p, pos)
        key = _take(p, pos, size)
        if size > 0:
            pos += size
        size = _varint(p, pos)
        pos = _varint_end(p, pos)
        value = _take(p, pos, size)
        if size > 0:
            pos += size
        size = _varint(p, pos)
        headers = _read_headers(p, _varint_end(p, pos), size) if size else ()
        records.append(_new_tuple(Record, (offset, timestamp, key, value, headers)))
        pos = stop
    return records


@cython.cfunc
def _find(p: cython.p_uchar, header: BatchHeader, timestamp_min: int, offset_min: int) -> tuple[int, int] | None:
    base_offset: cython.longlong = header.base_offset
    base_timestamp: cython.longlong = header.base_timestamp
    appended: cython.bint = header.attributes & TIMESTAMP_TYPE_MASK != 0
    max_timestamp: cython.longlong = header.max_timestamp
    timestamp_low: cython.longlong = timestamp_min
    offset_low: cython.longlong = offset_min
    pos: cython.Py_ssize_t = 0
    stop: cython.Py_ssize_t
    size: cython.longlong
    offset: cython.longlong
    timestamp: cython.longlong
    for _ in range(header.record_count):
        size = _varint(p, pos)
        pos = _varint_end(p, pos)
        stop = pos + size
        timestamp = max_timestamp if appended else base_timestamp + _varint(p, pos + 1)
        offset = base_offset + _varint(p, _varint_end(p, pos + 1))
        if timestamp >= timestamp_low and offset >= offset_low:
            return timestamp, offset
        pos = stop
    return None


def read(payload: Buffer, header: BatchHeader) -> list[Record]:
    """The records of an uncompressed payload that `check_structure` found good."""
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(payload, cython.address(view), PyBUF_SIMPLE)
        try:
            return _read(cython.cast(cython.p_uchar, view.buf), header)
        finally:
            PyBuffer_Release(cython.address(view))
    return _read(memoryview(payload).cast("B"), header)


def find_timestamp(payload: Buffer, header: BatchHeader, timestamp_min: int, offset_min: int) -> tuple[int, int] | None:
    """(timestamp, offset) of the first record at or after both bounds, in a payload that was found good."""
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(payload, cython.address(view), PyBUF_SIMPLE)
        try:
            return _find(cython.cast(cython.p_uchar, view.buf), header, timestamp_min, offset_min)
        finally:
            PyBuffer_Release(cython.address(view))
    return _find(memoryview(payload).cast("B"), header, timestamp_min, offset_min)


# Writing -------------------------------------------------------------------------------------------------------------


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _zigzag(value: cython.longlong) -> cython.ulonglong:
    """0, -1, 1, -2 ... as 0, 1, 2, 3 ..."""
    raw: cython.ulonglong = cython.cast(cython.ulonglong, value if value >= 0 else -(value + 1))
    return raw << 1 if value >= 0 else raw << 1 | 1


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _varint_size(value: cython.longlong) -> cython.Py_ssize_t:
    """How many bytes `value` takes as a zigzag varint."""
    size: cython.Py_ssize_t = 1
    raw: cython.ulonglong = _zigzag(value)
    while raw >= 128:
        raw >>= 7
        size += 1
    return size


@cython.cfunc
@cython.inline
def _bytes_size(data: bytes | None) -> cython.Py_ssize_t:
    """What nullable bytes take with their size before them."""
    if data is None:
        return 1
    size: cython.Py_ssize_t = len(data)
    return _varint_size(size) + size


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _put_varint(p: cython.p_uchar, pos: cython.Py_ssize_t, value: cython.longlong) -> cython.Py_ssize_t:
    raw: cython.ulonglong = _zigzag(value)
    while raw >= 128:
        p[pos] = cython.cast(cython.uchar, raw & 0x7F | 0x80)
        raw >>= 7
        pos += 1
    p[pos] = cython.cast(cython.uchar, raw)
    return pos + 1


@cython.cfunc
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
def _encode_names(headers: tuple[tuple[str, bytes | None], ...]) -> list[tuple[bytes, bytes | None]]:
    encoded: list[tuple[bytes, bytes | None]] = []
    for name, value in headers:
        encoded.append((name.encode("utf-8", "surrogateescape"), value))
    return encoded


@cython.cfunc
def _headers_size(headers: list[tuple[bytes, bytes | None]]) -> cython.Py_ssize_t:
    name: bytes
    value: bytes | None
    size: cython.Py_ssize_t = _varint_size(len(headers))
    for name, value in headers:
        size += _bytes_size(name) + _bytes_size(value)
    return size


@cython.cfunc
@cython.inline
def _difference(value: cython.longlong, base: cython.longlong) -> cython.longlong:
    """value - base; OverflowError where that is no 64-bit number."""
    if (base < 0 and value > INT64_MAX + base) or (base > 0 and value < INT64_MIN + base):
        raise OverflowError(f"{value} is too far from {base}")
    return value - base


@cython.cfunc
def _put_all(
    p: cython.p_uchar, pos: cython.Py_ssize_t, records: list[Record], measured: list[tuple[int, int, int, Any]]
) -> None:
    index: cython.Py_ssize_t
    size: cython.Py_ssize_t
    delta: cython.longlong
    elapsed: cython.longlong
    key: bytes | None
    value: bytes | None
    name: bytes
    for index in range(len(records)):
        _, _, key, value, _ = records[index]
        size, elapsed, delta, headers = measured[index]
        pos = _put_varint(p, pos, size)
        p[pos] = 0  # attributes
        pos = _put_varint(p, pos + 1, elapsed)
        pos = _put_varint(p, pos, delta)
        pos = _put_bytes(p, pos, key)
        pos = _put_bytes(p, pos, value)
        if headers is None:
            p[pos] = 0
            pos += 1
            continue
        pos = _put_varint(p, pos, len(headers))
        for name, value in headers:
            pos = _put_bytes(p, pos, name)
            pos = _put_bytes(p, pos, value)


def write(
    start: cython.Py_ssize_t,
    records: list[Record],
    keep_offsets: cython.bint,
    base_offset: cython.longlong,
    base_timestamp: cython.longlong,
) -> tuple[bytearray, int, int]:
    """`start` zero bytes and the records behind them; the greatest timestamp; the last offset delta.

    Offset deltas count 0, 1, 2 ..., or with `keep_offsets` are what the records' own offsets make.
    """
    measured: list[tuple[int, int, int, Any]] = []
    total: cython.Py_ssize_t = start
    size: cython.Py_ssize_t
    index: cython.Py_ssize_t
    offset: cython.longlong
    timestamp: cython.longlong
    elapsed: cython.longlong
    delta: cython.longlong = -1
    max_timestamp: cython.longlong = -1  # as Kafka: a batch of earlier times has no greatest
    key: bytes | None
    value: bytes | None
    for index in range(len(records)):
        offset, timestamp, key, value, headers = records[index]
        delta = _difference(offset, base_offset) if keep_offsets else index
        elapsed = _difference(timestamp, base_timestamp)
        size = 1 + _varint_size(elapsed) + _varint_size(delta) + _bytes_size(key) + _bytes_size(value)
        if headers:
            encoded = _encode_names(headers)
            size += _headers_size(encoded)
            measured.append((size, elapsed, delta, encoded))
        else:
            size += 1
            measured.append((size, elapsed, delta, None))
        total += _varint_size(size) + size
        if timestamp > max_timestamp:
            max_timestamp = timestamp
    out = bytearray(total)
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(out, cython.address(view), PyBUF_WRITABLE)
        try:
            _put_all(cython.cast(cython.p_uchar, view.buf), start, records, measured)
        finally:
            PyBuffer_Release(cython.address(view))
    else:
        with memoryview(out) as whole:
            _put_all(whole, start, records, measured)
    return out, max_timestamp, delta
