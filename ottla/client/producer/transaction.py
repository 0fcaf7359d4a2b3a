"""Transactions of a producer: what may be done when (pure), and the requests that do it.

             begin                 commit
    READY ─────────► IN_TRANSACTION ─────► ENDING ─► READY
                        │ a batch failed     ▲
                        ▼                    │ abort
                      DOOMED ────────────────┘            fenced, in any state ─► FATAL

Version 1 of the protocol names each partition to the coordinator before the first batch goes there (AddPartitionsToTxn),
version 2 (KIP-890, feature transaction.version=2) lets the write itself do that, and gives each transaction an epoch of its own
with the answer to EndTxn. Which one holds is the cluster's finalized feature, looked at when a transaction begins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from ...protocol.apis.add_offsets_to_txn import AddOffsetsToTxnRequest
from ...protocol.apis.add_partitions_to_txn import AddPartitionsToTxnRequest, AddPartitionsToTxnTopic
from ...protocol.apis.end_txn import EndTxnRequest
from ...protocol.apis.init_producer_id import InitProducerIdRequest
from ...protocol.apis.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from ...protocol.errors import ErrorCode
from ...protocol.schema import Request
from ..cluster import GROUP, TRANSACTION, Coordinator
from ..errors import BrokerError, ClientError, ClientTimeoutError, FencedError, TransactionError, broker_error

if TYPE_CHECKING:
    from ..cluster import Cluster
    from ..net import Connection
    from .identity import IdentityKeeper
    from .sender import Sender

log = logging.getLogger("ottla.client.producer")

FEATURE = "transaction.version"
#: Versions with which a write adds its partition by itself.
PRODUCE_V2, END_TXN_V2, TXN_OFFSET_COMMIT_V2 = 12, 5, 5
#: Codes that mean: another producer took over, or the coordinator gave up on this one.
_FENCED = {
    ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.INVALID_PRODUCER_ID_MAPPING,
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ErrorCode.INVALID_TXN_STATE,
}  # fmt: skip


class State(Enum):
    """Where a transactional producer is."""

    NEW = "new"
    READY = "ready"
    IN_TRANSACTION = "in a transaction"
    DOOMED = "in a transaction that can only be aborted"
    ENDING = "ending a transaction"
    FATAL = "fenced"


class GroupMember(NamedTuple):
    """Who commits offsets for a group: what fences a member that the group has left behind (KIP-447)."""

    group_id: str
    generation_id: int = -1
    member_id: str = ""
    group_instance_id: str | None = None


class TransactionManager:
    """The transactions of one producer."""

    def __init__(self, cluster: Cluster, identity: IdentityKeeper) -> None:
        config = cluster.config
        self.cluster = cluster
        self.identity = identity
        self.id: str = config.transactional_id or ""
        self.config = config
        self.state = State.NEW
        self.problem: ClientError | None = None
        self.sender: Sender
        self._v2 = False
        self._added: set[tuple[str, int]] = set()
        self._wanted: set[tuple[str, int]] = set()
        self._adding = False
        self._started = False
        self._needs_new_epoch = False

    @property
    def to(self) -> Coordinator:
        return Coordinator(TRANSACTION, self.id)

    @property
    def produce_version_max(self) -> int:
        """Version 1 of transactions must not write with a version that adds partitions by itself."""
        return 32767 if self._v2 else PRODUCE_V2 - 1

    # ── states ──────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        """Raise what keeps a record from being sent now."""
        if self.state is State.IN_TRANSACTION:
            return
        if self.state is State.FATAL and self.problem is not None:
            raise self.problem
        if self.state is State.DOOMED:
            raise TransactionError(f"the transaction must be aborted: {self.problem}") from self.problem
        raise TransactionError("no transaction is open", hint="use `async with producer.transaction()`")

    def as_cause(self, error: ClientError) -> ClientError:
        """The error of a batch, as what it means for this producer."""
        if isinstance(error, BrokerError) and error.code in _FENCED and error.code != ErrorCode.INVALID_TXN_STATE:
            return _fenced(error)
        return error

    def batch_failed(self, error: ClientError) -> None:
        """A batch of the transaction was not delivered."""
        if isinstance(error, FencedError):
            if self.state is not State.FATAL:
                self.fail(error)
        elif self.state in (State.IN_TRANSACTION, State.ENDING):
            self._doom(error)
        self._needs_new_epoch = True

    def _doom(self, error: ClientError) -> None:
        if self.state is not State.FATAL:
            if self.state is State.IN_TRANSACTION:
                self.state = State.DOOMED
            self.problem = self.problem or error
            self.sender.appender.stop(True)

    def fail(self, error: ClientError) -> None:
        """This producer is over."""
        self.state, self.problem = State.FATAL, error
        self.sender.appender.stop(True)
        self.sender.fail_pending(error)

    # ── partitions of version 1 ─────────────────────────────────────────────────────────────────────────────────

    def may_send(self, topic: str, partition: int, connection: Connection) -> bool:
        """Whether a batch may go to the partition now; if not, what it takes is under way."""
        if self.state is State.FATAL:
            return False
        self._started = True
        if self._v2 or (topic, partition) in self._added:
            return True
        self._wanted.add((topic, partition))
        if not self._adding:
            self._adding = True
            self.sender.spawn(self._add_partitions())
        return False

    async def _add_partitions(self) -> None:
        try:
            while self._wanted:
                wanted = sorted(self._wanted)
                await self._add(wanted)
                self._added.update(wanted)
                self._wanted.difference_update(wanted)
        except ClientError as problem:
            self._wanted.clear()
            if isinstance(problem, FencedError):
                self.fail(problem)
            else:
                self._doom(problem)
                self.sender.fail_pending(problem)
        finally:
            self._adding = False
            self.sender.wake()

    async def _add(self, wanted: list[tuple[str, int]]) -> None:
        by_topic: dict[str, list[int]] = {}
        for topic, partition in wanted:
            by_topic.setdefault(topic, []).append(partition)
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self.id,
            v3_and_below_producer_id=self.identity.current.producer_id,
            v3_and_below_producer_epoch=self.identity.current.epoch,
            v3_and_below_topics=[
                AddPartitionsToTxnTopic(name=name, partitions=parts) for name, parts in by_topic.items()
            ],
        )

        def codes(answer: Any) -> list[int]:
            return [
                part.partition_error_code
                for topic in answer.results_by_topic_v3_and_below
                for part in topic.results_by_partition
            ]

        await self._call(request, codes, high=3)

    async def _call(
        self, request: Request, codes: Callable[[Any], list[int]], *, high: int = 32767, low: int = 0,
        to: Coordinator | None = None,
    ) -> Any:  # fmt: skip
        """Ask a coordinator until no code of its answer says: a little later. `TransactionError` or `FencedError`."""
        api = type(request).__name__.removesuffix("Request")
        target = to or self.to
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.config.max_block_ms / 1000
        attempt = 0
        while True:
            left_ms = max(1, int((deadline - loop.time()) * 1000))
            answer = await self.cluster.request(request, target, high=high, low=low, timeout_ms=left_ms)
            code = next(
                (ErrorCode(code) for code in codes(answer) if code and code != ErrorCode.OPERATION_NOT_ATTEMPTED), None
            )
            if code is None:
                return answer
            error = broker_error(code, api=api)
            if code in (ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE):
                self.cluster.forget_coordinator(target.kind, target.key)
            elif code in _FENCED:
                raise _fenced(error)
            if not code.retriable:
                raise error
            attempt += 1
            wait_s = min(0.02 * attempt, self.cluster.backoff_s(attempt))
            if loop.time() + wait_s > deadline:
                raise ClientTimeoutError(f"not done within max.block.ms: {error}", api=api)
            await asyncio.sleep(wait_s)

    # ── the verbs ───────────────────────────────────────────────────────────────────────────────────────────────

    async def initialize(self) -> None:
        """Take over the transactional id: fence older producers, and end what they left open."""
        await self._init(-1, -1)
        self.state = State.READY

    async def _init(self, producer_id: int, epoch: int) -> None:
        request = InitProducerIdRequest(
            transactional_id=self.id, transaction_timeout_ms=self.config.transaction_timeout_ms,
            producer_id=producer_id, producer_epoch=epoch,
        )  # fmt: skip
        answer = await self._call(request, lambda answer: [answer.error_code], low=3 if producer_id >= 0 else 0)
        self.identity.take(answer.producer_id, answer.producer_epoch)
        self._needs_new_epoch = False

    async def begin(self) -> None:
        """Open a transaction; the coordinator hears of it with the first record."""
        if self.state is not State.READY:
            if self.problem is not None and self.state is State.FATAL:
                raise self.problem
            raise TransactionError(f"the producer is {self.state.value}: one transaction at a time")
        coordinator = await self.cluster.connection(await self.cluster.coordinator(TRANSACTION, self.id))
        self._v2 = coordinator.features.get(FEATURE, 0) >= 2
        self._added.clear()
        self._started = False
        self.problem = None
        self.state = State.IN_TRANSACTION
        self.sender.appender.stop(False)

    async def commit(self) -> None:
        """Deliver what was sent, then commit; if that is not possible, `TransactionError`, and abort is what is left."""
        self.check()
        self.sender.appender.stop(True)
        self.state = State.ENDING
        await self.sender.drained()
        if self.problem is not None:
            if self.state is not State.FATAL:
                self.state = State.DOOMED
            self.check()
        await self._end(committed=True)

    async def abort(self) -> None:
        """Give up everything that was sent in the transaction."""
        if self.state is State.FATAL:
            return
        self.sender.appender.stop(True)
        self.state = State.ENDING
        given_up = TransactionError("the transaction was aborted before the record was sent")
        self.sender.abandon(given_up)
        await self.sender.drained()
        await self._end(committed=False)

    async def _end(self, *, committed: bool) -> None:
        if self._started:
            request = EndTxnRequest(
                transactional_id=self.id, producer_id=self.identity.current.producer_id,
                producer_epoch=self.identity.current.epoch, committed=committed,
            )  # fmt: skip
            low, high = (END_TXN_V2, 32767) if self._v2 else (0, END_TXN_V2 - 1)
            try:
                answer = await self._call(request, lambda answer: [answer.error_code], low=low, high=high)
            except FencedError as problem:
                self.fail(problem)
                raise
            except ClientError as problem:
                self.state, self.problem = State.DOOMED, problem
                raise
            if self._v2 and answer.producer_id >= 0:
                self.identity.take(answer.producer_id, answer.producer_epoch)
            elif self._needs_new_epoch:
                await self._init(*self.identity.current)
        self._needs_new_epoch = False
        self.problem = None
        self.state = State.READY

    async def send_offsets(self, offsets: Mapping[tuple[str, int], Any], member: GroupMember) -> None:
        """Commit a group's offsets with the transaction: (topic, partition) -> next offset, or (offset, epoch, metadata)."""
        self.check()
        self._started = True
        current = self.identity.current
        try:
            if not self._v2:
                await self._call(
                    AddOffsetsToTxnRequest(
                        transactional_id=self.id, producer_id=current.producer_id, producer_epoch=current.epoch,
                        group_id=member.group_id,
                    ),
                    lambda answer: [answer.error_code],
                    high=3,
                )  # fmt: skip
            request = TxnOffsetCommitRequest(
                transactional_id=self.id, group_id=member.group_id, producer_id=current.producer_id,
                producer_epoch=current.epoch, generation_id=member.generation_id, member_id=member.member_id,
                group_instance_id=member.group_instance_id, topics=_offset_topics(offsets),
            )  # fmt: skip
            low, high = (TXN_OFFSET_COMMIT_V2, 32767) if self._v2 else (0, TXN_OFFSET_COMMIT_V2 - 1)
            to = Coordinator(GROUP, member.group_id)
            await self._call(request, _offset_codes, to=to, low=low, high=high)
        except FencedError as problem:
            self.fail(problem)
            raise
        except ClientError as problem:
            self._doom(problem)
            raise


def _offset_codes(answer: Any) -> list[int]:
    return [part.error_code for topic in answer.topics for part in topic.partitions]


def _offset_topics(offsets: Mapping[tuple[str, int], Any]) -> list[TxnOffsetCommitRequestTopic]:
    by_topic: dict[str, list[TxnOffsetCommitRequestPartition]] = {}
    for (topic, partition), given in offsets.items():
        offset, epoch, metadata = given if isinstance(given, tuple) else (given, -1, "")
        by_topic.setdefault(topic, []).append(
            TxnOffsetCommitRequestPartition(
                partition_index=partition,
                committed_offset=offset,
                committed_leader_epoch=epoch,
                committed_metadata=metadata,
            )
        )
    return [TxnOffsetCommitRequestTopic(name=name, partitions=parts) for name, parts in by_topic.items()]


def _fenced(error: BrokerError) -> FencedError:
    return FencedError(
        error.code,
        error.message.partition(": ")[2],
        api=error.api,
        broker=error.broker,
        topic_partition=error.topic_partition,
        hint="another producer uses this transactional.id, or the transaction was open for longer than "
        "transaction.timeout.ms; make a new producer",
    )
