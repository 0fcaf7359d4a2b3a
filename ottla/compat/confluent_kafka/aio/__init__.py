"""confluent_kafka.aio: `AIOProducer` and `AIOConsumer`."""

from .consumer import AIOConsumer
from .producer import AIOProducer

__all__ = ["AIOConsumer", "AIOProducer"]
