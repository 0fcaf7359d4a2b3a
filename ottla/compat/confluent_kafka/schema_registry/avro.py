"""AvroSerializer and AvroDeserializer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....client.serde.avro import Avro, as_schema
from .serde import (
    DESERIALIZER,
    SERIALIZER,
    Awaited,
    BaseDeserializer,
    BaseSerializer,
    Settings,
    given_schema,
    registry_of,
)

_STRICT = {"validate.strict": False, "validate.strict.allow.default": False}


class AvroSerializer(BaseSerializer):
    """Objects (dicts, or what `to_dict` makes dicts of) as Avro."""

    def __init__(
        self, schema_registry_client: Any, schema_str: Any = None, to_dict: Callable[..., Any] | None = None,
        conf: dict[str, Any] | None = None, rule_conf: Any = None, rule_registry: Any = None,
    ) -> None:  # fmt: skip
        settings = Settings(conf, SERIALIZER | _STRICT)
        schema = given_schema(schema_str, "AVRO", lambda text: as_schema(text, ()))
        strict = bool(settings["validate.strict"])
        serde: Any = Avro(registry_of(schema_registry_client), schema, strict=strict, **settings.options())
        super().__init__(serde, settings, to_dict)


class AvroDeserializer(BaseDeserializer):
    """Avro as dicts, or what `from_dict` makes of them; `schema_str` is the reader's schema."""

    def __init__(
        self, schema_registry_client: Any, schema_str: Any = None, from_dict: Callable[..., Any] | None = None,
        return_record_name: bool = False, conf: dict[str, Any] | None = None, rule_conf: Any = None,
        rule_registry: Any = None,
    ) -> None:  # fmt: skip
        if not isinstance(return_record_name, bool):
            raise ValueError("return_record_name must be a boolean value")
        settings = Settings(conf, DESERIALIZER)
        schema = given_schema(schema_str, "AVRO", lambda text: as_schema(text, ()))
        options = settings.options()
        serde: Any = Avro(registry_of(schema_registry_client), schema, named_unions=return_record_name, **options)
        super().__init__(serde, settings, from_dict)


class AsyncAvroSerializer(Awaited):
    kind = AvroSerializer


class AsyncAvroDeserializer(Awaited):
    kind = AvroDeserializer
