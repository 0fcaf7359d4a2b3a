"""What the broker counts about itself.

Counters are plain integers in slots, raised where the event happens and read by whoever shows them; there is no
registry on the hot path. Names follow Kafka's MBeans in snake_case.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..protocol.apis import API_KEYS


@dataclass(slots=True)
class Metrics:
    """The broker's counters since start."""

    connections_accepted: int = 0
    connections_open: int = 0
    #: Closed by us: too many, too slow, idle, or not speaking Kafka.
    connections_refused: int = 0
    #: Requests that could be read, by API key.
    requests_by_key: list[int] = field(default_factory=lambda: [0] * (max(API_KEYS) + 1))
    #: Bytes received from clients, and given to the system to send to them: frames with their sizes.
    bytes_in: int = 0
    bytes_out: int = 0
    #: Frames that were no request; their connection was closed.
    invalid_requests: int = 0
    #: Exceptions no handler foresaw: each is a bug, is logged with its traceback, and answers UNKNOWN_SERVER_ERROR.
    uncaught_exceptions: int = 0
    failed_partitions: int = 0

    @property
    def requests(self) -> int:
        """Requests of all APIs."""
        return sum(self.requests_by_key)
