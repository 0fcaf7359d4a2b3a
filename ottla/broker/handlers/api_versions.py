"""ApiVersions (key 18): which APIs and versions this broker serves, and which features are finalised.

The first request of every modern client. An unknown version is answered in v0 with UNSUPPORTED_VERSION and our range,
so that the client can ask again (KIP-511). v3 carries the client's name and version, checked because they end up in
logs and metrics. Produce is advertised from version 0 although its first three versions are gone: librdkafka turns
compression off for a broker whose range starts above 0 (KAFKA-18659), and Kafka does the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...protocol.apis.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler

if TYPE_CHECKING:
    from ..server import Broker

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?\Z")
PRODUCE = 0
#: GetTelemetrySubscriptions and PushTelemetry: told to clients only while somebody wants their metrics, because a client that
#: is told asks, keeps a timer, and librdkafka writes a line to its log.
TELEMETRY = frozenset({71, 72})
#: Older clients fail at a feature whose lowest level is 0, so they are not told of it (KAFKA-17492).
FEATURES_FROM_0_VERSION = 4


@handler(ApiVersionsRequest)
def api_versions(context: Context, request: ApiVersionsRequest) -> ApiVersionsResponse:
    """Answer with the table of handlers."""
    if context.version >= 3 and not (
        _SOFTWARE.match(request.client_software_name) and _SOFTWARE.match(request.client_software_version)
    ):
        return ApiVersionsResponse(error_code=ErrorCode.INVALID_REQUEST)
    if context.version >= 3:
        context.connection.software = (request.client_software_name, request.client_software_version)
    broker = context.broker
    features = broker.image.features
    return ApiVersionsResponse(
        error_code=0,
        api_keys=[
            ApiVersion(
                api_key=entry.key,
                min_version=0 if entry.key == PRODUCE else entry.versions.low,
                max_version=entry.versions.high,
            )
            for entry in broker.dispatcher.entries.values()
            if entry.key not in TELEMETRY or broker.client_telemetry.is_wanted(broker.image)
        ],
        supported_features=[
            SupportedFeatureKey(name=name, min_version=low, max_version=high)
            for name, (low, high) in broker.supported_features.items()
            if low > 0 or context.version >= FEATURES_FROM_0_VERSION
        ],
        finalized_features_epoch=broker.image.version,
        finalized_features=[
            FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
            for name, level in features.items()
            if name in broker.supported_features
        ],
    )


def unsupported_version(broker: Broker) -> ApiVersionsResponse:
    """Make the v0 answer to a version of ApiVersions that we do not know."""
    entry = broker.dispatcher.entries[ApiVersionsRequest.API_KEY]
    return ApiVersionsResponse(
        error_code=ErrorCode.UNSUPPORTED_VERSION,
        api_keys=[ApiVersion(api_key=entry.key, min_version=entry.versions.low, max_version=entry.versions.high)],
    )
