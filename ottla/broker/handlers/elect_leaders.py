"""ElectLeaders (key 43): give partitions back to their preferred leader, or to any replica where none is in sync."""

from __future__ import annotations

from ...controller.elections import elect_leaders as decide
from ...protocol.apis.elect_leaders import ElectLeadersRequest, ElectLeadersResponse
from ..dispatch import Context, handler


@handler(ElectLeadersRequest)
async def elect_leaders(context: Context, request: ElectLeadersRequest) -> ElectLeadersResponse:
    """Elect leaders; each partition has its own result."""
    return await context.broker.controller.submit(lambda image: decide(image, request))
