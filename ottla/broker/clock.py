"""Time, as the broker sees it: one object handed in, so that tests and the simulator can bring their own.

Wall time (`now_ms`) goes into records and retention; waiting and deadlines use the event loop's own clock, which
a virtual loop replaces as a whole.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the broker asks for the time."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as Kafka stamps records."""
        ...


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000
