"""Serializers and deserializers: objects to bytes and back.

A serde has `serialize(value, topic) -> bytes` and `deserialize(data, topic) -> value`. Where one is expected, a plain function
of one argument does as well. `None` never reaches a serde: a record without key or value has none.

    serde.Str   serde.Int   serde.Bytes   serde.Json()   serde.Msgspec(Order)   serde.Pydantic(Order)        plain.py
    serde.Avro(registry, schema)   serde.Protobuf(registry, Order)   serde.JsonSchema(registry, Order)      registered.py

What needs a library of its own is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .adapting import deserializer, serializer
from .plain import Bytes, Float, Int, Json, Msgspec, Pydantic, Serde, Str

if TYPE_CHECKING:
    from .avro import Avro
    from .json_schema import JsonSchema
    from .protobuf import Protobuf

__all__ = [
    "Avro", "Bytes", "Float", "Int", "Json", "JsonSchema", "Msgspec", "Protobuf", "Pydantic", "Serde", "Str",
    "deserializer", "serializer",
]  # fmt: skip

_HOMES = {"Avro": "avro", "JsonSchema": "json_schema", "Protobuf": "protobuf"}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
