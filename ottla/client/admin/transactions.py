"""Transactions and producers: list, describe, find what hangs, abort it, fence a producer.

for each in await admin.transactions.list(longer_than=timedelta(hours=1)): ...
await admin.transactions.abort("orders", 0, producer)        a transaction whose coordinator forgot it (KIP-664)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from ...protocol.apis.describe_producers import DescribeProducersRequest, TopicRequest
from ...protocol.apis.describe_transactions import DescribeTransactionsRequest
from ...protocol.apis.init_producer_id import InitProducerIdRequest
from ...protocol.apis.list_transactions import ListTransactionsRequest
from ...protocol.apis.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from ...protocol.errors import ErrorCode
from ..cluster import TRANSACTION, Coordinator, Leader, Node
from ..offsets import by_topic, failures_as_one, per_leader
from .base import Room, item_error, listed, outcome

TopicAndPartition = tuple[str, int]


class ListedTransaction(NamedTuple):
    """A transactional id and what it is doing."""

    transactional_id: str
    producer_id: int
    state: str
    coordinator: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transactional id in detail. `start_ms` is None where no transaction is open."""

    transactional_id: str
    state: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    start_ms: int | None
    partitions: tuple[TopicAndPartition, ...]
    coordinator: int


class ProducerState(NamedTuple):
    """A producer as a partition knows it. `transaction_start` is None where it has no open transaction there."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp_ms: int
    coordinator_epoch: int
    transaction_start: int | None


Producers = tuple[ProducerState, ...]
Listed = list[ListedTransaction]
Names = list[str]


class Transactions(Room):
    """`admin.transactions`"""

    async def list(
        self,
        *,
        states: Iterable[str] = (),
        producer_ids: Iterable[int] = (),
        longer_than: timedelta | None = None,
        pattern: str | None = None,
    ) -> Listed:
        """All transactional ids of the cluster, or those that match."""
        more: dict[str, Any] = {}
        low = 0
        if longer_than is not None:
            more["duration_filter"], low = round(longer_than.total_seconds() * 1000), 1
        if pattern is not None:
            more["transactional_id_pattern"], low = pattern, 2
        request = ListTransactionsRequest(state_filters=listed(states), producer_id_filters=[*producer_ids], **more)
        answers = await self._all_nodes(request, low=low)
        return sorted(
            ListedTransaction(row.transactional_id, row.producer_id, row.transaction_state, node)
            for node, answer in answers.items()
            for row in answer.transaction_states
        )

    async def describe(self, transactional_ids: str | Iterable[str]) -> dict[str, Transaction]:
        """Id -> its state."""

        async def ask(left: Names) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for name in left:
                node = await self._cluster.coordinator(TRANSACTION, name)
                request = DescribeTransactionsRequest(transactional_ids=[name])
                answer = await self._ask(request, Coordinator(TRANSACTION, name))
                (row,) = answer.transaction_states
                if row.error_code:
                    self._cluster.forget_coordinator(TRANSACTION, name)
                found[name] = outcome(row.error_code, None, "DescribeTransactions", name, _transaction(row, node))
            return found

        return await self._each(listed(transactional_ids), ask, "DescribeTransactions")

    async def producers(self, partitions: Iterable[TopicAndPartition]) -> dict[TopicAndPartition, Producers]:
        """Who writes to these partitions, as their leaders know."""

        async def ask(node: int, asked: dict[TopicAndPartition, None]) -> dict[TopicAndPartition, Any]:
            topics = [TopicRequest(name=t, partition_indexes=p) for t, p in by_topic(asked).items()]
            answer = await self._cluster.request(DescribeProducersRequest(topics=topics), Node(node), retry=False)
            found: dict[TopicAndPartition, Any] = {}
            for topic in answer.topics:
                for part in topic.partitions:
                    key = (topic.name, part.partition_index)
                    found[key] = outcome(
                        part.error_code, part.error_message, "DescribeProducers", key, _producers(part)
                    )
            return {
                key: found.get(key, item_error(ErrorCode.UNKNOWN_SERVER_ERROR, "left out", "DescribeProducers", key))
                for key in asked
            }

        return await per_leader(self._cluster, dict.fromkeys(partitions), ask, what="DescribeProducers")

    async def abort(self, topic: str, partition: int, producer: ProducerState) -> None:
        """Write an abort marker for a transaction that hangs in this partition. Only for what no coordinator knows."""
        await self._cluster.topic(topic)
        marker = WritableTxnMarker(
            producer_id=producer.producer_id,
            producer_epoch=producer.producer_epoch,
            transaction_result=False,
            topics=[WritableTxnMarkerTopic(name=topic, partition_indexes=[partition])],
            coordinator_epoch=max(0, producer.coordinator_epoch),
        )
        answer = await self._ask(WriteTxnMarkersRequest(markers=[marker]), Leader(topic, partition))
        rows = [
            outcome(p.error_code, None, "WriteTxnMarkers", f"{t.name}-{p.partition_index}")
            for m in answer.markers
            for t in m.topics
            for p in t.partitions
        ]
        failures_as_one("WriteTxnMarkers", [row for row in rows if row is not None])

    async def fence(self, transactional_id: str) -> tuple[int, int]:
        """End what a producer has open and let it write no more; (producer id, new epoch)."""
        request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=1)
        answer = await self._ask(request, Coordinator(TRANSACTION, transactional_id))
        return answer.producer_id, answer.producer_epoch


def _transaction(row: Any, node: int) -> Transaction:
    partitions = tuple((t.topic, n) for t in row.topics for n in t.partitions)
    start = row.transaction_start_time_ms if row.transaction_start_time_ms >= 0 else None
    return Transaction(
        row.transactional_id, row.transaction_state, row.producer_id, row.producer_epoch, row.transaction_timeout_ms,
        start, partitions, node,
    )  # fmt: skip


def _producers(part: Any) -> Producers:
    return tuple(
        ProducerState(
            p.producer_id, p.producer_epoch, p.last_sequence, p.last_timestamp, p.coordinator_epoch,
            p.current_txn_start_offset if p.current_txn_start_offset >= 0 else None,
        )
        for p in part.active_producers
    )  # fmt: skip
