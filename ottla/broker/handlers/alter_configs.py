"""AlterConfigs (key 33): replace all configs of resources. Kept for old clients; new ones change single configs."""

from __future__ import annotations

from ...controller.configs import alter_configs as decide
from ...protocol.apis.alter_configs import AlterConfigsRequest, AlterConfigsResponse
from ..dispatch import Context, handler


@handler(AlterConfigsRequest)
async def alter_configs(context: Context, request: AlterConfigsRequest) -> AlterConfigsResponse:
    """Replace configs; each resource has its own result."""
    broker = context.broker
    return await broker.controller.submit(
        lambda image: decide(
            image, request, levels=broker.config.levels_in(image), node_id=broker.node_id, probe=broker.probe
        )
    )
