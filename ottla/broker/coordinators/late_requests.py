"""Requests of old producers that arrive late: after the producer has repeated them over a newer connection.

Up to version 1 of transactions, an EndTxn that was held up in the network looks like one for the transaction that is open
when it arrives: same producer id, same epoch. Apache Kafka then ends that transaction (KAFKA-17754; version 2 has an epoch
per transaction instead). But a producer sends one request at a time and gives a connection up before it repeats a request:

    connection 1   EndTxn ─────────── held up ───────────────────────────► late: refused
    connection 2        EndTxn again ► answered · AddPartitions of the next transaction …

So what comes over an older connection than the same request of the same producer came over last is late. It is refused
with NOT_COORDINATOR, which nobody hears; a client of a kind we have not met, that does use two connections by turns, would
look for its coordinator and ask again. APIs are kept apart, because some clients send them over connections of their own.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from ...protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from ..connection import Connection

#: Producers remembered per API; beyond it the one that was silent for longest is forgotten.
PRODUCERS_MAX = 100_000


class LateRequests:
    """Which connection each producer used last, by API."""

    __slots__ = ("_latest", "_next", "_numbers")

    def __init__(self) -> None:
        #: Connections in the order of their first request of this kind.
        self._numbers: dict[Connection, int] = {}
        self._next = 1
        #: (API key, producer id) -> number of the newest connection that sent it.
        self._latest: OrderedDict[tuple[int, int], int] = OrderedDict()

    def check(self, connection: Connection, api_key: int, producer_id: int) -> None:
        """Note a request; raises NOT_COORDINATOR if it is a late one."""
        number = self._numbers.get(connection) or self._meet(connection)
        key = (api_key, producer_id)
        if number < self._latest.get(key, 0):
            raise KafkaError(ErrorCode.NOT_COORDINATOR)
        self._latest[key] = number
        self._latest.move_to_end(key)
        if len(self._latest) > PRODUCERS_MAX:
            self._latest.popitem(last=False)

    def meet(self, connection: Connection) -> None:
        """Note a connection at its first request of a transactional producer, whichever that is."""
        if connection not in self._numbers:
            self._meet(connection)

    def _meet(self, connection: Connection) -> int:
        number = self._numbers[connection] = self._next
        self._next += 1
        connection.on_close.add(partial(self._forget, connection))
        return number

    def _forget(self, connection: Connection) -> None:
        del self._numbers[connection]
