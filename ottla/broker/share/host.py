"""One share partition at work: loads its state, carries its outcomes out, runs its locks' timer.

    read from the persister ──► ACTIVE ──► fetches and acknowledgements meet the machine (coordinator/share_partition)
                           └──► FAILED     the next fetch makes a new host and tries again
    partition moved or deleted, state altered, group without members ──► CLOSED

An outcome's write is a task; its result goes back into the machine, then whoever acknowledged is answered. What is tried
again and again is only what passes by itself: the share coordinator loads, or moves.

A host is read by its fetches in `fetches_waiting`, as a `Partition` is: both wake them when there may be more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from ...coordinator.share_partition import Acknowledgement, Outcome, SharePartition, StateWrite
from ...protocol.errors import ErrorCode, KafkaError
from ..purgatory import Deferred, DelayedFetch
from .persister import NOT_INITIALIZED, ShareState
from .settings import duration_ms

if TYPE_CHECKING:
    from ..partition import Partition
    from .manager import SharePartitionManager
    from .settings import ShareGroupSettings

log = logging.getLogger("ottla.broker.share")

ResultT = TypeVar("ResultT")

#: The coordinator moves or loads: asked again after so long, twice as long each time, as often as this.
RETRY_S = 0.1
ATTEMPTS = 7
_RETRIABLE = frozenset(
    {ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS}
)
#: What consumers are told when the persister refuses.
_ERRORS = {
    **dict.fromkeys(_RETRIABLE, ErrorCode.COORDINATOR_NOT_AVAILABLE),
    ErrorCode.GROUP_ID_NOT_FOUND: ErrorCode.GROUP_ID_NOT_FOUND,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.FENCED_LEADER_EPOCH: ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.FENCED_STATE_EPOCH: ErrorCode.NOT_LEADER_OR_FOLLOWER,
}
#: After these what is in memory is worth nothing.
_FENCING = frozenset(
    {ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
)


class HostState(Enum):
    """Where a host stands."""

    LOADING = "loading"
    ACTIVE = "active"
    FAILED = "failed"
    CLOSED = "closed"


class SharePartitionHost:
    """One group's share of one partition."""

    __slots__ = (
        "_deadline_ms", "_manager", "_state_epoch", "_timer", "fetches_waiting", "group_id", "leader_epoch", "machine",
        "partition", "problem", "settings", "state",
    )  # fmt: skip

    def __init__(self, manager: SharePartitionManager, group_id: str, partition: Partition) -> None:
        self._manager = manager
        self.group_id = group_id
        self.partition = partition
        self.leader_epoch = partition.leader_epoch
        self.settings: ShareGroupSettings = manager.settings_of(group_id)
        self.machine = SharePartition(self.settings.partition, 0)
        self.state = HostState.LOADING
        #: Why it failed.
        self.problem: KafkaError | None = None
        self.fetches_waiting: set[DelayedFetch] = set()
        self._state_epoch = 0
        self._timer: asyncio.TimerHandle | None = None
        self._deadline_ms = 0

    def __repr__(self) -> str:
        return f"<{self.group_id} {self.partition.topic}-{self.partition.index} {self.state.value}>"

    # ── loading ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def load(self) -> None:
        """Read the state; whoever waits is woken whatever comes of it."""
        partition = self.partition
        began_ms = self.now_ms()
        try:
            found = await self._ask(
                lambda: self._manager.persister.read(
                    self.group_id, partition.topic_id, partition.index, self.leader_epoch
                )
            )
            if self.state is HostState.CLOSED:
                return
            self._take_up(found)
        except KafkaError as problem:
            log.warning("%s cannot be loaded: %s", self, problem)
            self.problem = problem
            self.state = HostState.FAILED
        self._manager.on_loaded(self, self.now_ms() - began_ms)
        for fetch in tuple(self.fetches_waiting):
            fetch.check()  # at once: the first partition that is loaded answers a group's first fetch, as in Kafka

    def _take_up(self, found: ShareState) -> None:
        self._state_epoch = found.state_epoch
        start = found.start_offset
        if start == NOT_INITIALIZED:
            start = self._first_offset()
        end = self.partition.log.log_end_offset
        self.machine = SharePartition(self.settings.partition, start, found.batches, log_end_offset=end)
        self.state = HostState.ACTIVE
        if found.start_offset == NOT_INITIALIZED and self.settings.auto_offset_reset != "earliest":
            # Or a crash before the first acknowledgement would begin at a later "latest" and lose what came between.
            self._manager.spawn(self._write(self.machine.initial_write(), None))
        for letter in self.machine.left_over:
            self._manager.send_dead_letter(self, letter)

    def _first_offset(self) -> int:
        """Where a group begins that was here never before."""
        reset, partition = self.settings.auto_offset_reset, self.partition
        if reset == "earliest":
            return partition.log.log_start_offset
        if reset != "latest":
            since = self._manager.broker.clock.now_ms() - duration_ms(reset)
            found = partition.log.offset_for_timestamp(since, partition.high_watermark)
            if found is not None:
                return found[1]
        return partition.high_watermark

    async def _ask(self, ask: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Ask the persister until it has an answer that stays."""
        for attempt in range(ATTEMPTS):
            try:
                return await ask()
            except KafkaError as problem:
                if problem.code not in _RETRIABLE or attempt == ATTEMPTS - 1 or self.state is HostState.CLOSED:
                    code = _ERRORS.get(problem.code, ErrorCode.UNKNOWN_SERVER_ERROR)
                    raise KafkaError(code, problem.message) from problem
            await asyncio.sleep(RETRY_S * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    # ── members ─────────────────────────────────────────────────────────────────────────────────────────────────

    def acknowledge(self, member_id: str, batches: list[Acknowledgement]) -> KafkaError | Deferred | None:
        """Take acknowledgements; the answer is None or why not."""
        outcome = self.machine.acknowledge(member_id, batches, self.now_ms())
        if outcome.error:
            return KafkaError(outcome.error, outcome.message)
        self._arm(self.now_ms() + self.machine.settings.record_lock_duration_ms)  # some may have been renewed
        return self.carry_out(outcome)

    def release(self, member_id: str) -> KafkaError | Deferred | None:
        """Take back everything a member holds."""
        return self.carry_out(self.machine.release(member_id))

    def acquired(self) -> None:
        """Records were handed out: their locks run."""
        self._arm(self.now_ms() + self.machine.settings.record_lock_duration_ms)

    def configure(self, settings: ShareGroupSettings) -> None:
        """The group's settings have changed; locks that run keep their time."""
        self.settings = settings
        self.machine.settings = settings.partition

    # ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────

    def carry_out(self, outcome: Outcome) -> Deferred | None:
        """Do what follows; a Deferred if a write must be waited for: None, or the `KafkaError`."""
        for letter in outcome.dead_letters:
            self._manager.send_dead_letter(self, letter)
        if outcome.wake:
            self.wake()
        if outcome.write is None:
            return None
        answer = Deferred()
        self._manager.spawn(self._write(outcome.write, answer))
        return answer

    async def _write(self, write: StateWrite, answer: Deferred | None) -> None:
        problem: KafkaError | None = None
        try:
            await self._ask(
                lambda: self._manager.persister.write(
                    self.group_id,
                    self.partition.topic_id,
                    self.partition.index,
                    state_epoch=self._state_epoch,
                    leader_epoch=self.leader_epoch,
                    start_offset=write.start_offset,
                    delivery_complete_count=write.delivery_complete_count,
                    batches=write.batches,
                )
            )
        except KafkaError as caught:
            problem = caught
            log.warning("%s: its state was not written: %s", self, caught)
        self.carry_out(
            self.machine.on_written(write, problem.code if problem is not None else ErrorCode.NONE, self.now_ms())
        )
        if answer is not None:
            answer.resolve(problem)
        if problem is not None and problem.code in _FENCING:
            self._manager.drop(self)

    def wake(self) -> None:
        """There may be more to fetch."""
        for fetch in tuple(self.fetches_waiting):
            fetch.on_progress()

    def close(self) -> None:
        """Stop: another takes over, or nobody. Writes that are under way come to their end."""
        self.state = HostState.CLOSED
        if self._timer is not None:
            self._timer.cancel()
        self.wake()

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────

    def now_ms(self) -> int:
        """Return the time of the event loop, which nobody sets back."""
        return int(asyncio.get_running_loop().time() * 1000)

    def _arm(self, deadline_ms: int) -> None:
        """See to it that locks are looked at by then."""
        if self._timer is not None:
            if self._deadline_ms <= deadline_ms:
                return
            self._timer.cancel()
        if self.state is HostState.ACTIVE:
            self._deadline_ms = deadline_ms
            self._timer = asyncio.get_running_loop().call_at((deadline_ms + 1) / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        outcome = self.machine.on_timer(self.now_ms())
        if outcome.write is not None:
            self._manager.metrics.acquisition_lock_timeouts += sum(
                batch.last_offset - batch.first_offset + 1 for batch in outcome.write.batches
            )
        self.carry_out(outcome)
        next_ms = self.machine.next_deadline_ms()
        if next_ms is not None:
            self._arm(next_ms)
