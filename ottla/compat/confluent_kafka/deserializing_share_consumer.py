"""The name of confluent_kafka.deserializing_share_consumer."""

from .share_consumer import DeserializingShareConsumer

__all__ = ["DeserializingShareConsumer"]
