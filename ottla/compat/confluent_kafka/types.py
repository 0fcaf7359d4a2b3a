"""TopicPartition, Message and the other small classes of confluent_kafka."""

from __future__ import annotations

from typing import Any, NamedTuple

from .errors import KafkaError

OFFSET_BEGINNING, OFFSET_END, OFFSET_STORED, OFFSET_INVALID = -2, -1, -1000, -1001
TIMESTAMP_NOT_AVAILABLE, TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME = 0, 1, 2


class TopicPartition:
    """A partition, and an offset in it."""

    def __init__(
        self, topic: str, partition: int = -1, offset: int = OFFSET_INVALID, metadata: str | None = None,
        leader_epoch: int | None = None,
    ) -> None:  # fmt: skip
        self.topic, self.partition, self.offset = topic, partition, offset
        self.metadata, self.leader_epoch = metadata, leader_epoch
        self.error: KafkaError | None = None

    @property
    def _key(self) -> tuple[str, int]:
        return self.topic, self.partition

    def __repr__(self) -> str:
        names = {OFFSET_BEGINNING: "BEGINNING", OFFSET_END: "END", OFFSET_STORED: "STORED", OFFSET_INVALID: "INVALID"}
        at = names.get(self.offset, self.offset)
        return (
            f"TopicPartition{{topic={self.topic},partition={self.partition},offset={at},"
            f"leader_epoch={self.leader_epoch},error={self.error}}}"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TopicPartition) and self._key == other._key

    def __lt__(self, other: TopicPartition) -> bool:
        return self._key < other._key

    def __hash__(self) -> int:
        return hash(self._key)


class Message:
    """A record that was read, the report of one that was sent, or an error."""

    def __init__(
        self, topic: str | None = None, partition: int | None = None, offset: int | None = None, key: Any = None,
        value: Any = None, headers: Any = None, error: KafkaError | None = None,
        timestamp: tuple[int, int] = (TIMESTAMP_NOT_AVAILABLE, 0), latency: float | None = None,
        leader_epoch: int | None = None,
    ) -> None:  # fmt: skip
        self._topic, self._partition, self._offset = topic, partition, offset
        self._key, self._value, self._headers, self._error = key, value, headers, error
        self._timestamp, self._latency, self._epoch = timestamp, latency, leader_epoch

    def topic(self) -> str | None:
        return self._topic

    def partition(self) -> int | None:
        return self._partition

    def offset(self) -> int | None:
        return self._offset

    def key(self) -> Any:
        return self._key

    def value(self) -> Any:
        return self._value

    def headers(self) -> list[tuple[str, Any]] | None:
        found: list[tuple[str, Any]] | None = self._headers
        return found

    def error(self) -> KafkaError | None:
        return self._error

    def timestamp(self) -> tuple[int, int]:
        return self._timestamp

    def latency(self) -> float | None:
        return self._latency

    def leader_epoch(self) -> int | None:
        return self._epoch

    def set_key(self, key: Any) -> None:
        self._key = key

    def set_value(self, value: Any) -> None:
        self._value = value

    def set_headers(self, headers: Any) -> None:
        self._headers = headers

    def __len__(self) -> int:
        return 0 if self._value is None else len(self._value)

    def __bool__(self) -> bool:
        return True


class Node(NamedTuple):
    """A broker."""

    id: int
    host: str
    port: int
    rack: str | None = None

    @property
    def id_string(self) -> str:
        return str(self.id)


class TopicCollection:
    """Names of topics."""

    def __init__(self, topic_names: list[str]) -> None:
        self.topic_names = list(topic_names)


def version() -> str:
    """The version of confluent_kafka whose interface this is."""
    return "2.16.1"


def libversion() -> tuple[str, int]:
    """The version of librdkafka whose behaviour this follows."""
    return "2.16.1", 0x021001FF
