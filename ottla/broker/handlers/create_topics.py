"""CreateTopics (key 19): the controller decides, topic by topic."""

from __future__ import annotations

from ...controller.topics import create_topics as decide
from ...protocol.apis.create_topics import CreateTopicsRequest, CreateTopicsResponse
from ..chance import RANDOM
from ..dispatch import Context, handler


@handler(CreateTopicsRequest)
async def create_topics(context: Context, request: CreateTopicsRequest) -> CreateTopicsResponse:
    """Create topics; each has its own result."""
    broker = context.broker
    return await broker.controller.submit(
        lambda image: decide(image, request, levels=broker.config.levels_in(image), random=RANDOM)
    )
