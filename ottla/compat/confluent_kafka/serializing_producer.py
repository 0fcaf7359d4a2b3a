"""The names of confluent_kafka.serializing_producer."""

from __future__ import annotations

from .serializing import SerializingProducer

__all__ = ["SerializingProducer"]
