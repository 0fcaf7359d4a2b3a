"""Who works while the broker is killed, what each was promised, and what must therefore still be true.

* `IdempotentProducer` (confluent-kafka, acks=all): numbers 0, 1, 2, … to each partition. What it was told is written is
  there, at the offset it was told; nothing is there twice; the order is that of the numbers.
* `PlainProducer` (raw, acks=all, no retries): each number is sent once. What was acked is there, at its offset; what was
  not acked is there at most once.
* `Committer` (raw): commits rising offsets of a group. What is found is at least the last acked, at most the last sent.
* `Admin` (raw): creates, configures, widens and deletes topics. What was acked is so; what was not may be either way.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Message, Producer

from ottla.protocol.apis.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.protocol.apis.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest
from ottla.protocol.apis.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.apis.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ottla.protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.protocol.apis.offset_fetch import OffsetFetchRequest, OffsetFetchRequestTopic
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.records.batch import iter_headers, read_records
from tests.differential.batches import batch

from .node import Client, Node

#: The smallest segment that Kafka allows: many rolls in a short time.
SEGMENT_BYTES = 1 << 20
VALUE_BYTES = 500
#: Everything in flight must have been answered by then, on a busy machine.
FLUSH_S = 90.0
GONE = (ConnectionError, TimeoutError, OSError)


def create_topic(client: Client, name: str, partitions: int, **configs: str) -> int:
    topic = CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=1,
        assignments=[],
        configs=[CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()],
    )
    code: int = client.ask(CreateTopicsRequest(topics=[topic]), 5).topics[0].error_code
    return code


def value(number: int) -> bytes:
    return b"%012d" % number + b"." * VALUE_BYTES


class Worker(threading.Thread):
    """Works until told to stop; a failure of its own is kept and raised by `finish`."""

    def __init__(self, node: Node, seed: int) -> None:
        super().__init__(name=f"{type(self).__name__}-{seed}", daemon=True)
        self.node = node
        self.random = random.Random(seed)
        self.ending = threading.Event()
        self.failure: BaseException | None = None
        self._client: Client | None = None

    def run(self) -> None:
        try:
            while not self.ending.is_set():
                self.step()
            self.end()
            if self._client is not None:
                self._client.close()
        except BaseException as error:  # noqa: BLE001 - raised by finish(), in the thread of the test
            self.failure = error

    def step(self) -> None:
        raise AssertionError("a worker works")

    def end(self) -> None:
        """What is to be done before the thread ends."""

    def finish(self, seconds: float = FLUSH_S + 30.0) -> None:
        self.join(seconds)
        assert not self.is_alive(), f"{self.name} does not end"
        if self.failure is not None:
            raise self.failure

    def ask(self, request: Any, version: int) -> Any | None:
        """The response, or None if the broker went away: then nobody knows whether it was done."""
        try:
            if self._client is None:
                self._client = Client(self.node.port)
        except GONE:
            self.ending.wait(0.02)
            return None
        try:
            return self._client.ask(request, version)
        except GONE:
            self._client.close()
            self._client = None
            return None


class IdempotentProducer(Worker):
    """Numbers to every partition of a topic, in order, through librdkafka."""

    def __init__(self, node: Node, seed: int, topic: str, partitions: int, codec: str) -> None:
        super().__init__(node, seed)
        self.topic = topic
        self.sent = [0] * partitions
        self.acked: list[dict[int, int]] = [{} for _ in range(partitions)]
        self.failed: list[str] = []
        self.producer = Producer(
            {
                "bootstrap.servers": node.bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 2,
                "message.timeout.ms": 120_000, "compression.type": codec, "reconnect.backoff.max.ms": 200,
                "socket.timeout.ms": 10_000, "log_level": 0,
            }
        )  # fmt: skip

    def step(self) -> None:
        for _ in range(self.random.randint(1, 100)):
            partition = self.random.randrange(len(self.sent))
            number = self.sent[partition]
            try:
                self.producer.produce(
                    self.topic, value(number), partition=partition, on_delivery=self._delivered(partition, number)
                )
            except BufferError:
                self.producer.poll(0.05)
                continue
            self.sent[partition] += 1
        self.producer.poll(0.001)
        self.ending.wait(0.01)  # enough work for the disk, and not more than can be read back soon

    def _delivered(self, partition: int, number: int) -> Callable[[Any, Message], None]:
        def on_delivery(error: Any, message: Message) -> None:
            if error is None:
                offset = message.offset()
                assert offset is not None
                self.acked[partition][number] = offset
            else:
                self.failed.append(f"{self.topic}-{partition} {number}: {error}")

        return on_delivery

    def end(self) -> None:
        left = self.producer.flush(FLUSH_S)
        assert left == 0, f"{left} records are still in flight {FLUSH_S:.0f} s after the last kill"


class PlainProducer(Worker):
    """One number per request, never sent twice."""

    def __init__(self, node: Node, seed: int, topic: str) -> None:
        super().__init__(node, seed)
        self.topic = topic
        self.sent = 0
        self.acked: dict[int, int] = {}

    def step(self) -> None:
        number = self.sent
        self.sent += 1
        data = PartitionProduceData(index=0, records=batch(value(number), timestamp=time.time_ns() // 1_000_000))
        topic = TopicProduceData(name=self.topic, partition_data=[data])
        response = self.ask(ProduceRequest(acks=-1, timeout_ms=10_000, topic_data=[topic]), 9)
        if response is not None:
            result = response.responses[0].partition_responses[0]
            if result.error_code == 0:
                self.acked[number] = result.base_offset


class Committer(Worker):
    """Rising offsets of one group."""

    def __init__(self, node: Node, seed: int, group: str, topic: str) -> None:
        super().__init__(node, seed)
        self.group = group
        self.topic = topic
        self.sent = -1
        self.acked = -1

    def step(self) -> None:
        self.sent += 1
        at = OffsetCommitRequestPartition(
            partition_index=0, committed_offset=self.sent, committed_metadata=f"m{self.sent}"
        )
        topic = OffsetCommitRequestTopic(name=self.topic, partitions=[at])
        response = self.ask(OffsetCommitRequest(group_id=self.group, topics=[topic]), 7)
        if response is not None and response.topics[0].partitions[0].error_code == 0:
            self.acked = self.sent
        self.ending.wait(0.005)

    def check(self, client: Client) -> None:
        topic = OffsetFetchRequestTopic(name=self.topic, partition_indexes=[0])
        give_up = time.monotonic() + 20
        while True:
            response = client.ask(OffsetFetchRequest(group_id=self.group, topics=[topic]), 7)
            if response.error_code == 0 or time.monotonic() > give_up:
                break  # else the coordinator is still loading
        assert response.error_code == 0, f"offsets of {self.group}: error {response.error_code}"
        found = response.topics[0].partitions[0]
        assert self.acked <= found.committed_offset <= self.sent, (
            f"{self.group}: committed {found.committed_offset}, acked {self.acked}, sent {self.sent}"
        )
        assert found.committed_offset < 0 or found.metadata == f"m{found.committed_offset}"


class Admin(Worker):
    """Topics that come, change and go."""

    def __init__(self, node: Node, seed: int) -> None:
        super().__init__(node, seed)
        self.number = 0
        #: Topic -> what is known of it: None is "deleted"; a missing key of the dictionary is "nobody knows".
        self.topics: dict[str, dict[str, Any] | None] = {}

    def step(self) -> None:
        name = f"admin-{self.number}"
        self.number += 1
        known: dict[str, Any] = {}
        self.topics[name] = known
        topic = CreatableTopic(name=name, num_partitions=2, replication_factor=1, assignments=[], configs=[])
        created = self.ask(CreateTopicsRequest(topics=[topic]), 5)
        if created is None:
            return
        assert created.topics[0].error_code == 0, f"{name}: {created.topics[0]}"
        known.update(exists=True, partitions=2)
        if self.random.random() < 0.5:
            known.pop("partitions")
            grown = self.ask(
                CreatePartitionsRequest(topics=[CreatePartitionsTopic(name=name, count=3, assignments=None)]), 2
            )
            if grown is None:
                return
            assert grown.results[0].error_code == 0
            known["partitions"] = 3
        if self.random.random() < 0.5:
            retention = str(self.random.randrange(10**9))
            config = AlterableConfig(name="retention.ms", config_operation=0, value=retention)
            resource = AlterConfigsResource(resource_type=2, resource_name=name, configs=[config])
            altered = self.ask(IncrementalAlterConfigsRequest(resources=[resource]), 1)
            if altered is None:
                return
            assert altered.responses[0].error_code == 0
            known["retention.ms"] = retention
        if self.random.random() < 0.6:
            known.clear()
            deleted = self.ask(DeleteTopicsRequest(topic_names=[name]), 4)
            if deleted is not None:
                assert deleted.responses[0].error_code == 0
                self.topics[name] = None

    def check(self, client: Client) -> None:
        for name, known in self.topics.items():
            self._check_one(client, name, known)

    @staticmethod
    def _check_one(client: Client, name: str, known: dict[str, Any] | None) -> None:
        asked = MetadataRequest(topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=False)
        found = client.ask(asked, 9).topics[0]
        if known is None:
            assert found.error_code == 3, f"{name} was deleted, and is there"
            return
        if known.get("exists"):
            assert found.error_code == 0, f"{name} was created, and answers {found.error_code}"
        if "partitions" in known and found.error_code == 0:
            assert len(found.partitions) == known["partitions"], (
                f"{name} has {len(found.partitions)} partitions: {known}"
            )
        if "retention.ms" in known:
            resource = DescribeConfigsResource(resource_type=2, resource_name=name, configuration_keys=["retention.ms"])
            result = client.ask(DescribeConfigsRequest(resources=[resource]), 4).results[0]
            assert [config.value for config in result.configs] == [known["retention.ms"]], f"{name}: {result} {known}"


# -- reading back --------------------------------------------------------------------------------------------------


def start_offset(client: Client, topic: str, partition: int) -> int:
    at = ListOffsetsPartition(partition_index=partition, timestamp=-2)
    response = client.ask(ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[at])]), 5)
    offset: int = response.topics[0].partitions[0].offset
    return offset


def read_back(client: Client, topic: str, partition: int) -> dict[int, int]:
    """Offset -> number, of everything that is there."""
    offset = start_offset(client, topic, partition)
    found: dict[int, int] = {}
    while True:
        at = FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=8 << 20)
        asked = FetchTopic(topic=topic, partitions=[at])
        request = FetchRequest(
            replica_id=-1, max_wait_ms=0, min_bytes=0, max_bytes=8 << 20, isolation_level=0, topics=[asked]
        )
        answer = client.ask(request, 11).responses[0].partitions[0]
        assert answer.error_code == 0, f"{topic}-{partition} at {offset}: error {answer.error_code}"
        if not answer.records:
            assert offset == answer.high_watermark, (
                f"{topic}-{partition}: nothing at {offset} below {answer.high_watermark}"
            )
            return found
        for position, header in iter_headers(answer.records):
            for record in read_records(answer.records, position):
                if record.offset >= offset:
                    assert record.value is not None and len(record.value) == 12 + VALUE_BYTES
                    found[record.offset] = int(record.value[:12])
            following = header.next_offset
        offset = following


def check_records(name: str, found: dict[int, int], acked: dict[int, int], sent: int, *, whole: bool = True) -> None:
    """What was promised of one partition. `whole`: nothing has been deleted by retention."""
    first = min(found, default=0)
    numbers = [found[offset] for offset in sorted(found)]
    assert sorted(found) == list(range(first, first + len(found))), f"{name}: offsets are missing"
    assert all(a < b for a, b in zip(numbers, numbers[1:], strict=False)), f"{name}: {_disorder(numbers)}"
    assert not numbers or numbers[-1] < sent
    lost = [
        (number, offset, found.get(offset))
        for number, offset in acked.items()
        if found.get(offset) != number and (whole or offset >= first)
    ]
    assert not lost, f"{name}: {len(lost)} of {len(acked)} acked records are not where they were, first {lost[:3]}"


def _disorder(numbers: list[int]) -> str:
    wrong = [(i, a, b) for i, (a, b) in enumerate(zip(numbers, numbers[1:], strict=False)) if a >= b]
    return f"{len(wrong)} times the next number is not greater, first at offset {wrong[0][0]}: {wrong[0][1:]}"
