"""What a client has to do next for KIP-714, decided from the broker's answers. Pure: time and chance come in.

    GET ──► told: these prefixes, this often ──► PUSH … PUSH ──► the last one says that it is
     ▲            nothing asked for: ask again after the interval
     └─────────── UNKNOWN_SUBSCRIPTION_ID, UNSUPPORTED_COMPRESSION_TYPE: at once

The first push comes after 0.5 to 1.5 intervals, so that clients that began together spread. What other errors mean is Java's:
too large or too early asks anew after an interval, what can never be right ends it. Counters of a refused push go with the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...protocol.errors import ErrorCode
from ..errors import error_code
from .otlp import Number

#: Where nobody has told of an interval yet.
INTERVAL_DEFAULT_MS = 300_000
GET, PUSH, OVER = "get", "push", "over"
FOREVER_MS = float("inf")
ALL_METRICS = "*"
NOBODY = bytes(16)
_NEVER_RIGHT = {ErrorCode.INVALID_REQUEST, ErrorCode.INVALID_RECORD, ErrorCode.UNSUPPORTED_VERSION}
_ASK_ANEW = {ErrorCode.UNKNOWN_SUBSCRIPTION_ID, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE}


class Session:
    """One client's. `step` is what comes next, at `at_ms`."""

    def __init__(self, now_ms: float) -> None:
        self.instance_id = NOBODY
        self.step = GET
        self.at_ms = now_ms
        self.subscription_id = 0
        self.interval_ms = 0
        self.prefixes: tuple[str, ...] = ()
        self.delta = True
        self.size_max = 0
        #: Codec of the next push: the first that the broker named and that was not refused.
        self.codec = 0
        self._refused_codecs: set[int] = set()
        #: Counter -> what the cluster has been told.
        self._told: dict[tuple[str, Any], float] = {}

    @property
    def is_wanted(self) -> bool:
        """Whether the cluster asks for anything."""
        return bool(self.prefixes)

    def subscribed(self, answer: Any, now_ms: float, chance: float) -> None:
        """The answer to GetTelemetrySubscriptions; `chance` is from 0 to 1."""
        if answer.error_code:
            self._failed(error_code(answer.error_code), now_ms)
            return
        if answer.client_instance_id != NOBODY:
            self.instance_id = answer.client_instance_id
        self.subscription_id = answer.subscription_id
        self.interval_ms = answer.push_interval_ms if answer.push_interval_ms > 0 else INTERVAL_DEFAULT_MS
        if self.delta != answer.delta_temporality:
            self._told = {}
        self.delta = answer.delta_temporality
        self.size_max = answer.telemetry_max_bytes
        self.prefixes = tuple(answer.requested_metrics)
        usable = [codec for codec in answer.accepted_compression_types if codec in range(5)]
        self.codec = next((codec for codec in usable if codec not in self._refused_codecs), 0)
        self.step = PUSH if self.prefixes else GET
        self.at_ms = now_ms + self.interval_ms * ((0.5 + chance) if self.prefixes else 1)

    def pushed(self, code: int, counters: Iterable[Number], now_ms: float) -> None:
        """The answer to a push of these counters, as `select` gave them."""
        if code:
            self._failed(error_code(code), now_ms)
            return
        for number in counters:
            key = (number.name, number.labels)
            self._told[key] = self._told.get(key, 0) + number.value if self.delta else number.value
        self.at_ms = now_ms + self.interval_ms

    def unanswered(self, now_ms: float) -> None:
        """No broker could be asked, or none answered."""
        self.at_ms = now_ms + (self.interval_ms or INTERVAL_DEFAULT_MS)

    def _failed(self, code: ErrorCode, now_ms: float) -> None:
        if code in _NEVER_RIGHT:
            self.step, self.at_ms = OVER, FOREVER_MS
            return
        if code in _ASK_ANEW:
            if code == ErrorCode.UNSUPPORTED_COMPRESSION_TYPE:
                self._refused_codecs.add(self.codec)
            self.step, self.at_ms = GET, now_ms
            return
        self.step = GET
        self.unanswered(now_ms)

    def wants(self, name: str) -> bool:
        """Whether a metric was asked for: by a prefix of its name, or because all are."""
        return any(prefix in (ALL_METRICS, "") or name.startswith(prefix) for prefix in self.prefixes)

    def select(self, numbers: Iterable[Number]) -> list[Number]:
        """What was asked for; counters as what came since the last push, where the cluster wants that."""
        found = []
        for number in numbers:
            if not self.wants(number.name):
                continue
            if number.counter and self.delta:
                number = number._replace(value=number.value - self._told.get((number.name, number.labels), 0))
            found.append(number)
        return found
