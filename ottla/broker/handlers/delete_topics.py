"""DeleteTopics (key 20): by name, from version 6 also by id."""

from __future__ import annotations

from ...controller.topics import delete_topics as decide
from ...protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse
from ..dispatch import Context, handler
from ..throttling import taking_from

#: From this version a client understands THROTTLING_QUOTA_EXCEEDED; older ones are only slowed down (KIP-599).
STRICT_QUOTA_VERSION = 5


@handler(DeleteTopicsRequest)
async def delete_topics(context: Context, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
    """Delete topics; each has its own result."""
    levels_in = context.broker.config.levels_in
    taking = taking_from(context, STRICT_QUOTA_VERSION)
    return await context.broker.controller.submit(
        lambda image: decide(image, request, version=context.version, levels=levels_in(image), take=taking())
    )
