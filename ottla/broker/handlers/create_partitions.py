"""CreatePartitions (key 37): make topics wider."""

from __future__ import annotations

from ...controller.topics import create_partitions as decide
from ...protocol.apis.create_partitions import CreatePartitionsRequest, CreatePartitionsResponse
from ..chance import RANDOM
from ..dispatch import Context, handler
from ..throttling import taking_from

#: From this version a client understands THROTTLING_QUOTA_EXCEEDED; older ones are only slowed down (KIP-599).
STRICT_QUOTA_VERSION = 3


@handler(CreatePartitionsRequest)
async def create_partitions(context: Context, request: CreatePartitionsRequest) -> CreatePartitionsResponse:
    """Add partitions; each topic has its own result."""
    taking = taking_from(context, STRICT_QUOTA_VERSION)
    return await context.broker.controller.submit(lambda image: decide(image, request, random=RANDOM, take=taking()))
