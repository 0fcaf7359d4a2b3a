"""Settings of the consumer. Names and defaults are Kafka's unless the sentence says otherwise."""

from __future__ import annotations


class ConsumerSettings:
    """What only a Consumer reads."""
