"""Heartbeat (key 12): a member says that it lives, and hears whether it must join again.

While the groups are being loaded the answer is "all is well", as in Kafka: a member should not rejoin because its
coordinator restarted. v3 has static members (KIP-345).
"""

from __future__ import annotations

from typing import Any

from ...protocol.apis.heartbeat import HeartbeatRequest, HeartbeatResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(HeartbeatRequest)
def heartbeat(context: Context, request: HeartbeatRequest) -> Any:
    """Prolong a member's session."""
    try:
        return context.broker.groups.heartbeat(request)
    except KafkaError as error:
        if error.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
            return HeartbeatResponse(error_code=ErrorCode.NONE)
        raise
