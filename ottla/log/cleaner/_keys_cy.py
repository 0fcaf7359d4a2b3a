"""The map of keys that compaction makes, and which records it lets live. Compiled by Cython where there is a compiler.

Ordinary typed Python in pure mode (records/_batch_cy.py has the rules). Compiled, the loops run without the interpreter's
lock, so that the event loop goes on serving while a worker thread is in here.

    first pass     index    batches of the dirty part ─► key ─► last offset
    second pass    choose   all batches up to the end of the map ─► a flag for each record, a verdict for each batch

A slot is 24 bytes: 128 bits of the key's SipHash-2-4 and its offset + 1 (0: free); collisions go to the next slot. The
hash is keyed by chance, so that nobody can make two keys collide on purpose, and wide, so that none do by accident: a
collision would drop a record.

Both passes stop at a batch that needs Python (compressed, transactional, control) and say where. Each size in a batch is
compared with what is there.
"""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from array import array
from mmap import mmap
from typing import TYPE_CHECKING

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
    )

HEADER_SIZE = cython.declare(cython.Py_ssize_t, 61)
_TWO32 = cython.declare(cython.longlong, 0x100000000)
_M32 = cython.declare(cython.longlong, 0xFFFFFFFF)
_SIP0 = cython.declare(cython.ulonglong, 0x736F6D6570736575)
_SIP1 = cython.declare(cython.ulonglong, 0x646F72616E646F6D)
_SIP2 = cython.declare(cython.ulonglong, 0x6C7967656E657261)
_SIP3 = cython.declare(cython.ulonglong, 0x7465646279746573)
_M = cython.declare(cython.ulonglong, 0xFFFFFFFFFFFFFFFF)
SLOT_BYTES = 24
RECORD_BYTES_MIN = cython.declare(cython.Py_ssize_t, 7)

# Why a loop stopped.
_END = cython.declare(cython.Py_ssize_t, 0)
_SPECIAL = cython.declare(cython.Py_ssize_t, 1)
_FULL = cython.declare(cython.Py_ssize_t, 2)
_CORRUPT = cython.declare(cython.Py_ssize_t, 3)
END, SPECIAL, FULL, CORRUPT = 0, 1, 2, 3


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


@cython.cfunc
@cython.inline
@cython.nogil
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
@cython.nogil
@cython.exceptval(check=False)
def _int64(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.longlong:
    high: cython.longlong = _int32(p, pos)
    return high * _TWO32 + (_int32(p, pos + 4) & _M32)


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
def _word(p: cython.p_uchar, pos: cython.Py_ssize_t) -> cython.uint:
    """Four bytes, little-endian."""
    return (
        cython.cast(cython.uint, p[pos])
        | cython.cast(cython.uint, p[pos + 1]) << 8
        | cython.cast(cython.uint, p[pos + 2]) << 16
        | cython.cast(cython.uint, p[pos + 3]) << 24
    )


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


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _rotate(x: cython.ulonglong, bits: cython.ulonglong) -> cython.ulonglong:
    return ((x << bits) | (x >> (64 - bits))) & _M


@cython.final
@cython.cclass
class KeyMap:
    """The last offset of each key in a stretch of a log."""

    table: cython.p_ulonglong
    slots: cython.ulonglong
    used: cython.ulonglong
    limit: cython.ulonglong
    k0: cython.ulonglong
    k1: cython.ulonglong
    v0: cython.ulonglong
    v1: cython.ulonglong
    v2: cython.ulonglong
    v3: cython.ulonglong
    h0: cython.ulonglong
    h1: cython.ulonglong
    latest: cython.longlong
    records_read: cython.longlong
    records_kept: cython.longlong
    memory: mmap

    def __init__(self, slots: int, load_factor: float, key: tuple[int, int]) -> None:
        self.slots = max(4, slots)
        self.limit = max(1, min(int(self.slots * load_factor), self.slots - 1))
        self.k0, self.k1 = key
        self.used = 0
        self.latest = -1
        self.records_read = self.records_kept = 0
        self.memory = mmap(-1, self.slots * SLOT_BYTES)  # pages are taken as they are first touched
        if cython.compiled:
            view = cython.declare(Py_buffer)
            PyObject_GetBuffer(self.memory, cython.address(view), PyBUF_WRITABLE)
            self.table = cython.cast(cython.p_ulonglong, view.buf)
            PyBuffer_Release(cython.address(view))
        else:
            self.table = memoryview(self.memory).cast("Q")

    def __len__(self) -> int:
        return self.used

    @property
    def latest_offset(self) -> int:
        """Up to and with this offset every key was looked at."""
        return self.latest

    @property
    def counts(self) -> tuple[int, int]:
        """Records that `choose` has looked at, and let live."""
        return self.records_read, self.records_kept

    def raise_latest(self, offset: cython.longlong) -> None:
        if offset > self.latest:
            self.latest = offset

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(check=False)
    def _round(self) -> cython.void:
        self.v0 = (self.v0 + self.v1) & _M
        self.v1 = _rotate(self.v1, 13) ^ self.v0
        self.v0 = _rotate(self.v0, 32)
        self.v2 = (self.v2 + self.v3) & _M
        self.v3 = _rotate(self.v3, 16) ^ self.v2
        self.v0 = (self.v0 + self.v3) & _M
        self.v3 = _rotate(self.v3, 21) ^ self.v0
        self.v2 = (self.v2 + self.v1) & _M
        self.v1 = _rotate(self.v1, 17) ^ self.v2
        self.v2 = _rotate(self.v2, 32)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _hash(self, p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.Py_ssize_t) -> cython.void:
        """SipHash-2-4 with 128 bits of output, into h0 and h1."""
        word: cython.ulonglong
        end: cython.Py_ssize_t = pos + size
        shift: cython.ulonglong = 0
        self.v0 = self.k0 ^ _SIP0
        self.v1 = self.k1 ^ _SIP1 ^ 0xEE
        self.v2 = self.k0 ^ _SIP2
        self.v3 = self.k1 ^ _SIP3
        while end - pos >= 8:
            word = cython.cast(cython.ulonglong, _word(p, pos + 4)) << 32 | _word(p, pos)
            self.v3 ^= word
            self._round()
            self._round()
            self.v0 ^= word
            pos += 8
        word = (cython.cast(cython.ulonglong, size) & 0xFF) << 56
        while pos < end:
            word |= cython.cast(cython.ulonglong, p[pos]) << shift
            shift += 8
            pos += 1
        self.v3 ^= word
        self._round()
        self._round()
        self.v0 ^= word
        self.v2 ^= 0xEE
        self._round()
        self._round()
        self._round()
        self._round()
        self.h0 = self.v0 ^ self.v1 ^ self.v2 ^ self.v3
        self.v1 ^= 0xDD
        self._round()
        self._round()
        self._round()
        self._round()
        self.h1 = self.v0 ^ self.v1 ^ self.v2 ^ self.v3

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _slot_of(self, p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Where the key stands, or would."""
        self._hash(p, pos, size)
        slot: cython.ulonglong = ((self.h0 >> 32) * self.slots) >> 32
        at: cython.Py_ssize_t
        while True:
            at = cython.cast(cython.Py_ssize_t, slot * 3)
            if self.table[at + 2] == 0 or (self.table[at] == self.h0 and self.table[at + 1] == self.h1):
                return at
            slot += 1
            if slot == self.slots:
                slot = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _index_records(
        self,
        p: cython.p_uchar,
        pos: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
        count: cython.longlong,
        base_offset: cython.longlong,
        start_offset: cython.longlong,
    ) -> cython.Py_ssize_t:
        """Remember the keys of one batch's records."""
        packed: cython.longlong
        offset: cython.longlong
        stop: cython.Py_ssize_t
        size: cython.Py_ssize_t
        slot: cython.Py_ssize_t
        while count > 0:
            count -= 1
            packed = _varint(p, pos, end)
            pos += packed & 15
            if packed == 0 or (packed >> 4) < 1 or (packed >> 4) > end - pos:
                return _CORRUPT
            stop = pos + (packed >> 4)
            size = _varlong_size(p, pos + 1, stop)
            if size == 0:
                return _CORRUPT
            pos += 1 + size
            packed = _varint(p, pos, stop)
            if packed == 0:
                return _CORRUPT
            offset = base_offset + (packed >> 4)
            pos += packed & 15
            packed = _varint(p, pos, stop)
            pos += packed & 15
            if packed == 0 or (packed >> 4) > stop - pos:
                return _CORRUPT
            if packed >> 4 >= 0 and offset >= start_offset:
                if self.used >= self.limit:
                    return _FULL
                slot = self._slot_of(p, pos, packed >> 4)
                if self.table[slot + 2] == 0:
                    self.table[slot] = self.h0
                    self.table[slot + 1] = self.h1
                    self.used += 1
                self.table[slot + 2] = cython.cast(cython.ulonglong, offset + 1)
            pos = stop
        return _END

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _index_batches(
        self,
        p: cython.p_uchar,
        end: cython.Py_ssize_t,
        start_offset: cython.longlong,
        place: cython.p_longlong,
    ) -> cython.Py_ssize_t:
        """Remember the keys of ordinary batches from place[0] on, which is moved."""
        pos: cython.Py_ssize_t = place[0]
        size: cython.longlong
        last: cython.longlong
        reason: cython.Py_ssize_t = _END
        while reason == _END:
            size = _batch_size(p, pos, end)
            if size <= 0:
                reason = _CORRUPT if size < 0 else _END
                break
            if p[pos + 22] & 0x37:
                reason = _SPECIAL
                break
            last = _int64(p, pos) + _int32(p, pos + 23)
            if last >= start_offset:
                reason = self._index_records(
                    p, pos + HEADER_SIZE, pos + size, _int32(p, pos + 57), _int64(p, pos), start_offset
                )
                if reason != _END:
                    break
                if last > self.latest:
                    self.latest = last
            pos += size
        place[0] = pos
        return reason

    def index(self, buffer: Buffer, pos: int, start_offset: cython.longlong) -> tuple[int, int]:
        """Take in batches from `pos` on: where it stopped, and why. A map that was full stays as it was left."""
        place = array("q", [pos])
        reason: cython.Py_ssize_t
        if cython.compiled:
            view = cython.declare(Py_buffer)
            at = cython.declare(Py_buffer)
            PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
            PyObject_GetBuffer(place, cython.address(at), PyBUF_WRITABLE)
            with cython.nogil:
                reason = self._index_batches(
                    cython.cast(cython.p_uchar, view.buf),
                    view.len,
                    start_offset,
                    cython.cast(cython.p_longlong, at.buf),
                )
            PyBuffer_Release(cython.address(at))
            PyBuffer_Release(cython.address(view))
        else:
            whole = memoryview(buffer).cast("B")
            reason = self._index_batches(whole, len(whole), start_offset, memoryview(place))
        return place[0], reason

    def index_payload(
        self, payload: Buffer, count: cython.longlong, base_offset: cython.longlong, start_offset: cython.longlong
    ) -> int:
        """Take in the uncompressed records of one batch; why it stopped."""
        reason: cython.Py_ssize_t
        if cython.compiled:
            view = cython.declare(Py_buffer)
            PyObject_GetBuffer(payload, cython.address(view), PyBUF_SIMPLE)
            with cython.nogil:
                reason = self._index_records(
                    cython.cast(cython.p_uchar, view.buf), 0, view.len, count, base_offset, start_offset
                )
            PyBuffer_Release(cython.address(view))
        else:
            whole = memoryview(payload).cast("B")
            reason = self._index_records(whole, 0, len(whole), count, base_offset, start_offset)
        return reason

    def get(self, key: bytes) -> int:
        """The last offset of a key, -1 where it has none."""
        if cython.compiled:
            view = cython.declare(Py_buffer)
            PyObject_GetBuffer(key, cython.address(view), PyBUF_SIMPLE)
            slot: cython.Py_ssize_t = self._slot_of(cython.cast(cython.p_uchar, view.buf), 0, view.len)
            PyBuffer_Release(cython.address(view))
        else:
            slot = self._slot_of(memoryview(key), 0, len(key))
        return cython.cast(cython.longlong, self.table[slot + 2]) - 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _choose(
        self,
        p: cython.p_uchar,
        start: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
        now_ms: cython.longlong,
        discard: cython.bint,
        flags: cython.p_uchar,
        flag: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:
        """Flag the records of one batch; 2 * how many stay, + 1 with a tombstone among them; -1: damaged."""
        pos: cython.Py_ssize_t = start + HEADER_SIZE
        base_offset: cython.longlong = _int64(p, start)
        all_stay: cython.bint = p[start + 22] & 0x20 != 0  # a control batch
        keep_deletes: cython.bint = p[start + 22] & 0x40 == 0 or now_ms < _int64(p, start + 27)
        count: cython.longlong = _int32(p, start + 57)
        index: cython.Py_ssize_t
        packed: cython.longlong
        offset: cython.longlong
        key: cython.Py_ssize_t
        size: cython.Py_ssize_t
        slot: cython.Py_ssize_t
        stop: cython.Py_ssize_t
        kept: cython.Py_ssize_t = 0
        tombstones: cython.Py_ssize_t = 0
        stays: cython.bint
        if count < 0 or count > (end - pos) // RECORD_BYTES_MIN:
            return -1
        for index in range(count):
            packed = _varint(p, pos, end)
            pos += packed & 15
            if packed == 0 or (packed >> 4) < 1 or (packed >> 4) > end - pos:
                return -1
            stop = pos + (packed >> 4)
            size = _varlong_size(p, pos + 1, stop)
            if size == 0:
                return -1
            pos += 1 + size
            packed = _varint(p, pos, stop)
            if packed == 0:
                return -1
            offset = base_offset + (packed >> 4)
            pos += packed & 15
            packed = _varint(p, pos, stop)
            pos += packed & 15
            size = packed >> 4
            if packed == 0 or size > stop - pos:
                return -1
            key = pos
            pos += size if size > 0 else 0
            packed = _varint(p, pos, stop)  # the size of the value
            if packed == 0:
                return -1
            stays = False
            if discard:
                pass
            elif all_stay or offset > self.latest:
                stays = True
            elif size >= 0 and (packed >= 0 or keep_deletes):
                slot = self._slot_of(p, key, size)
                stays = offset >= cython.cast(cython.longlong, self.table[slot + 2]) - 1
            flags[flag + index] = 1 if stays else 0
            if stays:
                kept += 1
                if packed < 0:
                    tombstones = 1
            pos = stop
        if pos != end:
            return -1
        self.records_read += count
        self.records_kept += kept
        return 2 * kept + tombstones

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _choose_batches(
        self,
        p: cython.p_uchar,
        end: cython.Py_ssize_t,
        now_ms: cython.longlong,
        flags: cython.p_uchar,
        verdicts: cython.p_longlong,
    ) -> cython.Py_ssize_t:
        """Judge ordinary batches from verdicts[0] on; there stands afterwards where it stopped."""
        pos: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, verdicts[0])
        size: cython.longlong
        verdict: cython.Py_ssize_t
        flag: cython.Py_ssize_t = 0
        batch: cython.Py_ssize_t = 1
        reason: cython.Py_ssize_t = _END
        while True:
            size = _batch_size(p, pos, end)
            if size <= 0:
                reason = _CORRUPT if size < 0 else _END
                break
            if p[pos + 22] & 0x37:
                reason = _SPECIAL
                break
            verdict = self._choose(p, pos, pos + size, now_ms, False, flags, flag)
            if verdict < 0:
                reason = _CORRUPT
                break
            verdicts[batch] = verdict
            batch += 1
            flag += _int32(p, pos + 57)
            pos += size
        verdicts[0] = pos
        return reason

    def choose(
        self, buffer: Buffer, pos: int, now_ms: cython.longlong, flags: bytearray, verdicts: array[int]
    ) -> tuple[int, int]:
        """Judge ordinary batches from `pos` on: where it stopped, and why.

        `flags` gets a byte for each record, `verdicts` from its second place on a number for each batch: twice the
        records that stay, and one more where a tombstone is among them.
        """
        reason: cython.Py_ssize_t
        verdicts[0] = pos
        if cython.compiled:
            view = cython.declare(Py_buffer)
            flag = cython.declare(Py_buffer)
            verdict = cython.declare(Py_buffer)
            PyObject_GetBuffer(buffer, cython.address(view), PyBUF_SIMPLE)
            PyObject_GetBuffer(flags, cython.address(flag), PyBUF_WRITABLE)
            PyObject_GetBuffer(verdicts, cython.address(verdict), PyBUF_WRITABLE)
            with cython.nogil:
                reason = self._choose_batches(
                    cython.cast(cython.p_uchar, view.buf),
                    view.len,
                    now_ms,
                    cython.cast(cython.p_uchar, flag.buf),
                    cython.cast(cython.p_longlong, verdict.buf),
                )
            PyBuffer_Release(cython.address(verdict))
            PyBuffer_Release(cython.address(flag))
            PyBuffer_Release(cython.address(view))
        else:
            whole = memoryview(buffer).cast("B")
            reason = self._choose_batches(whole, len(whole), now_ms, memoryview(flags), memoryview(verdicts))
        return verdicts[0], reason

    def choose_one(self, batch: Buffer, now_ms: cython.longlong, discard: bool, flags: bytearray) -> int:
        """The verdict on the one uncompressed batch that fills the buffer; -1: damaged. `discard`: no record stays."""
        verdict: cython.Py_ssize_t
        nothing: cython.bint = discard
        if cython.compiled:
            view = cython.declare(Py_buffer)
            flag = cython.declare(Py_buffer)
            PyObject_GetBuffer(batch, cython.address(view), PyBUF_SIMPLE)
            PyObject_GetBuffer(flags, cython.address(flag), PyBUF_WRITABLE)
            with cython.nogil:
                verdict = self._choose(
                    cython.cast(cython.p_uchar, view.buf),
                    0,
                    view.len,
                    now_ms,
                    nothing,
                    cython.cast(cython.p_uchar, flag.buf),
                    0,
                )
            PyBuffer_Release(cython.address(flag))
            PyBuffer_Release(cython.address(view))
        else:
            whole = memoryview(batch).cast("B")
            verdict = self._choose(whole, 0, len(whole), now_ms, nothing, memoryview(flags), 0)
        return verdict
