"""Config values: the string a person wrote, the typed value, and Kafka's canonical string of it.

`parse` reads as Kafka's ConfigDef does, `to_string` writes as it does (DescribeConfigs answers that), `show` writes as a
value stands in its error texts. Error texts are Kafka's, because people search for them and tools match them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum

from ...protocol.errors import ErrorCode, KafkaError

Value = bool | int | float | str | list[str] | None

INT_MAX, LONG_MAX = 2**31 - 1, 2**63 - 1


class ConfigType(IntEnum):
    """Types with the numbers of DescribeConfigs v3+."""

    UNKNOWN = 0
    BOOLEAN = 1
    STRING = 2
    INT = 3
    SHORT = 4
    LONG = 5
    DOUBLE = 6
    LIST = 7
    CLASS = 8
    PASSWORD = 9


BOOLEAN, STRING, INT, SHORT, LONG, DOUBLE, LIST, CLASS, PASSWORD = list(ConfigType)[1:]

_BITS = {SHORT: 16, INT: 32, LONG: 64}
_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_LIST_SEPARATOR = re.compile(r"\s*,\s*")


def parse(name: str, text: str, kind: ConfigType) -> Value:
    """Read a value as Kafka's ConfigDef does: surrounding blanks do not count, lists are split at commas."""
    trimmed = text.strip()
    if kind is BOOLEAN:
        lowered = trimmed.lower()
        if lowered not in ("true", "false"):
            raise invalid(name, text, "Expected value to be either true or false")
        return lowered == "true"
    if kind in _BITS:
        limit = 1 << (_BITS[kind] - 1)
        if _INTEGER.match(trimmed):
            number = int(trimmed)
            if -limit <= number < limit:
                return number
        raise invalid(name, text, f"Not a number of type {kind.name}")
    if kind is DOUBLE:
        try:
            return float(trimmed.rstrip("dDfF") if "_" not in trimmed else "?")
        except ValueError:
            raise invalid(name, text, "Not a number of type DOUBLE") from None
    if kind is LIST:
        return _LIST_SEPARATOR.split(trimmed) if trimmed else []
    return trimmed


def to_string(value: Value) -> str | None:
    """Write a typed value as Kafka does (`ConfigDef.convertToString`)."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _java_double(value)
    if isinstance(value, list):
        return ",".join(value)
    return str(value)


def _java_double(value: float) -> str:
    """Write a double as Java's Double.toString does: 0.5, 1.0E7, 1.7976931348623157E308."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[repr(value)]
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    digits, _, exponent = f"{value:.17e}".partition("e")
    shortest, _, tens = repr(value).partition("e")
    if tens:
        digits, exponent = shortest, tens
    else:
        sign, plain = ("-", shortest[1:]) if value < 0 else ("", shortest)
        significant = plain.replace(".", "").lstrip("0").rstrip("0")
        digits = f"{sign}{significant[0]}.{significant[1:] or '0'}"
    if "." not in digits:
        digits += ".0"
    return f"{digits}E{int(exponent)}"


def show(value: Value) -> str:
    """Write a value as it stands in Kafka's error texts (Java's toString)."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(value) + "]"
    return to_string(value) or ""


def invalid(name: str, value: Value, why: str) -> KafkaError:
    """Make the error of a value that may not be, with Kafka's text."""
    return KafkaError(ErrorCode.INVALID_CONFIG, f"Invalid value {show(value)} for configuration {name}: {why}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name that is nearest to `name`: " (did you mean …?)" or nothing."""
    import difflib  # only for people who mistyped

    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if not close:
        same = [n for n in names if n.replace(".", "").replace("_", "") == re.sub(r"[._-]", "", name.lower())]
        close = same[:1]
    return f" (did you mean {close[0]!r}?)" if close else ""
