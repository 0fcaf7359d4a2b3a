"""kafka.serializer: text and JSON, and the base classes of a program's own."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any


class Serializer(ABC):
    """Makes bytes of keys or values."""

    @abstractmethod
    def serialize(self, topic: str, headers: Any, data: Any) -> Any:
        """The bytes."""

    def close(self) -> None:  # noqa: B027 - a program may have something to end
        """The client ends."""


class Deserializer(ABC):
    """Makes keys or values of bytes."""

    @abstractmethod
    def deserialize(self, topic: str, headers: Any, data: Any) -> Any:
        """The object."""

    def close(self) -> None:  # noqa: B027 - a program may have something to end
        """The client ends."""


class DefaultSerializer(Serializer, Deserializer):
    """Text in an encoding; bytes stay as they are."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.encoding = encoding

    def serialize(self, topic: str, headers: Any, data: Any) -> Any:
        return data.encode(self.encoding) if isinstance(data, str) else data

    def deserialize(self, topic: str, headers: Any, data: Any) -> Any:
        return None if data is None else bytes(data).decode(self.encoding)


class JsonSerializer(DefaultSerializer):
    """JSON; None stays None, so that a record may be deleted."""

    def serialize(self, topic: str, headers: Any, data: Any) -> Any:
        return None if data is None else json.dumps(data).encode(self.encoding)

    def deserialize(self, topic: str, headers: Any, data: Any) -> Any:
        return None if data is None else json.loads(bytes(data).decode(self.encoding))
