"""Counters of a producer, read from `producer.metrics`, and the hooks that a program may give it.

Hooks are called on the loop, per batch and not per record; what they raise is logged and changes nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from ..telemetry.windows import Window

if TYPE_CHECKING:
    from ..errors import ClientError
    from .batch import Batch

log = logging.getLogger("ottla.client.producer")


class ProducerHooks(Protocol):
    """What a program may want to see; a class need not have all of it."""

    def on_delivered(self, topic: str, partition: int, records: int, base_offset: int, seconds: float) -> None:
        """A batch was acknowledged, so long after its first record came."""

    def on_failed(self, topic: str, partition: int, records: int, error: ClientError) -> None:
        """A batch was given up."""

    def on_request(self, records: int, size_bytes: int) -> None:
        """A Produce request was sent."""


class ProducerMetrics:
    """Counts since the producer was made."""

    __slots__ = (
        "_hooks",
        "_queue_ms",
        "_throttle_ms",
        "batches",
        "bytes_sent",
        "latency_max_s",
        "latency_total_s",
        "records_delivered",
        "records_failed",
        "request_total_s",
        "requests",
        "responses",
        "retries",
        "splits",
    )  # fmt: skip

    def __init__(self, hooks: Any = None) -> None:
        self._hooks: tuple[Any, ...] = () if hooks is None else (hooks,)
        self.requests = self.responses = self.batches = self.bytes_sent = 0
        self.records_delivered = self.records_failed = self.retries = self.splits = 0
        self.request_total_s = self.latency_total_s = self.latency_max_s = 0.0
        self._queue_ms, self._throttle_ms = Window(), Window()

    def add_hooks(self, hooks: Any) -> None:
        """Have these called too."""
        self._hooks = (*self._hooks, hooks)

    def as_dict(self) -> dict[str, float]:
        """All counters by name. `latency_*` is from a batch's first record to its acknowledgement."""
        return {name: getattr(self, name) for name in self.__slots__ if not name.startswith("_")}

    @property
    def queue_ms(self) -> Window:
        """How long batches waited here, for telemetry."""
        return self._queue_ms

    @property
    def throttle_ms(self) -> Window:
        """How long brokers throttled Produce requests, for telemetry."""
        return self._throttle_ms

    def sent(self, batches: list[Batch], size: int, now: float) -> None:
        self.requests += 1
        self.batches += len(batches)
        self.bytes_sent += size
        for batch in batches:
            if batch.attempts == 1:
                self._queue_ms.add((now - batch.created) * 1000)
        if self._hooks:
            self._call("on_request", sum(batch.records for batch in batches), size)

    def answered(self, seconds: float, throttle_ms: int = 0) -> None:
        self.responses += 1
        self._throttle_ms.add(throttle_ms)
        self.request_total_s += seconds

    def delivered(self, batch: Batch, seconds: float) -> None:
        self.records_delivered += batch.records
        self.latency_total_s += seconds
        self.latency_max_s = max(self.latency_max_s, seconds)
        if self._hooks:
            self._call("on_delivered", batch.topic, batch.partition, batch.records, batch.base_offset, seconds)

    def failed(self, batch: Batch, error: ClientError) -> None:
        self.records_failed += batch.records
        if self._hooks:
            self._call("on_failed", batch.topic, batch.partition, batch.records, error)

    def _call(self, name: str, *arguments: Any) -> None:
        for hooks in self._hooks:
            hook = getattr(hooks, name, None)
            if hook is None:
                continue
            try:
                hook(*arguments)
            except Exception:
                log.exception("the hook %s failed", name)
