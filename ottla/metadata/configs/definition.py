"""What a config is: name, type, default, bounds, importance, who may change it when, and a sentence.

The tables (`topic`, `broker`, `group`, `client_metrics`) are lists of `ConfigDefinition`s and nothing else. Parsing of
configuration files, validation, DescribeConfigs and docs/configuration.md all derive from them. Names, types, defaults
and bounds are those of Apache Kafka 4.2.1 (a test that needs Java compares each row); the sentences are ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from .validators import ListOf, Validator
from .values import PASSWORD, ConfigType, Value, parse, to_string


class ConfigSource(IntEnum):
    """Where a value comes from, with the numbers of DescribeConfigs v1+; the first listed wins."""

    UNKNOWN = 0
    DYNAMIC_TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    DYNAMIC_BROKER_LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


#: Who may change a broker config while the broker runs.
READ_ONLY, PER_BROKER, CLUSTER_WIDE = "read-only", "per-broker", "cluster-wide"

HIGH, MEDIUM, LOW = "high", "medium", "low"


class _NoDefault:
    """The default of a config that must be given."""

    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT = _NoDefault()


class ConfigDefinition(NamedTuple):
    """One row of a table."""

    name: str
    type: ConfigType
    default: Value | _NoDefault
    validator: Validator | None
    importance: str
    doc: str
    #: For topic and group configs: the broker configs that stand in where it is not set, most specific first.
    synonyms: tuple[str, ...] = ()
    update_mode: str = READ_ONLY
    #: Shown by DescribeConfigs only when it was set.
    internal: bool = False
    #: Why the config changes nothing here although it is accepted ("" if it has its effect).
    no_effect: str = ""

    @property
    def sensitive(self) -> bool:
        return self.type is PASSWORD

    @property
    def default_string(self) -> str | None:
        return None if isinstance(self.default, _NoDefault) else to_string(self.default)

    def parse(self, text: str | None) -> Value:
        """Turn a string into a checked typed value, or raise `KafkaError(INVALID_CONFIG)` in Kafka's words."""
        value = None if text is None else parse(self.name, text, self.type)
        if isinstance(value, list) and isinstance(self.validator, ListOf):
            value = list(dict.fromkeys(value))  # Kafka takes duplicates out and warns (KIP-1161)
        if self.validator is not None:
            self.validator.ensure(self.name, value)
        return value


def define(
    name: str,
    kind: ConfigType,
    default: Value | _NoDefault | tuple[str, ...],
    validator: Validator | None,
    importance: str,
    doc: str,
    *,
    synonyms: tuple[str, ...] = (),
    update: str = READ_ONLY,
    internal: bool = False,
    no_effect: str = "",
) -> ConfigDefinition:
    """Write a row of a table."""
    if isinstance(default, tuple):
        default = list(default)
    return ConfigDefinition(name, kind, default, validator, importance, doc, synonyms, update, internal, no_effect)


def table(*groups: Iterable[ConfigDefinition]) -> Mapping[str, ConfigDefinition]:
    """Join rows into a table by name."""
    return {row.name: row for group in groups for row in group}
