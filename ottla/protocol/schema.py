"""The language in which Kafka's messages are declared: a class is the schema.

How it works
------------
A message is a class whose annotations are its fields in wire order. A bare annotation means "in every
version, with the type's natural default"; `f(...)` narrows that:

    class ListOffsetsPartition(Struct):
        partition_index: int32
        current_leader_epoch: int32 = f("4+", default=-1, ignorable=True)
        timestamp: int64

    class ListOffsetsRequest(Request, api_key=2, versions="1-11", flexible="6+"):
        ...

`X | None` means nullable; a field that became nullable late says `nullable="7+"` as well. The same language
declares what goes over the wire (`apis/`) and what lies in internal topics (`stored/`). Nothing is encoded
here: `codec` compiles one encoder and one decoder per class and version on first use.

Defaults
--------
A list field starts as a list of its own. A field that is a struct made of plain values only (a leader id and its
epoch, say) starts as one *shared, frozen* instance, because a response of a thousand partitions would otherwise
make thousands of structs that are never sent: put a new struct there instead of changing the default's fields
(which raises). Tags that the schema does not know are kept in `unknown_tags` and sent again.

Names are those of Kafka's JSON schemas in snake_case; the oracle tests hold each class to the schemas inside
Apache Kafka's own jar. Source: KIP-482 (flexible versions, tagged fields), Kafka protocol guide.
"""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args, get_origin

__all__ = [
    "ZERO_UUID", "Data", "Field", "Header", "Primitive", "Request", "Response", "Struct", "Versions",
    "f", "float64", "int8", "int16", "int32", "int64", "record_bytes", "string", "uint16", "uint32", "uuid",
]  # fmt: skip

ZERO_UUID = bytes(16)
#: What "unbounded" means in a version range such as "4+".
MAX_VERSION = 32767


@dataclass(frozen=True, slots=True)
class Primitive:
    """A type the wire knows: its Kafka name, its `struct` letter if it has a fixed size, and its natural default."""

    name: str
    code: str | None
    default: Any


int8 = Annotated[int, Primitive("int8", "b", 0)]
int16 = Annotated[int, Primitive("int16", "h", 0)]
uint16 = Annotated[int, Primitive("uint16", "H", 0)]
int32 = Annotated[int, Primitive("int32", "i", 0)]
uint32 = Annotated[int, Primitive("uint32", "I", 0)]
int64 = Annotated[int, Primitive("int64", "q", 0)]
float64 = Annotated[float, Primitive("float64", "d", 0.0)]
string = Annotated[str, Primitive("string", None, "")]
#: Sixteen raw bytes; `ZERO_UUID` where Kafka says "no id".
uuid = Annotated[bytes, Primitive("uuid", "16s", ZERO_UUID)]
#: Record batches: never decoded here. Reading gives a `memoryview` into the frame, writing takes any buffer or
#: a list of buffers, which the encoder passes on without a copy.
record_bytes = Annotated[Any, Primitive("records", None, None)]

_PLAIN: dict[Any, Primitive] = {bool: Primitive("bool", "?", False), bytes: Primitive("bytes", None, b"")}


@dataclass(frozen=True, slots=True)
class Versions:
    """A closed range of message versions; empty when `low > high`."""

    low: int
    high: int

    @classmethod
    def parse(cls, text: str) -> Versions:
        """Read "none", "3", "2-5" or "4+"."""
        if text == "none":
            return cls(0, -1)
        if text.endswith("+"):
            return cls(int(text[:-1]), MAX_VERSION)
        low, _, high = text.partition("-")
        return cls(int(low), int(high or low))

    def __contains__(self, version: int) -> bool:
        return self.low <= version <= self.high

    def __str__(self) -> str:
        if self.low > self.high:
            return "none"
        if self.high == MAX_VERSION:
            return f"{self.low}+"
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


ALL_VERSIONS = Versions(0, MAX_VERSION)
NO_VERSIONS = Versions(0, -1)
_NATURAL: Any = object()


@dataclass(frozen=True, slots=True)
class _Narrowing:
    versions: Versions
    default: Any
    tag: int | None
    nullable: str | None
    ignorable: bool
    flexible: str | None


def f(
    versions: str = "0+",
    *,
    default: Any = _NATURAL,
    tag: int | None = None,
    nullable: str | None = None,
    ignorable: bool = False,
    flexible: str | None = None,
) -> Any:
    """Narrow a field: the versions that carry it and what differs from a plain one.

    `tag` makes it a tagged field of KIP-482. `nullable` names the versions in which null is allowed where these
    are fewer than `versions`. `ignorable` allows encoding a version that cannot carry a value set by the caller.
    `flexible="none"` keeps the old length encoding even in flexible versions.
    """
    return _Narrowing(Versions.parse(versions), default, tag, nullable, ignorable, flexible)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message, resolved.

    `type` is a `Primitive` or a `Struct` class; `array` says that the field is a list of it.
    """

    name: str
    type: Primitive | type[Struct]
    array: bool
    versions: Versions
    nullable: Versions
    default: Any
    tag: int | None
    ignorable: bool
    flexible: Versions


def _resolve(name: str, annotation: Any, narrowing: _Narrowing) -> Field:
    nullable = False
    if get_origin(annotation) in (types.UnionType, typing.Union):
        (annotation,) = [a for a in get_args(annotation) if a is not type(None)]
        nullable = True
    array = get_origin(annotation) is list
    if array:
        (annotation,) = get_args(annotation)
    primitive = get_origin(annotation) is Annotated
    kind = annotation.__metadata__[0] if primitive else _PLAIN.get(annotation, annotation)
    if narrowing.default is not _NATURAL:
        default = narrowing.default
    elif array:
        default = list
    elif isinstance(kind, Primitive):
        default = kind.default
    else:
        default = frozen_default(kind) or kind
    if nullable:
        nullable_versions = Versions.parse(narrowing.nullable) if narrowing.nullable else narrowing.versions
    else:
        nullable_versions = NO_VERSIONS
    return Field(
        name, kind, array, narrowing.versions, nullable_versions, default, narrowing.tag, narrowing.ignorable,
        ALL_VERSIONS if narrowing.flexible is None else Versions.parse(narrowing.flexible),
    )  # fmt: skip


def _refuse_change(self: Struct, name: str, value: Any) -> None:
    raise AttributeError(f"this {type(self).__name__} is the shared default of a field: assign a new one instead")


_frozen_defaults: dict[type[Struct], Struct | None] = {}


def frozen_default(kind: type[Struct]) -> Struct | None:
    """Return the one shared, unchangeable instance of a struct with all defaults; None if it has lists in it."""
    if kind not in _frozen_defaults:
        instance: Struct | None = None
        if not any(field.array or field.default is field.type for field in kind.FIELDS):
            # `type.__new__` and not `_SchemaMeta`: the twin has the same fields, it does not declare its own.
            namespace = {"__slots__": (), "__setattr__": _refuse_change, "__qualname__": kind.__qualname__}
            twin = typing.cast(type[Struct], type.__new__(_SchemaMeta, kind.__name__, (kind,), namespace))
            instance = object.__new__(twin)
            object.__setattr__(instance, "unknown_tags", None)
            for field in kind.FIELDS:
                object.__setattr__(instance, field.name, field.default)
        _frozen_defaults[kind] = instance
    return _frozen_defaults[kind]


def _make_init(fields: tuple[Field, ...]) -> Any:
    """Write the constructor as text, as dataclasses do: keyword arguments only, fresh lists and structs."""
    scope: dict[str, Any] = {"_natural": _NATURAL}
    parameters, body = [], ["    self.unknown_tags = None"]
    for number, field in enumerate(fields):
        scope[f"_d{number}"] = field.default
        if callable(field.default):
            fresh = "[]" if field.array else f"_d{number}()"
            parameters.append(f"{field.name}=_natural")
            body.append(f"    self.{field.name} = {fresh} if {field.name} is _natural else {field.name}")
        else:
            parameters.append(f"{field.name}=_d{number}")
            body.append(f"    self.{field.name} = {field.name}")
    star = "*, " if parameters else ""
    exec(f"def __init__(self, {star}{', '.join(parameters)}):\n" + "\n".join(body), scope)  # noqa: S102
    return scope["__init__"]


class _SchemaMeta(type):
    """Turns annotations into `__slots__`, a constructor and the table `FIELDS`."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> _SchemaMeta:
        plain = f()
        fields = []
        annotations = namespace.get("__annotations__", {}) if bases else {}
        for field_name, annotation in annotations.items():
            if get_origin(annotation) is ClassVar or isinstance(annotation, str):
                continue
            fields.append(_resolve(field_name, annotation, namespace.pop(field_name, plain)))
        table = tuple(fields)
        namespace["FIELDS"] = table
        namespace["__slots__"] = tuple(field.name for field in table) if bases else ("unknown_tags",)
        if bases:
            namespace["__init__"] = _make_init(table)
        return super().__new__(mcs, name, bases, namespace)

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> None:
        super().__init__(name, bases, namespace)
        for key in ("versions", "flexible"):
            if key in options:
                setattr(cls, key.upper(), Versions.parse(options.pop(key)))
        for key, value in options.items():
            setattr(cls, key.upper(), value)


class Struct(metaclass=_SchemaMeta):
    """A group of fields inside a message."""

    FIELDS: ClassVar[tuple[Field, ...]]
    #: Tag -> bytes of tagged fields that this schema does not know; None when there are none.
    unknown_tags: dict[int, bytes] | None

    if typing.TYPE_CHECKING:
        # PEP 681 has no word for "every field has a natural default": to `dataclass_transform` a bare field is a
        # required argument. So type checkers see the fields but not the constructor; a wrong name fails at run time.
        def __init__(self, **fields: Any) -> None: ...

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Struct) or other.FIELDS is not self.FIELDS:
            return NotImplemented
        return self.unknown_tags == other.unknown_tags and all(
            getattr(self, field.name) == getattr(other, field.name) for field in self.FIELDS
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{x.name}={getattr(self, x.name)!r}' for x in self.FIELDS)})"


class Data(Struct):
    """A message that stands for itself: a header, a stored record, an embedded protocol.

    `API_KEY` is the number of its API, or of its record type; -1 where it has none.
    """

    API_KEY: ClassVar[int] = -1
    VERSIONS: ClassVar[Versions] = NO_VERSIONS
    FLEXIBLE: ClassVar[Versions] = NO_VERSIONS


class Header(Data):
    """What stands before a request or a response in its frame."""


class Request(Data):
    """A request; `API_KEY` names its API. `LATEST_VERSION_UNSTABLE`: the last version is not advertised."""

    LATEST_VERSION_UNSTABLE: ClassVar[bool] = False


class Response(Data):
    """The answer to the request of the same `API_KEY`."""
