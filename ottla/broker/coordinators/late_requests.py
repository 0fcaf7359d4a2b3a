"""Requests of old producers that arrive late: after the producer has given the connection up that they come over.

Up to version 1 of transactions, an EndTxn that was held up in the network looks like one for the transaction that is open
when it arrives: same producer id, same epoch. Apache Kafka then ends that transaction (KAFKA-17754; version 2 has an epoch
per transaction instead). But a producer sends one request at a time and gives a connection up before it repeats a request,
or goes on without it:

    connection 1   EndTxn ─────────── held up ───────────────────────────► late: refused
    connection 2        EndTxn again ► answered · AddPartitions of the next transaction …

So what comes over a connection that was accepted earlier than the newest of its role is late. A role is the APIs that a
producer was seen to send over one connection: all of them for the Java client; librdkafka sends Produce and
TxnOffsetCommit over one, the others over one to the coordinator. It is refused with NOT_COORDINATOR, which nobody hears; a
client of a kind we have not met, that does use two connections by turns, would look for its coordinator and ask again.

What cannot be told: the first request of its kind of a producer, held up over a connection that has carried nothing else.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from ...protocol.errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from ..connection import Connection

#: Producers remembered; beyond it the one that was silent for longest is forgotten.
PRODUCERS_MAX = 100_000
#: Connections remembered that a producer has given up. What is held up for longer than so many reconnects is unlikely.
GIVEN_UP_MAX = 4


class _Role:
    """APIs that one producer sends over the same connection, the newest of these connections, and those before it."""

    __slots__ = ("apis", "given_up", "newest")

    def __init__(self, api_key: int, number: int) -> None:
        self.apis = {api_key}
        self.newest = number
        self.given_up: deque[int] = deque(maxlen=GIVEN_UP_MAX)

    def move_to(self, number: int) -> None:
        if number != self.newest:
            self.given_up.append(self.newest)
            self.newest = number


class LateRequests:
    """Which connections each producer used last."""

    __slots__ = ("_producers",)

    def __init__(self) -> None:
        self._producers: OrderedDict[int, list[_Role]] = OrderedDict()

    def check(self, connection: Connection, api_key: int, producer_id: int) -> None:
        """Note a request; raises NOT_COORDINATOR if it is a late one."""
        if not self.note(connection, api_key, producer_id):
            raise KafkaError(ErrorCode.NOT_COORDINATOR)

    def note(self, connection: Connection, api_key: int, producer_id: int) -> bool:
        """Note a request, unless it is a late one: False."""
        roles = self._producers.get(producer_id)
        if roles is None:
            roles = self._producers[producer_id] = []
            if len(self._producers) > PRODUCERS_MAX:
                self._producers.popitem(last=False)
        number = connection.number
        mine = next((role for role in roles if api_key in role.apis), None)
        if mine is None:
            if any(number in role.given_up for role in roles):
                return False
            mine = _Role(api_key, number)
            roles.append(mine)
        elif number < mine.newest:
            return False
        mine.move_to(number)
        for other in roles:
            if other is not mine and other.newest == number:
                mine.apis |= other.apis
                mine.given_up.extend(other.given_up)
                roles.remove(other)
                break  # there is at most one: those before it were put together as well
        self._producers.move_to_end(producer_id)
        return True
