"""One partition of `__transaction_state` as a state machine: the transactional ids that hash to it.

The shell keeps one `TransactionShard` per partition it leads and carries out the decisions it returns (`decision`):

    replay(records of the log) … finish_loading()       after a start, or when leadership arrives
    init_producer_id, add_partitions, end               requests of producers
    check_partitions                                    what a partition's leader asks about old producers (KIP-890)
    listed, describe                                    requests of administrators
    abort_timed_out, clean_up, markers_written          events from the shell
    unload()                                            leadership is gone, or the log has failed

The end of a transaction is two records with the markers between them:

    end ──► PrepareCommit ──committed──► the producer is answered
                              └────────► effect `WriteMarkers` ──every partition has its marker──► markers_written
                                                                                                      └──► CompleteCommit

A shard that is loaded in the middle asks for the markers again: a second marker in a partition changes nothing.

Invariant: what must survive (`_transactions`) changes in `replay` only. `_last_epochs` lets a producer repeat an
InitProducerId whose answer it never got; Kafka's records have no place for it, so it does not outlive the shard.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ...protocol.apis.describe_transactions import TransactionState as DescribedTransaction
from ...protocol.apis.list_transactions import TransactionState as ListedTransaction
from ...protocol.errors import ErrorCode, KafkaError
from ..decision import Completion, Decision, StoredRecord, TimerKey
from ..shard import NO_PRODUCER_ID
from .config import TransactionCoordinatorConfig
from .ending import completed, ended, fenced
from .listing import Filters, describe, listed
from .producers import ProducerIdAndEpoch, continued, created, initialized
from .records import parse, tombstone, transaction_record
from .state import (
    AT_REST,
    LAST_EPOCH,
    NO_EPOCH,
    PREPARED,
    TopicPartition,
    Transaction,
    TransactionState,
)

__all__ = ["EndedTransaction", "Prepared", "TransactionShard", "WriteMarkers"]

#: Kafka's mark of a producer whose transactions end only when an outer coordinator says so (KIP-939).
_NEVER_TIMES_OUT = 2**31 - 1


class Prepared(Completion):
    """The end of a transaction has been decided; once that is committed its markers may be written."""

    __slots__ = ("producer_epoch", "producer_id", "transactional_id")

    def __init__(self, transaction: Transaction) -> None:
        self.transactional_id = transaction.transactional_id
        self.producer_id = transaction.producer_id
        self.producer_epoch = transaction.producer_epoch


class EpochTaken(Completion):
    """A producer got an epoch, and may ask for it again by naming the one it had."""

    __slots__ = ("last_epoch", "transaction")

    def __init__(self, transaction: Transaction, last_epoch: int) -> None:
        self.transaction = transaction
        self.last_epoch = last_epoch


class WriteMarkers(NamedTuple):
    """An effect: end the transaction in these partitions, then call `markers_written`."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    committed: bool
    partitions: frozenset[TopicPartition]
    transaction_version: int


class EndedTransaction(NamedTuple):
    """The answer to EndTxn: who the producer is from now on."""

    producer_id: int
    producer_epoch: int


class TransactionShard:
    """The transactions of one partition of `__transaction_state`. `features()` gives the level of transaction.version."""

    __slots__ = ("_config", "_last_epochs", "_transactions", "_written", "version")

    def __init__(self, config: TransactionCoordinatorConfig, version: int) -> None:
        self._config = config
        #: The finalized level of the feature `transaction.version`; the shell keeps it up to date.
        self.version = version
        self._transactions: dict[str, Transaction] = {}
        #: By transactional id: the epoch its producer had before its last InitProducerId.
        self._last_epochs: dict[str, int] = {}
        #: The record made last and what it says: it usually comes back at once, and need not be read again.
        self._written: tuple[StoredRecord, Transaction] | None = None

    # -- replay ------------------------------------------------------------------------------------------------

    def replay(self, record: StoredRecord, record_offset: int, now_ms: int, producer_id: int = NO_PRODUCER_ID) -> None:
        """Apply one record of the log."""
        transaction: Transaction | None
        if self._written is not None and self._written[0] is record:
            transaction = self._written[1]
            transactional_id = transaction.transactional_id
        else:
            parsed = parse(record)
            if parsed is None:
                return
            transactional_id, transaction = parsed
        self._last_epochs.pop(transactional_id, None)
        if transaction is None:
            self._transactions.pop(transactional_id, None)
        else:
            self._transactions[transactional_id] = transaction

    def replay_end_marker(self, producer_id: int, committed: bool) -> None:
        """Markers mean nothing here: nobody's transaction writes to this topic."""

    def finish_loading(self, now_ms: int) -> Decision:
        """Take up the transactions whose end was decided and whose markers may not all be written."""
        return Decision(
            effects=[
                _markers(transaction) for transaction in self._transactions.values() if transaction.state in PREPARED
            ]
        )

    def unload(self) -> Decision:
        """Nobody waits inside this machine."""
        return Decision()

    # -- producers ---------------------------------------------------------------------------------------------

    def init_producer_id(
        self, transactional_id: str, timeout_ms: int, expected: ProducerIdAndEpoch | None, new_producer_id: int | None,
        now_ms: int,
    ) -> Decision:  # fmt: skip
        """InitProducerId: the response is `ProducerIdAndEpoch`, or an error code. Raises `KafkaError`, `NeedsProducerIdError`."""
        if not 0 < timeout_ms <= self._config.transaction_max_timeout_ms:
            raise KafkaError(ErrorCode.INVALID_TRANSACTION_TIMEOUT)
        known = self._transactions.get(transactional_id)
        if known is None:
            transaction, last_epoch = created(transactional_id, timeout_ms, new_producer_id, now_ms)
        else:
            if expected is not None and not continued(known, expected):
                raise KafkaError(ErrorCode.PRODUCER_FENCED)
            if known.state is TransactionState.ONGOING:
                decision = self._prepare(fenced(known, self.version, now_ms))
                # The epoch of the fence is nobody's: the producer asks again, and gets the next one.
                decision.response = ErrorCode.CONCURRENT_TRANSACTIONS
                return decision
            last = known.epoch_before_end
            if last == NO_EPOCH:
                last = self._last_epochs.get(transactional_id, NO_EPOCH)
            transaction, last_epoch = initialized(known, last, expected, timeout_ms, new_producer_id, now_ms)
        return Decision(
            records=[self._record(transaction)],
            response=ProducerIdAndEpoch(transaction.producer_id, transaction.producer_epoch),
            completion=EpochTaken(transaction, last_epoch),
        )

    def add_partitions(
        self, transactional_id: str, producer_id: int, epoch: int, partitions: Iterable[TopicPartition],
        client_version: int, now_ms: int,
    ) -> Decision:  # fmt: skip
        """AddPartitionsToTxn, AddOffsetsToTxn, or what Produce and TxnOffsetCommit imply. Raises `KafkaError`."""
        known = self._of_producer(transactional_id, producer_id, epoch)
        wanted = known.partitions.union(partitions)
        if known.state is TransactionState.ONGOING:
            if len(wanted) == len(known.partitions):
                return Decision(response=ErrorCode.NONE)
            start_ms = known.start_ms
        else:
            start_ms = now_ms
        transaction = known.with_(
            state=TransactionState.ONGOING, partitions=wanted, start_ms=start_ms, last_update_ms=now_ms,
            client_version=client_version,
        )  # fmt: skip
        return Decision(records=[self._record(transaction)], response=ErrorCode.NONE)

    def check_partitions(
        self, transactional_id: str, producer_id: int, epoch: int, partitions: Iterable[TopicPartition]
    ) -> list[TopicPartition]:
        """Return which partitions are not part of the producer's transaction; raises `KafkaError`."""
        known = self._of_producer(transactional_id, producer_id, epoch)
        return [partition for partition in partitions if partition not in known.partitions]

    def _of_producer(self, transactional_id: str, producer_id: int, epoch: int) -> Transaction:
        """Find the transaction of exactly this producer, if it is not about to end."""
        known = self._transactions.get(transactional_id)
        if known is None or known.producer_id != producer_id:
            raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        if known.producer_epoch != epoch or epoch == LAST_EPOCH:
            raise KafkaError(ErrorCode.PRODUCER_FENCED)
        if known.state in PREPARED:
            raise KafkaError(ErrorCode.CONCURRENT_TRANSACTIONS)
        return known

    def end(
        self, transactional_id: str, producer_id: int, epoch: int, commit: bool, client_version: int,
        new_producer_id: int | None, now_ms: int,
    ) -> Decision:  # fmt: skip
        """EndTxn: the response is `EndedTransaction`. Raises `KafkaError`, `NeedsProducerIdError`."""
        known = self._transactions.get(transactional_id)
        if known is None:
            raise KafkaError(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        prepared = ended(known, producer_id, epoch, commit, client_version, new_producer_id, now_ms)
        if prepared is None:
            return Decision(response=EndedTransaction(known.producer_id, known.producer_epoch))
        decision = self._prepare(prepared)
        after = completed(prepared, now_ms)
        decision.response = EndedTransaction(after.producer_id, after.producer_epoch)
        return decision

    def _prepare(self, prepared: Transaction) -> Decision:
        return Decision(records=[self._record(prepared)], completion=Prepared(prepared))

    def _record(self, transaction: Transaction) -> StoredRecord:
        record = transaction_record(transaction, 1 if self.version >= 1 else 0)
        if self.version >= 1:  # version 0 leaves things out
            self._written = (record, transaction)
        return record

    # -- administrators ----------------------------------------------------------------------------------------

    def listed(self, filters: Filters, now_ms: int) -> list[ListedTransaction]:
        """ListTransactions."""
        return listed(self._transactions.values(), filters, now_ms)

    def describe(self, transactional_id: str) -> DescribedTransaction:
        """DescribeTransactions of one id."""
        return describe(transactional_id, self._transactions.get(transactional_id))

    # -- events ------------------------------------------------------------------------------------------------

    def on_appended(self, completion: Completion, error: ErrorCode, now_ms: int) -> Decision:
        """The records of a decision are committed (`error` is NONE), or will never be."""
        if error:
            return Decision()
        if isinstance(completion, EpochTaken):
            taken = completion.transaction
            if self._transactions.get(taken.transactional_id) == taken and completion.last_epoch != NO_EPOCH:
                self._last_epochs[taken.transactional_id] = completion.last_epoch
            return Decision()
        assert isinstance(completion, Prepared)
        known = self._prepared(completion.transactional_id, completion.producer_id, completion.producer_epoch)
        return Decision() if known is None else Decision(effects=[_markers(known)])

    def markers_written(self, ended_by: WriteMarkers, now_ms: int) -> Decision:
        """Every partition of a prepared transaction has its marker."""
        known = self._prepared(ended_by.transactional_id, ended_by.producer_id, ended_by.producer_epoch)
        return Decision() if known is None else Decision(records=[self._record(completed(known, now_ms))])

    def _prepared(self, transactional_id: str, producer_id: int, epoch: int) -> Transaction | None:
        known = self._transactions.get(transactional_id)
        if known is None or known.state not in PREPARED:
            return None
        return known if (known.producer_id, known.producer_epoch) == (producer_id, epoch) else None

    def abort_timed_out(self, now_ms: int) -> list[Decision]:
        """Abort the transactions that have been open for longer than their producers asked for."""
        decisions = []
        for transaction in self._transactions.values():
            if transaction.state is not TransactionState.ONGOING or transaction.timeout_ms == _NEVER_TIMES_OUT:
                continue
            if transaction.start_ms + transaction.timeout_ms < now_ms:
                decision = self._prepare(fenced(transaction, self.version, now_ms))
                decision.notes.append(
                    f"The transaction of {transaction.transactional_id} is aborted: it is open for longer than its "
                    f"timeout of {transaction.timeout_ms} ms"
                )
                decisions.append(decision)
        return decisions

    def clean_up(self, now_ms: int) -> list[Decision]:
        """Forget transactional ids that were not used for `transactional.id.expiration.ms`."""
        until_ms = now_ms - self._config.transactional_id_expiration_ms
        return [
            Decision(records=[tombstone(transaction.transactional_id)])
            for transaction in self._transactions.values()
            if transaction.state in AT_REST and transaction.last_update_ms <= until_ms
        ]

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """No decision here asks for a timer."""
        raise AssertionError(f"{key} is nobody's timer")


def _markers(transaction: Transaction) -> WriteMarkers:
    return WriteMarkers(
        transaction.transactional_id, transaction.producer_id, transaction.producer_epoch, transaction.commits,
        transaction.partitions, transaction.client_version,
    )  # fmt: skip
