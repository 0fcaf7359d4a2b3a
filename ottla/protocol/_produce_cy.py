"""The short way of an ordinary Produce: one batch for one partition, read and answered without a message object.

Three requests of four a broker gets are these. `read_produce` finds the batch in the frame, `write_produce_answer` makes
the whole answer with its size and header. What is not ordinary (several topics or partitions, a transaction, tags, what
is no batch of magic 2, a version whose layout is older than flexible ones) makes `read_produce` return None, and the request goes
the complete way (`codec`), from its beginning. So it refuses nothing and knows no error.

    client id │ tags │ transactional id = null │ acks │ timeout │ 1 topic: ┌─destination──────────┐ records │ tags …
                                                                           │ name or id, 1, index │
                                                                           └──────────────────────┘

The *destination* is the same bytes in request and answer; the broker uses them as a key. Compiled by Cython where there is
a compiler (pure mode, `p` is a C pointer or a memoryview); uncompiled it gives the same results.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .. import _cython as cython
else:
    try:
        import cython  # the compiler needs this very line
    except ModuleNotFoundError:
        from .. import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.buffer import Py_buffer, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
    from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize

#: The first version with flexible layout, and the first in which a topic is named by its id.
_FIRST_VERSION = cython.declare(cython.int, 9)
_TOPIC_ID_VERSION = cython.declare(cython.int, 13)

_BATCH_HEADER_BYTES = cython.declare(cython.Py_ssize_t, 61)
_TRANSACTIONAL_MASK = cython.declare(cython.int, 0x10)

_HEAD = Struct(">iixb")  # size, correlation id, tags of the header, one topic
_TAIL = Struct(">hqqqbbbbib")  # error, offsets and time, no record errors, no message, tags, tags, throttle, tags
#: What an answer has beside its destination: size, header, counts, offsets, times, tags.
ANSWER_OVERHEAD = cython.declare(cython.Py_ssize_t, 10 + 35)
_new_tuple = tuple.__new__


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


class OrdinaryProduce(NamedTuple):
    """Where the parts of an ordinary Produce request lie."""

    acks: int
    timeout_ms: int
    destination: bytes
    #: The batch is `frame[start:stop]`.
    start: int
    stop: int


def read_produce(frame: Buffer, pos: cython.Py_ssize_t, version: cython.int) -> OrdinaryProduce | None:
    """Read a request from the end of its client id; None if it is not ordinary."""
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(frame, cython.address(view), PyBUF_SIMPLE)
        try:
            return _read(cython.cast(cython.p_uchar, view.buf), pos, view.len, version)
        finally:
            PyBuffer_Release(cython.address(view))
    whole = memoryview(frame).cast("B")
    return _read(whole, pos, len(whole), version)


@cython.cfunc
def _read(
    p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t, version: cython.int
) -> OrdinaryProduce | None:
    # Tags, null id, acks, timeout, one topic: 9 bytes. A topic's name or id, index, size, tags: 28 at least with an id.
    if version < _FIRST_VERSION or pos < 0 or pos + 16 > end or p[pos] != 0 or p[pos + 1] != 0 or p[pos + 8] != 2:
        return None
    acks: cython.int = (p[pos + 2] << 8) | p[pos + 3]
    if acks > 0x7FFF:
        acks -= 0x10000
    timeout: cython.longlong = _int32(p, pos + 4)
    first: cython.Py_ssize_t = pos + 9
    size: cython.Py_ssize_t = 16
    if version < _TOPIC_ID_VERSION:
        size = p[first]  # its length and one, where that is one byte: a name ends at 249
        if size > 127:
            if p[first + 1] != 1:
                return None
            size += 1
    start: cython.Py_ssize_t = first + size
    if start + 10 > end or p[start] != 2:
        return None
    start += 5
    destination_end: cython.Py_ssize_t = start
    length: cython.Py_ssize_t = 0
    shift: cython.int
    for shift in range(0, 28, 7):
        if start >= end:
            return None
        length |= (p[start] & 127) << shift
        start += 1
        if p[start - 1] < 128:
            break
    else:
        return None
    stop: cython.Py_ssize_t = start + length - 1
    if stop + 3 != end or p[stop] != 0 or p[stop + 1] != 0 or p[stop + 2] != 0:
        return None
    # One whole batch of magic 2 and no transaction: the log will look at the rest.
    if stop - start < _BATCH_HEADER_BYTES or _int32(p, start + 8) != stop - start - 12 or p[start + 16] != 2:
        return None
    if p[start + 22] & _TRANSACTIONAL_MASK:
        return None
    destination = p[first:destination_end] if cython.compiled else bytes(p[first:destination_end])
    return _new_tuple(OrdinaryProduce, (acks, timeout, destination, start, stop))


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _int32(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.longlong:
    value: cython.longlong = (
        (cython.cast(cython.longlong, p[pos]) << 24) | (p[pos + 1] << 16) | (p[pos + 2] << 8) | p[pos + 3]
    )
    return value - 0x100000000 if value > 0x7FFFFFFF else value


def write_produce_answer(
    correlation_id: cython.longlong,
    destination: bytes,
    base_offset: cython.longlong,
    log_append_time_ms: cython.longlong,
    log_start_offset: cython.longlong,
) -> bytes:
    """Write the answer to an ordinary request that was appended, size and header included."""
    size: cython.Py_ssize_t = len(destination)
    end: cython.Py_ssize_t = size + ANSWER_OVERHEAD
    if cython.compiled:
        answer: bytes = PyBytes_FromStringAndSize(cython.NULL, end)
        _write(
            cython.cast(cython.p_uchar, PyBytes_AS_STRING(answer)), end, correlation_id,
            cython.cast(cython.p_uchar, PyBytes_AS_STRING(destination)), size,
            base_offset, log_append_time_ms, log_start_offset,
        )  # fmt: skip
        return answer
    return b"".join((
        _HEAD.pack(end - 4, correlation_id, 2),
        destination,
        _TAIL.pack(0, base_offset, log_append_time_ms, log_start_offset, 1, 0, 0, 0, 0, 0),
    ))  # fmt: skip


@cython.cfunc
@cython.exceptval(check=False)
def _write(
    p: cython.p_uchar,
    end: cython.Py_ssize_t,
    correlation_id: cython.longlong,
    destination: cython.p_uchar,
    size: cython.Py_ssize_t,
    base_offset: cython.longlong,
    log_append_time_ms: cython.longlong,
    log_start_offset: cython.longlong,
) -> cython.void:
    """Write it in C; the layout is that of `_HEAD` and `_TAIL`."""
    i: cython.Py_ssize_t
    for i in range(end):
        p[i] = 0
    _put(p, 0, 4, end - 4)
    _put(p, 4, 4, correlation_id)
    p[9] = 2
    for i in range(size):
        p[10 + i] = destination[i]
    _put(p, size + 12, 8, base_offset)
    _put(p, size + 20, 8, log_append_time_ms)
    _put(p, size + 28, 8, log_start_offset)
    p[size + 36] = 1


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _put(p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.int, value: cython.longlong) -> cython.void:
    i: cython.int
    for i in range(size):
        p[pos + i] = (value >> (8 * (size - 1 - i))) & 0xFF
