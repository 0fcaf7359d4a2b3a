"""GetTelemetrySubscriptions (key 71): which of its metrics a client should push, and how often (KIP-714)."""

from __future__ import annotations

from ...protocol.apis.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...protocol.schema import ZERO_UUID
from ...records.compression import Compression
from ..client_telemetry import new_instance_id
from ..dispatch import Context, handler

#: In the order in which clients should choose.
ACCEPTED = [Compression.ZSTD, Compression.LZ4, Compression.GZIP, Compression.SNAPPY]


@handler(GetTelemetrySubscriptionsRequest)
def get_telemetry_subscriptions(
    context: Context, request: GetTelemetrySubscriptionsRequest
) -> GetTelemetrySubscriptionsResponse:
    """Tell a client its subscription, and its id if it has none yet."""
    telemetry = context.broker.client_telemetry
    instance_id = bytes(request.client_instance_id)
    if instance_id == ZERO_UUID:
        instance_id = new_instance_id()
    try:
        instance = telemetry.get(context, instance_id)
    except KafkaError as error:
        return GetTelemetrySubscriptionsResponse(error_code=error.code)
    return GetTelemetrySubscriptionsResponse(
        error_code=ErrorCode.NONE,
        client_instance_id=instance_id,
        subscription_id=instance.subscription_id,
        accepted_compression_types=[int(codec) for codec in ACCEPTED],
        push_interval_ms=instance.interval_ms,
        telemetry_max_bytes=telemetry.size_max,
        delta_temporality=True,
        requested_metrics=list(instance.metrics),
    )
