"""ProtobufSerializer and ProtobufDeserializer."""

from __future__ import annotations

from typing import Any

from ....client.registry.blocking import Registry
from ....client.serde.protobuf import Protobuf
from .model import SchemaReference
from .serde import (
    DESERIALIZER,
    SERIALIZER,
    Awaited,
    BaseDeserializer,
    BaseSerializer,
    Settings,
    reference_subject_name_strategy,
    registry_of,
)

_MORE = {
    "skip.known.types": True, "reference.subject.name.strategy": reference_subject_name_strategy,
    "use.deprecated.format": False,
}  # fmt: skip


class ProtobufSerializer(BaseSerializer):
    """Messages of one class as Protobuf."""

    def __init__(
        self, msg_type: Any, schema_registry_client: Any, conf: dict[str, Any] | None = None, rule_conf: Any = None,
        rule_registry: Any = None,
    ) -> None:  # fmt: skip
        settings = Settings(conf, SERIALIZER | _MORE)
        _check(settings)
        strategy = settings["reference.subject.name.strategy"]
        serde: Any = Protobuf(
            registry_of(schema_registry_client), msg_type, skip_known_types=settings["skip.known.types"],
            reference_subject=lambda name: strategy(None, SchemaReference(name, None, None)), **settings.options(),
        )  # fmt: skip
        super().__init__(serde, settings, None)


class ProtobufDeserializer(BaseDeserializer):
    """Protobuf as messages of one class. Does without a registry."""

    def __init__(
        self, message_type: Any, conf: dict[str, Any] | None = None, schema_registry_client: Any = None,
        rule_conf: Any = None, rule_registry: Any = None,
    ) -> None:  # fmt: skip
        settings = Settings(conf, DESERIALIZER | {"use.deprecated.format": False})
        _check(settings)
        client = schema_registry_client
        registry = Registry("http://localhost") if client is None else registry_of(client)
        serde: Any = Protobuf(registry, message_type, **settings.options())
        super().__init__(serde, settings, None)


def _check(settings: Settings) -> None:
    if settings["use.deprecated.format"]:
        raise ValueError("use.deprecated.format is no longer supported")


class AsyncProtobufSerializer(Awaited):
    kind = ProtobufSerializer


class AsyncProtobufDeserializer(Awaited):
    kind = ProtobufDeserializer
