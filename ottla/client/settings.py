"""The language in which a client's settings are declared: a setting is a descriptor, and the class is the table.

    class ProducerSettings:
        linger_ms = Duration("linger.ms", 5, "How long a batch waits for company.")

One row gives the Python name (`linger_ms`), Kafka's name (`linger.ms`), the type, the default and the sentence. From it
come parsing, the check of bounds, `Config.explain()`, docs/client.md and the types that a checker sees: a duration is
set from `"5s"`, a timedelta or milliseconds, and read as milliseconds.

    what is set                       what is read
    "10s" | timedelta | 10_000   ──►  10_000        Duration: milliseconds, unit in the name
    "32MiB" | 33_554_432         ──►  33_554_432    Size: bytes
    "a:9092,b:9092" | [..]       ──►  ("a:9092", "b:9092")
    "true" | True                ──►  True
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Generic, TypeVar, overload

from .errors import ConfigError

SetT = TypeVar("SetT")
GetT = TypeVar("GetT")

_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|min|h|d)?\s*")
_DURATION_UNITS_MS = {"": 1, "ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIZE = re.compile(r"\s*([0-9]+)\s*([kKmMgG]i?)?[bB]?\s*")
_SIZE_UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


class Setting(Generic[SetT, GetT]):
    """One row: names, default, sentence. `python_name` is filled in where the row stands in a class."""

    def __init__(
        self, name: str, default: GetT, doc: str, *, aliases: tuple[str, ...] = (), secret: bool = False
    ) -> None:
        self.name = name
        self.default = default
        self.doc = doc
        #: Other dotted names that mean the same (librdkafka's).
        self.aliases = aliases
        #: Never shown.
        self.secret = secret
        self.python_name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.python_name = name

    @overload
    def __get__(self, instance: None, owner: type) -> GetT: ...
    @overload
    def __get__(self, instance: object, owner: type) -> GetT: ...
    def __get__(self, instance: object | None, owner: type) -> GetT:
        if instance is None:
            return self.default
        value: GetT = instance.__dict__.get(self.python_name, self.default)
        return value

    def __set__(self, instance: object, value: SetT) -> None:
        raise AttributeError(f"a Config does not change: use config.replace({self.python_name}=…)")

    def parse(self, value: Any) -> GetT:
        """Turn what a user wrote into the value, or raise `ConfigError`."""
        raise AssertionError("each kind of setting parses its own values")

    def wrong(self, value: object, expected: str) -> ConfigError:
        """Say what is wrong with a value."""
        shown = "***" if self.secret else repr(value)
        return ConfigError(f"{self.name}={shown}: expected {expected}. {self.doc}")

    def text(self, value: Any) -> str:
        """The value as Kafka writes it in a file."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            return ",".join(map(str, value))
        return "" if value is None else str(value)


class _Number(Setting[SetT, int]):
    """A whole number within bounds."""

    def __init__(
        self, name: str, default: int, doc: str, *, low: int = 0, high: int = (1 << 63) - 1, **more: Any
    ) -> None:
        super().__init__(name, default, doc, **more)
        self.low, self.high = low, high

    def within(self, number: int, value: object) -> int:
        if not self.low <= number <= self.high:
            raise self.wrong(value, f"a value from {self.low} to {self.high}")
        return number


class Number(_Number["int | str"]):
    """A whole number."""

    def parse(self, value: Any) -> int:
        try:
            if isinstance(value, bool | float):
                raise ValueError
            return self.within(int(value), value)
        except (TypeError, ValueError):
            raise self.wrong(value, "a whole number") from None


class Duration(_Number["int | str | timedelta"]):
    """A time span: milliseconds, "10s", or a timedelta."""

    def parse(self, value: Any) -> int:
        if isinstance(value, timedelta):
            return self.within(round(value.total_seconds() * 1000), value)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.within(value, value)
        if isinstance(value, str):
            if value.strip() in ("-1", "inf"):
                return self.within(-1 if self.low < 0 else self.high, value)
            found = _DURATION.fullmatch(value)
            if found:
                return self.within(round(float(found[1]) * _DURATION_UNITS_MS[found[2] or ""]), value)
        raise self.wrong(value, 'milliseconds, a timedelta, or text such as "500ms", "10s", "5m"')


class Size(_Number["int | str"]):
    """A number of bytes: a number, "64KiB", "1MB"."""

    def parse(self, value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return self.within(value, value)
        if isinstance(value, str):
            if value.strip() == "-1":
                return self.within(-1, value)
            found = _SIZE.fullmatch(value)
            if found:
                return self.within(int(found[1]) * _SIZE_UNITS[(found[2] or "").lower()], value)
        raise self.wrong(value, 'bytes, or text such as "64KiB", "1MB"')


class Flag(Setting["bool | str", bool]):
    """True or false."""

    def parse(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        raise self.wrong(value, "true or false")


class Fraction(Setting["float | str", float]):
    """A number with a fraction."""

    def parse(self, value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            raise self.wrong(value, "a number") from None


class Text(Setting["str | None", "str | None"]):
    """Any text; None where it is not set."""

    def parse(self, value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(value, "text")


class Choice(Setting[str, str]):
    """One of several words, in any case of letters."""

    def __init__(self, name: str, default: str, doc: str, *, choices: Iterable[str], **more: Any) -> None:
        super().__init__(name, default, doc, **more)
        self.choices = tuple(choices)

    def parse(self, value: Any) -> str:
        words = {choice.lower(): choice for choice in self.choices}
        if isinstance(value, str) and value.strip().lower() in words:
            return words[value.strip().lower()]
        raise self.wrong(value, "one of " + ", ".join(self.choices))


class Names(Setting["str | Iterable[str]", "tuple[str, ...]"]):
    """A list of texts, or one text with commas."""

    def parse(self, value: Any) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else list(value)
        if not all(isinstance(part, str) for part in parts):
            raise self.wrong(value, "a list of texts")
        return tuple(part.strip() for part in parts if part.strip())


class Instance(Setting[Any, Any]):
    """A Python object that a user brings: a callable, an object with methods."""

    def __init__(
        self,
        name: str,
        default: Any,
        doc: str,
        *,
        check: Callable[[Any], bool] = lambda _: True,
        expected: str = "an object",
        **more: Any,
    ) -> None:
        super().__init__(name, default, doc, **more)
        self.check, self.expected = check, expected

    def parse(self, value: Any) -> Any:
        if value is None or self.check(value):
            return value
        raise self.wrong(value, self.expected)


def rows(table: type) -> dict[str, Setting[Any, Any]]:
    """Python name -> row, of a class and what it inherits, in the order in which they are written."""
    return {
        name: row for kind in reversed(table.__mro__) for name, row in vars(kind).items() if isinstance(row, Setting)
    }
