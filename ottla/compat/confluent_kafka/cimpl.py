"""The names of confluent_kafka.cimpl, which programs import now and then."""

from __future__ import annotations

from .admin.model import NewPartitions, NewTopic
from .consumer import Consumer
from .errors import ConcurrentModificationException, IllegalStateException, KafkaError, KafkaException
from .hashing import consistent, fnv1a, murmur2
from .producer import Producer
from .share_consumer import ShareConsumer
from .types import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    Message,
    TopicPartition,
    Uuid,
    libversion,
    version,
)

__all__ = [
    "OFFSET_BEGINNING", "OFFSET_END", "OFFSET_INVALID", "OFFSET_STORED", "TIMESTAMP_CREATE_TIME",
    "TIMESTAMP_LOG_APPEND_TIME", "TIMESTAMP_NOT_AVAILABLE", "ConcurrentModificationException", "Consumer",
    "IllegalStateException", "KafkaError", "KafkaException", "Message", "NewPartitions", "NewTopic", "Producer",
    "ShareConsumer", "TopicPartition", "Uuid", "consistent", "fnv1a", "libversion", "murmur2", "version",
]  # fmt: skip
