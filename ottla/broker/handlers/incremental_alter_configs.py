"""IncrementalAlterConfigs (key 44, KIP-339): set, delete, append to and subtract from single configs.

Log levels (BROKER_LOGGER, KIP-412) are this process' own affair and are changed here; everything else is decided by the
controller. Answers come in the order of the request.
"""

from __future__ import annotations

from ...controller.configs import incremental_alter_configs as decide
from ...metadata.image import ResourceType
from ...protocol.apis.incremental_alter_configs import (
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..loggers import change_levels, check_changes, check_node


@handler(IncrementalAlterConfigsRequest)
async def incremental_alter_configs(
    context: Context, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse:
    """Change configs; each resource has its own result."""
    broker = context.broker
    names = [(resource.resource_type, resource.resource_name) for resource in request.resources]
    # A resource that is named twice is refused by the controller, whatever its type.
    loggers = [r for r, n in zip(request.resources, names, strict=True) if _is_logger(r) and names.count(n) == 1]
    rest = [resource for resource in request.resources if resource not in loggers]
    response = IncrementalAlterConfigsResponse(throttle_time_ms=0, responses=[])
    if rest:
        durable = IncrementalAlterConfigsRequest(resources=rest, validate_only=request.validate_only)
        response = await broker.controller.submit(
            lambda image: decide(
                image, durable, levels=broker.config.levels_in(image), node_id=broker.node_id, probe=broker.probe
            )
        )
    if loggers:
        response.responses += [_alter_loggers(broker.node_id, each, request.validate_only) for each in loggers]
        response.responses.sort(key=lambda row: names.index((row.resource_type, row.resource_name)))
    return response


def _is_logger(resource: AlterConfigsResource) -> bool:
    return resource.resource_type == ResourceType.BROKER_LOGGER


def _alter_loggers(node_id: int, resource: AlterConfigsResource, validate_only: bool) -> AlterConfigsResourceResponse:
    result = AlterConfigsResourceResponse(
        error_code=ErrorCode.NONE,
        error_message=None,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
    )
    try:
        check_node(resource.resource_name, node_id)
        check_changes(resource.configs)
        if not validate_only:
            change_levels(resource.configs)
    except KafkaError as error:
        result.error_code, result.error_message = error.code, error.message
    return result
