"""kafka-python's names over Ottla's client: `from ottla.compat.kafka import KafkaProducer, KafkaConsumer`.

docs/coming-from.md says what is the same and what differs.
"""

from __future__ import annotations

from .admin import KafkaAdminClient
from .consumer import AsyncConsumerRebalanceListener, ConsumerRebalanceListener, KafkaConsumer
from .producer import KafkaProducer
from .serializer import DefaultSerializer, Deserializer, JsonSerializer, Serializer
from .structs import (
    ConsumerGroupMetadata,
    IsolationLevel,
    OffsetAndMetadata,
    OffsetSpec,
    TopicPartition,
    TopicPartitionReplica,
)

__all__ = [
    "AsyncConsumerRebalanceListener", "ConsumerGroupMetadata", "ConsumerRebalanceListener", "DefaultSerializer",
    "Deserializer", "IsolationLevel", "JsonSerializer", "KafkaAdminClient", "KafkaConsumer", "KafkaProducer",
    "OffsetAndMetadata", "OffsetSpec", "Serializer", "TopicPartition", "TopicPartitionReplica",
]  # fmt: skip
__version__ = "3.0.12"
