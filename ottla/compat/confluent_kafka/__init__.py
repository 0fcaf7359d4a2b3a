"""confluent_kafka's names over Ottla's client: `from ottla.compat.confluent_kafka import Producer, Consumer`.

docs/coming-from.md says what is the same and what differs.
"""

from __future__ import annotations

from .consumer import Consumer
from .enums import AcknowledgeType, ConsumerGroupState, ConsumerGroupType, ElectionType, IsolationLevel
from .errors import ConcurrentModificationException, IllegalStateException, KafkaError, KafkaException
from .hashing import consistent, fnv1a, murmur2
from .producer import Producer
from .serializing import DeserializingConsumer, SerializingProducer
from .share_consumer import DeserializingShareConsumer, ShareConsumer
from .types import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    OFFSET_STORED,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    ConsumerGroupTopicPartitions,
    Message,
    Messages,
    Node,
    ThrottleEvent,
    TopicCollection,
    TopicPartition,
    TopicPartitionInfo,
    Uuid,
    libversion,
    version,
)

__all__ = [
    "OFFSET_BEGINNING", "OFFSET_END", "OFFSET_INVALID", "OFFSET_STORED", "TIMESTAMP_CREATE_TIME",
    "TIMESTAMP_LOG_APPEND_TIME", "TIMESTAMP_NOT_AVAILABLE", "AcknowledgeType", "ConcurrentModificationException",
    "Consumer", "ConsumerGroupState", "ConsumerGroupTopicPartitions", "ConsumerGroupType", "DeserializingConsumer",
    "DeserializingShareConsumer", "ElectionType", "IllegalStateException", "IsolationLevel", "KafkaError",
    "KafkaException", "Message", "Messages", "Node", "Producer", "SerializingProducer", "ShareConsumer",
    "ThrottleEvent", "TopicCollection", "TopicPartition", "TopicPartitionInfo", "Uuid", "consistent", "fnv1a",
    "libversion", "murmur2", "version",
]  # fmt: skip
__version__ = version()
