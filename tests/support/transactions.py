"""A transactional producer of raw requests, and what consumers of committed records see; for a broker of any make."""

from __future__ import annotations

import asyncio
from typing import Any

from ottla.protocol.apis.add_offsets_to_txn import AddOffsetsToTxnRequest
from ottla.protocol.apis.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.describe_transactions import DescribeTransactionsRequest
from ottla.protocol.apis.end_txn import EndTxnRequest
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.init_producer_id import InitProducerIdRequest
from ottla.protocol.apis.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.apis.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import Record, build_batch, iter_headers, read_records

from .in_process import Client

OLD, NEW = 1, 2  # versions of transactions


class Producer:
    """A transactional producer that speaks one version of transactions, one request at a time."""

    def __init__(self, client: Client, transactional_id: str = "T", version: int = NEW) -> None:
        self.client = client
        self.transactional_id = transactional_id
        self.version = version
        self.producer_id = self.epoch = -1
        self.sequences: dict[tuple[str, int], int] = {}

    async def init(self, *, timeout_ms: int = 60_000) -> int:
        found = FindCoordinatorRequest(key_type=1, coordinator_keys=[self.transactional_id])
        assert (await self.client.call(found, 4)).coordinators[0].error_code == 0
        request = InitProducerIdRequest(transactional_id=self.transactional_id, transaction_timeout_ms=timeout_ms)
        answer = await self.client.call(request, 4)
        while answer.error_code == ErrorCode.CONCURRENT_TRANSACTIONS:
            answer = await self.client.call(request, 4)
        if not answer.error_code:
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
            self.sequences.clear()
        return int(answer.error_code)

    async def add(self, topic: str = "t", partition: int = 0) -> int:
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.transactional_id, v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name=topic, partitions=[partition])],
        )  # fmt: skip
        answer = await self.client.call(request, 3)
        return int(answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code)

    def request(self, *values: bytes, topic: str = "t", partition: int = 0) -> ProduceRequest:
        sequence = self.sequences.get((topic, partition), 0)
        self.sequences[topic, partition] = sequence + len(values)
        records = build_batch(
            [Record(i, 1_700_000_000_000, None, value) for i, value in enumerate(values)],
            producer_id=self.producer_id, producer_epoch=self.epoch, base_sequence=sequence, transactional=True,
        )  # fmt: skip
        data = TopicProduceData(
            name=topic, partition_data=[PartitionProduceData(index=partition, records=bytes(records))]
        )
        return ProduceRequest(transactional_id=self.transactional_id, acks=-1, timeout_ms=5000, topic_data=[data])

    @property
    def produce_version(self) -> int:
        return 12 if self.version == NEW else 9

    async def produce(self, *values: bytes, topic: str = "t", partition: int = 0) -> int:
        if self.version == OLD and (topic, partition) not in self.sequences:
            assert await self.add(topic, partition) == 0
        answer = await self.client.call(self.request(*values, topic=topic, partition=partition), self.produce_version)
        return produced(answer)

    async def commit_offset(self, offset: int, group: str = "g", **options: Any) -> int:
        if self.version == OLD:
            request = AddOffsetsToTxnRequest(
                transactional_id=self.transactional_id, producer_id=self.producer_id, producer_epoch=self.epoch,
                group_id=group,
            )  # fmt: skip
            assert (await self.client.call(request, 3)).error_code == 0
        answer = await self.client.call(self.offset_request(offset, group, **options), 5 if self.version == NEW else 3)
        return int(answer.topics[0].partitions[0].error_code)

    def offset_request(self, offset: int, group: str = "g", **options: Any) -> TxnOffsetCommitRequest:
        partition = TxnOffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="")
        return TxnOffsetCommitRequest(
            transactional_id=self.transactional_id, producer_id=self.producer_id, producer_epoch=self.epoch,
            group_id=group, topics=[TxnOffsetCommitRequestTopic(name="t", partitions=[partition])], **options,
        )  # fmt: skip

    def end_request(self, commit: bool) -> EndTxnRequest:
        return EndTxnRequest(
            transactional_id=self.transactional_id, producer_id=self.producer_id, producer_epoch=self.epoch,
            committed=commit,
        )  # fmt: skip

    async def end(self, commit: bool = True) -> int:
        answer = await self.client.call(self.end_request(commit), 5 if self.version == NEW else 4)
        if not answer.error_code and self.version == NEW:
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
            self.sequences.clear()
        return int(answer.error_code)


def produced(answer: Any) -> int:
    return int(answer.responses[0].partition_responses[0].error_code)


async def fetched(
    client: Client, offset: int = 0, *, isolation_level: int = 1, topic: str = "t", max_wait_ms: int = 0
) -> Any:
    partition = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=max_wait_ms, min_bytes=1, max_bytes=1 << 20, isolation_level=isolation_level,
        topics=[FetchTopic(topic=topic, partitions=[partition])],
    )  # fmt: skip
    return (await client.call(request, 11)).responses[0].partitions[0]


async def read_committed(client: Client, topic: str = "t") -> list[bytes]:
    """What a consumer of committed records shows of the partition, by the rule that clients follow."""
    values: list[bytes] = []
    offset = 0
    while True:
        found = await fetched(client, offset, topic=topic)
        if not found.records:
            return values
        data = bytes(found.records)
        aborted = sorted((each.first_offset, each.producer_id) for each in found.aborted_transactions or ())
        assert [each.first_offset for each in found.aborted_transactions or ()] == [first for first, _ in aborted]
        ignored: set[int] = set()
        for position, header in iter_headers(data):
            while aborted and aborted[0][0] <= header.last_offset:
                ignored.add(aborted.pop(0)[1])
            if header.is_control:
                ignored.discard(header.producer_id)
            elif header.producer_id not in ignored or not header.is_transactional:
                values += [record.value or b"" for record in read_records(data, position)]
            offset = header.next_offset


async def settled(client: Client, *names: str) -> list[Any]:
    """Wait until the markers of transactions are written; returns their descriptions."""
    while True:
        answer = await client.call(DescribeTransactionsRequest(transactional_ids=list(names)), 0)
        if not any(each.transaction_state.startswith("Prepare") for each in answer.transaction_states):
            return list(answer.transaction_states)
        await asyncio.sleep(0)


async def committed_offset(client: Client, *, group: str = "g", stable: bool = True) -> tuple[int, int]:
    groups = [OffsetFetchRequestGroup(group_id=group, topics=None)]
    answer = (await client.call(OffsetFetchRequest(groups=groups, require_stable=stable), 8)).groups[0]
    if not answer.topics:
        return (int(answer.error_code), -1)
    partition = answer.topics[0].partitions[0]
    return int(partition.error_code), int(partition.committed_offset)


async def leave_open(port: int) -> list[Producer]:
    """Commit one transaction, abort one, and leave two open: one of each version."""
    async with Client(port) as client:
        for name in ("t", "u"):
            topic = CreatableTopic(name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[])
            await client.call(CreateTopicsRequest(topics=[topic], timeout_ms=10_000), 7)
        while (await client.call(FindCoordinatorRequest(coordinator_keys=["g"]), 4)).coordinators[0].error_code:
            await asyncio.sleep(0.05)
        producers = []
        for name, version in (("T", NEW), ("U", OLD)):
            producer = Producer(client, name, version)
            while await _again(producer.init()):
                await asyncio.sleep(0.05)
            written = name.lower()
            assert [await producer.produce(b"kept", topic=written), await producer.end()] == [0, 0]
            await settled(client, name)
            if version == OLD:
                assert await producer.add(written) == 0
            assert await producer.produce(b"open", topic=written) == 0
            producers.append(producer)
        assert await producers[0].commit_offset(7) == 0
        return producers


async def _again(asked: object) -> bool:
    try:
        return bool(await asked)  # type: ignore[misc]
    except AssertionError:  # the coordinator's topic is being made
        return True
