"""End-of-transaction markers: one control batch in every partition of a transaction, however long it takes.

    WriteMarkers ──► for each partition: its leader ──► here: append, wait until it is committed ──┐ all ──► done
                                                   └──► on another broker: WriteTxnMarkers         ┘
                          ▲                                                        │
                          └──────── 100 ms ──────── not led, still loading ────────┘

A partition whose topic was deleted needs no marker. One that is only out of reach is asked again for as long as the
coordinator that wants the marker is the coordinator; its successor, or the next start, begins anew from its log.

A partition of a coordinator's own topic is written through its `ShardHost`, which must learn of the end (offsets that
were committed in the transaction count from then on).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ...log.incoming import Origin
from ...protocol.errors import ErrorCode, KafkaError
from ...records.control import EndTransactionMarker, build_end_transaction_marker
from ..partition import ACKS_ALL

if TYPE_CHECKING:
    from ...coordinator.transactions.shard import WriteMarkers
    from ..server import Broker

log = logging.getLogger("ottla.broker.coordinators")

#: The pause before a partition that could not take its marker is asked again.
RETRY_S = 0.1
#: The partition knows of a later end of this producer's transactions, or of a newer coordinator: ours is not needed.
_SUPERSEDED = frozenset({ErrorCode.INVALID_PRODUCER_EPOCH, ErrorCode.TRANSACTION_COORDINATOR_FENCED})


class Marker(NamedTuple):
    """The end of one producer's transaction."""

    producer_id: int
    producer_epoch: int
    committed: bool
    coordinator_epoch: int
    transaction_version: int


def write_marker(
    broker: Broker, topic: str, index: int, marker: Marker, on_done: Callable[[ErrorCode], None]
) -> None:  # fmt: skip
    """Append a marker to a partition this broker leads; `on_done` is called once it is committed, or with why not."""
    now_ms = broker.clock.now_ms()
    data = build_end_transaction_marker(
        EndTransactionMarker(marker.committed, marker.coordinator_epoch),
        producer_id=marker.producer_id, producer_epoch=marker.producer_epoch, timestamp_ms=now_ms,
    )  # fmt: skip
    try:
        coordinator = broker.coordinator_of(topic)
        if coordinator is not None:
            broker.partitions.get(topic, index)  # raises where there is no such partition
            host = coordinator.hosted(index)
            host.write_marker(data, marker.producer_id, marker.committed, marker.transaction_version, on_done)
            return
        partition = broker.partitions.get(topic, index)
        result = partition.append_as_leader(data, ACKS_ALL, now_ms, Origin.COORDINATOR, marker.transaction_version)
    except KafkaError as error:
        on_done(error.code)
        return
    partition.when_committed(result.last_offset + 1, on_done)


class MarkerSender:
    """Brings the markers of ended transactions to all partitions."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def send(
        self, markers: WriteMarkers, coordinator_epoch: int, wanted: Callable[[], bool], on_all: Callable[[], None]
    ) -> None:
        """Call `on_all` when every partition has its marker; give up when it is not `wanted` any more."""
        marker = Marker(
            markers.producer_id, markers.producer_epoch, markers.committed, coordinator_epoch,
            markers.transaction_version,
        )  # fmt: skip
        _Sending(self._broker, marker, set(markers.partitions), wanted, on_all).go()


class _Sending:
    """The markers of one transaction on their way."""

    __slots__ = ("_broker", "_left", "_loop", "_marker", "_on_all", "_retry", "_to_send", "_wanted")

    def __init__(
        self, broker: Broker, marker: Marker, partitions: set[tuple[str, int]], wanted: Callable[[], bool],
        on_all: Callable[[], None],
    ) -> None:  # fmt: skip
        self._broker = broker
        self._loop = asyncio.get_running_loop()
        self._marker = marker
        self._left = len(partitions)
        self._to_send = partitions
        self._wanted = wanted
        self._on_all = on_all
        self._retry: asyncio.TimerHandle | None = None

    def go(self) -> None:
        """Send what is not sent, or what has to be sent again."""
        self._retry = None
        if not self._left:
            self._on_all()
            return
        if not self._wanted():
            return
        to_send, self._to_send = self._to_send, set()
        for topic, index in to_send:
            self._send(topic, index)

    def _send(self, topic: str, index: int) -> None:
        broker = self._broker
        image = broker.image.topics.get(topic)
        if image is None or index >= len(image.partitions):
            self._done(topic, index, ErrorCode.NONE)  # deleted: there is nothing that could be read
        elif image.partitions[index].leader != broker.node_id:
            # WriteTxnMarkers to the leader belongs here; until brokers speak to each other, its leadership is awaited.
            self._done(topic, index, ErrorCode.NOT_LEADER_OR_FOLLOWER)
        else:
            write_marker(broker, topic, index, self._marker, partial(self._done, topic, index))

    def _done(self, topic: str, index: int, error: ErrorCode) -> None:
        if error in _SUPERSEDED:
            log.warning(
                "%s-%d refuses the marker that ends a transaction of producer %d, epoch %d: %s",
                topic, index, self._marker.producer_id, self._marker.producer_epoch, error.name,
            )  # fmt: skip
        elif error:
            self._to_send.add((topic, index))
            if self._retry is None:
                self._retry = self._loop.call_later(RETRY_S, self.go)
            return
        self._left -= 1
        if not self._left:
            if self._retry is not None:
                self._retry.cancel()
            self._on_all()
