"""JSON Schema by a registry: `serde.JsonSchema(registry, schema or type)`.

    JsonSchema(registry, '{"title": "Order", …}')   dicts, validated by jsonschema-rs (`pip install 'ottla[jsonschema]'`)
    JsonSchema(registry, kind=Order)                a msgspec type or a pydantic model: the schema is made from it, and the type
                                                    itself validates

`$ref`s are found among the schema's references and nowhere else: nothing is ever fetched from an address that stands in a schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigError, SerializationError
from ..registry.model import JSON, Reference, Schema
from .adapting import needs
from .kinds import is_pydantic
from .registered import RegisteredSerde

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


class JsonSchema(RegisteredSerde[T]):
    """See the head of the module. `validate=False` leaves validation to others. Other options: RegisteredSerde."""

    kind = JSON

    def __init__(
        self, registry: Any, schema: Schema | str | dict[str, Any] | None = None, *, kind: type[T] | None = None,
        references: Iterable[Reference] = (), validate: bool = True, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(registry, **options)
        if schema is None and kind is not None:
            schema = schema_of(kind)
        self._schema = as_schema(schema, tuple(references)) if schema is not None else None
        self._title = None if self._schema is None else _title(self._schema)
        self._validate = validate and kind is None
        self._encode, self._decode = _codec(kind)
        if self._validate:
            needs("jsonschema_rs", "jsonschema")

    def encode_with(self, encode: Callable[[Any], bytes]) -> None:
        """Use another JSON writer."""
        self._encode = encode

    def decode_with(self, decode: Callable[[bytes], Any]) -> None:
        """Use another JSON reader."""
        self._decode = decode

    @property
    def record(self) -> str | None:
        return self._title

    def own_schema(self, subject: str) -> Schema:
        if self._schema is None:
            raise ConfigError("there is no schema to write with: give one, or use_latest=True, or use_schema_id")
        return self._schema

    def encoder(self, schema: Schema | None) -> Callable[[Any], bytes]:
        encode = self._encode
        if not self._validate:
            return encode
        check = self.validator(schema or self.own_schema(""))

        def run(value: Any) -> bytes:
            check(value)
            return encode(value)

        return run

    def decoder(self, schema: Schema, indexes: tuple[int, ...], latest: Schema | None) -> Callable[[bytes], T]:
        decode = self._decode
        if not self._validate:
            return decode
        check = self.validator(latest or self._schema or schema)

        def run(data: bytes) -> T:
            value: T = decode(data)
            check(value)
            return value

        return run

    def validator(self, schema: Schema) -> Callable[[Any], None]:
        """A function that raises where a value is not as its schema says. Blocks where references have to be asked for."""
        import jsonschema_rs

        parsed = _parse(schema)
        known = {reference.name: _parse(other) for reference, other in self.referred(schema)}

        def retrieve(uri: str) -> Any:
            for name in (uri, uri.removeprefix("json-schema:///"), uri.rpartition("/")[2]):
                if name in known:
                    return known[name]
            raise SerializationError(f"$ref {uri!r} is not among the schema's references")

        try:
            make: Any = jsonschema_rs.Draft7Validator
            if isinstance(parsed, dict) and "$schema" in parsed:
                make = jsonschema_rs.validator_cls_for(parsed)
            made = make(parsed, retriever=retrieve)
        except (ValueError, jsonschema_rs.ReferencingError, RecursionError) as problem:
            raise SerializationError(f"no JSON schema: {str(problem)[:500]}") from problem

        def check(value: Any) -> None:
            try:
                made.validate(value)
            except (jsonschema_rs.ValidationError, ValueError) as problem:
                raise SerializationError(f"not as its schema says: {str(problem)[:500]}") from problem

        return check

    def column(self, pa: Any, data: pa.BinaryArray, notes: Any, topic: str, field: str) -> pa.Array:
        """Values of a batch as one Arrow array, by Arrow's own JSON reader."""
        from .columns.json import read_column

        return read_column(self, pa, data, notes)


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type."""
    made: dict[str, Any]
    if is_pydantic(kind):
        made = kind.model_json_schema()
    else:
        import msgspec

        made = msgspec.json.schema(kind)
        ref = made.get("$ref")
        if isinstance(ref, str) and ref.startswith("#/$defs/"):
            made = {"title": made["$defs"][ref[8:]].get("title", ref[8:]), **made}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def as_schema(given: Schema | str | dict[str, Any], references: tuple[Reference, ...]) -> Schema:
    """A schema of what a user wrote."""
    if isinstance(given, Schema):
        return given
    return Schema(given if isinstance(given, str) else json.dumps(given), JSON, references)


def _codec(kind: Any) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    if kind is not None and is_pydantic(kind):
        return (lambda value: value.model_dump_json().encode()), kind.model_validate_json
    import msgspec

    return msgspec.json.encode, (msgspec.json.decode if kind is None else msgspec.json.Decoder(kind).decode)


def _title(schema: Schema) -> str | None:
    parsed = _parse(schema)
    title = parsed.get("title") if isinstance(parsed, dict) else None
    return title if isinstance(title, str) else None


def _parse(schema: Schema) -> Any:
    try:
        return json.loads(schema.text)
    except (ValueError, RecursionError) as problem:
        raise SerializationError(f"no JSON schema: {problem}") from None
