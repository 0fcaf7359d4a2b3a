"""A topic in the hands of a test: put records in, look at what is there, expect what shall come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..protocol.apis.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ..protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ..protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ..protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import ZERO_UUID
from ..records import batch
from ..records.compression import Compression
from .durations import seconds
from .partitioner import partition_of
from .wire import Wire, check

if TYPE_CHECKING:
    from ..protocol.apis.metadata import MetadataResponseTopic

Bytes = bytes | str | None
#: How long one look waits in the broker for more; `expect` looks again until its own time is over.
POLL_MS = 250
FETCH_BYTES_MAX = 64 << 20
#: A request holds at most this much of what is put, well below the broker's limit of a batch.
PUT_BYTES_MAX = 512 * 1024
#: How many records a failed expectation shows.
SHOWN = 20


class Record(NamedTuple):
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Topic:
    """One topic; made by `kafka.topic(name)`, which creates it unless it exists."""

    def __init__(self, wire: Wire, name: str) -> None:
        self.name = name
        self._wire = wire
        self._id = ZERO_UUID
        self._partitions = 0
        self._round_robin = 0

    @property
    def partitions(self) -> int:
        """How many partitions the topic has now."""
        return len(self._describe().partitions)

    def create(self, partitions: int, configs: Mapping[str, str]) -> None:
        """Make the topic; an existing one stays as it is, unless it has another number of partitions."""
        request = CreateTopicsRequest(
            topics=[
                CreatableTopic(
                    name=self.name, num_partitions=partitions, replication_factor=-1, assignments=[],
                    configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
                )
            ]
        )  # fmt: skip
        (result,) = self._wire.call(request).topics
        if result.error_code == ErrorCode.TOPIC_ALREADY_EXISTS:
            there = self.partitions
            if partitions not in (-1, there):
                raise ValueError(f"topic {self.name!r} exists with {there} partitions, not {partitions}")
            return
        check(result.error_code, result.error_message)

    def put(
        self,
        records: Iterable[Bytes | tuple[Any, ...]],
        *,
        partition: int | None = None,
        timestamp: int | None = None,
        compression: Compression | str = Compression.NONE,
    ) -> list[Record]:
        """Produce records and return them with their offsets.

        A record is a value, or (key, value), or (key, value, headers); text becomes UTF-8. Without `partition` they
        go where Java's producer would put them: by the hash of the key, or round robin where there is no key.
        `compression` is "none", "gzip", "snappy", "lz4" or "zstd".
        """
        if isinstance(records, str | bytes | bytearray | memoryview | Mapping | Record):
            raise TypeError(f"put takes a list of records, not {type(records).__name__}: put([…])")
        codec = _codec(compression)
        now_ms = time.time_ns() // 1_000_000 if timestamp is None else timestamp
        count = self._ensure().partitions.__len__()
        waiting: dict[int, list[Record]] = {}
        placed: list[Record] = []
        for item in records:
            key, value, headers = _fields(item)
            if partition is not None:
                index = partition
            elif key is not None:
                index = partition_of(key, count)
            else:
                index, self._round_robin = self._round_robin % count, self._round_robin + 1
            record = Record(self.name, index, -1, now_ms, key, value, headers)
            waiting.setdefault(index, []).append(record)
        for index, ours in sorted(waiting.items()):
            for chunk in _chunks(ours):
                placed += self._produce(index, chunk, codec)
        return placed

    def records(self, partition: int | None = None, *, committed: bool = False) -> list[Record]:
        """All records of the topic now, partition by partition; `committed` leaves out open and aborted transactions."""
        return self._look(self._starts(partition), committed=committed, wait_ms=0)

    def expect(
        self,
        count: int | None = None,
        *,
        where: Callable[[Record], Any] | None = None,
        within: str | float = "2s",
        partition: int | None = None,
    ) -> list[Record]:
        """Wait until `count` records (that satisfy `where`) are there, and return them; AssertionError otherwise.

        All records of the topic count, also those put before the call. More than `count` is an error too, and
        `count=0` says that nothing of the kind comes within the time. Without `count`, one or more will do.
        """
        deadline = time.monotonic() + seconds(within)
        positions = self._starts(partition)
        seen: list[Record] = []
        while True:
            left_ms = max(0, int((deadline - time.monotonic()) * 1000))
            seen += self._look(
                positions, committed=False, wait_ms=min(left_ms, POLL_MS) if seen or count == 0 else left_ms
            )
            found = [record for record in seen if where is None or where(record)]
            if count != 0 and (len(found) >= 1 if count is None else len(found) >= count):
                break
            if (count == 0 and found) or time.monotonic() >= deadline:
                break
        if len(found) == count or (count is None and found):
            return found
        wanted = "at least 1 record" if count is None else f"{count} record{'s' * (count != 1)}"
        such = " that satisfy `where`" if where is not None else ""
        lines = "".join(f"\n  {record}" for record in seen[:SHOWN])
        more = f"\n  … and {len(seen) - SHOWN} more" if len(seen) > SHOWN else ""
        raise AssertionError(
            f"topic {self.name!r}: expected {wanted}{such} within {within}, found {len(found)}; "
            f"it holds {len(seen)}:{lines}{more}"
        )

    def _ensure(self) -> MetadataResponseTopic:
        """The topic's description; the topic is created if it is not there."""
        try:
            return self._describe()
        except KafkaError as error:
            if error.code != ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
                raise
        self.create(-1, {})
        return self._describe()

    def _describe(self) -> MetadataResponseTopic:
        request = MetadataRequest(topics=[MetadataRequestTopic(name=self.name)], allow_auto_topic_creation=False)
        topic: MetadataResponseTopic
        (topic,) = self._wire.call(request).topics
        check(topic.error_code)
        self._id = topic.topic_id
        return topic

    def _starts(self, partition: int | None) -> dict[int, int]:
        """Partition -> where reading begins. An offset of 0 that is gone already is mended while reading."""
        if partition is not None:
            return {partition: 0}
        return {each.partition_index: 0 for each in self._ensure().partitions}

    def _produce(self, partition: int, records: list[Record], compression: Compression) -> list[Record]:
        data = batch.build_batch(
            [batch.Record(offset, r.timestamp, r.key, r.value, r.headers) for offset, r in enumerate(records)],
            compression=compression,
        )
        request = ProduceRequest(
            acks=-1, timeout_ms=30_000,
            topic_data=[
                TopicProduceData(
                    name=self.name, topic_id=self._id,
                    partition_data=[PartitionProduceData(index=partition, records=data)],
                )
            ],
        )  # fmt: skip
        ((result,),) = ([*topic.partition_responses] for topic in self._wire.call(request).responses)
        check(result.error_code, result.error_message)
        return [record._replace(offset=result.base_offset + number) for number, record in enumerate(records)]

    def _look(self, positions: dict[int, int], *, committed: bool, wait_ms: int) -> list[Record]:
        """Read on from `positions` (moved forward in place) to the end as it is; waits for something to come if asked."""
        found: list[Record] = []
        self._ensure()
        while True:
            progress = False
            request = FetchRequest(
                max_wait_ms=wait_ms, min_bytes=1 if wait_ms else 0, max_bytes=FETCH_BYTES_MAX,
                isolation_level=int(committed), session_epoch=-1,
                topics=[
                    FetchTopic(
                        topic=self.name, topic_id=self._id,
                        partitions=[
                            FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=FETCH_BYTES_MAX)
                            for index, offset in positions.items()
                        ],
                    )
                ],
            )  # fmt: skip
            response = self._wire.call(request)
            check(response.error_code)
            for topic in response.responses:
                for part in topic.partitions:
                    if part.error_code == ErrorCode.OFFSET_OUT_OF_RANGE and positions[part.partition_index] == 0:
                        positions[part.partition_index] = part.log_start_offset
                        progress = True
                        continue
                    check(part.error_code)
                    progress |= self._take(part, positions, found, committed)
            if not progress:
                return sorted(found, key=lambda record: (record.partition, record.offset))
            wait_ms = 0

    def _take(self, part: Any, positions: dict[int, int], found: list[Record], committed: bool) -> bool:
        """Move the records of one partition's answer to `found`; whether there was anything."""
        index = part.partition_index
        start = position = positions[index]
        aborted = (
            sorted((each.first_offset, each.producer_id) for each in part.aborted_transactions or ())
            if committed
            else []
        )
        gone: set[int] = set()
        data = part.records or b""
        for pos, header in batch.iter_headers(data):
            position = max(position, header.next_offset)
            if header.is_control:
                gone.discard(header.producer_id)
                continue
            while aborted and aborted[0][0] <= header.base_offset:  # each ends with the producer's next marker
                gone.add(aborted.pop(0)[1])
            if header.is_transactional and header.producer_id in gone:
                continue
            found += [
                Record(self.name, index, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
                for r in batch.read_records(data, pos) if r.offset >= start
            ]  # fmt: skip
        positions[index] = position
        return position > start


def _fields(item: Any) -> tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]:
    if isinstance(item, Record):
        return item.key, item.value, item.headers
    if not isinstance(item, tuple):
        return None, _bytes(item), ()
    if not 2 <= len(item) <= 3:
        raise ValueError(f"a record is a value, (key, value) or (key, value, headers), not {item!r}")
    headers = item[2] if len(item) == 3 else ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return _bytes(item[0]), _bytes(item[1]), tuple((name, _bytes(value)) for name, value in pairs)


def _codec(compression: Compression | str) -> Compression:
    """The codec by Kafka's name for it, or as it is."""
    if isinstance(compression, Compression):
        return compression
    names = [codec.name.lower() for codec in Compression]
    if compression not in names:
        raise ValueError(f"compression is one of {', '.join(names)}, not {compression!r}")
    return Compression[compression.upper()]


def _bytes(value: Any) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"a key or value is bytes, str or None, not {type(value).__name__}")


def _chunks(records: list[Record]) -> Iterable[list[Record]]:
    """Cut so that a batch stays far below max.message.bytes; a larger record is the test's own intention."""
    chunk: list[Record] = []
    size = 0
    for record in records:
        weight = len(record.key or b"") + len(record.value or b"") + 64
        if chunk and size + weight > PUT_BYTES_MAX:
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += weight
    if chunk:
        yield chunk
