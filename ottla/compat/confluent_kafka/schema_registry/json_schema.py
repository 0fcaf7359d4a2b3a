"""JSONSerializer and JSONDeserializer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ....client.registry.blocking import Registry
from ....client.registry.model import JSON
from ....client.serde.json_schema import JsonSchema, as_schema
from ..serialization import SerializationContext
from .serde import (
    DESERIALIZER,
    SERIALIZER,
    Awaited,
    BaseDeserializer,
    BaseSerializer,
    SchemaId,
    Settings,
    given_schema,
    registry_of,
)


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class JSONSerializer(BaseSerializer):
    """Objects (dicts, or what `to_dict` makes dicts of) as JSON, validated."""

    def __init__(
        self, schema_str: Any, schema_registry_client: Any, to_dict: Callable[..., Any] | None = None,
        conf: dict[str, Any] | None = None, rule_conf: Any = None, rule_registry: Any = None,
        json_encode: Callable[[Any], Any] | None = None,
    ) -> None:  # fmt: skip
        settings = Settings(conf, SERIALIZER | {"validate": True})
        schema = given_schema(schema_str, JSON, lambda text: as_schema(text, ()))
        validate = settings["validate"]
        serde: Any = JsonSchema(registry_of(schema_registry_client), schema, validate=validate, **settings.options())
        encode = json_encode or _dumps

        def write(value: Any) -> bytes:
            made = encode(value)
            return made.encode() if isinstance(made, str) else bytes(made)

        serde.encode_with(write)
        super().__init__(serde, settings, to_dict)


class JSONDeserializer(BaseDeserializer):
    """JSON as dicts, or what `from_dict` makes of them; validated. Does without a registry."""

    def __init__(
        self, schema_str: Any, from_dict: Callable[..., Any] | None = None, schema_registry_client: Any = None,
        conf: dict[str, Any] | None = None, rule_conf: Any = None, rule_registry: Any = None,
        json_decode: Callable[[Any], Any] | None = None,
    ) -> None:  # fmt: skip
        settings = Settings(conf, DESERIALIZER | {"validate": True})
        schema = given_schema(schema_str, JSON, lambda text: as_schema(text, ()))
        alone = schema_registry_client is None
        registry = Registry("http://localhost") if alone else registry_of(schema_registry_client)
        serde: Any = JsonSchema(registry, schema, validate=settings["validate"], **settings.options())
        if json_decode is not None:
            serde.decode_with(json_decode)
        self._alone = serde.decoder(schema, (), None) if alone and schema is not None else None
        super().__init__(serde, settings, from_dict)

    def _decoder(self, schema_id: SchemaId, ctx: SerializationContext | None) -> Callable[[bytes], Any]:
        return self._alone if self._alone is not None else super()._decoder(schema_id, ctx)


class AsyncJSONSerializer(Awaited):
    kind = JSONSerializer


class AsyncJSONDeserializer(Awaited):
    kind = JSONDeserializer
