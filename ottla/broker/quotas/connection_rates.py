"""How many connections a second are admitted: by address (KIP-612), by listener and by the whole broker.

Kafka's acceptor thread waits when a broker or listener is too fast, and it holds and then closes a connection of an
address that is. Here nobody needs to wait for another, so every connection beyond a quota is held, unread, until it is
due; only one that would be due after more than the time the rate looks back on is refused: held for one sample, then
closed, so that a client that comes again at once gains nothing.

Each rate has a queue of its own, as if an acceptor stood before it: a connection is counted when the one before it is
through, and is through when that makes the rate small enough.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from .entities import IP, Entity
from .rates import SampledRate, Windows

CONNECTION_CREATION_RATE = "connection_creation_rate"
#: Addresses whose rate is remembered.
ADDRESSES_MAX = 10_000
#: Stands for the whole broker among the listeners.
_BROKER = ""


class Admission(NamedTuple):
    """Hold the connection for so long, then serve or close it."""

    hold_ms: int = 0
    refused: bool = False


ADMITTED = Admission()


class _Queue:
    """One rate, and when the last connection will be through."""

    __slots__ = ("free_ms", "rate")

    def __init__(self, windows: Windows) -> None:
        self.rate = SampledRate(windows)
        self.free_ms = 0.0


class ConnectionRates:
    """The rates of connections. `active` is false while there is no quota of any kind."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._by_address: dict[str | None, float] = {}
        self._by_listener: dict[str, float] = {}
        self._queues: OrderedDict[tuple[bool, str], _Queue] = OrderedDict()
        self.active = False

    def update_addresses(self, quotas: Mapping[Entity, Mapping[str, float]], resolved: Mapping[str, str]) -> None:
        """Take over the quotas of addresses; `resolved` tells the address of entities that are host names."""
        self._by_address = {}
        for entity, values in quotas.items():
            ((kind, name), *_) = entity
            if kind == IP and CONNECTION_CREATION_RATE in values:
                address = None if name is None else resolved.get(name, name)
                self._by_address[address] = values[CONNECTION_CREATION_RATE]
        self._check_active()

    def update_listeners(self, broker: int | None, listeners: Mapping[str, int]) -> None:
        """Take over `max.connection.creation.rate` of the broker and of its listeners; None and absent are unlimited."""
        self._by_listener = dict(listeners) if broker is None else {_BROKER: broker, **listeners}
        self._check_active()

    def _check_active(self) -> None:
        self.active = bool(self._by_address or self._by_listener)

    def admit(self, listener: str, address: str, now_ms: float) -> Admission:
        """Count a new connection, and say when it is due."""
        lookback_ms = self._windows.lookback_ms
        counted: list[tuple[_Queue, float, float]] = []
        through_ms = now_ms
        by_address = self._by_address.get(address, self._by_address.get(None))
        for bound, key in (
            (self._by_listener.get(_BROKER), (False, _BROKER)),
            (self._by_listener.get(listener), (False, listener)),
            (by_address, (True, address)),
        ):
            if bound is None:
                continue
            queue = self._queue(key)
            at_ms = max(now_ms, queue.free_ms)
            queue.rate.record(1, at_ms)
            # As with Kafka nobody waits for longer than a sample; and a rate of 0 is allowed: nobody is ever through.
            wait_ms = (
                min(queue.rate.throttle_ms(bound, at_ms), self._windows.window_ms) if bound > 0 else 2 * lookback_ms
            )
            counted.append((queue, at_ms, at_ms + wait_ms))
            through_ms = max(through_ms, at_ms + wait_ms)
        refused = through_ms - now_ms > lookback_ms
        for queue, at_ms, free_ms in counted:
            if refused:
                queue.rate.record(-1, at_ms)
            else:
                queue.free_ms = free_ms
        return Admission(round(self._windows.window_ms if refused else through_ms - now_ms), refused)

    def _queue(self, key: tuple[bool, str]) -> _Queue:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(self._windows)
            if len(self._queues) > ADDRESSES_MAX:
                self._queues.popitem(last=False)
        else:
            self._queues.move_to_end(key)
        return queue
