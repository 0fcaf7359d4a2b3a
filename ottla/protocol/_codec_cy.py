"""The short way through the codec: ordinary messages, read and written by one loop in C.

`codec` writes a Python function for each message and version. Compiled, the loop here does the same work in a third of
the time, from a table (`Program`) instead of a text: one `Op` per field, in wire order. It is only ever a shortcut. What
is not ordinary (unknown tags, a set tagged field, more than `ELEMENTS_MAX` elements, null where there must be none, a
length that does not fit, a value of the wrong type) makes it give up, and the generated function decides about the same
bytes from the beginning: it alone knows the errors and the memory budget. So the two cannot disagree about what is
refused, and tests/protocol compares what they accept.

Used only when compiled: uncompiled, the generated functions are faster. Ordinary typed Python in Cython's pure mode all
the same: `p` is a C pointer, or a memoryview.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .codec_text import fields_in_body, fields_in_tags, is_flexible
from .schema import Data, Field, Primitive, Struct

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
    from cython.cimports.cpython.bytearray import PyByteArray_AS_STRING

#: Elements of all arrays of a message; beyond, the generated function counts the memory.
ELEMENTS_MAX = cython.declare(cython.Py_ssize_t, 4096)
#: What a message has beside its record batches; beyond, the generated function writes it.
SCRATCH_BYTES = cython.declare(cython.Py_ssize_t, 64 * 1024)
STRING_BYTES_MAX = cython.declare(cython.Py_ssize_t, 0x7FFF)

BOOL = cython.declare(cython.int, 0)
INT8 = cython.declare(cython.int, 1)
INT16 = cython.declare(cython.int, 2)
INT32 = cython.declare(cython.int, 3)
INT64 = cython.declare(cython.int, 4)
UINT16 = cython.declare(cython.int, 5)
UINT32 = cython.declare(cython.int, 6)
UUID = cython.declare(cython.int, 7)
STRING = cython.declare(cython.int, 8)
BYTES = cython.declare(cython.int, 9)
RECORDS = cython.declare(cython.int, 10)
STRUCT = cython.declare(cython.int, 11)
_KINDS = {
    "bool": BOOL, "int8": INT8, "int16": INT16, "int32": INT32, "int64": INT64, "uint16": UINT16, "uint32": UINT32,
    "uuid": UUID, "string": STRING, "bytes": BYTES, "records": RECORDS,
}  # fmt: skip
_GIVE_UP: Any = object()


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


class Unusual(Exception):  # noqa: N818 - no error: the other way is taken
    """A message, or a schema, that the short way does not handle."""


@cython.final
@cython.cclass
class Op:
    """One field of a struct in one version."""

    kind: cython.int
    array: cython.bint
    nullable: cython.bint
    compact: cython.bint
    name: str
    struct: Program

    def __init__(self, field: Field, version: int, flexible: bool) -> None:
        if isinstance(field.type, Primitive):
            if field.type.name not in _KINDS:
                raise Unusual(field.type.name)
            self.kind = _KINDS[field.type.name]
        else:
            self.kind = STRUCT
            self.struct = Program(field.type, version, flexible)
        self.name = field.name
        self.array = field.array
        self.nullable = version in field.nullable
        self.compact = is_flexible(field, version, flexible)
        if (self.kind == STRUCT and self.nullable and not field.array) or (
            field.array and self.kind in (BYTES, RECORDS)
        ):
            raise Unusual(field.name)


@cython.final
@cython.cclass
class Program:
    """One struct in one version: what to read and write, and the values of what is not there."""

    kind: Any
    new: Any
    flexible: cython.bint
    ops: list[Op]
    #: (name, default) of the fields the body does not carry; a list of lists is made anew for each message.
    defaults: list[tuple[str, object]]
    lists: list[str]
    #: (name, default) of the fields that must have their default to be written by the short way.
    unset: list[tuple[str, object]]

    def __init__(self, kind: type[Struct], version: int, flexible: bool) -> None:
        body = fields_in_body(kind, version, flexible)
        self.kind = kind
        self.new = kind.__new__
        self.flexible = flexible
        self.ops = [Op(field, version, flexible) for field in body]
        missing = [field for field in kind.FIELDS if field not in body]
        self.defaults = [("unknown_tags", None)]
        self.lists = []
        tagged = fields_in_tags(kind, version, flexible)
        self.unset = []
        for field in missing:
            if field.array and field.default is list:
                self.lists.append(field.name)
            elif callable(field.default):
                raise Unusual(field.name)
            else:
                self.defaults.append((field.name, field.default))
            if field in tagged or not field.ignorable:
                self.unset.append((field.name, [] if callable(field.default) else field.default))


def program(cls: type[Data], version: int) -> Program | None:
    """Make the table of a message and version; None if the short way cannot handle it."""
    try:
        return Program(cls, version, version in cls.FLEXIBLE)
    except Unusual:
        return None


# -- reading ------------------------------------------------------------------------------------------------------


@cython.final
@cython.cclass
class _Reader:
    """Where a message is being read."""

    p: cython.p_uchar
    pos: cython.Py_ssize_t
    end: cython.Py_ssize_t
    elements: cython.Py_ssize_t
    view: Any


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _uvarint(reader: _Reader) -> cython.Py_ssize_t:
    """A varint of up to four bytes; -1 for what the other way must judge."""
    pos: cython.Py_ssize_t = reader.pos
    value: cython.Py_ssize_t = 0
    shift: cython.int = 0
    byte: cython.Py_ssize_t
    while pos < reader.end and shift < 28:
        byte = reader.p[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            reader.pos = pos
            return value
        shift += 7
    return -1


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _big(p: cython.p_uchar, pos: cython.Py_ssize_t, size: cython.int) -> cython.longlong:
    """A big-endian two's complement number of 1, 2, 4 or 8 bytes."""
    value: cython.ulonglong = 0
    i: cython.int
    for i in range(size):
        value = value << 8 | p[pos + i]
    if size == 8:
        if cython.compiled:
            signed: cython.longlong = cython.cast(cython.longlong, value)
            return signed
        return value - (1 << 64) if value >> 63 else value
    sign: cython.longlong = 1
    sign <<= 8 * size - 1
    number: cython.longlong = value
    return number - 2 * sign if number >= sign else number


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _size(kind: cython.int) -> cython.Py_ssize_t:
    """Bytes of a fixed-size value; 0 for the others."""
    if kind <= INT8:
        return 1
    if kind == INT32 or kind == UINT32:
        return 4
    if kind == INT64:
        return 8
    if kind == INT16 or kind == UINT16:
        return 2
    return 16 if kind == UUID else 0


@cython.cfunc
def _read_fixed(reader: _Reader, kind: cython.int) -> object:
    size: cython.Py_ssize_t = _size(kind)
    pos: cython.Py_ssize_t = reader.pos
    if size > reader.end - pos:
        return _GIVE_UP
    reader.pos = pos + size
    if kind == UUID:
        return bytes(reader.p[pos : pos + 16])
    number: cython.longlong = _big(reader.p, pos, size)
    if kind == BOOL:
        return number != 0
    if kind == UINT16:
        return number & 0xFFFF
    if kind == UINT32:
        return number & 0xFFFFFFFF
    return number


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _read_length(reader: _Reader, compact: cython.bint, size: cython.int) -> cython.Py_ssize_t:
    """A length or count; -1 for null, -2 to give up."""
    length: cython.Py_ssize_t
    if compact:
        length = _uvarint(reader)
        return length - 1 if length >= 0 else -2
    if size > reader.end - reader.pos:
        return -2
    length = _big(reader.p, reader.pos, size)
    reader.pos += size
    return length if length >= -1 else -2


@cython.cfunc
def _read_text(reader: _Reader, kind: cython.int, compact: cython.bint, nullable: cython.bint) -> object:
    length: cython.Py_ssize_t = _read_length(reader, compact, 2 if kind == STRING else 4)
    if length == -1 and nullable:
        return None
    if length < 0 or length > reader.end - reader.pos:
        return _GIVE_UP
    pos: cython.Py_ssize_t = reader.pos
    stop: cython.Py_ssize_t = pos + length
    reader.pos = stop
    if kind == RECORDS:
        return reader.view[pos:stop]
    if kind == BYTES:
        return bytes(reader.p[pos:stop])
    if length > STRING_BYTES_MAX:
        return _GIVE_UP
    if cython.compiled:
        return reader.p[pos:stop].decode("utf-8")  # type: ignore[attr-defined]
    return bytes(reader.p[pos:stop]).decode()


@cython.cfunc
def _read_array(reader: _Reader, op: Op) -> object:
    count: cython.Py_ssize_t = _read_length(reader, op.compact, 4)
    if count == -1 and op.nullable:
        return None
    reader.elements -= count
    if count < 0 or reader.elements < 0:
        return _GIVE_UP
    items: list[object] = []
    i: cython.Py_ssize_t
    for i in range(count):
        if op.kind == STRUCT:
            item = _read_struct(reader, op.struct)
        elif op.kind == STRING:
            item = _read_text(reader, op.kind, op.compact, False)
        else:
            item = _read_fixed(reader, op.kind)
        if item is _GIVE_UP:
            return _GIVE_UP
        items.append(item)
    return items


@cython.cfunc
def _read_struct(reader: _Reader, table: Program) -> object:
    made = table.new(table.kind)
    op: Op
    for op in table.ops:
        if op.array:
            value = _read_array(reader, op)
        elif op.kind < STRING:
            value = _read_fixed(reader, op.kind)
        elif op.kind == STRUCT:
            value = _read_struct(reader, op.struct)
        else:
            value = _read_text(reader, op.kind, op.compact, op.nullable)
        if value is _GIVE_UP:
            return _GIVE_UP
        setattr(made, op.name, value)
    if table.flexible and _uvarint(reader) != 0:
        return _GIVE_UP
    for name, default in table.defaults:
        setattr(made, name, default)
    for name in table.lists:
        setattr(made, name, [])
    return made


@cython.final
@cython.cclass
class Decoder:
    """Called like a generated decoder, which it falls back on."""

    table: Program
    generated: Any

    def __init__(self, table: Program, generated: Any) -> None:
        self.table = table
        self.generated = generated

    def __call__(self, buffer: Buffer, pos: cython.Py_ssize_t) -> tuple[Any, int]:
        reader: _Reader = _Reader()
        reader.view = buffer if type(buffer) is memoryview else memoryview(buffer)
        reader.pos = pos
        reader.elements = ELEMENTS_MAX
        made: object = _GIVE_UP
        if cython.compiled:
            held = cython.declare(Py_buffer)
            PyObject_GetBuffer(buffer, cython.address(held), PyBUF_SIMPLE)
            try:
                reader.p = cython.cast(cython.p_uchar, held.buf)
                reader.end = held.len
                if 0 <= pos:
                    made = _read_struct(reader, self.table)
            except UnicodeDecodeError:
                made = _GIVE_UP
            finally:
                PyBuffer_Release(cython.address(held))
        else:
            reader.p = memoryview(buffer).cast("B")
            reader.end = len(reader.p)
            try:
                made = _read_struct(reader, self.table)
            except UnicodeDecodeError:
                made = _GIVE_UP
        if made is _GIVE_UP:
            found: tuple[Any, int] = self.generated(buffer, pos)
            return found
        return made, reader.pos


# -- writing ------------------------------------------------------------------------------------------------------


@cython.final
@cython.cclass
class _Writer:
    """Where a message is being written: a scratch area, and the parts that are done."""

    scratch: bytearray
    p: cython.p_uchar
    pos: cython.Py_ssize_t
    parts: list[object]

    def __init__(self) -> None:
        self.scratch = bytearray(SCRATCH_BYTES)
        if cython.compiled:
            self.p = cython.cast(cython.p_uchar, PyByteArray_AS_STRING(self.scratch))
        else:
            self.p = memoryview(self.scratch)
        self.pos = 0
        self.parts = []


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _put_big(writer: _Writer, value: cython.longlong, size: cython.int) -> cython.bint:
    """Write a number of 1, 2, 4 or 8 bytes; False if the scratch area is full."""
    pos: cython.Py_ssize_t = writer.pos
    if pos + 8 > SCRATCH_BYTES:
        return False
    i: cython.int
    for i in range(size):
        writer.p[pos + i] = (value >> (8 * (size - 1 - i))) & 0xFF
    writer.pos = pos + size
    return True


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _put_uvarint(writer: _Writer, value: cython.Py_ssize_t) -> cython.bint:
    pos: cython.Py_ssize_t = writer.pos
    if pos + 8 > SCRATCH_BYTES:
        return False
    while value > 0x7F:
        writer.p[pos] = value & 0x7F | 0x80
        value >>= 7
        pos += 1
    writer.p[pos] = value
    writer.pos = pos + 1
    return True


@cython.cfunc
def _put_bytes(writer: _Writer, data: bytes) -> cython.bint:
    size: cython.Py_ssize_t = len(data)
    pos: cython.Py_ssize_t = writer.pos
    if pos + size > SCRATCH_BYTES:
        return False
    i: cython.Py_ssize_t
    for i in range(size):
        writer.p[pos + i] = data[i]
    writer.pos = pos + size
    return True


@cython.cfunc
@cython.inline
def _put_length(writer: _Writer, length: cython.Py_ssize_t, compact: cython.bint, size: cython.int) -> cython.bint:
    if compact:
        return _put_uvarint(writer, length + 1)
    return _put_big(writer, length, size)


@cython.cfunc
def _put_fixed(writer: _Writer, kind: cython.int, value: object) -> cython.bint:
    if kind == UUID:
        return type(value) is bytes and len(value) == 16 and _put_bytes(writer, value)
    if kind == BOOL:
        return (value is True or value is False) and _put_big(writer, 1 if value is True else 0, 1)
    if not isinstance(value, int):
        return False
    number: cython.longlong = value
    size: cython.int = _size(kind)
    if kind == UINT16 or kind == UINT32:
        if number < 0 or number >> (8 * size):
            return False
    elif size < 8:
        limit: cython.longlong = 1
        limit <<= 8 * size - 1
        if number < -limit or number >= limit:
            return False
    return _put_big(writer, number, size)


@cython.cfunc
def _put_text(writer: _Writer, op: Op, value: object) -> cython.bint:
    size: cython.int = 2 if op.kind == STRING else 4
    data: bytes
    if value is None:
        return op.nullable and _put_length(writer, -1, op.compact, size)
    if op.kind == STRING:
        if type(value) is not str:
            return False
        data = value.encode("utf-8")
        return (
            len(data) <= STRING_BYTES_MAX
            and _put_length(writer, len(data), op.compact, size)
            and _put_bytes(writer, data)
        )
    if op.kind == BYTES:
        if type(value) is not bytes:
            return False
        data = value
        return _put_length(writer, len(data), op.compact, size) and _put_bytes(writer, data)
    if type(value) is list:
        return False
    length: cython.Py_ssize_t = len(value)  # type: ignore[arg-type]
    if not _put_length(writer, length, op.compact, size):
        return False
    if length:
        writer.parts.append(bytes(writer.p[: writer.pos]))
        writer.parts.append(value)
        writer.pos = 0
    return True


@cython.cfunc
def _put_array(writer: _Writer, op: Op, value: object) -> cython.bint:
    if value is None:
        return op.nullable and _put_length(writer, -1, op.compact, 4)
    if type(value) is not list:
        return False
    items: list[object] = value
    if not _put_length(writer, len(items), op.compact, 4):
        return False
    for item in items:
        if op.kind == STRUCT:
            if not _put_struct(writer, op.struct, item):
                return False
        elif op.kind == STRING:
            if item is None or not _put_text(writer, op, item):
                return False
        elif not _put_fixed(writer, op.kind, item):
            return False
    return True


@cython.cfunc
def _put_struct(writer: _Writer, table: Program, source: object) -> cython.bint:
    for name, default in table.unset:
        value = getattr(source, name)
        if value is not default and (isinstance(value, Struct) or value != default):
            return False
    op: Op
    for op in table.ops:
        value = getattr(source, op.name)
        if op.array:
            if not _put_array(writer, op, value):
                return False
        elif op.kind < STRING:
            if not _put_fixed(writer, op.kind, value):
                return False
        elif op.kind == STRUCT:
            if not _put_struct(writer, op.struct, value):
                return False
        elif not _put_text(writer, op, value):
            return False
    if table.flexible:
        return not source.unknown_tags and _put_uvarint(writer, 0)  # type: ignore[attr-defined]
    return True


_idle: list[_Writer] = []


@cython.final
@cython.cclass
class Encoder:
    """Called like a generated encoder, which it falls back on."""

    table: Program
    generated: Any

    def __init__(self, table: Program, generated: Any) -> None:
        self.table = table
        self.generated = generated

    def __call__(self, message: Any) -> list[Any]:
        # A writer of its own for each call under way: another thread may encode while this one compares defaults.
        writer: _Writer = _idle.pop() if _idle else _Writer()
        writer.pos = 0
        writer.parts = []
        try:
            done = type(message) is self.table.kind and _put_struct(writer, self.table, message)
        except (AttributeError, TypeError, OverflowError, UnicodeEncodeError):
            done = False
        parts: list[Any] = writer.parts
        writer.parts = []
        if done and (writer.pos or not parts):
            parts.append(bytes(writer.p[: writer.pos]))
        _idle.append(writer)
        if not done:
            parts = self.generated(message)
        return parts
