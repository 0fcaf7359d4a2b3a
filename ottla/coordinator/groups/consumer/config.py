"""The settings of consumer groups, resolved."""

from __future__ import annotations

from dataclasses import dataclass

from ..modern.assignor import Assign
from .range_assignor import assign_range
from .uniform_assignor import assign_uniform

__all__ = ["ASSIGNORS", "ConsumerConfig", "assignor_name"]

#: What a member may ask for.
ASSIGNORS: dict[str, Assign] = {"uniform": assign_uniform, "range": assign_range}
#: Kafka's configuration may also name them by class.
_CLASSES = {
    "org.apache.kafka.coordinator.group.assignor.UniformAssignor": "uniform",
    "org.apache.kafka.coordinator.group.assignor.RangeAssignor": "range",
}
_UPGRADES = ("bidirectional", "upgrade")
_DOWNGRADES = ("bidirectional", "downgrade")


def assignor_name(configured: str) -> str:
    """Return the name of a configured assignor; raises `ValueError` if there is no such."""
    name = _CLASSES.get(configured, configured)
    if name not in ASSIGNORS:
        raise ValueError(f"group.consumer.assignors: {configured!r} is none of {', '.join(ASSIGNORS)}")
    return name


@dataclass(frozen=True, slots=True)
class ConsumerConfig:
    """`group.consumer.*`."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5_000
    max_size: int = 2**31 - 1
    #: The first is for members that ask for none.
    assignors: tuple[str, ...] = ("uniform", "range")
    migration_policy: str = "bidirectional"
    regex_refresh_interval_ms: int = 600_000

    @property
    def upgrades(self) -> bool:
        """Whether a classic group becomes a consumer group when a consumer member joins it."""
        return self.migration_policy in _UPGRADES

    @property
    def downgrades(self) -> bool:
        """Whether a consumer group becomes a classic one when only classic members are left in it."""
        return self.migration_policy in _DOWNGRADES
