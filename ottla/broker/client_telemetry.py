"""Client telemetry of one broker: subscriptions and what came, at the broker's clock (KIP-714).

Kafka serves these APIs only with a plug-in that takes the metrics; here they are kept and shown as the broker's own
metrics are: `samples()` is what the metrics endpoint reads.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..controller.topics import new_topic_id
from ..protocol.errors import ErrorCode, KafkaError
from ..records.compression import decompress
from .chance import RANDOM
from .telemetry.collected import ClientSample, CollectedMetrics
from .telemetry.otlp import read_points
from .telemetry.subscriptions import Instance, Pushed, Subscriptions

if TYPE_CHECKING:
    from ..metadata.image import MetadataImage
    from ..protocol.apis.push_telemetry import PushTelemetryRequest
    from .dispatch import Context

#: Decompressed, a push may be so many times `telemetry.max.bytes`: metrics compress well, bombs better.
EXPANSION_MAX = 16


class ClientTelemetry:
    """Everything about the metrics of clients."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.subscriptions = Subscriptions()
        self.collected = CollectedMetrics()

    @staticmethod
    def now_ms() -> float:
        return asyncio.get_running_loop().time() * 1000

    def samples(self) -> Iterator[ClientSample]:
        """Iterate over the metrics of all clients."""
        return self.collected.samples(self.now_ms())

    def is_wanted(self, image: MetadataImage) -> bool:
        """Tell whether there is any subscription."""
        self.subscriptions.update(image.configs)
        return not self.subscriptions.is_empty

    def get(self, context: Context, instance_id: bytes) -> Instance:
        """Return what a client is asked for."""
        self.subscriptions.update(context.broker.image.configs)
        context.connection.on_close.add(_Forget(self.subscriptions, instance_id))
        return self.subscriptions.get(instance_id, _attributes(context, instance_id), self.now_ms())

    def push(self, context: Context, request: PushTelemetryRequest) -> None:
        """Keep what a client pushed; raises the error it is answered with."""
        self.subscriptions.update(context.broker.image.configs)
        now_ms, instance_id = self.now_ms(), bytes(request.client_instance_id)
        pushed = Pushed(
            request.subscription_id, request.terminating, request.compression_type, len(request.metrics), self.size_max
        )
        instance = self.subscriptions.push(instance_id, _attributes(context, instance_id), pushed, now_ms)
        if not request.metrics:
            return
        try:
            data = decompress(request.compression_type, request.metrics, EXPANSION_MAX * self.size_max)
            points = list(read_points(data))
        except KafkaError as error:
            instance.last_error = ErrorCode.INVALID_RECORD
            raise KafkaError(ErrorCode.INVALID_RECORD) from error
        self.collected.add(instance_id, instance.attributes, points, deadline_ms=instance.deadline_ms, now_ms=now_ms)


class _Forget:
    """What a connection calls when it ends. Equal for one client, so that a connection holds one of it."""

    __slots__ = ("_instance_id", "_subscriptions")

    def __init__(self, subscriptions: Subscriptions, instance_id: bytes) -> None:
        self._subscriptions = subscriptions
        self._instance_id = instance_id

    def __call__(self) -> None:
        self._subscriptions.forget(self._instance_id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Forget) and other._instance_id == self._instance_id

    def __hash__(self) -> int:
        return hash(self._instance_id)


def _attributes(context: Context, instance_id: bytes) -> dict[str, str | None]:
    """What patterns of a subscription are held against (`ClientMetricsConfigs`)."""
    connection = context.connection
    name, version = connection.software or (None, None)
    text = uuid_text(instance_id)
    return {
        "client_instance_id": text,
        "client_id": context.client_id,
        "client_software_name": name,
        "client_software_version": version,
        "client_source_address": connection.peer_host,
        "client_source_port": str(connection.peer_port),
    }


def uuid_text(raw: bytes) -> str:
    """Write an id as Kafka does: URL-safe base 64 without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def new_instance_id() -> bytes:
    """Make an id for a client that has none."""
    return new_topic_id(RANDOM)
