"""PushTelemetry (key 72): a client's metrics, in the encoding of OpenTelemetry (KIP-714)."""

from __future__ import annotations

from ...protocol.apis.push_telemetry import PushTelemetryRequest, PushTelemetryResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(PushTelemetryRequest)
def push_telemetry(context: Context, request: PushTelemetryRequest) -> PushTelemetryResponse:
    """Keep what a client measured."""
    try:
        context.broker.client_telemetry.push(context, request)
    except KafkaError as error:
        return PushTelemetryResponse(error_code=error.code)
    return PushTelemetryResponse(error_code=ErrorCode.NONE)
