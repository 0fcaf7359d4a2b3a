"""Writing batches anew without the records that compaction drops. Compiled like `_keys_cy`, whose flags it follows.

A batch of which all stays is copied as it is. Of others those records stay whose flag is set, with their offsets; base
timestamp and checksum are new. A tombstone that is seen for the first time gives its batch a delete horizon (KIP-534).
A batch is written anew only if its checksum was right, so that damage is never signed. CRC-32C is computed here by tables, eight bytes a step: google_crc32c can not be called without the interpreter's lock."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import google_crc32c

if TYPE_CHECKING:
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
    )  # fmt: skip
    from cython.cimports.libc.stdlib import malloc
    from cython.cimports.libc.string import memcpy

HEADER_SIZE = cython.declare(cython.Py_ssize_t, 61)
_TWO32 = cython.declare(cython.longlong, 0x100000000)
_M32 = cython.declare(cython.longlong, 0xFFFFFFFF)
_CASTAGNOLI = cython.declare(cython.uint, 0x82F63B78)
_TIME_MAX = cython.declare(cython.longlong, 0x3FFFFFFFFFFFFFFF)
#: A record that gets another time delta grows by 9 bytes and its length by one; it has 7 at least.
GROWTH = cython.declare(cython.Py_ssize_t, 3)

_DROPPED = cython.declare(cython.Py_ssize_t, 0)
_UNCHANGED = cython.declare(cython.Py_ssize_t, 1)
_CHANGED = cython.declare(cython.Py_ssize_t, 2)
DROPPED, UNCHANGED, CHANGED = 0, 1, 2

_END = cython.declare(cython.Py_ssize_t, 0)
_FULL = cython.declare(cython.Py_ssize_t, 2)
_CORRUPT = cython.declare(cython.Py_ssize_t, 3)


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _int32(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.longlong:
    raw: cython.longlong = (
        cython.cast(cython.uint, p[pos]) << 24 | cython.cast(cython.uint, p[pos + 1]) << 16
        | cython.cast(cython.uint, p[pos + 2]) << 8 | cython.cast(cython.uint, p[pos + 3])
    )  # fmt: skip
    return raw - _TWO32 if raw > 0x7FFFFFFF else raw


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _int64(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.longlong:
    high: cython.longlong = _int32(p, pos)
    return high * _TWO32 + (_int32(p, pos + 4) & _M32)


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _put(p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.Py_ssize_t, value: cython.longlong) -> cython.void:
    """The low `size` bytes of a number, big-endian."""
    i: cython.Py_ssize_t
    for i in range(size):
        p[pos + i] = cython.cast(cython.uchar, (value >> (8 * (size - 1 - i))) & 0xFF)


@cython.cfunc
@cython.inline
@cython.nogil
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
@cython.nogil
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
@cython.nogil
@cython.exceptval(check=False)
def _varlong(p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.Py_ssize_t) -> cython.longlong:
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
@cython.nogil
@cython.exceptval(check=False)
def _zigzag(value: cython.longlong) -> cython.ulonglong:
    raw: cython.ulonglong = cython.cast(cython.ulonglong, value if value >= 0 else -(value + 1))
    return raw << 1 if value >= 0 else raw << 1 | 1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _varint_size(value: cython.longlong) -> cython.Py_ssize_t:
    size: cython.Py_ssize_t = 1
    raw: cython.ulonglong = _zigzag(value)
    while raw >= 128:
        raw >>= 7
        size += 1
    return size


@cython.cfunc
@cython.inline
@cython.nogil
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
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _copy(
    to: cython.p_uchar, at: cython.Py_ssize_t, source: cython.p_uchar, start: cython.Py_ssize_t,
    size: cython.Py_ssize_t,
) -> cython.void:  # fmt: skip
    if cython.compiled:
        memcpy(cython.address(to[at]), cython.address(source[start]), size)
    else:
        to[at : at + size] = source[start : start + size]


if cython.compiled:
    _crc_tables = cython.declare(cython.p_uint, cython.cast(cython.p_uint, malloc(8 * 256 * 4)))


@cython.cfunc
def _fill_tables() -> cython.void:
    n: cython.uint
    k: cython.uint
    crc: cython.uint
    if cython.compiled:
        for n in range(256):
            crc = n
            for k in range(8):
                crc = (crc >> 1) ^ _CASTAGNOLI if crc & 1 else crc >> 1
            _crc_tables[n] = crc
        for k in range(1, 8):
            for n in range(256):
                crc = _crc_tables[(k - 1) * 256 + n]
                _crc_tables[k * 256 + n] = _crc_tables[crc & 0xFF] ^ (crc >> 8)


_fill_tables()


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _word(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.uint:
    """Four bytes, little-endian."""
    return (
        cython.cast(cython.uint, p[pos]) | cython.cast(cython.uint, p[pos + 1]) << 8
        | cython.cast(cython.uint, p[pos + 2]) << 16 | cython.cast(cython.uint, p[pos + 3]) << 24
    )  # fmt: skip


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _crc(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.longlong:
    if not cython.compiled:
        return google_crc32c.value(bytes(p[pos:end]))
    else:  # noqa: RET505  two languages, so to say
        crc: cython.uint = cython.cast(cython.uint, _M32)
        high: cython.uint
        while end - pos >= 8:
            crc ^= _word(p, pos)
            high = _word(p, pos + 4)
            crc = (
                _crc_tables[1792 + (crc & 0xFF)] ^ _crc_tables[1536 + ((crc >> 8) & 0xFF)]
                ^ _crc_tables[1280 + ((crc >> 16) & 0xFF)] ^ _crc_tables[1024 + (crc >> 24)]
                ^ _crc_tables[768 + (high & 0xFF)] ^ _crc_tables[512 + ((high >> 8) & 0xFF)]
                ^ _crc_tables[256 + ((high >> 16) & 0xFF)] ^ _crc_tables[high >> 24]
            )  # fmt: skip
            pos += 8
        while pos < end:
            crc = _crc_tables[(crc ^ p[pos]) & 0xFF] ^ (crc >> 8)
            pos += 1
        return (crc ^ _M32) & _M32


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _batch_size(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.longlong:
    """The size of the batch at `pos`; 0 where it goes on beyond `end`, -1 where there is none."""
    if end - pos < HEADER_SIZE:
        return 0
    size: cython.longlong = _int32(p, pos + 8) + 12
    if size < HEADER_SIZE or p[pos + 16] != 2:
        return -1
    return size if size <= end - pos else 0


def first_bad_checksum(buffer: Buffer, pos: cython.Py_ssize_t) -> int:
    """Where the first batch from `pos` on lies whose checksum is wrong, -1 if none; stops at a batch that is not whole."""
    bad: cython.Py_ssize_t
    if cython.compiled:
        view = cython.declare(Py_buffer)
        PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
        with cython.nogil:
            bad = _first_bad(cython.cast(cython.p_uchar, view.buf), pos, view.len)
        PyBuffer_Release(cython.address(view))
        return bad
    whole = memoryview(buffer).cast("B")
    return _first_bad(whole, pos, len(whole))


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _first_bad(p: cython.p_uchar, pos: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.Py_ssize_t:
    size: cython.longlong
    stored: cython.longlong
    while True:
        size = _batch_size(p, pos, end)
        if size <= 0:
            return -1 if size == 0 else pos
        stored = _int32(p, pos + 17) & _M32
        if _crc(p, pos + 21, pos + size) != stored:
            return pos
        pos += size


@cython.final
@cython.cclass
class Writer:
    """Writes what stays of batches into `out`, and notes where the index of the new file gets its entries.

    `horizon_ms` is from when a tombstone first seen now may go. `last_offsets` are those of each producer's last batch:
    such a batch stays, if empty, for its sequence number; so does the one that ends at `upper_bound`, so that the end
    of the cleaned part stays known.
    """

    horizon_ms: cython.longlong
    upper_bound: cython.longlong
    last_offsets: cython.p_longlong
    last_count: cython.Py_ssize_t
    interval: cython.longlong
    written: cython.longlong  # bytes of the new file before `out`
    since_index: cython.longlong
    top: cython.longlong  # greatest timestamp of the new file
    top_offset: cython.longlong
    used: cython.Py_ssize_t  # of `out`
    room: cython.Py_ssize_t
    entry_count: cython.Py_ssize_t
    o: cython.p_uchar  # what is in `out` and `marks`
    m: cython.p_longlong
    out: bytearray
    marks: array[int]
    last: array[int]

    def __init__(self, horizon_ms: int, upper_bound: int, last_offsets: list[int], interval: int) -> None:
        self.horizon_ms, self.upper_bound = horizon_ms, upper_bound
        self.last = array("q", [*sorted(last_offsets), 0])
        self.last_count = len(last_offsets)
        self.interval = interval
        self.begin()
        self.make_room(1 << 16)
        if cython.compiled:
            view = cython.declare(Py_buffer)
            PyObject_GetBuffer(self.last, cython.address(view), PyBUF_SIMPLE)
            self.last_offsets = cython.cast(cython.p_longlong, view.buf)
            PyBuffer_Release(cython.address(view))
        else:
            self.last_offsets = memoryview(self.last)

    def begin(self) -> None:
        """A new file begins."""
        self.written = self.since_index = 0
        self.top = self.top_offset = -1
        self.used = self.entry_count = 0

    def make_room(self, batch_bytes: int) -> None:
        """Have room for whatever becomes of a batch of this size; `out` is empty."""
        self.room = batch_bytes * GROWTH + 256
        self.out = bytearray(self.room)
        self.marks = array("q", bytes((self.room // HEADER_SIZE + 2) * 32))
        if cython.compiled:
            view = cython.declare(Py_buffer)
            PyObject_GetBuffer(self.out, cython.address(view), PyBUF_WRITABLE)
            self.o = cython.cast(cython.p_uchar, view.buf)
            PyBuffer_Release(cython.address(view))
            PyObject_GetBuffer(self.marks, cython.address(view), PyBUF_WRITABLE)
            self.m = cython.cast(cython.p_longlong, view.buf)
            PyBuffer_Release(cython.address(view))
        else:
            self.o, self.m = memoryview(self.out), memoryview(self.marks)

    def has_room(self, batch_bytes: int) -> bool:
        """Whether there is, as things are."""
        return self.used + batch_bytes * GROWTH + 256 <= self.room

    def take(self) -> tuple[memoryview, list[int]]:
        """What was written since the last time (use it before the next call), and four numbers for each index entry to
        be made: last offset, position, greatest timestamp so far, its offset."""
        data = memoryview(self.out)[: self.used]
        entries = self.marks[: self.entry_count * 4].tolist()
        self.written += self.used
        self.used = self.entry_count = 0
        return data, entries

    @property
    def newest(self) -> tuple[int, int]:
        """The greatest timestamp of the new file and its offset."""
        return self.top, self.top_offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _is_last(self, offset: cython.longlong) -> cython.bint:
        """Whether a batch that ends here stays even if empty."""
        low: cython.Py_ssize_t = 0
        high: cython.Py_ssize_t = self.last_count
        middle: cython.Py_ssize_t
        if offset + 1 == self.upper_bound:
            return True
        while low < high:
            middle = (low + high) // 2
            if self.last_offsets[middle] < offset:
                low = middle + 1
            else:
                high = middle
        return low < self.last_count and self.last_offsets[low] == offset

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _emit(self) -> cython.void:
        """Account for the batch that was put at the end of `out`."""
        at: cython.Py_ssize_t = self.used
        size: cython.longlong = _int32(self.o, at + 8) + 12
        last: cython.longlong = _int64(self.o, at) + _int32(self.o, at + 23)
        newest: cython.longlong = _int64(self.o, at + 35)
        mark: cython.Py_ssize_t = self.entry_count * 4
        if newest > self.top:
            self.top = newest
            self.top_offset = last
        if self.since_index > self.interval:
            self.m[mark] = last
            self.m[mark + 1] = self.written + at
            self.m[mark + 2] = self.top
            self.m[mark + 3] = self.top_offset
            self.entry_count += 1
            self.since_index = 0
        self.since_index += size
        self.used += size

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _rewrite(
        self, p: cython.p_uchar, start: cython.Py_ssize_t, verdict: cython.longlong, flags: cython.p_uchar,
        flag: cython.Py_ssize_t, set_horizon: cython.bint, keep_empty: cython.bint,
    ) -> cython.Py_ssize_t:  # fmt: skip
        """What becomes of one uncompressed batch; a changed one is put behind what is in `out`."""
        count: cython.longlong = _int32(p, start + 57)
        if verdict == 0:
            if not keep_empty:
                return _DROPPED
            if count == 0:
                return _UNCHANGED
            _copy(self.o, self.used, p, start, HEADER_SIZE)
            self.o[self.used + 22] &= 0x38
            _put(self.o, self.used + 27, 8, -1)
            self._close(self.used + HEADER_SIZE, 0)
            return _CHANGED
        if p[start + 22] & 0x40:
            set_horizon = False
        elif verdict & 1:
            set_horizon = True
        if not set_horizon and verdict >> 1 == count:
            return _UNCHANGED
        return self._rebuild(p, start, count, verdict >> 1, flags, flag, set_horizon)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _close(self, end: cython.Py_ssize_t, count: cython.longlong) -> cython.void:
        """Length, count and checksum of the batch from `used` to `end`."""
        _put(self.o, self.used + 8, 4, end - self.used - 12)
        _put(self.o, self.used + 57, 4, count)
        _put(self.o, self.used + 17, 4, _crc(self.o, self.used + 21, end))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _rebuild(
        self, p: cython.p_uchar, start: cython.Py_ssize_t, count: cython.longlong, kept: cython.longlong,
        flags: cython.p_uchar, flag: cython.Py_ssize_t, set_horizon: cython.bint,
    ) -> cython.Py_ssize_t:  # fmt: skip
        """Write the batch anew with the flagged records, whose offsets stay."""
        pos: cython.Py_ssize_t = start + HEADER_SIZE
        end: cython.Py_ssize_t = start + _int32(p, start + 8) + 12
        at: cython.Py_ssize_t = self.used + HEADER_SIZE
        old_base: cython.longlong = _int64(p, start + 27)
        base: cython.longlong = self.horizon_ms if set_horizon else old_base
        own_time: cython.bint = p[start + 22] & 8 == 0
        first: cython.bint = not set_horizon and p[start + 22] & 0x40 == 0
        newest: cython.longlong = -1
        index: cython.Py_ssize_t
        packed: cython.longlong
        size: cython.Py_ssize_t
        stop: cython.Py_ssize_t
        time: cython.longlong
        if old_base > _TIME_MAX or old_base < -_TIME_MAX:
            return _UNCHANGED  # no time on earth, and too far from any other: such a batch stays as it is
        for index in range(count):
            packed = _varint(p, pos, end)
            pos += packed & 15
            stop = pos + (packed >> 4)
            if flags[flag + index]:
                size = _varlong_size(p, pos + 1, stop)
                time = _varlong(p, pos + 1, size)
                if time > _TIME_MAX or time < -_TIME_MAX:
                    return _UNCHANGED
                time = old_base + time if own_time else _int64(p, start + 35)
                if time > _TIME_MAX or time < -_TIME_MAX:
                    return _UNCHANGED
                if first:
                    base = time
                    first = False
                newest = time if time > newest else newest
                size += pos + 1
                at = _put_varint(self.o, at, 1 + _varint_size(time - base) + stop - size)
                self.o[at] = p[pos]
                at = _put_varint(self.o, at + 1, time - base)
                _copy(self.o, at, p, size, stop - size)
                at += stop - size
            pos = stop
        _copy(self.o, self.used, p, start, HEADER_SIZE)
        if set_horizon:
            self.o[self.used + 22] |= 0x40
        _put(self.o, self.used + 27, 8, base)
        if own_time:
            _put(self.o, self.used + 35, 8, newest)
        self._close(at, kept)
        return _CHANGED

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _run(
        self, p: cython.p_uchar, end: cython.Py_ssize_t, flags: cython.p_uchar, verdicts: cython.p_longlong,
        place: cython.p_longlong,
    ) -> cython.Py_ssize_t:  # fmt: skip
        """Write the batches up to `end`; `place`: position, flag and verdict to go on with."""
        pos: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, place[0])
        flag: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, place[1])
        batch: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, place[2])
        size: cython.Py_ssize_t
        kind: cython.Py_ssize_t
        stored: cython.longlong
        reason: cython.Py_ssize_t = _END
        while pos < end:
            size = cython.cast(cython.Py_ssize_t, _int32(p, pos + 8) + 12)
            if self.used + size * GROWTH + 256 > self.room:
                reason = _FULL
                break
            kind = self._rewrite(
                p, pos, verdicts[batch], flags, flag, False, self._is_last(_int64(p, pos) + _int32(p, pos + 23))
            )
            if kind == _CHANGED:
                stored = _int32(p, pos + 17) & _M32
                if _crc(p, pos + 21, pos + size) != stored:
                    reason = _CORRUPT
                    break
            elif kind == _UNCHANGED:
                _copy(self.o, self.used, p, pos, size)
            if kind != _DROPPED:
                self._emit()
            flag += cython.cast(cython.Py_ssize_t, _int32(p, pos + 57))
            batch += 1
            pos += size
        place[0], place[1], place[2] = pos, flag, batch
        return reason

    def run(
        self, buffer: Buffer, end: cython.Py_ssize_t, flags: bytearray, verdicts: array[int], place: array[int]
    ) -> int:
        """Write the judged batches of `buffer` up to `end` and say why it stopped (FULL: `take`, or `make_room`).

        `place` is where: position, number of the flag, number of the verdict (the first stands at 1); it is moved.
        """
        reason: cython.Py_ssize_t
        if cython.compiled:
            view = cython.declare(Py_buffer)
            flag = cython.declare(Py_buffer)
            verdict = cython.declare(Py_buffer)
            at = cython.declare(Py_buffer)
            PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
            PyObject_GetBuffer(flags, cython.address(flag), PyBUF_SIMPLE)
            PyObject_GetBuffer(verdicts, cython.address(verdict), PyBUF_SIMPLE)
            PyObject_GetBuffer(place, cython.address(at), PyBUF_WRITABLE)
            with cython.nogil:
                reason = self._run(
                    cython.cast(cython.p_uchar, view.buf), end, cython.cast(cython.p_uchar, flag.buf),
                    cython.cast(cython.p_longlong, verdict.buf), cython.cast(cython.p_longlong, at.buf),
                )  # fmt: skip
            PyBuffer_Release(cython.address(at))
            PyBuffer_Release(cython.address(verdict))
            PyBuffer_Release(cython.address(flag))
            PyBuffer_Release(cython.address(view))
            return reason
        return self._run(memoryview(buffer).cast("B"), end, memoryview(flags), memoryview(verdicts), memoryview(place))

    def rewrite(
        self, batch: bytes, verdict: cython.longlong, flags: bytearray, set_horizon: bool, keep_empty: bool
    ) -> tuple[int, bytes]:
        """What becomes of one uncompressed batch, and its new bytes if it changed; nothing is written."""
        horizon: cython.bint = set_horizon
        empty: cython.bint = keep_empty
        kind: cython.Py_ssize_t
        if cython.compiled:
            kind = self._rewrite(
                cython.cast(cython.p_uchar, batch), 0, verdict, cython.cast(cython.p_uchar, flags), 0, horizon, empty
            )
        else:
            kind = self._rewrite(memoryview(batch), 0, verdict, memoryview(flags), 0, horizon, empty)
        if kind != _CHANGED:
            return kind, b""
        return kind, bytes(memoryview(self.out)[self.used : self.used + _int32(self.o, self.used + 8) + 12])

    def put(self, batch: bytes) -> None:
        """Write a batch as it is; there is room."""
        self.out[self.used : self.used + len(batch)] = batch
        self._emit()
