"""Encoded values into columns as Arrow lays them out. Compiled by Cython where it can be.

Ordinary typed Python in pure mode (records/_batch_cy.py has the rules). A schema becomes a tree of readers and a tree of columns:

    bytes of a value ──► Reader ──► Reader ──► Column: values, ends (of binary and lists), validity (a byte each)
                         (record)   (field)    which `arrow.py` hands to Arrow as they are

A reader says how something was written, a column how it will lie: several readers may fill one column (a union's branches, an int
that became a long). No Python object is made for a value. Bytes are not trusted: every size is compared with what is there; depth
is that of the schema, which has been bounded; what takes no bytes is never repeated (schemas/avro.py check_bounded).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return, assignment, unreachable"
# (A cfunc without a result is declared without one: Cython gives None back and passes exceptions on.)
from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .... import _cython as cython
else:
    try:
        import cython  # the compiler needs this very line
    except ModuleNotFoundError:
        from .... import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.buffer import (
        Py_buffer,
        PyBUF_SIMPLE,
        PyBuffer_Release,
        PyObject_GetBuffer,
    )  # fmt: skip
    from cython.cimports.cpython.bytearray import PyByteArray_AS_STRING, PyByteArray_Resize
    from cython.cimports.libc.string import memcpy, memset

NULL, BOOL, FIXED, BINARY, STRUCT, LIST = 0, 1, 2, 3, 4, 5
_BOOL = cython.declare(cython.int, 1)
_FIXED = cython.declare(cython.int, 2)
_BINARY = cython.declare(cython.int, 3)
_STRUCT = cython.declare(cython.int, 4)
_LIST = cython.declare(cython.int, 5)
_LENGTH_MAX = cython.declare(cython.Py_ssize_t, 0x7FFFFFFF)


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


@cython.final
@cython.cclass
class Growing:
    """Bytes that are added to."""

    _data: bytearray
    _p: cython.p_uchar
    size: cython.Py_ssize_t
    _capacity: cython.Py_ssize_t

    def __init__(self) -> None:
        self._data = bytearray()
        self.size = 0
        self._capacity = 0

    @cython.cfunc
    def room(self, count: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Make room for so many bytes; where they begin."""
        begin: cython.Py_ssize_t = self.size
        need: cython.Py_ssize_t = begin + count
        if need > _LENGTH_MAX:
            raise ValueError("a column of more than 2 GiB")
        if cython.compiled:
            if need > self._capacity:
                self._capacity = need * 2 if need > 32 else 64
                PyByteArray_Resize(self._data, self._capacity)
                self._p = cython.cast(cython.p_uchar, PyByteArray_AS_STRING(self._data))
        else:
            self._data.extend(bytes(count))
        self.size = need
        return begin

    @cython.cfunc
    def put(self, p: cython.p_uchar, pos: cython.Py_ssize_t, count: cython.Py_ssize_t):
        begin: cython.Py_ssize_t = self.room(count)
        if cython.compiled:
            memcpy(cython.address(self._p[begin]), cython.address(p[pos]), count)
        else:
            self._data[begin:] = p[pos : pos + count]

    @cython.cfunc
    def put_zeros(self, count: cython.Py_ssize_t):
        begin: cython.Py_ssize_t = self.room(count)
        if cython.compiled:
            memset(cython.address(self._p[begin]), 0, count)

    @cython.cfunc
    def put_number(self, value: cython.longlong, count: cython.Py_ssize_t):
        """The lowest `count` bytes of a number, least first."""
        begin: cython.Py_ssize_t = self.room(count)
        raw: cython.ulonglong = cython.cast(cython.ulonglong, value)
        i: cython.Py_ssize_t
        if cython.compiled:
            for i in range(count):
                self._p[begin + i] = cython.cast(cython.uchar, (raw >> (8 * i)) & 0xFF)
        else:
            self._data[begin:] = (value & ((1 << (8 * count)) - 1)).to_bytes(count, "little")

    def take(self) -> memoryview:
        """What was added."""
        return memoryview(self._data)[: self.size]


@cython.final
@cython.cclass
class Column:
    """One column, or one level of a nested one."""

    kind: cython.int
    width: cython.Py_ssize_t
    values: Growing
    ends: Growing
    valid: Growing
    count = cython.declare(cython.Py_ssize_t, visibility="public")
    nulls = cython.declare(cython.Py_ssize_t, visibility="public")
    children: list  # type: ignore[type-arg]

    def __init__(self, kind: cython.int, width: cython.Py_ssize_t = 0, children: Any = ()) -> None:
        self.kind = kind
        self.width = width
        self.values = Growing()
        self.ends = Growing()
        self.valid = Growing()
        self.count = self.nulls = 0
        self.children = list(children)
        if kind == _BINARY or kind == _LIST:
            self.ends.put_number(0, 4)

    @cython.cfunc
    def mark(self):
        """A value is complete."""
        if self.kind == _BINARY:
            self.ends.put_number(self.values.size, 4)
        elif self.kind == _LIST:
            child: Column = self.children[0]
            if child.count > _LENGTH_MAX:
                raise ValueError("more than 2**31 items")
            self.ends.put_number(child.count, 4)
        self.valid.put_number(1, 1)
        self.count += 1

    @cython.cfunc
    def null(self):
        """A null takes its place."""
        self.zero(0)
        self.nulls += 1

    @cython.cfunc
    def zero(self, valid: cython.longlong):
        """0, "" or an empty list; as a null's place (valid = 0), or as a value."""
        child: Column
        i: cython.Py_ssize_t
        if self.kind == _FIXED or self.kind == _BOOL:
            self.values.put_zeros(self.width)
        elif self.kind == _BINARY:
            self.ends.put_number(self.values.size, 4)
        elif self.kind == _LIST:
            child = self.children[0]
            self.ends.put_number(child.count, 4)
        elif self.kind == _STRUCT:
            for i in range(len(self.children)):
                child = self.children[i]
                child.null()
        self.valid.put_number(valid, 1)
        self.count += 1

    def buffers(self) -> tuple[memoryview, memoryview, memoryview]:
        """(validity, a byte each; values; ends, int32)."""
        return self.valid.take(), self.values.take(), self.ends.take()


@cython.final
@cython.cclass
class Cursor:
    """A place in bytes, and where they end."""

    p: cython.p_uchar
    pos: cython.Py_ssize_t
    end: cython.Py_ssize_t
    keep: Any

    @cython.cfunc
    def varint(self) -> cython.ulonglong:
        """An unsigned number of up to 64 bits, seven in a byte."""
        raw: cython.ulonglong = 0
        byte: cython.ulonglong
        shift: cython.int = 0
        while self.pos < self.end and shift < 70:
            byte = self.p[self.pos]
            self.pos += 1
            raw |= (byte & 0x7F) << shift
            if byte < 128:
                return raw if cython.compiled else raw & 0xFFFFFFFFFFFFFFFF
            shift += 7
        raise ValueError("the value is cut off")

    @cython.cfunc
    def long(self) -> cython.longlong:
        """A signed number, zigzag."""
        raw: cython.ulonglong = self.varint()
        half: cython.longlong = cython.cast(cython.longlong, raw >> 1)
        return -half - 1 if raw & 1 else half

    @cython.cfunc
    def skip(self, count: cython.longlong) -> cython.Py_ssize_t:
        """Step over so many bytes; where they begin."""
        begin: cython.Py_ssize_t = self.pos
        if count < 0 or count > self.end - begin:
            raise ValueError("the value is cut off")
        self.pos = begin + count
        return begin


@cython.cclass
class Reader:
    """Reads one value at a cursor into its column; without a column it steps over it."""

    column: Column

    def __init__(self, column: Any = None) -> None:
        self.column = column

    @cython.cfunc
    def read(self, c: Cursor):
        """Avro's null: no bytes at all."""
        if self.column is not None:
            self.column.null()


@cython.final
@cython.cclass
class Long(Reader):
    """int and long: zigzag varints."""

    @cython.cfunc
    def read(self, c: Cursor):
        value: cython.longlong = c.long()
        if self.column is not None:
            if self.column.width == 4 and not -0x80000000 <= value <= 0x7FFFFFFF:
                raise ValueError(f"{value} is no int")
            self.column.values.put_number(value, self.column.width)
            self.column.mark()


@cython.final
@cython.cclass
class Real(Reader):
    """float (4), double (8) or a whole number (0) as float or double."""

    size: cython.int

    def __init__(self, column: Any, size: cython.int) -> None:
        self.column = column
        self.size = size

    @cython.cfunc
    def read(self, c: Cursor):
        wide = cython.declare(cython.double)
        narrow = cython.declare(cython.float)
        whole: cython.longlong = 0
        begin: cython.Py_ssize_t = 0
        out: Growing = self.column.values
        at: cython.Py_ssize_t
        if self.size == 0:
            whole = c.long()
        else:
            begin = c.skip(self.size)
        if self.size == self.column.width:
            out.put(c.p, begin, self.size)
        elif not cython.compiled:
            number = whole if self.size == 0 else struct.unpack("<f", c.p[begin : begin + 4])[0]
            out._data.extend(struct.pack("<d" if self.column.width == 8 else "<f", number))
            out.size = len(out._data)
        else:
            at = out.room(self.column.width)
            if self.size == 4:
                memcpy(cython.address(narrow), cython.address(c.p[begin]), 4)
                wide = narrow
            else:
                wide = whole
            if self.column.width == 8:
                memcpy(cython.address(out._p[at]), cython.address(wide), 8)
            else:
                narrow = wide
                memcpy(cython.address(out._p[at]), cython.address(narrow), 4)
        self.column.mark()


@cython.final
@cython.cclass
class Raw(Reader):
    """So many bytes as they are; a column of bool or binary takes them too."""

    size: cython.Py_ssize_t

    def __init__(self, column: Any, size: cython.Py_ssize_t) -> None:
        self.column = column
        self.size = size

    @cython.cfunc
    def read(self, c: Cursor):
        begin: cython.Py_ssize_t = c.skip(self.size)
        if self.column is not None:
            self.column.values.put(c.p, begin, self.size)
            self.column.mark()


@cython.final
@cython.cclass
class Text(Reader):
    """bytes and string: a length and so many bytes. `rest`: all that is left, without a length."""

    rest: cython.bint

    def __init__(self, column: Any, rest: cython.bint = False) -> None:
        self.column = column
        self.rest = rest

    @cython.cfunc
    def read(self, c: Cursor):
        count: cython.longlong = c.end - c.pos if self.rest else c.long()
        begin: cython.Py_ssize_t = c.skip(count)
        if self.column is not None:
            self.column.values.put(c.p, begin, count)
            self.column.mark()


@cython.final
@cython.cclass
class Decimal(Reader):
    """A big-endian whole number (of `size` bytes; -1: with its length) as decimal128."""

    size: cython.Py_ssize_t

    def __init__(self, column: Any, size: cython.Py_ssize_t) -> None:
        self.column = column
        self.size = size

    @cython.cfunc
    def read(self, c: Cursor):
        count: cython.longlong = self.size if self.size >= 0 else c.long()
        begin: cython.Py_ssize_t = c.skip(count)
        sign: cython.int = 0xFF if count > 0 and c.p[begin] >= 128 else 0
        i: cython.Py_ssize_t
        byte: cython.longlong
        while count > 16:  # what only repeats the sign
            if c.p[begin] != sign:
                raise ValueError("a decimal of more than 128 bits")
            begin += 1
            count -= 1
        for i in range(16):
            byte = c.p[begin + count - 1 - i] if i < count else sign
            self.column.values.put_number(byte, 1)
        self.column.mark()


@cython.final
@cython.cclass
class Choice(Reader):
    """Avro's enum: the writer's number as the reader's."""

    numbers: list  # type: ignore[type-arg]

    def __init__(self, column: Any, numbers: list[int]) -> None:
        self.column = column
        self.numbers = numbers

    @cython.cfunc
    def read(self, c: Cursor):
        number: cython.longlong = c.long()
        if number < 0 or number >= len(self.numbers) or self.numbers[number] < 0:
            raise ValueError(f"no symbol for the number {number}")
        if self.column is not None:
            self.column.values.put_number(self.numbers[number], 4)
            self.column.mark()


@cython.final
@cython.cclass
class Fields(Reader):
    """A record: one reader after the other."""

    steps: list  # type: ignore[type-arg]

    def __init__(self, column: Any, steps: list[Any]) -> None:
        self.column = column
        self.steps = steps

    def add(self, steps: list[Any]) -> None:
        """More of them; a recursive record has to be there before its fields are."""
        self.steps += steps

    @cython.cfunc
    def read(self, c: Cursor):
        step: Reader
        i: cython.Py_ssize_t
        for i in range(len(self.steps)):
            step = self.steps[i]
            step.read(c)
        if self.column is not None:
            self.column.mark()


@cython.final
@cython.cclass
class Items(Reader):
    """An array or a map: blocks of items, the last one empty."""

    item: Reader

    def __init__(self, column: Any, item: Reader) -> None:
        self.column = column
        self.item = item

    @cython.cfunc
    def read(self, c: Cursor):
        count: cython.longlong
        size: cython.longlong
        while True:
            count = c.long()
            if count == 0:
                break
            if count < 0:
                size = c.long()
                if self.column is None:
                    c.skip(size)
                    continue
                count = -count
            if count < 0 or count > c.end - c.pos:  # an item has one byte at least
                raise ValueError(f"{count} items in {c.end - c.pos} bytes")
            while count > 0:
                count -= 1
                self.item.read(c)
        if self.column is not None:
            self.column.mark()


@cython.final
@cython.cclass
class Union(Reader):
    """One of several readers, by its number; None for a branch that the reader's schema has no place for."""

    branches: list  # type: ignore[type-arg]

    def __init__(self, branches: list[Any]) -> None:
        self.column = None
        self.branches = branches

    @cython.cfunc
    def read(self, c: Cursor):
        number: cython.longlong = c.long()
        if number < 0 or number >= len(self.branches) or self.branches[number] is None:
            raise ValueError(f"no place for branch {number} of a union")
        branch: Reader = self.branches[number]
        branch.read(c)


@cython.final
@cython.cclass
class Branch(Reader):
    """One field of a struct that has a field for each branch of a union; the others are null."""

    number: cython.Py_ssize_t
    inner: Reader

    def __init__(self, column: Any, number: cython.Py_ssize_t, inner: Reader) -> None:
        self.column = column
        self.number = number
        self.inner = inner

    @cython.cfunc
    def read(self, c: Cursor):
        child: Column
        i: cython.Py_ssize_t
        self.inner.read(c)
        for i in range(len(self.column.children)):
            if i != self.number:
                child = self.column.children[i]
                child.null()
        self.column.mark()


@cython.final
@cython.cclass
class Constant(Reader):
    """A default: read from bytes of its own."""

    inner: Reader
    cursor: Cursor

    def __init__(self, inner: Reader, data: bytes) -> None:
        self.column = None
        self.inner = inner
        self.cursor = Cursor()
        self.cursor.keep = data
        self.cursor.end = len(data)
        if cython.compiled:
            text: bytes = data
            self.cursor.p = cython.cast(cython.p_uchar, text)
        else:
            self.cursor.p = memoryview(data)

    @cython.cfunc
    def read(self, c: Cursor):
        self.cursor.pos = 0
        self.inner.read(self.cursor)


def run(reader: Reader, column: Column, data: Any, ends: Any, rows: Any, skip: cython.Py_ssize_t) -> None:
    """Read the values of these rows; `rows` are int32, and a null has the row -1. `skip` bytes stand in front of each."""
    if not cython.compiled:
        _run(reader, column, memoryview(data).cast("B"), memoryview(ends).cast("B").cast("i"), memoryview(rows).cast("i"),
             len(rows) // 4, len(memoryview(data)), skip)  # fmt: skip
        return
    a = cython.declare(Py_buffer)
    b = cython.declare(Py_buffer)
    d = cython.declare(Py_buffer)
    PyObject_GetBuffer(data, cython.address(a), PyBUF_SIMPLE)
    PyObject_GetBuffer(ends, cython.address(b), PyBUF_SIMPLE)
    PyObject_GetBuffer(rows, cython.address(d), PyBUF_SIMPLE)
    try:
        _run(reader, column, cython.cast(cython.p_uchar, a.buf), cython.cast(cython.p_int, b.buf),
             cython.cast(cython.p_int, d.buf), d.len // 4, a.len, skip)  # fmt: skip
    finally:
        PyBuffer_Release(cython.address(a))
        PyBuffer_Release(cython.address(b))
        PyBuffer_Release(cython.address(d))


@cython.cfunc
def _run(
    reader: Reader, column: Column, p: cython.p_uchar, ends: cython.p_int, rows: cython.p_int,
    count: cython.Py_ssize_t, size: cython.Py_ssize_t, skip: cython.Py_ssize_t,
):  # fmt: skip
    c: Cursor = Cursor()
    c.p = p
    i: cython.Py_ssize_t
    row: cython.Py_ssize_t
    for i in range(count):
        row = rows[i]
        if row < 0:
            column.null()
            continue
        c.pos = ends[row] + skip
        c.end = ends[row + 1]
        if c.pos > c.end or c.end > size:
            raise ValueError(f"row {row} is cut off")
        reader.read(c)
        if c.pos != c.end:
            raise ValueError(f"{c.end - c.pos} bytes are left behind the value of row {row}")
