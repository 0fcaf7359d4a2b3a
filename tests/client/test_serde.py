"""Serializers: what goes in comes out, and Java's bytes are understood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ottla.client import serde
from ottla.client.errors import SerializationError


@dataclass
class Order:
    id: int
    note: str | None = None


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        (serde.Bytes, b"x", b"x"),
        (serde.Str, "grün", "grün".encode()),
        (serde.Int, -2, b"\xff" * 7 + b"\xfe"),
        (serde.Float, 1.5, b"\x3f\xf8" + bytes(6)),
        (serde.Json(), {"a": [1, None]}, b'{"a":[1,null]}'),
        (serde.Json(sort_keys=True), {"b": 1, "a": 2}, b'{"a": 2, "b": 1}'),
        (serde.Msgspec(Order), Order(7), b'{"id":7,"note":null}'),
    ],
)
def test_there_and_back(kind: Any, value: Any, data: bytes) -> None:
    assert kind.serialize(value, "t") == data
    assert kind.deserialize(data, "t") == value


def test_msgpack() -> None:
    kind = serde.Msgspec(Order, "msgpack")
    assert kind.deserialize(kind.serialize(Order(7, "x"), "t"), "t") == Order(7, "x")


def test_shorter_numbers_of_java_are_read() -> None:
    assert [serde.Int.deserialize(data, "t") for data in (b"\x01", b"\xff\xff", b"\0\0\0\x05")] == [1, -1, 5]


def test_functions_will_do_and_errors_say_what_it_was() -> None:
    write, read = serde.serializer(str.encode), serde.deserializer(bytes.decode)
    assert write is not None
    assert read is not None
    assert (write("x", "t"), read(b"x", "t")) == (b"x", "x")
    with pytest.raises(SerializationError, match="a int cannot be serialized"):
        write(5, "t")
    with pytest.raises(SerializationError, match="1 bytes cannot be read"):
        read(b"\xff", "t")
    with pytest.raises(TypeError):
        serde.serializer(5)
