"""The settings of streams groups: the broker's, and what a group may set for itself (`streams.*` group configs)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["StreamsConfig"]

_INT_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class StreamsConfig:
    """What the coordinator needs: Kafka's keys behind `group.streams.` with dots as underscores, and its defaults."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    num_standby_replicas: int = 0
    initial_rebalance_delay_ms: int = 3_000
    max_size: int = _INT_MAX

    def of_group(self, configs: Mapping[str, str]) -> StreamsConfig:
        """Apply what is set for one group; its values were checked when they were set."""
        if not configs:
            return self

        def value(name: str, default: int) -> int:
            return int(configs.get(f"streams.{name}", default))

        return StreamsConfig(
            session_timeout_ms=value("session.timeout.ms", self.session_timeout_ms),
            heartbeat_interval_ms=value("heartbeat.interval.ms", self.heartbeat_interval_ms),
            num_standby_replicas=value("num.standby.replicas", self.num_standby_replicas),
            initial_rebalance_delay_ms=value("initial.rebalance.delay.ms", self.initial_rebalance_delay_ms),
            max_size=self.max_size,
        )

    def assignment_configs(self) -> dict[str, str]:
        """Say what the assignment depends on, as it is stored with the group."""
        return {"num.standby.replicas": str(self.num_standby_replicas)}
