"""Avro by a registry: `serde.Avro(registry, schema)`; fastavro does the encoding (`pip install 'ottla[avro]'`).

    Avro(registry, '{"type": "record", …}')            dicts
    Avro(registry, schema, kind=Order)                 objects of a dataclass, a msgspec Struct or a pydantic model
    Avro(registry)                                     reads whatever comes; writes with use_latest=True or use_schema_id

A schema that is given is what is written, and what is read into: fields are matched, promoted and filled in from defaults as Avro's
schema resolution has it. A bare `bytes` schema is written without its length, as Confluent's serializers do.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigError, SerializationError
from ..registry.model import AVRO, Reference, Schema
from ..registry.schemas import avro as types
from .adapting import needs
from .kinds import from_fields, to_fields
from .registered import RegisteredSerde

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


class Avro(RegisteredSerde[T]):
    """See the head of the module; `references` are the schemas that `schema` uses. Other options: RegisteredSerde.

    `reader` is the schema that is read into, where that shall be another than `schema` (False: each value's own).
    `named_unions`: a record of a union is read as (name, record), as such a tuple is taken for writing too.
    """

    kind = AVRO

    def __init__(
        self, registry: Any, schema: Schema | str | dict[str, Any] | list[Any] | None = None, *,
        kind: type[T] | None = None, references: Iterable[Reference] = (), reader: Any = None,
        named_unions: bool = False, strict: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        needs("fastavro", "avro")
        super().__init__(registry, **options)
        self._schema = None if schema is None else as_schema(schema, tuple(references))
        own_reader = self._schema if reader is None else reader
        self._reader_schema = as_schema(own_reader, ()) if own_reader else None
        self._write_fields = None if kind is None else to_fields(kind)
        self._read_fields: Callable[[Any], T] | None = None if kind is None else from_fields(kind)
        self._named_unions = named_unions
        self._strict = strict
        self._names: dict[Schema, str | None] = {}
        if self._schema is not None and not self._schema.references:
            parse_all(self._schema, [])  # a mistake in it is told here, not with the first record

    @property
    def record(self) -> str | None:
        schema = self._schema or self._reader_schema
        if schema is None:
            return None
        if schema not in self._names:
            self._names[schema] = types.name_of(parse_all(schema, self.referred(schema)))
        return self._names[schema]

    def own_schema(self, subject: str) -> Schema:
        if self._schema is None:
            raise ConfigError("there is no schema to write with: give one, or use_latest=True, or use_schema_id")
        return self._schema

    def encoder(self, schema: Schema | None) -> Callable[[Any], bytes]:
        from fastavro import schemaless_writer

        chosen = schema or self.own_schema("")
        parsed = self.parsed(chosen)
        prepare, strict = self._write_fields, self._strict
        if _is_bytes(parsed):
            return bytes

        def encode(value: Any) -> bytes:
            out = io.BytesIO()
            schemaless_writer(out, parsed, value if prepare is None else prepare(value), strict=strict)
            return out.getvalue()

        return encode

    def decoder(self, schema: Schema, indexes: tuple[int, ...], latest: Schema | None) -> Callable[[bytes], T]:
        from fastavro import schemaless_reader

        written = self.parsed(schema, bounded=True)
        reader = latest or self._reader_schema
        wanted = None if reader is None or reader == schema else self.parsed(reader)
        finish, named = self._read_fields, self._named_unions
        if _is_bytes(written):
            return lambda data: bytes(data)  # type: ignore[return-value]

        def decode(data: bytes) -> T:
            source = io.BytesIO(data)
            value: Any = schemaless_reader(source, written, wanted, return_record_name=named)
            if source.tell() != len(data):
                raise SerializationError(f"{len(data) - source.tell()} bytes are left behind the value")
            return value if finish is None else finish(value)

        return decode

    def reader_schema(self) -> Schema | None:
        """The schema that is read into, where one was given."""
        return self._reader_schema

    def parsed(self, schema: Schema, *, bounded: bool = False) -> Any:
        """A schema as fastavro takes it, with all that it refers to. Blocks where that has to be asked for."""
        import fastavro

        referred = self.referred(schema)
        made = parse_all(schema, referred)
        try:
            if bounded:
                types.check_bounded(made)
            named: dict[str, Any] = {}
            for _, other in referred:
                fastavro.parse_schema(json.loads(other.text), named_schemas=named)
            return fastavro.parse_schema(json.loads(schema.text), named_schemas=named)
        except (ValueError, KeyError, TypeError, RecursionError, fastavro.schema.SchemaParseException) as problem:
            raise SerializationError(f"no Avro schema: {problem!r}") from problem

    def column(self, pa: Any, data: pa.BinaryArray, notes: Any, topic: str, field: str) -> pa.Array:
        """Values of a batch as one Arrow array; see columns/avro.py."""
        from .columns.avro import read_column

        return read_column(self, pa, data, notes, topic, field)


def as_schema(given: Schema | str | dict[str, Any] | list[Any], references: tuple[Reference, ...]) -> Schema:
    """A schema of what a user wrote; a bare primitive is written as an object, as Confluent's clients do."""
    if isinstance(given, Schema):
        return given
    text = given.strip() if isinstance(given, str) else json.dumps(given)
    if text[:1] not in ("{", "["):
        text = '{"type":' + (text if text[:1] == '"' else json.dumps(text)) + "}"
    return Schema(text, AVRO, references)


def parse_all(schema: Schema, referred: list[tuple[Reference, Schema]]) -> types.Type:
    """The type of a schema and of what it refers to; SerializationError where one is no Avro."""
    names: dict[str, types.Type] = {}
    try:
        for _, other in referred:
            types.parse(other.text, names)
        return types.parse(schema.text, names)
    except types.AvroError as problem:
        raise SerializationError(f"no Avro schema: {problem}") from None


def _is_bytes(parsed: Any) -> bool:
    return parsed == "bytes" or (
        isinstance(parsed, dict) and parsed.get("type") == "bytes" and "logicalType" not in parsed
    )
