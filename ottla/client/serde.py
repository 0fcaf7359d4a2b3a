"""Serializers and deserializers: objects to bytes and back.

A serde has `serialize(value, topic) -> bytes` and `deserialize(data, topic) -> value`. Where one is expected, a plain function
of one argument does as well. `None` never reaches a serde: a record without key or value has none.

    serde.Str   serde.Int   serde.Bytes   serde.Json()   serde.Msgspec(Order)   serde.Pydantic(Order)
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from .errors import SerializationError

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


def serializer(given: Any) -> Callable[[Any, str], bytes] | None:
    """A function (value, topic) -> bytes of what a user gave as a serializer; None stays None."""
    if given is None or isinstance(given, _Bytes):
        return None
    function: Callable[..., bytes]
    if hasattr(given, "serialize"):
        function = given.serialize
    elif callable(given):
        one: Callable[[Any], bytes] = given
        function = lambda value, _topic: one(value)  # noqa: E731
    else:
        raise TypeError(f"a serializer is a serde or a function, not {given!r}")

    def run(value: Any, topic: str) -> bytes:
        try:
            return function(value, topic)
        except SerializationError:
            raise
        except Exception as problem:
            raise SerializationError(
                f"a {type(value).__name__} cannot be serialized: {problem}", topic_partition=(topic, -1)
            ) from problem

    return run


def deserializer(given: Any) -> Callable[[bytes, str], Any] | None:
    """A function (data, topic) -> value of what a user gave as a deserializer; None stays None: bytes."""
    if given is None or isinstance(given, _Bytes):
        return None
    function: Callable[..., Any]
    if hasattr(given, "deserialize"):
        function = given.deserialize
    elif callable(given):
        one: Callable[[bytes], Any] = given
        function = lambda data, _topic: one(data)  # noqa: E731
    else:
        raise TypeError(f"a deserializer is a serde or a function, not {given!r}")

    def run(data: bytes, topic: str) -> Any:
        try:
            return function(data, topic)
        except SerializationError:
            raise
        except Exception as problem:
            raise SerializationError(
                f"{len(data)} bytes cannot be read: {problem}", topic_partition=(topic, -1)
            ) from problem

    return run
