"""PushTelemetry (key 72): a client's metrics, in the encoding of OpenTelemetry (KIP-714).

Answered by any broker, after GetTelemetrySubscriptions told the client what to send.
"""

from ..schema import Request, Response, int8, int16, int32, uuid


class PushTelemetryRequest(Request, api_key=72, versions="0", flexible="0+"):
    client_instance_id: uuid
    subscription_id: int32
    terminating: bool
    compression_type: int8
    metrics: bytes


class PushTelemetryResponse(Response, api_key=72, versions="0", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
