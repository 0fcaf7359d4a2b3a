"""Small counters that the client's busy places fill and that a push of telemetry empties: one addition per request.

A `Window` knows the average and the largest of what was added since it was last taken, which is what Kafka's metrics that end in
`.avg` and `.max` say of the time between two pushes.
"""

from __future__ import annotations

from collections.abc import Callable


class Window:
    """Average, largest and total of some times."""

    __slots__ = ("count", "largest", "sum", "total")

    def __init__(self) -> None:
        self.count = 0
        self.sum = self.largest = self.total = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.sum += value
        if value > self.largest:
            self.largest = value

    def take(self) -> tuple[float, float] | None:
        """(average, largest) since the last time; None where there was nothing."""
        if not self.count:
            return None
        found = self.sum / self.count, self.largest
        self.total += self.sum
        self.count, self.sum, self.largest = 0, 0.0, 0.0
        return found

    @property
    def everything(self) -> float:
        """The sum of all that was ever added."""
        return self.total + self.sum


class ConnectionStatistics:
    """Of all connections that one client makes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.created = 0
        self._last = (0, clock())
        self._clock = clock
        #: Broker id -> seconds from a request to its answer.
        self.latency: dict[int, Window] = {}

    def connected(self, node_id: int) -> Window:
        """Count a connection; the window is for the times of its requests."""
        self.created += 1
        return self.latency.setdefault(node_id, Window())

    def rate(self) -> float:
        """Connections made per second since the last call."""
        created, when = self._last
        self._last = (self.created, self._clock())
        passed_s = self._last[1] - when
        return (self.created - created) / passed_s if passed_s > 0 else 0.0
