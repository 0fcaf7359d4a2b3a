"""The settings of the transaction coordinator, resolved: Kafka's keys with dots as underscores, and its defaults."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TransactionCoordinatorConfig"]


@dataclass(frozen=True, slots=True)
class TransactionCoordinatorConfig:
    """What the coordinator needs of the broker's configuration."""

    transaction_max_timeout_ms: int = 900_000
    transactional_id_expiration_ms: int = 604_800_000
