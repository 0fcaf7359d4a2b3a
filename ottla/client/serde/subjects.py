"""Under which subject a schema is registered: by topic (Confluent's default), by the record's name, or by both."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ConfigError, SerializationError

#: (topic, "key" or "value", the record's full name) -> subject
Strategy = Callable[[str, str, str | None], str]


def topic_name(topic: str, field: str, record: str | None) -> str:
    """`orders-value`: one schema for a topic's keys, one for its values."""
    return f"{topic}-{field}"


def record_name(topic: str, field: str, record: str | None) -> str:
    """`shop.Order`: a record type is the same in all topics."""
    return _named(record)


def topic_record_name(topic: str, field: str, record: str | None) -> str:
    """`orders-shop.Order`: several record types in a topic."""
    return f"{topic}-{_named(record)}"


STRATEGIES: dict[str, Strategy] = {"topic": topic_name, "record": record_name, "topic_record": topic_record_name}


def strategy(given: str | Strategy) -> Strategy:
    """The strategy of a word or a function."""
    if callable(given):
        return given
    found = STRATEGIES.get(given)
    if found is None:
        raise ConfigError(f"subject={given!r}: expected {', '.join(STRATEGIES)} or a function (topic, field, record)")
    return found


def _named(record: str | None) -> str:
    if not record:
        raise SerializationError("the schema has no record name: subjects by record need one", hint='subject="topic"')
    return record
