"""The quotas of users and client ids: what clients did, held against what they may.

Four kinds: bytes produced and bytes fetched per second, share of the broker's time (100 is one whole processor), and
partitions created or deleted per second. `record` says how long the client has to wait, and that is all: the shell
(`broker/throttling`) puts it into the answer and leaves the connection alone for so long.

Rates are kept per sharing (`entities.Sharing`), the longest unused go first when there are `RATES_MAX`: a client that
takes a new client id for each request cannot fill the memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import NamedTuple

from ...protocol.errors import ErrorCode, KafkaError
from .entities import Entity, Limit, QuotaTable, Sharing
from .rates import SampledRate, TokenBucket, Windows

#: Rates kept in all. One is about 1 KB.
RATES_MAX = 10_000


class QuotaKind(IntEnum):
    """What is limited."""

    PRODUCE = 0
    FETCH = 1
    REQUEST = 2
    CONTROLLER_MUTATION = 3


#: The names of the quotas in AlterClientQuotas.
KEYS = {
    QuotaKind.PRODUCE: "producer_byte_rate",
    QuotaKind.FETCH: "consumer_byte_rate",
    QuotaKind.REQUEST: "request_percentage",
    QuotaKind.CONTROLLER_MUTATION: "controller_mutation_rate",
}


class Usage(NamedTuple):
    """What metrics tell of one rate: bytes per second, per cent of a processor, or partitions per second."""

    kind: QuotaKind
    user: str
    client_id: str
    rate: float
    bound: float
    throttle_ms: int


class _Measured:
    """What is known of those who share a quota."""

    __slots__ = ("bound", "bucket", "rate", "throttle_ms")

    def __init__(self, kind: QuotaKind, windows: Windows) -> None:
        self.rate = SampledRate(windows)
        self.bucket = TokenBucket(windows) if kind is QuotaKind.CONTROLLER_MUTATION else None
        self.bound = 0.0
        #: The wait that was last asked for.
        self.throttle_ms = 0


class ClientQuotas:
    """All quotas of users and client ids. `active` is false while none is set; then nothing needs to be recorded."""

    def __init__(self, windows: Windows, controller_windows: Windows) -> None:
        self._windows = windows
        self._controller_windows = controller_windows
        self._tables = dict.fromkeys(QuotaKind, QuotaTable("", {}))
        self._measured: OrderedDict[tuple[QuotaKind, Sharing], _Measured] = OrderedDict()
        self.active = False

    def update(self, quotas: Mapping[Entity, Mapping[str, float]]) -> None:
        """Take over the quotas of an image. What clients did so far stays counted."""
        self._tables = {kind: QuotaTable(key, quotas) for kind, key in KEYS.items()}
        self.active = any(self._tables.values())
        for kind, sharing in list(self._measured):
            if not self._tables[kind]:
                del self._measured[kind, sharing]

    def find(self, kind: QuotaKind, user: str, client_id: str) -> Limit | None:
        """Return the quota that holds for a client."""
        table = self._tables[kind]
        return table.find(user, client_id) if table else None

    def _measure(self, kind: QuotaKind, limit: Limit) -> _Measured:
        key = (kind, limit.sharing)
        measured = self._measured.get(key)
        if measured is None:
            windows = self._controller_windows if kind is QuotaKind.CONTROLLER_MUTATION else self._windows
            measured = self._measured[key] = _Measured(kind, windows)
            if len(self._measured) > RATES_MAX:
                self._measured.popitem(last=False)
        else:
            self._measured.move_to_end(key)
        measured.bound = limit.bound
        return measured

    def record(self, kind: QuotaKind, user: str, client_id: str, value: float, now_ms: float) -> int:
        """Count what a client did and return how many milliseconds it has to wait."""
        limit = self.find(kind, user, client_id)
        if limit is None:
            return 0
        measured = self._measure(kind, limit)
        measured.rate.record(value, now_ms)
        measured.throttle_ms = measured.rate.throttle_ms(limit.bound, now_ms)
        if kind is QuotaKind.REQUEST:  # who overdid it once is not kept waiting for longer than a sample, as with Kafka
            measured.throttle_ms = min(measured.throttle_ms, round(self._windows.window_ms))
        return measured.throttle_ms

    def unrecord(self, kind: QuotaKind, user: str, client_id: str, value: float, now_ms: float) -> None:
        """Take back what was recorded: the client does not get it now."""
        limit = self.find(kind, user, client_id)
        if limit is not None:
            self._measure(kind, limit).rate.record(-value, now_ms)

    def most_at_once(self, kind: QuotaKind, user: str, client_id: str) -> float | None:
        """Return the most that a client can get in one answer without exceeding its quota; None if there is none."""
        limit = self.find(kind, user, client_id)
        return None if limit is None else limit.bound * self._windows.lookback_ms / 1000

    def mutation(self, user: str, client_id: str, *, strict: bool) -> Mutation:
        """Begin a request that changes the cluster. `strict` ones are refused when the quota is used up."""
        limit = self.find(QuotaKind.CONTROLLER_MUTATION, user, client_id)
        measured = None if limit is None else self._measure(QuotaKind.CONTROLLER_MUTATION, limit)
        return Mutation(measured, strict)

    def usage(self, now_ms: float) -> Iterator[Usage]:
        """Iterate over all rates that are kept."""
        for (kind, (user, client_id)), measured in self._measured.items():
            yield Usage(kind, user, client_id, measured.rate.rate(now_ms), measured.bound, measured.throttle_ms)


class Mutation:
    """What one request takes from the quota of changes (KIP-599). Every topic of it is admitted or refused by itself."""

    __slots__ = ("_measured", "_strict", "_taken", "throttle_ms")

    def __init__(self, measured: _Measured | None, strict: bool) -> None:
        self._measured = measured
        self._strict = strict
        self._taken = 0.0
        self.throttle_ms = 0

    def take(self, partitions: int, now_ms: float) -> None:
        """Count changed partitions; raises THROTTLING_QUOTA_EXCEEDED if the quota is used up and the request strict."""
        measured = self._measured
        if measured is None:
            return
        assert measured.bucket is not None
        waiting = measured.bucket.throttle_ms(measured.bound, now_ms)
        if self._strict and waiting:
            self.throttle_ms = measured.throttle_ms = waiting
            raise KafkaError(ErrorCode.THROTTLING_QUOTA_EXCEEDED)
        measured.bucket.take(partitions, measured.bound, now_ms)
        measured.rate.record(partitions, now_ms)
        self._taken += partitions
        if not self._strict:
            self.throttle_ms = measured.throttle_ms = measured.bucket.throttle_ms(measured.bound, now_ms)

    def give_back(self, now_ms: float) -> None:
        """Forget what was taken: the request is decided again."""
        if self._measured is not None and self._taken:
            assert self._measured.bucket is not None
            self._measured.bucket.take(-self._taken, self._measured.bound, now_ms)
            self._measured.rate.record(-self._taken, now_ms)
        self._taken = 0.0
        self.throttle_ms = 0
