"""What a user gives as a serializer or deserializer, as the functions that clients call.

A serde, a function, or nothing (bytes as they are). A serde over a registry gives functions of its own (registered.py), which know
whether they serve a key or a value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ClientError, SerializationError, UnsupportedError
from .plain import _Bytes


def serializer(given: Any, field: str = "value") -> Callable[[Any, str], bytes] | None:
    """A function (value, topic) -> bytes of what a user gave as a serializer for keys or values; None stays None.

    It may raise `SchemaPendingError` (registered.py). One that has `in_header` wants a header with what it gave: `header(topic)`.
    """
    if given is None or isinstance(given, _Bytes):
        return None
    in_header = False
    function: Callable[..., bytes]
    if hasattr(given, "writer"):
        function = given.writer(field)
        in_header = function.in_header  # type: ignore[attr-defined]
    elif hasattr(given, "serialize"):
        function = given.serialize
    elif callable(given):
        one: Callable[[Any], bytes] = given
        function = lambda value, _topic: one(value)  # noqa: E731
    else:
        raise TypeError(f"a serializer is a serde or a function, not {given!r}")

    def run(value: Any, topic: str) -> bytes:
        try:
            return function(value, topic)
        except ClientError:
            raise
        except Exception as problem:
            raise SerializationError(
                f"a {type(value).__name__} cannot be serialized: {problem}", topic_partition=(topic, -1)
            ) from problem

    if in_header:
        run.header = function.header  # type: ignore[attr-defined]
    return run


def added_headers(key: Any, value: Any) -> Callable[..., list[tuple[str, Any]]] | None:
    """The function that adds the schemas' headers to a record's own, where a serializer wants some; else None."""
    key_header, value_header = getattr(key, "header", None), getattr(value, "header", None)
    if key_header is None and value_header is None:
        return None

    def add(topic: str, key: Any, value: Any, headers: Any) -> list[tuple[str, Any]]:
        rows = list(headers.items() if hasattr(headers, "items") else headers or ())
        if key_header is not None and key is not None:
            rows.append(key_header(topic))
        if value_header is not None and value is not None:
            rows.append(value_header(topic))
        return rows

    return add


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


def needs(module: str, extra: str) -> None:
    """Raise with what to install unless a library is here."""
    from importlib.util import find_spec

    try:
        found = find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise UnsupportedError(f"this needs the library {module}", hint=f"pip install 'ottla[{extra}]'")
