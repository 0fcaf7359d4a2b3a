"""Log levels while the broker runs: the BROKER_LOGGER resource of DescribeConfigs and IncrementalAlterConfigs (KIP-412).

Loggers are Python's, named as the modules are (`ottla.broker.listener`); the levels are Kafka's names for them. A
level set here lasts until the process ends.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

from ..protocol.errors import ErrorCode, KafkaError

ROOT = "root"
#: Who was refused what (`guards/asking`), under Kafka's name.
AUDIT = "kafka.authorizer.logger"
SET, DELETE, APPEND, SUBTRACT = range(4)
#: Python has no TRACE and no OFF: the numbers below DEBUG and above CRITICAL.
LEVELS: Mapping[str, int] = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}


class Operation(Protocol):
    """One change: `name` is the logger, `config_operation` one of the four, `value` the level."""

    name: str
    config_operation: int
    value: str | None


def _names() -> list[str]:
    known = logging.root.manager.loggerDict
    return sorted(name for name in known if name in ("ottla", AUDIT) or name.startswith("ottla."))


def _logger(name: str) -> logging.Logger:
    return logging.getLogger() if name == ROOT else logging.getLogger(name)


def _level_name(number: int) -> str:
    return min(LEVELS, key=lambda name: abs(LEVELS[name] - number))


def levels_of_loggers() -> dict[str, str]:
    """Tell the effective level of every logger of the broker and of the root."""
    return {name: _level_name(_logger(name).getEffectiveLevel()) for name in [ROOT, *_names()]}


def check_node(resource_name: str, node_id: int) -> None:
    """Refuse a resource that is not this broker."""
    try:
        asked = int(resource_name)
    except ValueError:
        why = f"Node id must be an integer, but it is: {resource_name}"
        raise KafkaError(ErrorCode.INVALID_REQUEST, why) from None
    if asked != node_id:
        why = f"Unexpected node id. Expected {node_id}, but received {asked}"
        raise KafkaError(ErrorCode.INVALID_REQUEST, why)


def check_changes(changes: Iterable[Operation]) -> None:
    """Refuse what cannot be done, before anything is."""
    for change in changes:
        name, operation = change.name, change.config_operation
        if operation not in (SET, DELETE):
            word = {APPEND: "APPEND", SUBTRACT: "SUBTRACT"}.get(operation)
            why = f"{word} operation is not allowed for the BROKER_LOGGER resource"
            if word is None:
                why = f"Unknown operation type {operation} is not allowed for the BROKER_LOGGER resource"
            raise KafkaError(ErrorCode.INVALID_REQUEST, why)
        if name != ROOT and name not in _names():
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"Logger {name} does not exist!")
        if operation == SET and change.value not in LEVELS:
            why = (
                f"Cannot set the log level of {name} to {change.value} as it is not a supported log level. "
                f"Valid log levels are {', '.join(sorted(LEVELS))}"
            )
            raise KafkaError(ErrorCode.INVALID_CONFIG, why)
        if operation == DELETE and name == ROOT:
            why = f"Removing the log level of the {ROOT} logger is not allowed"
            raise KafkaError(ErrorCode.INVALID_REQUEST, why)


def change_levels(changes: Iterable[Operation]) -> None:
    """Do what `check_changes` let pass."""
    for change in changes:
        level = logging.NOTSET if change.config_operation == DELETE else LEVELS[change.value or ""]
        _logger(change.name).setLevel(level)


def one_line(text: str) -> str:
    """Make what clients chose unable to begin a line of its own."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()
