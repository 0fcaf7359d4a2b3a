"""TopicPartition, Message and the other small classes of confluent_kafka."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from functools import total_ordering
from typing import Any, NamedTuple

from .errors import KafkaError

OFFSET_BEGINNING, OFFSET_END, OFFSET_STORED, OFFSET_INVALID = -2, -1, -1000, -1001
TIMESTAMP_NOT_AVAILABLE, TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME = 0, 1, 2


@total_ordering
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
        leader_epoch: int | None = None, delivery_count: int | None = None,
    ) -> None:  # fmt: skip
        self._topic, self._partition, self._offset = topic, partition, offset
        self._deliveries = delivery_count
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

    def delivery_count(self) -> int | None:
        """How often a share group gave it, this time included; None elsewhere."""
        return self._deliveries

    def set_error(self, error: KafkaError | None) -> None:
        self._error = error

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

    def __str__(self) -> str:
        return f"({self.id}) {self.host}:{self.port} {f'(Rack - {self.rack})' if self.rack else ''}"


class TopicCollection:
    """Names of topics."""

    def __init__(self, topic_names: list[str]) -> None:
        self.topic_names = list(topic_names)


class TopicPartitionInfo(NamedTuple):
    """A partition of a topic, with the brokers that hold it."""

    id: int
    leader: Node | None
    replicas: list[Node]
    isr: list[Node]


class ConsumerGroupTopicPartitions:
    """A group, and partitions with its offsets."""

    def __init__(self, group_id: str, topic_partitions: list[TopicPartition] | None = None) -> None:
        self.group_id, self.topic_partitions = group_id, topic_partitions


class Uuid(NamedTuple):
    """An id of 128 bits, as two signed halves; its text is Kafka's base64."""

    most_significant_bits: int
    least_significant_bits: int

    @classmethod
    def of(cls, raw: bytes) -> Uuid:
        return cls(int.from_bytes(raw[:8], "big", signed=True), int.from_bytes(raw[8:], "big", signed=True))

    def get_most_significant_bits(self) -> int:
        return self.most_significant_bits

    def get_least_significant_bits(self) -> int:
        return self.least_significant_bits

    def __str__(self) -> str:
        raw = b"".join(half.to_bytes(8, "big", signed=True) for half in self)
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Messages:
    """What a share consumer's `poll` gives: a sequence that cannot be changed."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._records = list(messages)

    def records(self) -> list[Message]:
        return list(self._records)

    def count(self) -> int:
        return len(self._records)

    def is_empty(self) -> bool:
        return not self._records

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._records)

    def __getitem__(self, index: int | slice) -> Message | Messages:
        return Messages(self._records[index]) if isinstance(index, slice) else self._records[index]

    def __repr__(self) -> str:
        return f"Messages({self._records!r})"


class ThrottleEvent(NamedTuple):
    """What `throttle_cb` is told: a broker had this client wait."""

    broker_name: str
    broker_id: int
    throttle_time: float

    def __str__(self) -> str:
        return f"{self.broker_name}/{self.broker_id} throttled for {int(self.throttle_time * 1000)} ms"


def version() -> str:
    """The version of confluent_kafka whose interface this is."""
    return "2.16.1"


def libversion() -> tuple[str, int]:
    """The version of librdkafka whose behaviour this follows."""
    return "2.16.1", 0x021001FF
