"""DeleteTopics (key 20): by name, from version 6 also by id."""

from __future__ import annotations

from ...controller.topics import delete_topics as decide
from ...protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from ..dispatch import Context, handler


@handler(DeleteTopicsRequest)
async def delete_topics(context: Context, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
    """Delete topics; each has its own result."""
    broker = context.broker
    return await broker.controller.submit(
        lambda image: decide(image, request, version=context.version, levels=broker.config.levels_in(image))
    )
