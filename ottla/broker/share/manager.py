"""All share partitions of this broker, and the sessions of their members.

    ShareFetch, ShareAcknowledge ──► session (sessions.py) ──► a host per group and partition (host.py)
                                                               └─ fetch.py reads the log and hands out

A host is made by the first fetch and kept as long as its group has a session here; what counts is with the persister.
Hosts go when their partition leaves this broker, when the persister says that what they know is stale, and when their
group's last session ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from ...coordinator.share_partition import Acknowledgement, AcknowledgeType, DeadLetter
from ...protocol.errors import ErrorCode, KafkaError
from ..purgatory import settled
from .dead_letters import DeadLetterWriter
from .host import HostState, SharePartitionHost
from .metrics import ShareMetrics
from .sessions import PartitionId, ShareSession, ShareSessions
from .settings import ShareGroupSettings, share_group_settings

if TYPE_CHECKING:
    from ...metadata.image import MetadataImage
    from ..server import Broker
    from .persister import Persister

log = logging.getLogger("ottla.broker.share")

HostKey = tuple[str, PartitionId]


class SharePartitionManager:
    """What ShareFetch and ShareAcknowledge meet."""

    def __init__(self, broker: Broker, persister: Persister) -> None:
        self.broker = broker
        self.persister = persister
        self.metrics = ShareMetrics()
        self.sessions = ShareSessions(broker.config.integer("group.share.max.share.sessions"), self._on_lost)
        self._hosts: dict[HostKey, SharePartitionHost] = {}
        self._settings: dict[str, ShareGroupSettings] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._dead_letters = DeadLetterWriter(broker, self.metrics)
        self._stopped = False

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def stop(self) -> None:
        """Close every share partition; what is being written is written first."""
        self._stopped = True
        for host in tuple(self._hosts.values()):
            host.close()
        self._hosts.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the requests."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_task)

    def _on_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.broker.metrics.uncaught_exceptions += 1
            log.error("a task of share groups failed", exc_info=task.exception())

    def apply(self, old: MetadataImage, image: MetadataImage) -> None:
        """Follow the metadata: settings of groups, and partitions that are not ours any more."""
        if old.configs is not image.configs:
            self._settings.clear()
            for host in self._hosts.values():
                host.configure(self.settings_of(host.group_id))
        if old.topics is not image.topics:
            for host in tuple(self._hosts.values()):
                partition = host.partition
                if partition.closed or not partition.is_leader or partition.leader_epoch != host.leader_epoch:
                    self.drop(host)

    def settings_of(self, group_id: str) -> ShareGroupSettings:
        """Return the effective settings of a group."""
        found = self._settings.get(group_id)
        if found is None:
            if len(self._settings) > 10_000:
                self._settings.clear()  # group ids are the clients' to invent
            found = self._settings[group_id] = share_group_settings(self.broker.config, self.broker.image, group_id)
        return found

    # ── share partitions ────────────────────────────────────────────────────────────────────────────────────────

    def __iter__(self) -> Iterator[SharePartitionHost]:
        yield from self._hosts.values()

    def __len__(self) -> int:
        return len(self._hosts)

    def find(self, group_id: str, partition: PartitionId) -> SharePartitionHost | None:
        """Return a share partition that somebody has fetched from."""
        return self._hosts.get((group_id, partition))

    def open(self, group_id: str, partition: PartitionId) -> SharePartitionHost:
        """Return a share partition, made and being loaded if need be. Raises `KafkaError` if we do not lead it."""
        key = (group_id, partition)
        host = self._hosts.get(key)
        if host is None or host.partition.closed:
            if host is not None:
                self.drop(host)
            found = self.broker.partitions.get_by_id(*partition)
            if not found.is_leader:
                raise KafkaError(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            host = self._hosts[key] = SharePartitionHost(self, group_id, found)
            self.spawn(host.load())
        return host

    def drop(self, host: SharePartitionHost) -> None:
        """Forget a share partition; the next fetch reads its state anew."""
        key = (host.group_id, PartitionId(host.partition.topic_id, host.partition.index))
        if self._hosts.get(key) is host:
            del self._hosts[key]
        host.close()

    def on_loaded(self, host: SharePartitionHost, took_ms: int) -> None:
        """A host has read its state, or has failed to."""
        self.metrics.partitions_loaded += 1
        self.metrics.partition_load_time_ms += took_ms
        self.metrics.partition_load_time_max_ms = max(self.metrics.partition_load_time_max_ms, took_ms)
        if host.state is HostState.FAILED:
            self.drop(host)
            host.state = HostState.FAILED

    # ── acknowledgements ────────────────────────────────────────────────────────────────────────────────────────

    async def acknowledge(
        self, group_id: str, member_id: str, said: dict[PartitionId, list[Acknowledgement]]
    ) -> dict[PartitionId, KafkaError | None]:
        """Take the acknowledgements of one request, each partition's by itself."""
        self.metrics.total_share_acknowledgement_requests += 1
        pending: dict[PartitionId, Any] = {}
        for partition, batches in said.items():
            host = self._hosts.get((group_id, partition))
            if host is None:
                pending[partition] = KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            else:
                pending[partition] = host.acknowledge(member_id, batches)
                host.wake()
        results = {partition: await _outcome(result) for partition, result in pending.items()}
        for partition, error in results.items():
            if error is None:
                for batch in said[partition]:
                    self._count(batch)
        if any(results.values()):
            self.metrics.failed_share_acknowledgement_requests += 1
        return results

    def _count(self, said: Acknowledgement) -> None:
        counts = self.metrics.record_acknowledgements
        if len(said.types) == 1:
            counts[AcknowledgeType(said.types[0])] += said.last_offset - said.first_offset + 1
        else:
            for kind in AcknowledgeType:
                counts[kind] += said.types.count(kind)

    # ── sessions ────────────────────────────────────────────────────────────────────────────────────────────────

    def close_session(self, session: ShareSession) -> None:
        """End a member's session and release what it holds."""
        self.sessions.remove(session)
        self._release(session)

    def _on_lost(self, session: ShareSession) -> None:
        """A member's connection has ended."""
        self.metrics.share_session_evictions += 1
        self._release(session)
        if not self.sessions.has_members(session.group_id):
            for host in [host for host in self._hosts.values() if host.group_id == session.group_id]:
                self.drop(host)

    def _release(self, session: ShareSession) -> None:
        for partition in session.partitions:
            host = self._hosts.get((session.group_id, partition))
            if host is not None and host.state is HostState.ACTIVE:
                host.release(session.member_id)
                host.wake()

    # ── dead letters ────────────────────────────────────────────────────────────────────────────────────────────

    def send_dead_letter(self, host: SharePartitionHost, letter: DeadLetter) -> None:
        """Have records that were given up produced to the group's dead-letter topic."""
        self.spawn(self._send_dead_letter(host, letter))

    async def _send_dead_letter(self, host: SharePartitionHost, letter: DeadLetter) -> None:
        await self._dead_letters.write(host.group_id, host.partition, host.settings, letter)
        host.carry_out(host.machine.on_dead_lettered(letter))


async def _outcome(result: Any) -> KafkaError | None:
    """Wait for a result that may be deferred; an error is a result here."""
    if isinstance(result, KafkaError):
        return result
    try:
        await settled(result)
    except KafkaError as error:
        return error
    return None
