"""CreatePartitions (key 37): make topics wider."""

from __future__ import annotations

from ...controller.topics import create_partitions as decide
from ...protocol.apis.create_partitions import CreatePartitionsRequest, CreatePartitionsResponse
from ..chance import RANDOM
from ..dispatch import Context, handler


@handler(CreatePartitionsRequest)
async def create_partitions(context: Context, request: CreatePartitionsRequest) -> CreatePartitionsResponse:
    """Add partitions; each topic has its own result."""
    return await context.broker.controller.submit(lambda image: decide(image, request, random=RANDOM))
