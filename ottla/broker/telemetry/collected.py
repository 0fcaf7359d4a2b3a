"""What clients pushed: for each client its last gauges, and its counters summed up.

Clients are asked for deltas, so that none is lost when they go to another broker; a reader like Prometheus wants totals,
so deltas are added up here. A client that is silent for three of its intervals is forgotten, with its totals.

Bounds: `CLIENTS_MAX` clients, `SERIES_PER_CLIENT_MAX` numbers each and `SERIES_MAX` in all. What is beyond is not kept and is
counted in `dropped`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from .otlp import Labels, Point

CLIENTS_MAX = 5_000
SERIES_PER_CLIENT_MAX = 2_000
SERIES_MAX = 200_000


class ClientSample(NamedTuple):
    """One number to show. `name` is the client's, with dots; `labels` say which client and what of it."""

    name: str
    counter: bool
    labels: Labels
    value: float
    description: str


class _Series:
    __slots__ = ("counter", "description", "value")

    def __init__(self, counter: bool, description: str) -> None:
        self.counter = counter
        self.description = description
        self.value = 0.0


class _Client:
    __slots__ = ("deadline_ms", "labels", "series")

    def __init__(self) -> None:
        self.labels: Labels = ()
        self.deadline_ms = 0.0
        self.series: dict[tuple[str, Labels], _Series] = {}


class CollectedMetrics:
    """The numbers of all clients."""

    def __init__(self) -> None:
        self._clients: OrderedDict[bytes, _Client] = OrderedDict()
        self._series = 0
        #: Pushes that were taken, and numbers that there was no room for.
        self.pushes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._clients)

    def add(
        self,
        instance_id: bytes,
        attributes: Mapping[str, str | None],
        points: Iterable[Point],
        *,
        deadline_ms: float,
        now_ms: float,
    ) -> None:
        """Take over a push; the client is forgotten after `deadline_ms`."""
        self._expire(now_ms)
        client = self._clients.get(instance_id)
        if client is None:
            client = self._clients[instance_id] = _Client()
            if len(self._clients) > CLIENTS_MAX:
                self._remove(next(iter(self._clients)))
        self._clients.move_to_end(instance_id)
        client.labels = tuple((name, value) for name, value in attributes.items() if value)
        client.deadline_ms = deadline_ms
        self.pushes += 1
        for point in points:
            key = (point.name, point.labels)
            series = client.series.get(key)
            if series is None:
                if len(client.series) >= SERIES_PER_CLIENT_MAX or self._series >= SERIES_MAX:
                    self.dropped += 1
                    continue
                series = client.series[key] = _Series(point.counter, point.description)
                self._series += 1
            series.value = series.value + point.value if point.delta else point.value

    def _expire(self, now_ms: float) -> None:
        for instance_id in [key for key, client in self._clients.items() if client.deadline_ms < now_ms]:
            self._remove(instance_id)

    def _remove(self, instance_id: bytes) -> None:
        self._series -= len(self._clients.pop(instance_id).series)

    def samples(self, now_ms: float) -> Iterator[ClientSample]:
        """Iterate over all numbers, client by client."""
        self._expire(now_ms)
        for client in self._clients.values():
            for (name, labels), series in client.series.items():
                yield ClientSample(name, series.counter, client.labels + labels, series.value, series.description)
