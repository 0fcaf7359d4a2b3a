"""Objects of a program's own types as plain fields and back: dataclasses, msgspec Structs, TypedDicts, pydantic models."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
#: What serializers take as it is.
_PLAIN = (bytes, bytearray, datetime.datetime, datetime.date, datetime.time, decimal.Decimal, uuid.UUID)


def is_pydantic(kind: Any) -> bool:
    """Whether a type is a pydantic model."""
    return hasattr(kind, "model_validate") and hasattr(kind, "model_json_schema")


def to_fields(kind: Any) -> Callable[[Any], Any]:
    """The function that makes dicts of objects; a dict stays one."""
    if is_pydantic(kind):
        return lambda value: value.model_dump() if isinstance(value, kind) else value
    import msgspec

    return lambda value: msgspec.to_builtins(value, builtin_types=_PLAIN)


def from_fields(kind: type[T]) -> Callable[[Any], T]:
    """The function that makes objects of dicts."""
    if is_pydantic(kind):
        validate: Callable[[Any], T] = kind.model_validate  # type: ignore[attr-defined]
        return validate
    import msgspec

    return lambda value: msgspec.convert(value, kind, builtin_types=_PLAIN)
