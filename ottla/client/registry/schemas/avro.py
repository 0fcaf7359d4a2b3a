"""Avro schemas: parsed into types, checked, and in Parsing Canonical Form (Avro 1.12, "Transforming into Parsing Canonical Form").

    parse(text, names) ─► Type       `names` has the types known so far, by full name, and gets the new ones: a schema that
                                     refers to others is parsed behind them with the same `names`
    canonical(type) ─► text          equal for schemas that read alike
    fingerprint(type) ─► 8 bytes     CRC-64-AVRO of that

A type that is named is one object wherever it is used, so a recursive schema is a circle of objects and nothing is ever written out
twice. Text comes from outside: depth and number of types are bounded, names checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

DEPTH_MAX = 100
TYPES_MAX = 20_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")
PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
#: A field without a default.
NO_DEFAULT: Any = object()


@dataclass(eq=False)
class Primitive:
    kind: str
    logical: str | None = None
    precision: int = 0
    scale: int = 0


@dataclass(eq=False)
class Fixed:
    name: str
    size: int
    logical: str | None = None
    precision: int = 0
    scale: int = 0
    aliases: tuple[str, ...] = ()
    kind: str = "fixed"


@dataclass(eq=False)
class Enum:
    name: str
    symbols: tuple[str, ...]
    default: str | None = None
    aliases: tuple[str, ...] = ()
    kind: str = "enum"


@dataclass(eq=False)
class Array:
    items: Type
    kind: str = "array"


@dataclass(eq=False)
class Map:
    values: Type
    kind: str = "map"


@dataclass(eq=False)
class Union:
    branches: tuple[Type, ...]
    kind: str = "union"


@dataclass(eq=False)
class Field:
    name: str
    type: Type
    default: Any = field(default=NO_DEFAULT)
    aliases: tuple[str, ...] = ()


@dataclass(eq=False)
class Record:
    name: str
    fields: tuple[Field, ...] = ()
    aliases: tuple[str, ...] = ()
    kind: str = "record"


Type: TypeAlias = Primitive | Fixed | Enum | Array | Map | Union | Record


class AvroError(ValueError):
    """A text is no Avro schema."""


def parse(text: str, names: dict[str, Type] | None = None) -> Type:
    """The type of a schema's text; AvroError where it is none. See the head of the module for `names`."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise AvroError(f"no JSON: {problem}") from None
    return _Parser({} if names is None else names).type(given, "", 0)


class _Parser:
    def __init__(self, names: dict[str, Type]) -> None:
        self.names = names
        self.count = 0

    def type(self, given: Any, namespace: str, depth: int) -> Type:
        self.count += 1
        if depth > DEPTH_MAX or self.count > TYPES_MAX:
            raise AvroError(f"nested more than {DEPTH_MAX} deep, or more than {TYPES_MAX} types")
        if isinstance(given, str):
            return Primitive(given) if given in PRIMITIVES else self._named(given, namespace)
        if isinstance(given, list):
            return self._union(given, namespace, depth)
        if not isinstance(given, dict):
            raise AvroError(f"{given!r} is no type")
        kind = given.get("type")
        if isinstance(kind, dict | list):
            return self.type(kind, namespace, depth + 1)
        if kind == "array":
            return Array(self.type(given.get("items"), namespace, depth + 1))
        if kind == "map":
            return Map(self.type(given.get("values"), namespace, depth + 1))
        if kind in ("record", "error", "enum", "fixed"):
            return self._definition(str(kind), given, namespace, depth)
        if kind in PRIMITIVES:
            return Primitive(str(kind), *_logical(given))
        if isinstance(kind, str):
            return self._named(kind, namespace)
        raise AvroError(f"{given!r} has no type")

    def _named(self, name: str, namespace: str) -> Type:
        for full in (name,) if "." in name or not namespace else (f"{namespace}.{name}", name):
            if full in self.names:
                return self.names[full]
        raise AvroError(f"{name!r} is no type that is known here")

    def _union(self, given: list[Any], namespace: str, depth: int) -> Union:
        branches = tuple(self.type(each, namespace, depth + 1) for each in given)
        seen = [branch_name(each) for each in branches]
        if "union" in seen or len(set(seen)) < len(seen):
            raise AvroError(f"a union of {', '.join(seen)}: each type once, and no union")
        return Union(branches)

    def _definition(self, kind: str, given: dict[str, Any], namespace: str, depth: int) -> Type:
        full = self._full(given.get("name"), given.get("namespace"), namespace)
        inner = full.rpartition(".")[0]
        aliases = tuple(self._full(each, None, inner) for each in _list(given, "aliases"))
        if full in self.names:
            raise AvroError(f"{full} is defined twice")
        made: Type
        if kind == "fixed":
            size = given.get("size")
            if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 31:
                raise AvroError(f"{full}: size={size!r}")
            made = self.names[full] = Fixed(full, size, *_logical(given), aliases=aliases)
        elif kind == "enum":
            symbols = tuple(_list(given, "symbols"))
            if not all(isinstance(each, str) and _NAME.match(each) and "." not in each for each in symbols) or (
                len(set(symbols)) < len(symbols)
            ):
                raise AvroError(f"{full}: symbols are different names")
            made = self.names[full] = Enum(full, symbols, given.get("default"), aliases)
        else:
            record = Record(full, (), aliases)
            made = self.names[full] = record
            rows = given.get("fields")
            if not isinstance(rows, list):
                raise AvroError(f"{full}: a record has a list of fields")
            record.fields = tuple(self._field(each, full, inner, depth) for each in rows)
            if len({each.name for each in record.fields}) < len(record.fields):
                raise AvroError(f"{full}: a field's name stands twice")
        return made

    def _field(self, given: Any, record: str, namespace: str, depth: int) -> Field:
        if not isinstance(given, dict) or not isinstance(given.get("name"), str) or not _NAME.match(given["name"]):
            raise AvroError(f"{record}: {given!r} is no field")
        aliases = tuple(str(each) for each in _list(given, "aliases"))
        default = given.get("default", NO_DEFAULT)
        return Field(given["name"], self.type(given.get("type"), namespace, depth + 1), default, aliases)

    def _full(self, name: Any, own: Any, around: str) -> str:
        if not isinstance(name, str) or not _NAME.match(name):
            raise AvroError(f"{name!r} is no name")
        if "." in name:
            return name
        space = own if isinstance(own, str) else around
        return f"{space}.{name}" if space else name


def _list(given: dict[str, Any], name: str) -> list[Any]:
    found = given.get(name) or []
    if not isinstance(found, list):
        raise AvroError(f"{name}: expected a list")
    return found


def _logical(given: dict[str, Any]) -> tuple[str | None, int, int]:
    """(logical type, precision, scale); what makes no sense is left out, as the specification has it."""
    name, precision, scale = given.get("logicalType"), given.get("precision", 0), given.get("scale", 0)
    if not isinstance(name, str):
        return None, 0, 0
    if name == "decimal" and not (
        isinstance(precision, int) and isinstance(scale, int) and 0 <= scale <= precision > 0
    ):
        return None, 0, 0
    return name, precision if isinstance(precision, int) else 0, scale if isinstance(scale, int) else 0


def branch_name(type: Type) -> str:  # noqa: A002 - the word for it
    """What a union calls a type: its full name, or its kind."""
    return type.name if isinstance(type, Record | Enum | Fixed) else type.kind


def name_of(type: Type) -> str | None:  # noqa: A002
    """The full name that subjects by record are made of; primitives go by their kind, unions have none."""
    return None if isinstance(type, Union) else branch_name(type)


def walk(type: Type) -> Iterator[Type]:  # noqa: A002
    """A type and all types in it, each once."""
    seen: set[int] = set()
    stack = [type]
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, Array):
            stack.append(one.items)
        elif isinstance(one, Map):
            stack.append(one.values)
        elif isinstance(one, Union):
            stack.extend(one.branches)
        elif isinstance(one, Record):
            stack.extend(each.type for each in one.fields)


def least_bytes(type: Type, under_way: frozenset[int] = frozenset()) -> int:  # noqa: A002
    """0 where a value of the type may take no bytes at all, else 1."""
    if isinstance(type, Primitive):
        return 0 if type.kind == "null" else 1
    if isinstance(type, Fixed):
        return min(type.size, 1)
    if isinstance(type, Record) and id(type) not in under_way:
        inside = under_way | {id(type)}
        return max((least_bytes(each.type, inside) for each in type.fields), default=0)
    return 1


def check_bounded(type: Type) -> None:  # noqa: A002
    """Raise where a few bytes could stand for any number of items: an array of what takes no bytes."""
    for one in walk(type):
        if isinstance(one, Array) and least_bytes(one.items) == 0:
            raise AvroError("an array of values that take no bytes could be of any length")


def canonical(type: Type) -> str:  # noqa: A002
    """The Parsing Canonical Form."""
    return json.dumps(_canonical(type, set()), separators=(",", ":"), ensure_ascii=False)


def _canonical(type: Type, written: set[str]) -> Any:  # noqa: A002
    if isinstance(type, Primitive):
        return type.kind
    if isinstance(type, Union):
        return [_canonical(each, written) for each in type.branches]
    if isinstance(type, Array):
        return {"type": "array", "items": _canonical(type.items, written)}
    if isinstance(type, Map):
        return {"type": "map", "values": _canonical(type.values, written)}
    if type.name in written:
        return type.name
    written.add(type.name)
    if isinstance(type, Enum):
        return {"name": type.name, "type": "enum", "symbols": list(type.symbols)}
    if isinstance(type, Fixed):
        return {"name": type.name, "type": "fixed", "size": type.size}
    fields = [{"name": each.name, "type": _canonical(each.type, written)} for each in type.fields]
    return {"name": type.name, "type": "record", "fields": fields}


_EMPTY = 0xC15D213AA4D7A795
_TABLE: list[int] = []


def fingerprint(type: Type) -> bytes:  # noqa: A002
    """CRC-64-AVRO of the canonical form, as the single-object encoding has it (little-endian)."""
    if not _TABLE:
        for number in range(256):
            for _ in range(8):
                number = (number >> 1) ^ (_EMPTY if number & 1 else 0)
            _TABLE.append(number)
    found = _EMPTY
    for byte in canonical(type).encode():
        found = (found >> 8) ^ _TABLE[(found ^ byte) & 0xFF]
    return found.to_bytes(8, "little")
