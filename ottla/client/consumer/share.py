"""`ShareConsumer`: a member of a share group (KIP-932): many consumers take records of one partition, as from a queue.

    async with ShareConsumer("localhost:9092", "jobs", group="workers") as consumer:
        async for record in consumer:            # accepted when the loop comes back for the next one
            if not ready(record):
                consumer.release(record)         # or reject(record), renew(record), accept(record)

    heartbeat ──► assignment ──► ShareFetch to each leader, in a session of its own ──► records, acquired for a while
                                   ▲ what was decided about earlier ones rides along
    commit() ──────────────────────┴─ or goes by ShareAcknowledge at once

A record that is neither accepted nor rejected before its lock runs out (group.share.record.lock.duration.ms) is given to
somebody else, as is one that was released. Nothing is fetched ahead: a record that waits here could not be worked on there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from ...protocol.apis.share_acknowledge import AcknowledgementBatch as AckBatch
from ...protocol.apis.share_acknowledge import (
    AcknowledgePartition,
    AcknowledgeTopic,
    ShareAcknowledgeRequest,
)
from ...protocol.apis.share_fetch import (
    AcknowledgementBatch,
    FetchPartition,
    FetchTopic,
    ForgottenTopic,
    ShareFetchRequest,
)
from ...protocol.errors import ErrorCode
from ..cluster import Cluster
from ..config import Config, as_config
from ..errors import ClientError, ConfigError, ConnectError, broker_error, error_code
from ..net import Connection
from ..offsets import failures_as_one
from ._columns_cy import Columns, Record
from ._runs_cy import read_run
from .assignors.types import TopicAndPartition
from .core import reader
from .membership import Membership, new_member_id
from .modern_group import ModernMember
from .schemas import missing, wanting

log = logging.getLogger("ottla.client")

GAP, ACCEPT, RELEASE, REJECT, RENEW = 0, 1, 2, 3, 4
_SESSION_LOST = {
    ErrorCode.SHARE_SESSION_NOT_FOUND, ErrorCode.INVALID_SHARE_SESSION_EPOCH, ErrorCode.SHARE_SESSION_LIMIT_REACHED,
}  # fmt: skip


class _Session:
    """The share session with one broker: what it knows we read, and what is to be acknowledged there."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.epoch = 0
        self.known: set[TopicAndPartition] = set()

    def advance(self) -> None:
        self.epoch = 1 if self.epoch >= (1 << 31) - 1 else self.epoch + 1

    def reset(self) -> None:
        self.epoch = 0
        self.known = set()


class ShareConsumer:
    """See the head of the module."""

    def __init__(
        self,
        config: Config | Mapping[str, Any] | str | None = None,
        *topics: str,
        group: str | None = None,
        key: Any = None,
        value: Any = None,
        **settings: Any,
    ) -> None:
        if group is not None:
            settings["group_id"] = group
        self.config = as_config(config, **settings)
        if self.config.group_id is None or not topics:
            raise ConfigError("a share consumer needs topics and a group: ShareConsumer(…, 'jobs', group='workers')")
        self.group = self.config.group_id
        self.cluster = Cluster(self.config)
        self.metrics = {"records": 0, "accepted": 0, "released": 0, "rejected": 0, "lost_acknowledgements": 0}
        self._topics = topics
        self._readers = (reader(key, "key"), reader(value, "value"))
        self._wanting = wanting(self._readers)
        self._fresh: list[Columns] = []
        self._assigned: set[TopicAndPartition] = set()
        self._sessions: dict[int, _Session] = {}
        self._records: deque[Record] = deque()
        #: partition -> offset -> what was decided; not sent yet.
        self._acks: dict[TopicAndPartition, dict[int, int]] = {}
        self._open: set[tuple[str, int, int]] = set()
        self._in_hand: Record | None = None
        self._membership: Membership | None = None
        self._failure: BaseException | None = None
        self._stopping = False
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Find the cluster and join the group."""
        if self._membership is not None:
            return
        await self.cluster.start()
        try:
            for topic in self._topics:
                await self.cluster.topic(topic)
        except BaseException:
            await self.cluster.close()
            raise
        metadata = self.cluster.metadata
        machine = ModernMember(
            self.group,
            new_member_id(),
            self._topics,
            metadata.names.get,
            lambda name: metadata.topics[name].id if name in metadata.topics else None,
            rack=self.config.client_rack,
            share=True,
        )
        self._membership = Membership(
            self.cluster, self.group, machine, rebalance_timeout_ms=self.config.max_poll_interval_ms,
            on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost, on_fail=self._on_fail,
        )  # fmt: skip
        self._membership.start()

    def stop(self) -> None:
        """End the iteration after the record in hand."""
        self._stopping = True
        self._changed.set()

    async def close(self) -> None:
        """Send what was decided, end the sessions (what is undecided goes to others at once), leave the group."""
        if self._membership is None or self.cluster.closed:
            return
        self._stopping = True
        for node, session in list(self._sessions.items()):
            try:
                if session.epoch:
                    await self._acknowledge(node, session, final=True)
            except ClientError as problem:
                log.info("a share session was not closed in order: %s", problem)
            session.connection.close()
        await self._membership.leave()
        await self.cluster.close()

    # ── the group ───────────────────────────────────────────────────────────────────────────────────────────────

    def _on_assign(self, partitions: list[TopicAndPartition]) -> None:
        self._assigned.update(partitions)
        self._changed.set()

    async def _on_revoke(self, partitions: list[TopicAndPartition]) -> None:
        self._assigned.difference_update(partitions)

    def _on_lost(self, partitions: list[TopicAndPartition]) -> None:
        self._assigned.difference_update(partitions)

    def _on_fail(self, error: BaseException) -> None:
        self._failure = error
        self._changed.set()

    @property
    def assignment(self) -> set[TopicAndPartition]:
        """The partitions that this member reads; others may read them too."""
        return set(self._assigned)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def __aiter__(self) -> AsyncIterator[Record]:
        while True:
            self._settle()
            if self._failure is not None:
                raise self._failure
            if self._stopping:
                return
            if not self._records:
                await self._fetch()
                continue
            record = self._records.popleft()
            self._in_hand = record
            yield record

    def _settle(self) -> None:
        """The loop came back: what was not decided is accepted."""
        record, self._in_hand = self._in_hand, None
        if record is not None and (record.topic, record.partition, record.offset) in self._open:
            self.accept(record)

    def accept(self, record: Record) -> None:
        """It is done with."""
        self._decide(record, ACCEPT, "accepted")

    def release(self, record: Record) -> None:
        """Somebody (this member too) shall try it again; after group.share.delivery.count.limit tries it is rejected."""
        self._decide(record, RELEASE, "released")

    def reject(self, record: Record) -> None:
        """Nobody shall try it again."""
        self._decide(record, REJECT, "rejected")

    async def renew(self, record: Record) -> None:
        """Hold it for another lock duration (KIP-1222); it is still to be decided."""
        node = self.cluster.metadata.leader(record.topic, record.partition)
        session = self._sessions.get(node)
        if session is None:
            raise ConnectError("the session in which the record was acquired is over", stage="tcp")
        acks = {(record.topic, record.partition): {record.offset: RENEW}}
        await self._acknowledge(node, session, acks=acks, renew=True)

    def _decide(self, record: Record, kind: int, counter: str) -> None:
        at = (record.topic, record.partition, record.offset)
        if at not in self._open:
            raise ConfigError(f"{record.topic}-{record.partition}@{record.offset} was decided about before")
        self._open.discard(at)
        self.metrics[counter] += 1
        self._acks.setdefault((record.topic, record.partition), {})[record.offset] = kind

    async def commit(self) -> None:
        """Send now what was decided; raises what the broker refused (a lock that ran out)."""
        failures: list[Exception] = []
        for node, session in list(self._sessions.items()):
            if any(self.cluster.metadata.leader(*key) == node for key in self._acks):
                try:
                    await self._acknowledge(node, session)
                except ClientError as problem:
                    failures.append(problem)
        failures_as_one("ShareAcknowledge", failures)

    # ── the wire ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _fetch(self) -> None:
        """One round of ShareFetch to every leader of what is assigned."""
        by_node: dict[int, set[TopicAndPartition]] = {}
        for key in self._assigned | self._acks.keys():
            node = self.cluster.metadata.leader(*key)
            if node >= 0:
                by_node.setdefault(node, set()).add(key)
            else:
                self.cluster.want_metadata()
        if not by_node:
            self._changed.clear()
            try:
                async with asyncio.timeout(0.2):
                    await self._changed.wait()
            except TimeoutError:
                return
            return
        results = await asyncio.gather(
            *(self._fetch_from(node, keys) for node, keys in by_node.items()), return_exceptions=True
        )
        for result in results:
            if isinstance(result, ClientError) and result.retriable:
                log.debug("share fetch: %s", result)
                self.cluster.want_metadata()
                await asyncio.sleep(self.cluster.backoff_s(1))
            elif isinstance(result, BaseException):
                raise result

    async def _session(self, node: int) -> _Session:
        session = self._sessions.get(node)
        if session is not None and session.connection.is_open:
            return session
        known = self.cluster.metadata.nodes.get(node)
        if known is None:
            raise ConnectError(f"metadata knows no broker {node}", stage="dns")
        session = self._sessions[node] = _Session(await self.cluster.connector.connect(known.address, node))
        return session

    async def _fetch_from(self, node: int, keys: set[TopicAndPartition]) -> None:
        session = await self._session(node)
        wanted = {key for key in keys if key in self._assigned}
        acks = {} if session.epoch == 0 else {key: self._acks.pop(key) for key in keys if key in self._acks}
        topics: dict[bytes, FetchTopic] = {}
        for key in sorted((wanted - session.known) | acks.keys()):
            topic_id = self.cluster.metadata.topics[key[0]].id
            topic = topics.setdefault(topic_id, FetchTopic(topic_id=topic_id, partitions=[]))
            batches = _batches(acks.get(key, {}), AcknowledgementBatch)
            topic.partitions.append(FetchPartition(partition_index=key[1], acknowledgement_batches=batches))
        forgotten: dict[bytes, ForgottenTopic] = {}
        for key in sorted(session.known - wanted):
            topic_id = self.cluster.metadata.topics[key[0]].id
            forgotten.setdefault(topic_id, ForgottenTopic(topic_id=topic_id, partitions=[])).partitions.append(key[1])
        config = self.config
        request = ShareFetchRequest(
            group_id=self.group,
            member_id=self._member_id,
            share_session_epoch=session.epoch,
            max_wait_ms=config.fetch_max_wait_ms,
            min_bytes=config.fetch_min_bytes,
            max_bytes=config.fetch_max_bytes,
            max_records=config.max_poll_records,
            batch_size=config.max_poll_records,
            topics=list(topics.values()),
            forgotten_topics_data=list(forgotten.values()),
        )
        version = session.connection.version(ShareFetchRequest, 1)
        try:
            answer = await session.connection.send(request, version, (config.fetch_max_wait_ms + 30_000) / 1000)
        except ClientError:
            self._lost_acks(acks)
            raise
        if self._check(session, answer, "ShareFetch", acks):
            session.known = wanted
            self._take(answer)
            fresh, self._fresh = self._fresh, []
            load = missing(self._wanting, fresh)
            if load is not None:
                await load

    def _check(self, session: _Session, answer: Any, api: str, acks: dict[TopicAndPartition, dict[int, int]]) -> bool:
        code = error_code(answer.error_code)
        if not code:
            session.advance()
            return True
        session.reset()
        self._lost_acks(acks)
        if code in _SESSION_LOST or code.retriable:
            return False
        raise broker_error(code, answer.error_message, api=api)

    def _lost_acks(self, acks: dict[TopicAndPartition, dict[int, int]]) -> None:
        """What was decided did not arrive: those records will be given again."""
        self.metrics["lost_acknowledgements"] += sum(map(len, acks.values()))

    @property
    def _member_id(self) -> str:
        assert self._membership is not None
        return self._membership.machine.member_id

    def _take(self, answer: Any) -> None:
        for topic in answer.responses:
            name = self.cluster.metadata.names.get(topic.topic_id, "")
            for part in topic.partitions:
                if part.acknowledge_error_code:
                    self.metrics["lost_acknowledgements"] += 1
                    log.warning("acknowledgements of %s-%s: %s", name, part.partition_index,
                                error_code(part.acknowledge_error_code).name)  # fmt: skip
                if part.error_code:
                    self.cluster.want_metadata()
                elif part.acquired_records:
                    self._take_partition(name, part)

    def _take_partition(self, name: str, part: Any) -> None:
        data = memoryview(part.records or b"")
        ranges = [(row.first_offset, row.last_offset) for row in part.acquired_records]
        place, offset, seen = 0, 0, set()
        while place < len(data):
            columns, place, offset = read_run(
                data, place, len(data), offset, name, part.partition_index, None, self.config.check_crcs,
                self.config.max_decompressed_bytes,
            )  # fmt: skip
            if columns is None:
                continue
            columns.read_key, columns.read_value = self._readers
            self._fresh.append(columns)
            for row in range(len(columns)):
                at = columns.offset(row)
                if any(first <= at <= last for first, last in ranges):
                    seen.add(at)
                    self._open.add((name, part.partition_index, at))
                    self._records.append(columns.record(row))
        self.metrics["records"] += len(seen)
        # Offsets that were acquired and have no record (markers, what compaction took) are gaps, and said to be.
        gaps = {at: GAP for first, last in ranges for at in range(first, last + 1) if at not in seen}
        if gaps:
            self._acks.setdefault((name, part.partition_index), {}).update(gaps)

    async def _acknowledge(
        self, node: int, session: _Session, *, acks: dict[TopicAndPartition, dict[int, int]] | None = None,
        renew: bool = False, final: bool = False,
    ) -> None:  # fmt: skip
        if acks is None:
            here = [key for key in self._acks if self.cluster.metadata.leader(*key) == node]
            acks = {key: self._acks.pop(key) for key in here}
        topics: dict[bytes, AcknowledgeTopic] = {}
        for key, decided in sorted(acks.items()):
            topic_id = self.cluster.metadata.topics[key[0]].id
            topic = topics.setdefault(topic_id, AcknowledgeTopic(topic_id=topic_id, partitions=[]))
            topic.partitions.append(
                AcknowledgePartition(partition_index=key[1], acknowledgement_batches=_batches(decided, AckBatch))
            )
        more = {"is_renew_ack": True} if renew else {}
        request = ShareAcknowledgeRequest(
            group_id=self.group,
            member_id=self._member_id,
            share_session_epoch=-1 if final else session.epoch,
            topics=list(topics.values()),
            **more,
        )
        version = session.connection.version(ShareAcknowledgeRequest, 2 if renew else 1)
        answer = await session.connection.send(request, version, self.config.request_timeout_ms / 1000)
        if final:
            return
        if not self._check(session, answer, "ShareAcknowledge", acks):
            raise broker_error(answer.error_code, answer.error_message, api="ShareAcknowledge")
        failures: list[Exception] = [
            broker_error(part.error_code, part.error_message, api="ShareAcknowledge")
            for topic in answer.responses
            for part in topic.partitions
            if part.error_code
        ]
        failures_as_one("ShareAcknowledge", failures)


def _batches(decided: dict[int, int], kind: Any) -> list[Any]:
    """Runs of neighbouring offsets with the same decision."""
    found: list[Any] = []
    for offset, decision in sorted(decided.items()):
        if found and found[-1].last_offset + 1 == offset and found[-1].acknowledge_types == [decision]:
            found[-1].last_offset = offset
        else:
            found.append(kind(first_offset=offset, last_offset=offset, acknowledge_types=[decision]))
    return found
