"""Serdes that need nobody else: bytes, text, numbers, JSON, msgspec and pydantic types.

A serde has `serialize(value, topic) -> bytes` and `deserialize(data, topic) -> value`. Where one is expected, a plain function
of one argument does as well. `None` never reaches a serde: a record without key or value has none.

    serde.Str   serde.Int   serde.Bytes   serde.Json()   serde.Msgspec(Order)   serde.Pydantic(Order)
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ..errors import SerializationError

T = TypeVar("T")


class Serde(Protocol[T]):
    """Turns values into bytes and back."""

    def serialize(self, value: T, topic: str) -> bytes:
        """The bytes of a value."""

    def deserialize(self, data: bytes, topic: str) -> T:
        """The value of bytes."""


class _Bytes:
    """Bytes as they are."""

    def serialize(self, value: bytes, topic: str) -> bytes:
        return value

    def deserialize(self, data: bytes, topic: str) -> bytes:
        return bytes(data)


class _Str:
    """Text as UTF-8."""

    def serialize(self, value: str, topic: str) -> bytes:
        return value.encode()

    def deserialize(self, data: bytes, topic: str) -> str:
        return str(data, "utf-8")


class _Int:
    """A whole number as Java's LongSerializer writes it: eight bytes; four, two and one are read too."""

    def serialize(self, value: int, topic: str) -> bytes:
        return struct.pack(">q", value)

    def deserialize(self, data: bytes, topic: str) -> int:
        if len(data) not in (1, 2, 4, 8):
            raise SerializationError(f"{len(data)} bytes are no whole number: expected are 8, 4, 2 or 1")
        return int.from_bytes(data, "big", signed=True)


class _Float:
    """A number as Java's DoubleSerializer writes it; FloatSerializer's four bytes are read too."""

    def serialize(self, value: float, topic: str) -> bytes:
        return struct.pack(">d", value)

    def deserialize(self, data: bytes, topic: str) -> float:
        value: float = struct.unpack(">d" if len(data) == 8 else ">f", data)[0]
        return value


Bytes = _Bytes()
Str = _Str()
Int = _Int()
Float = _Float()


class Json:
    """JSON, by msgspec where it is installed. Options are those of `json.dumps` (then the standard library is used)."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._encode: Callable[[Any], bytes]
        self._decode: Callable[[bytes], Any]
        if options:
            self._encode = lambda value: json.dumps(value, **options).encode()
            self._decode = json.loads
        else:
            import msgspec

            self._encode, self._decode = msgspec.json.encode, msgspec.json.decode

    def serialize(self, value: Any, topic: str) -> bytes:
        return self._encode(value)

    def deserialize(self, data: bytes, topic: str) -> Any:
        return self._decode(data)


class Msgspec(Generic[T]):
    """A type that msgspec knows (Struct, dataclass, TypedDict …) as JSON, or as MessagePack with `format="msgpack"`."""

    def __init__(self, kind: type[T], format: str = "json") -> None:  # noqa: A002 - the word for it
        import msgspec

        if format not in ("json", "msgpack"):
            raise ValueError(f"format={format!r}: json or msgpack")
        module = msgspec.json if format == "json" else msgspec.msgpack
        self._encode: Callable[[Any], bytes] = module.encode
        self._decode: Callable[[bytes], T] = module.Decoder(kind).decode

    def serialize(self, value: T, topic: str) -> bytes:
        return self._encode(value)

    def deserialize(self, data: bytes, topic: str) -> T:
        return self._decode(data)


class Pydantic(Generic[T]):
    """A pydantic model as JSON."""

    def __init__(self, model: type[T]) -> None:
        self._model: Any = model

    def serialize(self, value: T, topic: str) -> bytes:
        model: Any = value
        text: str = model.model_dump_json()
        return text.encode()

    def deserialize(self, data: bytes, topic: str) -> T:
        value: T = self._model.model_validate_json(data)
        return value
