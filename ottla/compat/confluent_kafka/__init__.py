"""confluent_kafka's names over Ottla's client: `from ottla.compat.confluent_kafka import Producer, Consumer`.

docs/coming-from.md says what is the same and what differs.
"""

from __future__ import annotations

from .consumer import Consumer
from .errors import KafkaError, KafkaException
from .producer import Producer
from .serializing import DeserializingConsumer, SerializingProducer
from .types import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    Message,
    Node,
    TopicCollection,
    TopicPartition,
    libversion,
    version,
)

__all__ = [
    "OFFSET_BEGINNING", "OFFSET_END", "OFFSET_INVALID", "OFFSET_STORED", "TIMESTAMP_CREATE_TIME",
    "TIMESTAMP_LOG_APPEND_TIME", "TIMESTAMP_NOT_AVAILABLE", "Consumer", "DeserializingConsumer", "KafkaError",
    "KafkaException", "Message", "Node", "Producer", "SerializingProducer", "TopicCollection", "TopicPartition",
    "libversion", "version",
]  # fmt: skip
