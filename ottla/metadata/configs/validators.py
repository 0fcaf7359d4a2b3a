"""Bounds of configs: each validator raises Kafka's error text for a value that may not be, and prints Kafka's short form.

Plain classes, because a broker makes all of them at every start.
"""

from __future__ import annotations

import re
from typing import Protocol

from ...protocol.errors import ErrorCode, KafkaError
from .values import Value, invalid, to_string


class Validator(Protocol):
    """Bounds of a config: `ensure` raises `KafkaError(INVALID_CONFIG)`."""

    def ensure(self, name: str, value: Value) -> None: ...


class Range:
    """A number between two bounds, both allowed."""

    __slots__ = ("high", "low")

    def __init__(self, low: int | float, high: int | float | None = None):
        self.low = low
        self.high = high

    def ensure(self, name: str, value: Value) -> None:
        if value is None:
            raise invalid(name, None, "Value must be non-null")
        assert isinstance(value, int | float)
        if value < self.low:
            raise invalid(name, value, f"Value must be at least {to_string(self.low)}")
        if self.high is not None and value > self.high:
            raise invalid(name, value, f"Value must be no more than {to_string(self.high)}")

    def __str__(self) -> str:
        high = "" if self.high is None else f",{to_string(self.high)}"
        return f"[{to_string(self.low)},...{high}]"


def at_least(low: int) -> Range:
    return Range(low)


def between(low: int | float, high: int | float) -> Range:
    return Range(low, high)


class RangeOr:
    """A number between two bounds, or one value outside of them (gzip's default level)."""

    __slots__ = ("high", "low", "other")

    def __init__(self, low: int, high: int, other: int):
        self.low = low
        self.high = high
        self.other = other

    def ensure(self, name: str, value: Value) -> None:
        if value is None:
            raise invalid(name, None, "Value must be non-null")
        assert isinstance(value, int)
        if value != self.other and not self.low <= value <= self.high:
            raise invalid(name, value, f"Value must be between {self.low} and {self.high} or equal to {self.other}")

    def __str__(self) -> str:
        return f"[{self.low},...,{self.high}] or {self.other}"


class OneOf:
    """One of some strings."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[str, ...]):
        self.values = values

    def ensure(self, name: str, value: Value) -> None:
        if value not in self.values:
            raise invalid(name, value, "String must be one of: " + ", ".join(self.values))

    def __str__(self) -> str:
        return "[" + ", ".join(self.values) + "]"


def one_of(*values: str) -> OneOf:
    return OneOf(values)


class OneOfAnyCase:
    """One of some strings, written in capitals or not."""

    __slots__ = ("values",)

    def __init__(self, values: tuple[str, ...]):
        self.values = values

    def ensure(self, name: str, value: Value) -> None:
        if not isinstance(value, str) or value.upper() not in self.values:
            raise invalid(name, value, "String must be one of (case insensitive): " + ", ".join(self.values))

    def __str__(self) -> str:
        return "(case insensitive) [" + ", ".join(self.values) + "]"


class ListOf:
    """A list without duplicates or empty strings, out of `values` if there are any."""

    __slots__ = ("empty", "null", "values")

    def __init__(self, values: tuple[str, ...], *, empty: bool, null: bool):
        self.values = values
        self.empty = empty
        self.null = null

    def ensure(self, name: str, value: Value) -> None:
        if value is None and self.null:
            return
        problem = ""
        items = value if isinstance(value, list) else []
        if value is None:
            problem = "values must not be null."
        elif not items and not self.empty:
            problem = f"must not be empty. Valid values include: {str(self) or 'any non-empty value'}"
        elif len(set(items)) != len(items):
            problem = "values must not be duplicated."
        elif "" in items:
            problem = "values must not be empty."
        if problem:
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Configuration '{name}' {problem}")
        if self.values:
            for item in items:
                OneOf(self.values).ensure(name, item)

    def __str__(self) -> str:
        return "[" + ", ".join(self.values) + "]" if self.values else ""


def list_of(*values: str, empty: bool = True, null: bool = False) -> ListOf:
    return ListOf(values, empty=empty, null=null)


class NonEmpty:
    """A string or list that is absent or has something in it."""

    __slots__ = ("kind",)

    def __init__(self, kind: str = "string"):
        self.kind = kind

    def ensure(self, name: str, value: Value) -> None:
        if value == "":
            raise invalid(name, value, "String must be non-empty")

    def __str__(self) -> str:
        return f"non-empty {self.kind}"


class NonNull:
    """A string that must be there, if only empty."""

    __slots__ = ()

    def ensure(self, name: str, value: Value) -> None:
        if value is None:
            raise invalid(name, None, "entry must be non null")

    def __str__(self) -> str:
        return "non-null string"


_REPLICA = re.compile(r"([0-9]+:[0-9]+)?\Z")


class ThrottledReplicas:
    """`*` or a list of partition:broker pairs."""

    __slots__ = ()

    def ensure(self, name: str, value: Value) -> None:
        items = [item.strip() for item in value] if isinstance(value, list) else []
        if "".join(items) != "*" and not all(_REPLICA.match(item) for item in items):
            form = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
            why = f"{name} must be the literal '*' or a list of replicas in the following format: {form}"
            raise invalid(name, value, why)

    def __str__(self) -> str:
        return "[partitionId]:[brokerId],[partitionId]:[brokerId],..."


class HttpAddress:
    """PORT or HOST:PORT, or nothing."""

    __slots__ = ()

    def ensure(self, name: str, value: Value) -> None:
        _, _, port = str(value or "").rpartition(":")
        if value and not (port.isdecimal() and int(port) <= 65535):
            raise invalid(name, value, f"{value} is neither PORT nor HOST:PORT, for example 9404 or 127.0.0.1:9404")

    def __str__(self) -> str:
        return "PORT or HOST:PORT"
