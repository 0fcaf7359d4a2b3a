"""confluent_kafka.schema_registry._async.avro."""

from ..avro import AsyncAvroDeserializer, AsyncAvroSerializer

__all__ = ["AsyncAvroDeserializer", "AsyncAvroSerializer"]
