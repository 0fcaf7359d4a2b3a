"""kafka-python's names over Ottla's client: `from ottla.compat.kafka import KafkaProducer, KafkaConsumer`.

docs/coming-from.md says what is the same and what differs.
"""

from __future__ import annotations

from .admin import KafkaAdminClient
from .consumer import ConsumerRebalanceListener, KafkaConsumer
from .producer import KafkaProducer
from .structs import OffsetAndMetadata, TopicPartition, TopicPartitionReplica

__all__ = [
    "ConsumerRebalanceListener", "KafkaAdminClient", "KafkaConsumer", "KafkaProducer", "OffsetAndMetadata",
    "TopicPartition", "TopicPartitionReplica",
]  # fmt: skip
__version__ = "3.0.12"
