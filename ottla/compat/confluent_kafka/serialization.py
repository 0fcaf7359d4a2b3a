"""confluent_kafka.serialization: serializers are called with (object, context)."""

from __future__ import annotations

import struct
from typing import Any

from .errors import KafkaException


class MessageField:
    NONE, KEY, VALUE = "none", "key", "value"


class SerializationContext:
    """What a serializer is told: topic, field (key or value), headers."""

    def __init__(self, topic: str, field: str, headers: Any = None) -> None:
        self.topic, self.field, self.headers = topic, field, headers


class SerializationError(KafkaException):
    """An object could not be serialized, or bytes not deserialized."""


class Serializer:
    def __call__(self, obj: Any, ctx: SerializationContext | None = None) -> bytes | None:
        raise AssertionError("each kind says how")


class Deserializer:
    def __call__(self, value: bytes | None, ctx: SerializationContext | None = None) -> Any:
        raise AssertionError("each kind says how")


class StringSerializer(Serializer):
    def __init__(self, codec: str = "utf_8") -> None:
        self.codec = codec

    def __call__(self, obj: Any, ctx: SerializationContext | None = None) -> bytes | None:
        if obj is None:
            return None
        try:
            return str(obj).encode(self.codec)
        except UnicodeError as problem:
            raise SerializationError(str(problem)) from problem


class StringDeserializer(Deserializer):
    def __init__(self, codec: str = "utf_8") -> None:
        self.codec = codec

    def __call__(self, value: bytes | None, ctx: SerializationContext | None = None) -> Any:
        if value is None:
            return None
        try:
            return value.decode(self.codec)
        except UnicodeError as problem:
            raise SerializationError(str(problem)) from problem


class _Packed:
    form = ">i"


class _PackedSerializer(_Packed, Serializer):
    def __call__(self, obj: Any, ctx: SerializationContext | None = None) -> bytes | None:
        try:
            return None if obj is None else struct.pack(self.form, obj)
        except struct.error as problem:
            raise SerializationError(str(problem)) from problem


class _PackedDeserializer(_Packed, Deserializer):
    def __call__(self, value: bytes | None, ctx: SerializationContext | None = None) -> Any:
        try:
            return None if value is None else struct.unpack(self.form, value)[0]
        except struct.error as problem:
            raise SerializationError(str(problem)) from problem


class IntegerSerializer(_PackedSerializer):
    """32 bits, as Java's."""


class IntegerDeserializer(_PackedDeserializer):
    """32 bits, as Java's."""


class DoubleSerializer(_PackedSerializer):
    """64 bits, as Java's."""

    form = ">d"


class DoubleDeserializer(_PackedDeserializer):
    """64 bits, as Java's."""

    form = ">d"
