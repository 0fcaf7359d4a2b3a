"""One case of `delays`: three transactions of one producer, request by request, and the late one between them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from ottla.protocol.apis.add_offsets_to_txn import AddOffsetsToTxnRequest
from ottla.protocol.apis.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from ottla.protocol.apis.api_versions import ApiVersionsRequest
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.end_txn import EndTxnRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.init_producer_id import InitProducerIdRequest
from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ottla.protocol.apis.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.apis.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from ottla.protocol.errors import ErrorCode
from ottla.protocol.schema import Request
from ottla.records.batch import Record, build_batch
from tests.support.in_process import Client
from tests.support.transactions import fetched, settled

from .raw import committed
from .shapes import ADD_OFFSETS, ADD_PARTITIONS, COMMIT_OFFSETS, END, PRODUCE

if TYPE_CHECKING:
    from .delays import Case

PATIENCE_S = 20.0
PAUSE_S = 0.002
AGAIN = {
    ErrorCode.CONCURRENT_TRANSACTIONS, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNSTABLE_OFFSET_COMMIT,
}  # fmt: skip
KEYS = {
    "produce": (PRODUCE,), "add-partitions": (ADD_PARTITIONS,), "add-offsets": (ADD_OFFSETS,),
    "commit-offsets": (COMMIT_OFFSETS,), "both-offsets": (ADD_OFFSETS, COMMIT_OFFSETS), "end-commit": (END,),
    "end-abort": (END,),
}  # fmt: skip


class Broken(Exception):
    """The later transaction could not go on."""


class Place(NamedTuple):
    """The topic that cases write to."""

    topic: str
    topic_id: Any
    #: The time of records.
    now_ms: int


async def prepare(port: int, number: int, now_ms: int) -> Place:
    """Make a topic of two partitions, and the coordinators' own if they are not there."""
    name = f"t{number}"
    async with Client(port) as client:
        topic = CreatableTopic(name=name, num_partitions=2, replication_factor=1, assignments=[], configs=[])
        await client.call(CreateTopicsRequest(topics=[topic], timeout_ms=10_000), 7)
        for kind in (0, 1):
            request = FindCoordinatorRequest(key_type=kind, coordinator_keys=["g"])
            async with asyncio.timeout(60):
                while (await client.call(request, 4)).coordinators[0].error_code:
                    await asyncio.sleep(PAUSE_S)
        while True:
            answer = await client.call(MetadataRequest(topics=[MetadataRequestTopic(name=name)]), 12)
            if not answer.topics[0].error_code:
                return Place(name, answer.topics[0].topic_id, now_ms)
            await asyncio.sleep(PAUSE_S)


def error_of(answer: Any) -> int:
    """The one error of an answer."""
    match type(answer).__name__:
        case "ProduceResponse":
            return int(answer.responses[0].partition_responses[0].error_code)
        case "AddPartitionsToTxnResponse":
            return int(answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code)
        case "TxnOffsetCommitResponse":
            return max(int(each.error_code) for each in answer.topics[0].partitions)
        case _:
            return int(answer.error_code)


class LateCase:
    """One producer and its connections, by role."""

    def __init__(self, port: int, case: Case, place: Place, number: int) -> None:
        self.port, self.case, self.place = port, case, place
        self.shape = case.shape
        #: The in-process broker's clock stands in 2023; Kafka deletes what is old. Neither takes what is in the future.
        self.now_ms = place.now_ms
        self.id, self.group = f"T{number}", f"g{number}"
        self.producer_id = self.epoch = -1
        self.sequence = 0
        self.connections: dict[int, Client] = {}
        self.all: list[Client] = []
        self.wrong: list[str] = []
        self.answer = "not sent"
        self.expected: list[bytes] = []
        self.positions: dict[int, int] = {}

    # Connections ------------------------------------------------------------------------------------------------------

    async def connect(self, role: int) -> None:
        """Open the connection of a role anew, as clients do: the first thing they ask is ApiVersions."""
        client = Client(self.port, self.shape.name)
        await client.__aenter__()
        self.all.append(client)
        await client.call(ApiVersionsRequest(), 0)
        self.connections[role] = client

    async def close(self) -> None:
        for client in self.all:
            await client.__aexit__()

    def via(self, key: int) -> Client:
        return self.connections[self.shape.role(key)]

    async def ask(self, request: Request) -> Any:
        """Ask over the connection of its role until the broker does not say "again"."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await self.via(request.API_KEY).call(request, self.shape.version(request.API_KEY))
                if error_of(answer) not in AGAIN:
                    return answer
                await asyncio.sleep(PAUSE_S)

    async def must(self, request: Request) -> Any:
        try:
            answer = await self.ask(request)
        except TimeoutError as problem:
            raise Broken(f"{type(request).__name__} found no end") from problem
        if error := error_of(answer):
            raise Broken(f"{type(request).__name__} was refused: {ErrorCode(error).name}")
        return answer

    # Requests ---------------------------------------------------------------------------------------------------------

    def produce(self, value: bytes) -> ProduceRequest:
        records = build_batch(
            [Record(0, self.now_ms, None, value)], producer_id=self.producer_id, producer_epoch=self.epoch,
            base_sequence=self.sequence, transactional=True,
        )  # fmt: skip
        self.sequence += 1
        data = [PartitionProduceData(index=0, records=bytes(records))]
        named = TopicProduceData(name=self.place.topic, partition_data=data)
        if self.shape.version(PRODUCE) >= 13:  # topics by id
            named = TopicProduceData(topic_id=self.place.topic_id, partition_data=data)
        return ProduceRequest(transactional_id=self.id, acks=-1, timeout_ms=5000, topic_data=[named])

    def add(self, partition: int) -> AddPartitionsToTxnRequest:
        return AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.id, v3_and_below_producer_id=self.producer_id,
            v3_and_below_producer_epoch=self.epoch,
            v3_and_below_topics=[AddPartitionsToTxnTopic(name=self.place.topic, partitions=[partition])],
        )  # fmt: skip

    def add_offsets(self) -> AddOffsetsToTxnRequest:
        return AddOffsetsToTxnRequest(
            transactional_id=self.id, producer_id=self.producer_id, producer_epoch=self.epoch, group_id=self.group
        )

    def offsets(self, positions: dict[int, int]) -> TxnOffsetCommitRequest:
        places = [
            TxnOffsetCommitRequestPartition(partition_index=p, committed_offset=offset, committed_metadata="")
            for p, offset in positions.items()
        ]
        return TxnOffsetCommitRequest(
            transactional_id=self.id, producer_id=self.producer_id, producer_epoch=self.epoch, group_id=self.group,
            topics=[TxnOffsetCommitRequestTopic(name=self.place.topic, partitions=places)],
        )  # fmt: skip

    def end_request(self, commit: bool) -> EndTxnRequest:
        return EndTxnRequest(
            transactional_id=self.id, producer_id=self.producer_id, producer_epoch=self.epoch, committed=commit
        )

    async def end(self, commit: bool, request: EndTxnRequest | None = None) -> None:
        answer = await self.must(request or self.end_request(commit))
        if self.shape.is_new and (answer.producer_id, answer.producer_epoch) != (self.producer_id, self.epoch):
            self.producer_id, self.epoch, self.sequence = answer.producer_id, answer.producer_epoch, 0

    async def init(self) -> None:
        """Get an epoch; a producer that has one names it (KIP-360)."""
        answer = await self.must(InitProducerIdRequest(
            transactional_id=self.id, transaction_timeout_ms=60_000, producer_id=self.producer_id,
            producer_epoch=self.epoch,
        ))  # fmt: skip
        self.producer_id, self.epoch, self.sequence = answer.producer_id, answer.producer_epoch, 0

    # The transactions -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """All of it."""
        for role in sorted({role for _, role in self.shape.sends.values()}):
            await self.connect(role)
        await self.init()
        async with Client(self.port) as reader:
            self.reader = reader
            while (found := await fetched(reader, topic=self.place.topic, isolation_level=0)).error_code:
                await asyncio.sleep(PAUSE_S)  # the topic is new
            self.start = int(found.high_watermark)
            await self.simple(b"0", commit=True, offsets=True)
            late = await self.first()
            await self.later(late)
            await self.judge()

    async def simple(self, value: bytes, *, commit: bool, offsets: bool = False) -> None:
        """A transaction without accidents."""
        if not self.shape.is_new:
            await self.must(self.add(0))
        await self.must(self.produce(value))
        if offsets:
            if not self.shape.is_new:
                await self.must(self.add_offsets())
            await self.must(self.offsets({0: 7, 1: 7}))
            self.positions = {0: 7, 1: 7}
        await self.end(commit)
        if commit:
            self.expected.append(value)

    async def first(self) -> list[tuple[Client, Request]]:
        """The transaction of which a request is held up; returns what, and over which connection."""
        what = self.case.request
        if not self.shape.is_new:
            await self.must(self.add(0))
        await self.must(self.produce(b"1"))
        roles = sorted({self.shape.role(key) for key in KEYS[what]})
        if self.case.fresh:
            for role in roles:
                await self.connect(role)
        if what == "commit-offsets" and not self.shape.is_new:
            await self.must(self.add_offsets())
        held: list[Request] = {
            "produce": lambda: [self.produce(b"1-late")], "add-partitions": lambda: [self.add(1)],
            "add-offsets": lambda: [self.add_offsets()], "commit-offsets": lambda: [self.offsets({0: 11, 1: 11})],
            "both-offsets": lambda: [self.add_offsets(), self.offsets({0: 11, 1: 11})],
            "end-commit": lambda: [self.end_request(True)], "end-abort": lambda: [self.end_request(False)],
        }[what]()  # fmt: skip
        late = [(self.via(request.API_KEY), request) for request in held]
        for role in roles:
            await self.connect(role)
        commit = not self.case.given_up and what != "end-abort"
        if what.startswith("end"):
            await self.end(commit, held[0])  # type: ignore[arg-type]
        else:
            if commit:
                for request in held:
                    await self.must(request)
            await self.end(commit)
            if what == "produce" and self.case.given_up and not self.shape.is_new:
                await self.init()  # whoever does not know what became of a batch takes a new epoch
        if commit:
            self.expected += [b"1", b"1-late"] if what == "produce" else [b"1"]
            if what in ("commit-offsets", "both-offsets"):
                self.positions.update({0: 11, 1: 11})
        return late

    async def later(self, late: list[tuple[Client, Request]]) -> None:
        """The transaction into which it comes."""
        moment, commit = self.case.moment, self.case.commit
        if moment == "third":
            await self.simple(b"2", commit=True)
        before = list(self.expected)
        if moment == "begun":
            await self.arrive(late, before)
        if not self.shape.is_new:
            await self.must(self.add(0))
            if moment == "added":
                await self.arrive(late, before)
        await self.must(self.produce(b"3a"))
        if moment in ("produced", "third"):
            await self.arrive(late, before)
        if not self.shape.is_new:
            await self.must(self.add_offsets())
            if moment == "offsets-added":
                await self.arrive(late, before)
        await self.must(self.offsets({1: 33}))
        if moment == "offsets":
            await self.arrive(late, before)
        await self.must(self.produce(b"3b"))
        (state,) = await settled(self.reader, self.id)
        joined = [(topic.topic, p) for topic in state.topics for p in topic.partitions]
        if (self.place.topic, 1) in joined:
            self.wrong.append("a partition of the earlier transaction is part of the later one")
        await self.end(commit)
        if commit:
            self.expected += [b"3a", b"3b"]
            self.positions[1] = 33

    async def arrive(self, late: list[tuple[Client, Request]], before: list[bytes]) -> None:
        """What was held up arrives."""
        (state,) = await settled(self.reader, self.id)
        answers = []
        for client, request in late:
            try:
                answer = await client.call(request, self.shape.version(request.API_KEY))
                answers.append(ErrorCode(error_of(answer)).name)
            except (OSError, EOFError):
                answers.append("disconnected")
        self.answer = "+".join(answers)
        (now,) = await settled(self.reader, self.id)
        if now.transaction_state != state.transaction_state:
            self.wrong.append(f"the transaction went from {state.transaction_state} to {now.transaction_state}")
        known = {(topic.topic, p) for topic in state.topics for p in topic.partitions}
        added = {(topic.topic, p) for topic in now.topics for p in topic.partitions} - known
        if added:
            self.wrong.append(f"{', '.join(f'{topic}-{p}' for topic, p in sorted(added))} joined the later transaction")
        if (found := await self.read()) != before:
            self.wrong.append(f"{found} is read before the later transaction has ended")

    async def read(self) -> list[bytes]:
        """What a consumer of committed records reads of this case."""
        found: list[bytes]
        found, offset = [], self.start
        while True:
            records, after = await committed(self.reader, 0, offset, self.place.topic, max_wait_ms=0)
            if after == offset:
                return found
            found += [value.encode() for _, value in records]
            offset = after

    async def judge(self) -> None:
        """What is there when all has ended."""
        await settled(self.reader, self.id)
        if (found := await self.read()) != self.expected:
            self.wrong.append(f"{found} is read instead of {self.expected}")
        place = await fetched(self.reader, self.start, topic=self.place.topic)
        if place.last_stable_offset != place.high_watermark:
            self.wrong.append("a transaction is open that nobody will end")
        request = OffsetFetchRequest(
            groups=[OffsetFetchRequestGroup(group_id=self.group, topics=None)], require_stable=True
        )
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = (await self.reader.call(request, 8)).groups[0]
                places = [each for topic in answer.topics for each in topic.partitions]
                if not any(each.error_code for each in places):
                    break
                await asyncio.sleep(PAUSE_S)
        positions = {each.partition_index: each.committed_offset for each in places if each.committed_offset >= 0}
        if positions != self.positions:
            self.wrong.append(f"the group is at {positions} instead of {self.positions}")
