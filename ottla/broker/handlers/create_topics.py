"""CreateTopics (key 19): the controller decides, topic by topic."""

from __future__ import annotations

from ...controller.topics import create_topics as decide
from ...protocol.apis.create_topics import CreateTopicsRequest, CreateTopicsResponse
from ..chance import RANDOM
from ..dispatch import Context, handler
from ..throttling import taking_from

#: From this version a client understands THROTTLING_QUOTA_EXCEEDED; older ones are only slowed down (KIP-599).
STRICT_QUOTA_VERSION = 6


@handler(CreateTopicsRequest)
async def create_topics(context: Context, request: CreateTopicsRequest) -> CreateTopicsResponse:
    """Create topics; each has its own result."""
    broker = context.broker
    taking = taking_from(context, STRICT_QUOTA_VERSION)
    return await broker.controller.submit(
        lambda image: decide(image, request, levels=broker.config.levels_in(image), random=RANDOM, take=taking())
    )
