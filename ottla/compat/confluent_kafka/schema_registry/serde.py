"""What confluent_kafka's serializers have in common, over Ottla's serdes: configuration, subjects, where the schema's id stands."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import Callable, Generator
from typing import Any

from ....client.registry.blocking import Registry
from ....client.serde import framing
from ....client.serde.registered import RegisteredSerde
from ..serialization import Deserializer, SerializationContext, SerializationError, Serializer
from .error import translated
from .model import Schema, SchemaReference, to_model

_NOWHERE = ""


class SchemaId:
    """The id of a schema, its GUID, and Protobuf's message indexes; as bytes."""

    def __init__(
        self, schema_type: str, schema_id: int | None = None, guid: str | None = None,
        message_indexes: list[int] | None = None,
    ) -> None:  # fmt: skip
        self.schema_type = schema_type
        self.id = schema_id
        self.guid = None if guid is None else uuid.UUID(guid)
        self.message_indexes = message_indexes

    def from_bytes(self, payload: io.BytesIO) -> io.BytesIO:
        """Read what stands in front; the rest is the value."""
        data = payload.read()
        with_indexes = self.schema_type == "PROTOBUF"
        with translated():
            if data[:1] == b"\x01":
                framed = framing.read_header(data, with_indexes=with_indexes)
                start = 17 + len(framing.write_indexes(framed.indexes if with_indexes else None))
            else:
                framed = framing.read_prefix(data, with_indexes=with_indexes)
                start = framed.start
        if isinstance(framed.schema, int):
            self.id = framed.schema
        else:
            self.guid = uuid.UUID(framed.schema)
        if with_indexes:
            self.message_indexes = list(framed.indexes)
        return io.BytesIO(data[start:])

    def id_to_bytes(self) -> bytes:
        if self.id is None:
            raise SerializationError("Schema ID is not set")
        return framing.prefix(self.id, self.message_indexes)

    def guid_to_bytes(self) -> bytes:
        if self.guid is None:
            raise SerializationError("Schema GUID is not set")
        return framing.header(str(self.guid), self.message_indexes)


def topic_subject_name_strategy(ctx: SerializationContext | None, record_name: str | None) -> str | None:
    if ctx is None:
        raise ValueError("a SerializationContext is needed for subjects by topic")
    return f"{ctx.topic}-{ctx.field}"


def topic_record_subject_name_strategy(ctx: SerializationContext | None, record_name: str | None) -> str | None:
    if ctx is None:
        raise ValueError("a SerializationContext is needed for subjects by topic and record")
    return None if record_name is None else f"{ctx.topic}-{record_name}"


def record_subject_name_strategy(ctx: SerializationContext | None, record_name: str | None) -> str | None:
    return record_name


def reference_subject_name_strategy(ctx: SerializationContext | None, schema_ref: SchemaReference) -> str | None:
    return schema_ref.name if schema_ref else None


def prefix_schema_id_serializer(payload: bytes, ctx: SerializationContext | None, schema_id: SchemaId) -> bytes:
    return schema_id.id_to_bytes() + payload


def header_schema_id_serializer(payload: bytes, ctx: SerializationContext | None, schema_id: SchemaId) -> bytes:
    if ctx is None or ctx.headers is None:
        raise SerializationError("Missing headers")
    name = framing.HEADERS["key" if ctx.field == "key" else "value"]
    if isinstance(ctx.headers, list):
        ctx.headers.append((name, schema_id.guid_to_bytes()))
    elif isinstance(ctx.headers, dict):
        ctx.headers[name] = schema_id.guid_to_bytes()
    else:
        raise SerializationError("Invalid headers type")
    return payload


def dual_schema_id_deserializer(payload: bytes, ctx: SerializationContext | None, schema_id: SchemaId) -> io.BytesIO:
    note = None
    if ctx is not None and ctx.headers is not None:
        name = framing.HEADERS["key" if ctx.field == "key" else "value"]
        rows = ctx.headers.items() if isinstance(ctx.headers, dict) else ctx.headers
        note = next((value for key, value in rows if key == name), None)
    if note is None:
        return schema_id.from_bytes(io.BytesIO(payload))
    schema_id.from_bytes(io.BytesIO(note))
    return io.BytesIO(payload)


def prefix_schema_id_deserializer(payload: bytes, ctx: SerializationContext | None, schema_id: SchemaId) -> io.BytesIO:
    return schema_id.from_bytes(io.BytesIO(payload))


def registry_of(client: Any) -> Registry:
    """The registry behind their client (of either kind)."""
    found = getattr(client, "registry", None)
    if not isinstance(found, Registry):
        raise TypeError(f"expected a SchemaRegistryClient of ottla.compat, not {type(client).__name__}")
    return found


class Settings:
    """A serializer's `conf`: known names are taken out, unknown ones refused."""

    def __init__(self, conf: dict[str, Any] | None, defaults: dict[str, Any]) -> None:
        unknown = [name for name in conf or {} if name not in defaults]
        if unknown:
            raise ValueError(f"Unrecognized properties: {', '.join(unknown)}")
        self.values = defaults | (conf or {})
        for name, default in defaults.items():
            if isinstance(default, bool) and not isinstance(self.values[name], bool):
                raise ValueError(f"{name} must be a boolean value")
        for name in ("subject.name.strategy", "schema.id.serializer", "schema.id.deserializer"):
            if self.values.get(name) is not None and not callable(self.values[name]):
                raise ValueError(f"{name} must be callable")

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)

    def options(self) -> dict[str, Any]:
        """The options of Ottla's serde."""
        strategy = self["subject.name.strategy"] or topic_subject_name_strategy

        def subject(topic: str, field: str, record: str | None) -> str:
            context = None if topic == _NOWHERE else SerializationContext(topic, field)
            found = strategy(context, record)
            if found is None:
                raise SerializationError("there is no subject: the schema has no record name")
            return str(found)

        options = {
            "subject": subject,
            "use_latest": bool(self["use.latest.version"]),
            "use_latest_metadata": self["use.latest.with.metadata"],
        }
        if "auto.register.schemas" in self.values:
            if self["use.latest.version"] and self["auto.register.schemas"]:
                raise ValueError("cannot enable both use.latest.version and auto.register.schemas")
            fixed = self["use.latest.with.metadata"] is not None or self["use.schema.id"] is not None
            options |= {
                "auto_register": self["auto.register.schemas"] and not fixed,
                "normalize": self["normalize.schemas"],
                "use_schema_id": self["use.schema.id"],
            }
        return options


SERIALIZER: dict[str, Any] = {
    "auto.register.schemas": True, "normalize.schemas": False, "use.schema.id": None, "use.latest.version": False,
    "use.latest.with.metadata": None, "subject.name.strategy": None, "schema.id.serializer": prefix_schema_id_serializer,
}  # fmt: skip
DESERIALIZER: dict[str, Any] = {
    "use.latest.version": False, "use.latest.with.metadata": None, "subject.name.strategy": None,
    "schema.id.deserializer": dual_schema_id_deserializer,
}  # fmt: skip


class BaseSerializer(Serializer):
    """Calls one of Ottla's serdes."""

    def __init__(self, serde: RegisteredSerde[Any], settings: Settings, to_dict: Callable[..., Any] | None) -> None:
        if to_dict is not None and not callable(to_dict):
            raise ValueError("to_dict must be callable with the signature to_dict(object, SerializationContext)->dict")
        self._serde = serde
        self._place = settings["schema.id.serializer"]
        self._to_dict = to_dict

    def __call__(self, obj: Any, ctx: SerializationContext | None = None) -> bytes | None:
        if obj is None:
            return None
        topic, field = (_NOWHERE, "value") if ctx is None else (ctx.topic, ctx.field)
        with translated():
            chosen = self._serde.chosen(topic, field, wait=True)
        if self._to_dict is not None:
            if ctx is None:
                raise TypeError("SerializationContext cannot be None")
            obj = self._to_dict(obj, ctx)
        with translated():
            payload = chosen.encode(obj)
        indexes = self._serde.indexes
        schema_id = SchemaId(self._serde.kind, chosen.id, chosen.guid, None if indexes is None else list(indexes))
        data: bytes = self._place(payload, ctx, schema_id)
        return data


class BaseDeserializer(Deserializer):
    """Calls one of Ottla's serdes."""

    def __init__(self, serde: RegisteredSerde[Any], settings: Settings, from_dict: Callable[..., Any] | None) -> None:
        if from_dict is not None and not callable(from_dict):
            raise ValueError("from_dict must be callable with the signature from_dict(dict, SerializationContext)")
        self._serde = serde
        self._place = settings["schema.id.deserializer"]
        self._from_dict = from_dict

    def __call__(self, data: bytes | None, ctx: SerializationContext | None = None) -> Any:
        if data is None:
            return None
        if len(data) <= framing.PREFIX_BYTES and not (ctx is not None and ctx.headers):
            raise SerializationError(
                f"Expecting data framing of length 6 bytes or more but total data size is {len(data)} bytes."
            )
        schema_id = SchemaId(self._serde.kind)
        payload = self._place(data, ctx, schema_id)
        with translated():
            decode = self._decoder(schema_id, ctx)
            value = decode(payload.read() if hasattr(payload, "read") else payload)
        if self._from_dict is None:
            return value
        if ctx is None:
            raise TypeError("SerializationContext cannot be None")
        return self._from_dict(value, ctx)

    def _decoder(self, schema_id: SchemaId, ctx: SerializationContext | None) -> Callable[[bytes], Any]:
        key: int | str = schema_id.id if schema_id.id is not None else str(schema_id.guid)
        subject = None if ctx is None else self._serde.latest_subject(ctx.topic, ctx.field)
        return self._serde.load_decoder(key, tuple(schema_id.message_indexes or ()), subject)


class Awaited:
    """A serializer or deserializer whose calls are awaited; `await AsyncAvroSerializer(...)` makes one."""

    kind: Callable[..., Any]

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._inner = self.kind(*arguments, **more)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._ready().__await__()

    async def _ready(self) -> Any:
        return self

    async def __call__(self, thing: Any, ctx: SerializationContext | None = None) -> Any:
        registry = self._inner._serde.registry
        return await asyncio.wrap_future(registry.submit(lambda: self._inner(thing, ctx)))


def given_schema(schema: Any, kind: str, load: Callable[[str], Any]) -> Any:
    """Ottla's schema of a text, or of their Schema; None stays None."""
    if schema is None:
        return None
    if isinstance(schema, str):
        return load(schema)
    if isinstance(schema, Schema):
        return to_model(schema)
    raise TypeError("You must pass either schema string or schema object")
