"""Avro values of a batch as one Arrow array: the schemas become readers and columns, by Avro's schema resolution.

    null │ boolean │ int │ long │ float │ double │ bytes │ string      the same
    record, map, array, enum, fixed                                    struct, map, list, dictionary, fixed_size_binary
    [null, T]                                                          T with nulls
    any other union                                                    a struct with a nullable field for each branch
    date, time-*, timestamp-*, local-timestamp-*, decimal (≤ 38)       date32, time, timestamp (UTC or without), decimal128

Values are read into the serde's schema; without one, into that of the newest (the highest id) in the batch. A recursive schema has no
columns.
"""

from __future__ import annotations

import struct
from typing import Any

from ...errors import SerializationError
from ...registry.schemas import avro as types
from .. import framing
from ..avro import Avro, parse_all
from ..registered import may_wait
from . import _builders_cy as b
from .arrow import Budget, Out, fill, groups, together

_UNITS = {"millis": "ms", "micros": "us", "nanos": "ns"}
#: What a writer's type may be read as.
_PROMOTED = {
    "int": {"int", "long", "float", "double"}, "long": {"long", "float", "double"}, "float": {"float", "double"},
    "double": {"double"}, "string": {"string", "bytes"}, "bytes": {"bytes", "string"}, "boolean": {"boolean"},
    "null": {"null"},
}  # fmt: skip


def read_column(serde: Avro[Any], pa: Any, data: Any, notes: Any, topic: str, field: str) -> Any:
    """See the head of the module."""
    parts = groups(pa, data, notes, framing.PREFIX_BYTES)
    if not parts:
        return pa.nulls(len(data))
    frames = [serde.framing(each.head, each.head if each.in_header else None) for each in parts]
    if not may_wait():
        for frame in frames:
            serde.reader(field).present(frame, topic)
    schemas = [serde.fetch(frame.schema) for frame in frames]
    subject = serde.latest_subject(topic, field)
    wanted = serde.reader_schema()
    if subject is not None:
        wanted = serde.registry.latest(subject, metadata=serde.use_latest_metadata).schema
    if wanted is None:
        newest = max(range(len(frames)), key=lambda each: (isinstance(frames[each].schema, int), frames[each].schema))
        wanted = schemas[newest]
    target = parse_all(wanted, serde.referred(wanted))
    arrays = []
    for frame, schema, part in zip(frames, schemas, parts, strict=True):
        written = parse_all(schema, serde.referred(schema))
        try:
            types.check_bounded(written)
        except types.AvroError as problem:
            raise SerializationError(str(problem)) from None
        out = out_of(pa, target, Budget(), frozenset())
        bare = isinstance(written, types.Primitive) and written.kind == "bytes" and written.logical is None
        reader = b.Text(out.column, True) if bare else connect(written, target, out)
        arrays.append(fill(pa, reader, out, data, part, 0 if part.in_header else frame.start))
    return together(pa, arrays, parts)


# ── columns of a schema ─────────────────────────────────────────────────────────────────────────────────────────────


def out_of(pa: Any, kind: types.Type, budget: Budget, around: frozenset[int]) -> Out:
    """The columns that a type is read into."""
    budget.spend()
    if isinstance(kind, types.Record) and id(kind) in around:
        raise SerializationError(f"{kind.name} is in itself: a recursive schema has no columns")
    if isinstance(kind, types.Union):
        rest = _without_null(kind)
        if len(rest) == 1:
            return out_of(pa, rest[0], budget, around)
        inner = [out_of(pa, each, budget, around) for each in rest]
        return _struct(pa, [types.branch_name(each) for each in rest], inner)
    if isinstance(kind, types.Record):
        inside = around | {id(kind)}
        inner = [out_of(pa, each.type, budget, inside) for each in kind.fields]
        return _struct(pa, [each.name for each in kind.fields], inner)
    if isinstance(kind, types.Array):
        item = out_of(pa, kind.items, budget, around)
        return Out(b.Column(b.LIST, 0, [item.column]), pa.list_(_final(pa, item)), [item])
    if isinstance(kind, types.Map):
        key, value = Out(b.Column(b.BINARY), pa.string()), out_of(pa, kind.values, budget, around)
        pair = Out(b.Column(b.STRUCT, 0, [key.column, value.column]), None, [key, value])
        made = pa.map_(pa.string(), _final(pa, value))
        pair.type = pa.struct([made.key_field, made.item_field])
        return Out(b.Column(b.LIST, 0, [pair.column]), made, [pair])
    if isinstance(kind, types.Enum):
        return Out(b.Column(b.FIXED, 4), pa.dictionary(pa.int32(), pa.string()), words=list(kind.symbols))
    return _leaf(pa, kind)


def _leaf(pa: Any, kind: types.Primitive | types.Fixed) -> Out:
    if kind.logical == "decimal" and kind.kind in ("bytes", "fixed") and kind.precision <= 38:
        return Out(b.Column(b.FIXED, 16), pa.decimal128(kind.precision, kind.scale))
    if isinstance(kind, types.Fixed):
        return Out(b.Column(b.FIXED, kind.size), pa.binary(kind.size))
    name, logical = kind.kind, kind.logical or ""
    if name == "int" and logical == "date":
        return Out(b.Column(b.FIXED, 4), pa.date32())
    if name == "int" and logical == "time-millis":
        return Out(b.Column(b.FIXED, 4), pa.time32("ms"))
    if name == "long" and logical == "time-micros":
        return Out(b.Column(b.FIXED, 8), pa.time64("us"))
    if name == "long" and "timestamp-" in logical and logical.rpartition("-")[2] in _UNITS:
        zone = None if logical.startswith("local-") else "UTC"
        return Out(b.Column(b.FIXED, 8), pa.timestamp(_UNITS[logical.rpartition("-")[2]], zone))
    plain = {
        "null": (b.NULL, 0, pa.null()), "boolean": (b.BOOL, 1, pa.bool_()), "int": (b.FIXED, 4, pa.int32()),
        "long": (b.FIXED, 8, pa.int64()), "float": (b.FIXED, 4, pa.float32()), "double": (b.FIXED, 8, pa.float64()),
        "bytes": (b.BINARY, 0, pa.binary()), "string": (b.BINARY, 0, pa.string()),
    }  # fmt: skip
    form, width, made = plain[name]
    return Out(b.Column(form, width), made)


def _struct(pa: Any, names: list[str], inner: list[Out]) -> Out:
    kind = pa.struct([(name, _final(pa, each)) for name, each in zip(names, inner, strict=True)])
    return Out(b.Column(b.STRUCT, 0, [each.column for each in inner]), kind, inner)


def _final(pa: Any, out: Out) -> Any:
    return out.type


def _without_null(kind: types.Union) -> list[types.Type]:
    return [each for each in kind.branches if each.kind != "null"]


# ── readers of a schema ─────────────────────────────────────────────────────────────────────────────────────────────


def connect(w: types.Type, r: types.Type, out: Out) -> Any:
    """The reader of what was written as `w`, into the columns of `r`; SerializationError where that cannot be."""
    if isinstance(w, types.Union):
        branches = [_maybe(each, r, out) for each in w.branches]
        if not any(branches):
            raise _clash(w, r)
        return b.Union(branches)
    if isinstance(r, types.Union):
        return _into_union(w, r, out)
    if w.kind == "null" and r.kind == "null":
        return b.Reader(out.column)
    if isinstance(w, types.Primitive) and isinstance(r, types.Primitive) and r.kind in _PROMOTED[w.kind]:
        return _primitive(w, r, out)
    if w.kind != r.kind:
        raise _clash(w, r)
    if isinstance(w, types.Record) and isinstance(r, types.Record) and _same_name(w, r):
        return _record(w, r, out)
    if isinstance(w, types.Array) and isinstance(r, types.Array):
        return b.Items(out.column, connect(w.items, r.items, out.children[0]))
    if isinstance(w, types.Map) and isinstance(r, types.Map):
        pair = out.children[0]
        steps = [b.Text(pair.children[0].column), connect(w.values, r.values, pair.children[1])]
        return b.Items(out.column, b.Fields(pair.column, steps))
    if isinstance(w, types.Enum) and isinstance(r, types.Enum) and _same_name(w, r):
        spare = r.symbols.index(r.default) if r.default in r.symbols else -1
        return b.Choice(out.column, [r.symbols.index(each) if each in r.symbols else spare for each in w.symbols])
    if isinstance(w, types.Fixed) and isinstance(r, types.Fixed) and w.size == r.size and _same_name(w, r):
        decimal = r.logical == "decimal" and r.precision <= 38
        return b.Decimal(out.column, w.size) if decimal else b.Raw(out.column, w.size)
    raise _clash(w, r)


def _primitive(w: types.Primitive, r: types.Primitive, out: Out) -> Any:
    if r.kind in ("int", "long"):
        return b.Long(out.column)
    if r.kind in ("float", "double"):
        return b.Real(out.column, {"float": 4, "double": 8}.get(w.kind, 0))
    if r.kind == "boolean":
        return b.Raw(out.column, 1)
    if r.logical == "decimal" and r.kind == "bytes" and r.precision <= 38:
        return b.Decimal(out.column, -1)
    return b.Text(out.column)


def _maybe(w: types.Type, r: types.Type, out: Out) -> Any:
    """The reader of a branch; None where the reader's schema has no place for it."""
    try:
        return connect(w, r, out)
    except SerializationError:
        return None


def _into_union(w: types.Type, r: types.Union, out: Out) -> Any:
    rest = _without_null(r)
    if w.kind == "null":
        if len(rest) == len(r.branches):
            raise _clash(w, r)
        return b.Reader(out.column)
    exact = [each for each in rest if types.branch_name(each) == types.branch_name(w)]
    for each in [*exact, *rest]:
        number = rest.index(each)
        made = _maybe(w, each, out if len(rest) == 1 else out.children[number])
        if made is not None:
            return made if len(rest) == 1 else b.Branch(out.column, number, made)
    raise _clash(w, r)


def _record(w: types.Record, r: types.Record, out: Out) -> Any:
    steps = []
    found = set()
    for theirs in w.fields:
        number = next((n for n, ours in enumerate(r.fields) if theirs.name in (ours.name, *ours.aliases)), None)
        if number is None or number in found:
            steps.append(skip(theirs.type))
        else:
            found.add(number)
            steps.append(connect(theirs.type, r.fields[number].type, out.children[number]))
    for number, ours in enumerate(r.fields):
        if number not in found:
            if ours.default is types.NO_DEFAULT:
                raise SerializationError(f"{r.name}.{ours.name} was not written and has no default")
            kind = ours.type.branches[0] if isinstance(ours.type, types.Union) else ours.type
            inner = connect(kind, ours.type, out.children[number])
            steps.append(b.Constant(inner, default_bytes(kind, ours.default)))
    return b.Fields(out.column, steps)


def skip(kind: types.Type, around: dict[int, Any] | None = None) -> Any:
    """The reader that steps over a value; a recursive one holds itself."""
    around = {} if around is None else around
    if id(kind) in around:
        return around[id(kind)]
    if isinstance(kind, types.Record):
        steps: list[Any] = []
        made = around[id(kind)] = b.Fields(None, steps)
        made.add([skip(each.type, around) for each in kind.fields])
        return made
    if isinstance(kind, types.Union):
        return b.Union([skip(each, around) for each in kind.branches])
    if isinstance(kind, types.Array):
        return b.Items(None, skip(kind.items, around))
    if isinstance(kind, types.Map):
        return b.Items(None, b.Fields(None, [b.Text(None), skip(kind.values, around)]))
    if isinstance(kind, types.Fixed):
        return b.Raw(None, kind.size)
    if isinstance(kind, types.Enum) or kind.kind in ("int", "long"):
        return b.Long(None)
    if kind.kind in ("bytes", "string"):
        return b.Text(None)
    return {"null": b.Reader(None), "boolean": b.Raw(None, 1), "float": b.Raw(None, 4), "double": b.Raw(None, 8)}[
        kind.kind
    ]


def default_bytes(kind: types.Type, value: Any) -> bytes:
    """A default as it would have been written."""
    try:
        return _default(kind, value)
    except (TypeError, KeyError, ValueError, AttributeError, struct.error) as problem:
        raise SerializationError(f"{value!r} is no default of a {types.branch_name(kind)}: {problem!r}") from None


def _default(kind: types.Type, value: Any) -> bytes:
    if isinstance(kind, types.Union):
        return b"\0" + _default(kind.branches[0], value)
    if isinstance(kind, types.Record):
        rows = [(each, value.get(each.name, each.default)) for each in kind.fields]
        return b"".join(_default(each.type, own) for each, own in rows)
    if isinstance(kind, types.Array):
        return (_long(len(value)) if value else b"") + b"".join(_default(kind.items, each) for each in value) + b"\0"
    if isinstance(kind, types.Map):
        pairs = [_text(name.encode()) + _default(kind.values, each) for name, each in value.items()]
        return (_long(len(pairs)) if pairs else b"") + b"".join(pairs) + b"\0"
    if isinstance(kind, types.Enum):
        return _long(kind.symbols.index(value))
    if isinstance(kind, types.Fixed):
        return str(value).encode("latin-1")
    if kind.kind in ("int", "long"):
        return _long(int(value))
    if kind.kind == "string":
        return _text(value.encode())
    if kind.kind == "bytes":
        return _text(value.encode("latin-1"))
    forms = {"float": "<f", "double": "<d", "boolean": "?"}
    return b"" if kind.kind == "null" else struct.pack(forms[kind.kind], value)


def _long(value: int) -> bytes:
    raw = (value << 1) ^ (value >> 63)
    out = bytearray()
    while raw > 0x7F:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*out, raw])


def _text(data: bytes) -> bytes:
    return _long(len(data)) + data


def _same_name(w: Any, r: Any) -> bool:
    own = (r.name, *r.aliases)
    return w.name in own or w.name.rpartition(".")[2] in [each.rpartition(".")[2] for each in own]


def _clash(w: types.Type, r: types.Type) -> SerializationError:
    return SerializationError(f"what was written as {types.branch_name(w)} cannot be read as {types.branch_name(r)}")
