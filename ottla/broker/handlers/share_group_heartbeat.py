"""ShareGroupHeartbeat (key 76): join, stay in and leave a share group (KIP-932)."""

from __future__ import annotations

from typing import Any

from ...protocol.apis.share_group_heartbeat import ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..coordinators.service import mapped
from ..dispatch import Context, handler

#: Clients make ids of 22 characters (a UUID in base64) or 36.
MEMBER_ID_LENGTH_MAX = 36


@handler(ShareGroupHeartbeatRequest)
def share_group_heartbeat(context: Context, request: ShareGroupHeartbeatRequest) -> Any:
    """Answer a heartbeat."""

    def complete(result: ShareGroupHeartbeatResponse | KafkaError) -> ShareGroupHeartbeatResponse:
        return _refused(result) if isinstance(result, KafkaError) else result

    groups = context.broker.share_groups
    try:
        groups.check_enabled()
        if not 1 <= len(request.member_id) <= MEMBER_ID_LENGTH_MAX:
            return ShareGroupHeartbeatResponse(error_code=ErrorCode.INVALID_REQUEST)
        return mapped(groups.heartbeat(context, request), complete)
    except KafkaError as error:
        return _refused(error)


def _refused(error: KafkaError) -> ShareGroupHeartbeatResponse:
    return ShareGroupHeartbeatResponse(error_code=error.code, error_message=error.message)
