"""What administrators see: ListTransactions with its filters, DescribeTransactions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ...protocol.apis.describe_transactions import TopicData
from ...protocol.apis.describe_transactions import TransactionState as DescribedTransaction
from ...protocol.apis.list_transactions import TransactionState as ListedTransaction
from ...protocol.errors import ErrorCode
from .state import Transaction, TransactionState

__all__ = ["Filters", "describe", "known_states", "listed"]

_STATES = {state.title: state for state in TransactionState}
#: The duration filter that lets everything through.
NO_DURATION = -1


class Filters(NamedTuple):
    """What ListTransactions asks for; an empty filter lets everything through."""

    states: frozenset[str] = frozenset()
    producer_ids: frozenset[int] = frozenset()
    #: Only what has been running for longer.
    duration_ms: int = NO_DURATION
    #: Whether a transactional id matches the pattern asked for, as a whole.
    matches: Callable[[str], object] | None = None

    def admit(self, transaction: Transaction, now_ms: int) -> bool:
        """Whether a transaction is asked for."""
        if transaction.state is TransactionState.DEAD:
            return False
        if self.producer_ids and transaction.producer_id not in self.producer_ids:
            return False
        if self.states and transaction.state.title not in self.states:
            return False
        if self.duration_ms >= 0 and now_ms - transaction.start_ms <= self.duration_ms:
            return False
        return self.matches is None or bool(self.matches(transaction.transactional_id))


def known_states(names: Iterable[str]) -> tuple[frozenset[str], list[str]]:
    """Split the names of a state filter into all of them and those that are of no state."""
    wanted = list(dict.fromkeys(names))
    return frozenset(wanted), [name for name in wanted if name not in _STATES]


def listed(transactions: Iterable[Transaction], filters: Filters, now_ms: int) -> list[ListedTransaction]:
    """Answer ListTransactions for one partition."""
    return [
        ListedTransaction(
            transactional_id=transaction.transactional_id, producer_id=transaction.producer_id,
            transaction_state=transaction.state.title,
        )
        for transaction in transactions
        if filters.admit(transaction, now_ms)
    ]  # fmt: skip


def describe(transactional_id: str, transaction: Transaction | None) -> DescribedTransaction:
    """Answer DescribeTransactions for one id."""
    if transaction is None or transaction.state is TransactionState.DEAD:
        return DescribedTransaction(error_code=ErrorCode.TRANSACTIONAL_ID_NOT_FOUND, transactional_id=transactional_id)
    topics: dict[str, list[int]] = {}
    for topic, index in sorted(transaction.partitions):
        topics.setdefault(topic, []).append(index)
    return DescribedTransaction(
        error_code=ErrorCode.NONE,
        transactional_id=transactional_id,
        transaction_state=transaction.state.title,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_start_time_ms=transaction.start_ms,
        producer_id=transaction.producer_id,
        producer_epoch=transaction.producer_epoch,
        topics=[TopicData(topic=topic, partitions=indexes) for topic, indexes in topics.items()],
    )
