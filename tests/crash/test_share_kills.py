"""A broker that is killed (-9) while share groups work: every record is delivered, none after its end was confirmed."""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.apis.share_acknowledge import (
    AcknowledgementBatch,
    AcknowledgePartition,
    AcknowledgeTopic,
    ShareAcknowledgeRequest,
)
from ottla.protocol.apis.share_fetch import FetchPartition, FetchTopic, ShareFetchRequest
from ottla.protocol.apis.share_group_heartbeat import ShareGroupHeartbeatRequest
from ottla.records.batch import iter_headers, read_records
from tests.support.in_process import batch

from .node import Client, Node

TOPIC, GROUP = "work", "workers"
RECORDS, BATCH, KILLS = 2000, 20, 4
#: Turns of two members without a record, each waiting 0.2 s: longer than a lock holds.
IDLE_TURNS = 4
ACCEPT, RELEASE, REJECT = 1, 2, 3
GONE = (ConnectionError, OSError)


class Worker:
    """One member that accepts, releases the first time, or rejects, and remembers what was confirmed."""

    def __init__(self, node: Node, topic_id: bytes) -> None:
        self.node = node
        self.topic_id = topic_id
        self.member = str(uuid.uuid4())
        self.client: Client | None = None
        self.epoch = 0
        #: Offsets whose end the broker has confirmed, and all that were seen.
        self.done: set[int] = set()
        self.seen: dict[int, int] = {}
        #: What was acknowledged when the broker went: kept or not.
        self.interrupted: set[int] = set()

    def turn(self) -> int:
        """Fetch once and acknowledge it; returns how many records there were."""
        if self.client is None:
            self.client, self.epoch = Client(self.node.port), 0
        offsets: list[tuple[int, int]] = []
        try:
            offsets = self._fetch()
            if offsets:
                self._acknowledge(offsets)
        except GONE:
            self.interrupted.update(offset for offset, _ in offsets)
            self.close()
            raise
        return len(offsets)

    def close(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None

    def _fetch(self) -> list[tuple[int, int]]:
        assert self.client is not None
        topic = FetchTopic(topic_id=self.topic_id, partitions=[FetchPartition(partition_index=0)])
        response = self.client.ask(
            ShareFetchRequest(
                group_id=GROUP, member_id=self.member, share_session_epoch=self.epoch, max_wait_ms=200, min_bytes=1,
                max_bytes=1 << 20, max_records=30, batch_size=30, topics=[topic],
            ), 2,
        )  # fmt: skip
        if response.error_code:
            self.epoch = 0
            return []
        self.epoch += 1
        found = []
        for partition in (p for answer in response.responses for p in answer.partitions):
            records = partition.records or b""
            present = {record.offset for at, _ in iter_headers(records) for record in read_records(records, at)}
            for piece in partition.acquired_records:
                for offset in range(piece.first_offset, piece.last_offset + 1):
                    assert offset in present
                    assert offset not in self.done, f"{offset} was delivered after its end was confirmed"
                    self.seen[offset] = self.seen.get(offset, 0) + 1
                    found.append((offset, piece.delivery_count))
        return found

    def _acknowledge(self, offsets: list[tuple[int, int]]) -> None:
        assert self.client is not None
        said = {offset: self._word(offset, count) for offset, count in offsets}
        batches = [AcknowledgementBatch(first_offset=o, last_offset=o, acknowledge_types=[w]) for o, w in said.items()]
        partition = AcknowledgePartition(partition_index=0, acknowledgement_batches=batches)
        topic = AcknowledgeTopic(topic_id=self.topic_id, partitions=[partition])
        response = self.client.ask(
            ShareAcknowledgeRequest(
                group_id=GROUP, member_id=self.member, share_session_epoch=self.epoch, topics=[topic]
            ), 2,
        )  # fmt: skip
        if response.error_code:
            self.epoch = 0
            return
        self.epoch += 1
        if all(p.error_code == 0 for answer in response.responses for p in answer.partitions):
            self.done.update(offset for offset, word in said.items() if word != RELEASE)

    @staticmethod
    def _word(offset: int, count: int) -> int:
        if offset % 7 == 3:
            return REJECT
        return RELEASE if offset % 5 == 2 and count == 1 else ACCEPT


def _prepare(node: Node) -> bytes:
    """The topic with its records, and the group that begins at the first."""
    with Client(node.port) as client:
        topic = CreatableTopic(name=TOPIC, num_partitions=1, replication_factor=1, assignments=[], configs=[])
        client.ask(CreateTopicsRequest(topics=[topic], timeout_ms=10_000), 7)
        for first in range(0, RECORDS, BATCH):
            data = PartitionProduceData(index=0, records=batch(*(b"%d" % n for n in range(first, first + BATCH))))
            client.ask(ProduceRequest(acks=-1, timeout_ms=10_000, topic_data=[TopicProduceData(name=TOPIC, partition_data=[data])]), 9)  # fmt: skip
        earliest = AlterableConfig(name="share.auto.offset.reset", config_operation=0, value="earliest")
        resource = AlterConfigsResource(resource_type=32, resource_name=GROUP, configs=[earliest])
        client.ask(IncrementalAlterConfigsRequest(resources=[resource], validate_only=False), 1)
        answer = client.ask(MetadataRequest(topics=[MetadataRequestTopic(name=TOPIC)]), 12)
        joining = ShareGroupHeartbeatRequest(
            group_id=GROUP, member_id=str(uuid.uuid4()), member_epoch=0, subscribed_topic_names=[TOPIC]
        )
        while client.ask(FindCoordinatorRequest(key_type=0, coordinator_keys=[GROUP]), 4).coordinators[0].error_code:
            pass  # its topic is being made
        assert client.ask(joining, 1).error_code == 0
        topic_id: bytes = bytes(answer.topics[0].topic_id)
        return topic_id


def _kill_at_work(node: Node, workers: list[Worker], after_s: float) -> None:
    """Kill the broker while requests are under way, and start it again."""
    assert node.process is not None
    while not workers[0].turn():
        pass
    timer = threading.Timer(after_s, node.process.kill)
    timer.start()
    with suppress(*GONE):
        while True:
            for worker in workers:
                worker.turn()
    timer.join()
    for worker in workers:
        worker.close()
    node.kill()
    node.start()


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_confirmed_comes_again(tmp_path: Path) -> None:
    node = Node(tmp_path, "group.share.record.lock.duration.ms=1000", "group.share.min.record.lock.duration.ms=1000")
    node.start()
    workers: list[Worker] = []
    try:
        topic_id = _prepare(node)
        workers += [Worker(node, topic_id), Worker(node, topic_id)]
        done = workers[1].done = workers[0].done  # what one was confirmed, the other must not see
        for number in range(KILLS):
            _kill_at_work(node, workers, 0.01 + 0.02 * number)
        turns = 0
        idle = 0
        while idle < IDLE_TURNS:  # longer than a lock holds
            idle = 0 if sum([worker.turn() for worker in workers]) else idle + 1
            turns += 1
            assert turns < 5000, "records come again and again"
        # Every record was seen; one that was not confirmed was in the acknowledgement that a kill interrupted.
        assert {offset for worker in workers for offset in worker.seen} == set(range(RECORDS))
        unconfirmed = set(range(RECORDS)) - done
        assert unconfirmed <= {offset for worker in workers for offset in worker.interrupted}
        assert node.trouble() == []
    finally:
        for worker in workers:
            worker.close()
        node.kill()
