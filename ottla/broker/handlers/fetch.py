"""Fetch (key 1): read record batches from partitions this broker leads.

Answered at once if `min_bytes` are there, if a partition has an error, or if the client does not want to wait;
otherwise when enough has been appended or `max_wait_ms` are over. Whole batches are returned, the first of which
contains the fetch offset and may begin before it; the first batch of the first partition with data is returned even if
it is larger than the limits, so that a consumer always gets on (KIP-74).

v4 isolation level · v5 log start offset · v7 sessions (KIP-227) · v9 leader epoch (KIP-320) · v11 rack (KIP-392) ·
v12 diverging epoch (KIP-595) · v13 topic ids (KIP-516) · v16 present leader (KIP-951) · v18 high watermark (KIP-1166).
"""

from __future__ import annotations

import asyncio
from typing import Any

from ...log.errors import KafkaStorageError
from ...protocol.apis.fetch import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...protocol.schema import ZERO_UUID
from ...records.batch import iter_headers
from ..dispatch import Context, handler
from ..fetch_sessions import TOPIC_ID_VERSION, FetchedPartition, FetchSession, sent
from ..guards.asking import Asking
from ..guards.topics import refused_fetches
from ..partition import Partition
from ..purgatory import Deferred, DelayedFetch, settled

READ_COMMITTED = 1
CURRENT_LEADER_VERSION = 16
NO_RECORDS = b""
#: Reading so many partitions takes some ten milliseconds; who asks for more leaves the loop to others in between.
PARTITIONS_A_TURN = 2_000


#: Something had been appended but could not be read yet when a fetch began to wait (the group commit had it in hand): what comes
#: after it does not tell how much has become readable, so that is read.
UNSETTLED = -1


@handler(FetchRequest)
def fetch(context: Context, request: FetchRequest) -> Any:
    """Read, or wait until there is something to read."""
    broker = context.broker
    wanted, session, incremental = broker.fetch_sessions.begin(request, context.version, broker.clock.now_ms())
    reading = _Reading(context, request, wanted, session, incremental)
    if broker.authorization is not None:
        reading.authorize(broker.authorization.asking(context, "Fetch"))
    if len(wanted) > PARTITIONS_A_TURN:
        return _fetch_in_turns(reading)
    return _answer(reading, *reading.read())


async def _fetch_in_turns(reading: _Reading) -> FetchResponse:
    """Read very many partitions without keeping others from the loop for long."""
    data, size, conclusive = await reading.read_in_turns()
    try:
        if not conclusive and size < reading.request.min_bytes and reading.missed(data):
            data, size, _ = await reading.read_in_turns()
            conclusive = True
        response: FetchResponse = await settled(_answer(reading, data, size, conclusive))
    except KafkaError:
        return reading.respond(data)  # a partition left in between; the next fetch is told so
    return response


def _answer(reading: _Reading, data: list[PartitionData], size: int, conclusive: bool) -> FetchResponse | Deferred:
    request, context = reading.request, reading.context
    if conclusive or size >= request.min_bytes or request.max_wait_ms <= 0 or not reading.wanted:
        return reading.respond(data)
    return DelayedFetch(
        reading.watch(size), request.max_wait_ms / 1000, reading.ready, reading.read_and_respond,
        context.connection.on_close,
    ).answer  # fmt: skip


def _is_settled(partition: Partition) -> bool:
    """Whether all that was appended may be read; else the group commit has some of it in hand."""
    return partition.high_watermark >= partition.log.log_end_offset


class _Reading:
    """One fetch request: what it wants, and how to turn that into a response, now or later."""

    __slots__ = (
        "_asking",
        "_base_bytes",
        "_incremental",
        "_read_committed",
        "_refused",
        "_replica_id",
        "_session",
        "_watched",
        "context",
        "request",
        "wanted",
    )

    def __init__(
        self,
        context: Context,
        request: FetchRequest,
        wanted: list[FetchedPartition],
        session: FetchSession | None,
        incremental: bool,
    ) -> None:
        self.context = context
        self.request = request
        self.wanted = wanted
        self._session = session
        self._incremental = incremental
        self._read_committed = request.isolation_level == READ_COMMITTED
        self._replica_id = max(request.replica_id, request.replica_state.replica_id)
        #: Names or ids of topics that the client may not read.
        self._refused: frozenset[str | bytes] | None = None
        self._asking: Asking | None = None
        self._base_bytes = 0
        self._watched: list[tuple[FetchedPartition, Partition, int]] = []

    def authorize(self, asking: Asking) -> None:
        """Find out what the client may read. Who says that it is a replica must be allowed to act as a broker."""
        self._asking = asking
        self._refused = refused_fetches(asking, self.context, self.wanted, is_follower=self._replica_id >= 0)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self) -> tuple[list[PartitionData], int, bool]:
        """Read every partition; returns the data, its size, and whether it must be answered without waiting."""
        return self._read_some(self.wanted, self._room(), 0)

    async def read_in_turns(self) -> tuple[list[PartitionData], int, bool]:
        """Do as `read`, some partitions in each turn of the loop."""
        data: list[PartitionData] = []
        size, conclusive, room = 0, False, self._room()
        for start in range(0, len(self.wanted), PARTITIONS_A_TURN):
            await asyncio.sleep(0)
            wanted = self.wanted[start : start + PARTITIONS_A_TURN]
            more, size, decided = self._read_some(wanted, room - size, size)
            data += more
            conclusive = conclusive or decided
        await asyncio.sleep(0)  # making the answer takes a turn of its own
        return data, size, conclusive

    def _room(self) -> int:
        """How many bytes the answer may have."""
        broker = self.context.broker
        room = min(self.request.max_bytes, broker.fetch_bytes_max, broker.unread_memory.room())
        return room if self.context.meter is None else self.context.meter.most_fetched(room)

    def _read_some(
        self, partitions: list[FetchedPartition], left: int, size: int
    ) -> tuple[list[PartitionData], int, bool]:
        """Read some partitions where `size` bytes were read of others and `left` may follow."""
        data: list[PartitionData] = []
        conclusive = False
        for wanted in partitions:
            item = self._read_partition(wanted, left, at_least_one=size == 0)
            data.append(item)
            if item.error_code or item.diverging_epoch.epoch >= 0:
                conclusive = True
            elif item.records:
                size += len(item.records)
                left -= len(item.records)
        return data, size, conclusive

    def _find(self, wanted: FetchedPartition) -> Partition:
        partitions = self.context.broker.partitions
        if self.context.version >= TOPIC_ID_VERSION:
            return partitions.get_by_id(wanted.topic_id, wanted.index)
        return partitions.get(wanted.topic, wanted.index)

    def _read_partition(self, wanted: FetchedPartition, left: int, at_least_one: bool) -> PartitionData:
        item = PartitionData(partition_index=wanted.index, aborted_transactions=None, records=NO_RECORDS)
        partition: Partition | None = None
        try:
            item.aborted_transactions = []  # what Kafka answers for a partition that is not here
            if self._refused and (wanted.topic_id if wanted.topic_id != ZERO_UUID else wanted.topic) in self._refused:
                raise KafkaError(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            partition = self._find(wanted)
            item.aborted_transactions = None
            partition.check_epoch(wanted.current_leader_epoch)
            if self._replica_id >= 0 and self._replica_id not in partition.isr:
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)  # a follower that is none
            log = partition.log
            if wanted.last_fetched_epoch >= 0 and self._diverges(wanted, partition, item):
                return item
            visible = partition.last_stable_offset if self._read_committed else partition.high_watermark
            records: Any = NO_RECORDS
            if wanted.fetch_offset != visible:
                if not log.log_start_offset <= wanted.fetch_offset <= log.log_end_offset:
                    raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
                limit = min(wanted.max_bytes, left)
                if wanted.fetch_offset < visible and (limit > 0 or at_least_one):
                    records = log.read(wanted.fetch_offset, max(limit, 0), visible, at_least_one)
        except KafkaError as error:
            if partition is not None:
                partition.failed_fetches += 1
                if isinstance(error, KafkaStorageError):
                    partition.on_disk_failure(error)
            item.error_code = error.code
            item.high_watermark = -1
            self._add_leader(wanted, error.code, item)
            return item
        partition.fetches += 1
        partition.fetched_bytes += len(records)
        item.records = records
        item.high_watermark = partition.high_watermark
        item.last_stable_offset = partition.last_stable_offset
        item.log_start_offset = log.log_start_offset
        if self._read_committed:
            item.aborted_transactions = _aborted(log, wanted.fetch_offset, records)
        return item

    @staticmethod
    def _diverges(wanted: FetchedPartition, partition: Partition, item: PartitionData) -> bool:
        """Tell a reader whose log parted from ours where to truncate to (KIP-595)."""
        epoch, end_offset = partition.log.end_offset_for_epoch(wanted.last_fetched_epoch)
        if epoch < 0:
            raise KafkaError(ErrorCode.OFFSET_OUT_OF_RANGE)
        if epoch >= wanted.last_fetched_epoch and end_offset >= wanted.fetch_offset:
            return False
        item.diverging_epoch = EpochEndOffset(epoch=epoch, end_offset=end_offset)
        item.high_watermark = partition.high_watermark
        item.last_stable_offset = partition.last_stable_offset
        item.log_start_offset = partition.log.log_start_offset
        return True

    def _add_leader(self, wanted: FetchedPartition, code: ErrorCode, item: PartitionData) -> None:
        if self.context.version < CURRENT_LEADER_VERSION:
            return
        if code in (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH):
            leader = self.context.broker.partitions.current_leader(wanted.topic, wanted.topic_id, wanted.index)
            if leader is not None:
                item.current_leader = LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])

    # ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────

    def watch(self, size: int) -> list[Partition]:
        """Remember how much there was, and return the partitions whose progress may change that."""
        self._base_bytes = size
        self._watched = [
            (wanted, partition, partition.appended_bytes if _is_settled(partition) else UNSETTLED)
            for wanted, partition in self._present()
        ]
        return [partition for _, partition, _ in self._watched]

    def _present(self) -> list[tuple[FetchedPartition, Partition]]:
        return [(wanted, self._find(wanted)) for wanted in self.wanted]

    def missed(self, data: list[PartitionData]) -> bool:
        """Whether something has come to a partition since it was read: `watch` would not see it."""
        return any(
            not item.records and partition.high_watermark > item.high_watermark
            for item, (_, partition) in zip(data, self._present(), strict=True)
        )

    def ready(self) -> bool:
        """Tell whether enough has come since `watch`, or something that the client must know."""
        size = self._base_bytes
        for wanted, partition, bytes_before in self._watched:
            if not partition.is_leader or wanted.fetch_offset < partition.log.log_start_offset:
                return True
            visible = partition.last_stable_offset if self._read_committed else partition.high_watermark
            if wanted.fetch_offset < visible:
                if bytes_before == UNSETTLED:
                    return self.request.min_bytes <= 1 or self.read()[1] >= self.request.min_bytes
                size += partition.appended_bytes - bytes_before
        return size >= max(self.request.min_bytes, 1)

    def read_and_respond(self) -> FetchResponse:
        """Read again and answer, whatever there is and may be read by now: rules may have changed meanwhile."""
        authorization = self.context.broker.authorization
        if authorization is not None and self._asking is not None:
            asking = authorization.asking(self.context, "Fetch")
            if not self._asking.holds(asking):
                self.authorize(asking)
        return self.respond(self.read()[0])

    # ── answering ───────────────────────────────────────────────────────────────────────────────────────────────

    def respond(self, data: list[PartitionData]) -> FetchResponse:
        """Group the partitions by topic; in an incremental answer, those with news."""
        session = self._session
        throttle_ms = 0
        if self.context.meter is not None:
            throttle_ms, with_records = self.context.meter.fetched(data)
            if not with_records:
                return self._throttled(throttle_ms)
        response = FetchResponse(throttle_time_ms=throttle_ms, session_id=0 if session is None else session.id)
        topic: FetchableTopicResponse | None = None
        for wanted, item in zip(self.wanted, data, strict=True):
            if session is not None:
                size = len(item.records or b"")
                news = wanted.is_news(item, size)
                if self._incremental and not news:
                    continue
                if size:
                    sent(session, wanted)
            if topic is None or topic.topic != wanted.topic or topic.topic_id != wanted.topic_id:
                topic = FetchableTopicResponse(topic=wanted.topic, topic_id=wanted.topic_id)
                response.responses.append(topic)
            topic.partitions.append(item)
            if item.current_leader.leader_id >= 0:
                self._add_endpoint(response, item.current_leader.leader_id)
        return response

    def _throttled(self, throttle_ms: int) -> FetchResponse:
        """Answer without records: the client asks again when it may. One that wanted a session must begin anew."""
        session = self._session
        if session is not None and not self._incremental:
            self.context.broker.fetch_sessions.forget(session)
            session = None
        return FetchResponse(throttle_time_ms=throttle_ms, session_id=0 if session is None else session.id)

    def _add_endpoint(self, response: FetchResponse, leader: int) -> None:
        endpoint = self.context.broker.endpoint_of(leader, self.context.connection.listener_name)
        if endpoint is not None and all(node.node_id != leader for node in response.node_endpoints):
            response.node_endpoints.append(
                NodeEndpoint(node_id=leader, host=endpoint.host, port=endpoint.port, rack=endpoint.rack)
            )


def _aborted(log: Any, fetch_offset: int, records: Any) -> list[AbortedTransaction]:
    """List the aborted transactions that touch the returned batches, by first offset."""
    if not records:
        return []
    end = fetch_offset
    for _, header in iter_headers(records):
        end = header.next_offset
    return [
        AbortedTransaction(producer_id=producer_id, first_offset=first_offset)
        for producer_id, first_offset in log.aborted_transactions(fetch_offset, end)
    ]
