"""Which clients are asked for which metrics: the subscriptions an administrator made, and the clients they meet.

A subscription is a config resource (type client-metrics) with metric name prefixes, a push interval and patterns that a
client must match. What several subscriptions ask of one client is joined: all prefixes, the shortest interval. A
subscription id stands for the outcome; when it changes, the client's next push is refused with UNKNOWN_SUBSCRIPTION_ID
and it asks anew.

    GetTelemetrySubscriptions ──► id, prefixes, interval        (not more often than the interval)
    PushTelemetry(id) ──────────► accepted, once per interval   … until one says it is the last

Checks are Kafka's, in its order (`ClientMetricsManager`).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from ...metadata.configs.client_metrics import CLIENT_METRICS
from ...metadata.image import ConfigsImage, ResourceType
from ...protocol.errors import ErrorCode, KafkaError
from ...records.batch import crc32c
from ...records.compression import Compression

#: Clients remembered, as many as with Kafka; the longest silent one goes first.
INSTANCES_MAX = 16_384
#: A client is forgotten after this time, or three push intervals if that is longer.
EXPIRY_MS = 60_000
ALL_METRICS = "*"
INTERVAL_DEFAULT_MS = 300_000
#: Ids that name no client.
RESERVED_IDS = (bytes(16), bytes(15) + b"\1")


class Subscription(NamedTuple):
    """One client-metrics resource."""

    metrics: tuple[str, ...]
    interval_ms: int
    patterns: tuple[tuple[str, re.Pattern[str]], ...]

    @classmethod
    def parse(cls, configs: Mapping[str, str]) -> Subscription:
        values = {
            name: definition.parse(configs.get(name, definition.default_string))
            for name, definition in CLIENT_METRICS.items()
        }
        metrics, interval, matches = values["metrics"], values["interval.ms"], values["match"]
        assert isinstance(metrics, list)
        assert isinstance(interval, int)
        assert isinstance(matches, list)
        pairs = (match.split("=", 1) for match in matches)
        patterns = tuple((name.strip(), re.compile(pattern.strip())) for name, pattern in pairs)
        return cls(tuple(metrics), interval, patterns)

    def matches(self, attributes: Mapping[str, str | None]) -> bool:
        """Tell whether a client has all that the patterns ask for."""
        return all(
            (value := attributes.get(name)) is not None and pattern.fullmatch(value) is not None
            for name, pattern in self.patterns
        )


class Instance:
    """One client, and what it was asked for."""

    __slots__ = (
        "attributes", "deadline_ms", "interval_ms", "last_error", "last_get_ms", "last_push_ms", "metrics",
        "subscription_id", "terminating", "version",
    )  # fmt: skip

    def __init__(self, attributes: Mapping[str, str | None]) -> None:
        self.attributes = attributes
        self.version = -1
        self.metrics: tuple[str, ...] = ()
        self.interval_ms = INTERVAL_DEFAULT_MS
        self.subscription_id = 0
        self.deadline_ms = 0.0
        self._begin()

    def _begin(self) -> None:
        self.last_get_ms = self.last_push_ms = float("-inf")
        self.last_error = ErrorCode.NONE
        self.terminating = False

    def subscribe(self, instance_id: bytes, subscriptions: Mapping[str, Subscription], version: int) -> None:
        """Take over what the subscriptions that match ask for."""
        matching = [each for each in subscriptions.values() if each.matches(self.attributes)]
        metrics = dict.fromkeys(name for each in matching for name in each.metrics)
        self.metrics = (ALL_METRICS,) if ALL_METRICS in metrics else tuple(metrics)
        self.interval_ms = min([INTERVAL_DEFAULT_MS, *(each.interval_ms for each in matching)])
        text = f"{sorted(self.metrics)}{self.interval_ms}".encode()
        number = crc32c(text) ^ int.from_bytes(instance_id[:4], "big")
        self.subscription_id = number - (1 << 32) if number >= 1 << 31 else number
        self.version = version
        self._begin()


class Subscriptions:
    """All subscriptions and the clients they were told to."""

    def __init__(self) -> None:
        self._configs: ConfigsImage | None = None
        self._by_name: dict[str, Subscription] = {}
        self._texts: dict[str, Mapping[str, str]] = {}
        self._version = 0
        #: By instance id, longest silent first.
        self._instances: OrderedDict[bytes, Instance] = OrderedDict()

    def __len__(self) -> int:
        return len(self._instances)

    @property
    def is_empty(self) -> bool:
        """Whether no metrics are asked of anybody."""
        return not self._by_name

    def update(self, configs: ConfigsImage) -> None:
        """Take over the subscriptions of an image."""
        if configs is self._configs:
            return
        self._configs = configs
        kind = ResourceType.CLIENT_METRICS
        texts = {name: configs.get(kind, name) for name in configs.resources(kind)}
        if texts != self._texts:
            self._texts = texts
            self._by_name = {name: Subscription.parse(text) for name, text in texts.items()}
            self._version += 1

    def _instance(self, instance_id: bytes, attributes: Mapping[str, str | None], now_ms: float) -> Instance:
        instances = self._instances
        while instances and next(iter(instances.values())).deadline_ms < now_ms:
            instances.popitem(last=False)
        instance = instances.get(instance_id)
        if instance is None:
            instance = instances[instance_id] = Instance(attributes)
            if len(instances) > INSTANCES_MAX:
                instances.popitem(last=False)
        else:
            instances.move_to_end(instance_id)
        if instance.version != self._version:
            instance.subscribe(instance_id, self._by_name, self._version)
        instance.deadline_ms = now_ms + max(EXPIRY_MS, 3 * instance.interval_ms)
        return instance

    def forget(self, instance_id: bytes) -> None:
        """The client is gone."""
        self._instances.pop(instance_id, None)

    def get(self, instance_id: bytes, attributes: Mapping[str, str | None], now_ms: float) -> Instance:
        """Return what a client is asked for; raises THROTTLING_QUOTA_EXCEEDED if it asks too often."""
        instance = self._instance(instance_id, attributes, now_ms)
        if now_ms - max(instance.last_get_ms, instance.last_push_ms) >= instance.interval_ms:
            instance.last_get_ms = now_ms
        elif instance.last_error not in (ErrorCode.UNKNOWN_SUBSCRIPTION_ID, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE):
            raise KafkaError(ErrorCode.THROTTLING_QUOTA_EXCEEDED)
        instance.last_error = ErrorCode.NONE
        return instance

    def push(self, instance_id: bytes, attributes: Mapping[str, str | None], pushed: Pushed, now_ms: float) -> Instance:
        """Check a push of a client; raises the error that it is answered with."""
        if instance_id in RESERVED_IDS:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        instance = self._instance(instance_id, attributes, now_ms)
        try:
            self._check(instance, pushed, now_ms)
        except KafkaError as error:
            instance.last_error = error.code
            raise
        finally:
            instance.terminating = pushed.terminating
        instance.last_error = ErrorCode.NONE
        return instance

    @staticmethod
    def _check(instance: Instance, pushed: Pushed, now_ms: float) -> None:
        if instance.terminating:
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        # The first push after a get may come earlier: clients spread theirs over the interval.
        if instance.last_get_ms > instance.last_push_ms or now_ms - instance.last_push_ms >= instance.interval_ms:
            instance.last_push_ms = now_ms
        elif not pushed.terminating:
            raise KafkaError(ErrorCode.THROTTLING_QUOTA_EXCEEDED)
        if pushed.subscription_id != instance.subscription_id:
            raise KafkaError(ErrorCode.UNKNOWN_SUBSCRIPTION_ID)
        if pushed.compression not in list(Compression):
            raise KafkaError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
        if pushed.size > pushed.size_max:
            raise KafkaError(ErrorCode.TELEMETRY_TOO_LARGE)


class Pushed(NamedTuple):
    """What is checked of a PushTelemetry request."""

    subscription_id: int
    terminating: bool
    compression: int
    size: int
    #: `telemetry.max.bytes`
    size_max: int
