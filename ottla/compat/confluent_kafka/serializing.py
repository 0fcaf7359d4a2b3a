"""SerializingProducer and DeserializingConsumer."""

from __future__ import annotations

from typing import Any

from .config import merged
from .consumer import Consumer
from .errors import (
    ConsumeError,
    KeyDeserializationError,
    KeySerializationError,
    ValueDeserializationError,
    ValueSerializationError,
)
from .producer import Producer
from .serialization import MessageField, SerializationContext
from .types import Message


class SerializingProducer(Producer):
    """A producer with `key.serializer` and `value.serializer`."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        settings = merged(*arguments, **more)
        self._key_serializer = settings.pop("key.serializer", None)
        self._value_serializer = settings.pop("value.serializer", None)
        super().__init__(settings)

    def produce(  # type: ignore[override]
        self, topic: str, key: Any = None, value: Any = None, partition: int = -1, on_delivery: Any = None,
        timestamp: int = 0, headers: Any = None,
    ) -> None:  # fmt: skip
        context = SerializationContext(topic, MessageField.KEY, headers)
        if self._key_serializer is not None:
            try:
                key = self._key_serializer(key, context)
            except Exception as problem:
                raise KeySerializationError(problem) from problem
        context.field = MessageField.VALUE
        if self._value_serializer is not None:
            try:
                value = self._value_serializer(value, context)
            except Exception as problem:
                raise ValueSerializationError(problem) from problem
        super().produce(
            topic, value, key, partition=partition, on_delivery=on_delivery, timestamp=timestamp, headers=headers
        )


class DeserializingConsumer(Consumer):
    """A consumer with `key.deserializer` and `value.deserializer`; errors are raised by `poll`."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        settings = merged(*arguments, **more)
        self._key_deserializer = settings.pop("key.deserializer", None)
        self._value_deserializer = settings.pop("value.deserializer", None)
        super().__init__(settings)

    def poll(self, timeout: float | None = -1) -> Message | None:
        message = super().poll(timeout)
        if message is None:
            return None
        error = message.error()
        if error is not None:
            raise ConsumeError(error, message)
        context = SerializationContext(str(message.topic()), MessageField.VALUE, message.headers())
        if self._value_deserializer is not None:
            try:
                message.set_value(self._value_deserializer(message.value(), context))
            except Exception as problem:
                raise ValueDeserializationError(problem, message) from problem
        context.field = MessageField.KEY
        if self._key_deserializer is not None:
            try:
                message.set_key(self._key_deserializer(message.key(), context))
            except Exception as problem:
                raise KeyDeserializationError(problem, message) from problem
        return message

    def consume(self, num_messages: int = 1, timeout: float | None = -1) -> list[Message]:
        raise TypeError("a DeserializingConsumer reads with poll")
