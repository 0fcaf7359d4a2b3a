"""ListConfigResources (key 74, KIP-1142): the names of what has configs."""

from __future__ import annotations

from ...metadata.image import ResourceType
from ...protocol.apis.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler

#: In the order of Kafka's answer. Version 0 knows client metrics only.
TYPES = (
    ResourceType.GROUP,
    ResourceType.CLIENT_METRICS,
    ResourceType.BROKER_LOGGER,
    ResourceType.BROKER,
    ResourceType.TOPIC,
)


@handler(ListConfigResourcesRequest)
def list_config_resources(context: Context, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse:
    """List resources: groups and client metrics that have configs, every broker and every topic."""
    known = (ResourceType.CLIENT_METRICS,) if context.version == 0 else TYPES
    wanted = set(request.resource_types) or set(known)
    if not wanted <= set(known):
        return ListConfigResourcesResponse(
            throttle_time_ms=0, error_code=ErrorCode.UNSUPPORTED_VERSION, config_resources=[]
        )
    resources = [
        ConfigResource(resource_name=name, resource_type=kind)
        for kind in known
        if kind in wanted
        for name in _names(context, kind)
    ]
    return ListConfigResourcesResponse(throttle_time_ms=0, error_code=ErrorCode.NONE, config_resources=resources)


def _names(context: Context, kind: int) -> list[str]:
    image = context.broker.image
    if kind == ResourceType.TOPIC:
        return list(image.topics.names())
    if kind in (ResourceType.BROKER, ResourceType.BROKER_LOGGER):
        return [str(node_id) for node_id in image.brokers]
    return image.configs.resources(kind)
