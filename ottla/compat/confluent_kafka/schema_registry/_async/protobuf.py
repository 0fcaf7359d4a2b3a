"""confluent_kafka.schema_registry._async.protobuf."""

from ..protobuf import AsyncProtobufDeserializer, AsyncProtobufSerializer

__all__ = ["AsyncProtobufDeserializer", "AsyncProtobufSerializer"]
