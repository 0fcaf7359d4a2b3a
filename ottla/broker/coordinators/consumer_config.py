"""The settings of consumer groups out of the broker's configuration, checked against each other as Kafka does at its start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...coordinator.groups.consumer.config import ConsumerConfig, assignor_name
from ..config import ConfigError

if TYPE_CHECKING:
    from ..config import BrokerConfig

_BOUNDED = ("heartbeat.interval.ms", "session.timeout.ms")


def consumer_config(config: BrokerConfig) -> ConsumerConfig:
    """Take `group.consumer.*`; raises `ConfigError`."""
    for key in _BOUNDED:
        name, low, high = (f"group.consumer.{bound}{key}" for bound in ("", "min.", "max."))
        if not config.integer(low) <= config.integer(name) <= config.integer(high):
            raise ConfigError(f"{name} must lie between {low} and {high}")
    interval, timeout = (f"group.consumer.{key}" for key in _BOUNDED)
    if config.integer(interval) >= config.integer(timeout):
        raise ConfigError(f"{interval} must be less than {timeout}")
    try:
        assignors = tuple(assignor_name(name) for name in config.strings("group.consumer.assignors"))
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return ConsumerConfig(
        session_timeout_ms=config.integer(timeout),
        heartbeat_interval_ms=config.integer(interval),
        max_size=config.integer("group.consumer.max.size"),
        assignors=assignors,
        migration_policy=(config.string("group.consumer.migration.policy") or "").lower(),
        regex_refresh_interval_ms=config.integer("group.consumer.regex.refresh.interval.ms"),
    )
