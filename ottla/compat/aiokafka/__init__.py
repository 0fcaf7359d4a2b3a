"""aiokafka's names over Ottla's client: `from ottla.compat.aiokafka import AIOKafkaConsumer, AIOKafkaProducer`.

docs/coming-from.md says what is the same and what differs.
"""

from __future__ import annotations

from ..errors import ConsumerStoppedError, IllegalOperation
from .consumer import AIOKafkaConsumer, ConsumerRebalanceListener
from .producer import AIOKafkaProducer
from .structs import ConsumerRecord, OffsetAndMetadata, OffsetAndTimestamp, TopicPartition

__all__ = [
    "AIOKafkaConsumer", "AIOKafkaProducer", "ConsumerRebalanceListener", "ConsumerRecord", "ConsumerStoppedError",
    "IllegalOperation", "OffsetAndMetadata", "OffsetAndTimestamp", "TopicPartition",
]  # fmt: skip
__version__ = "0.14.0"
