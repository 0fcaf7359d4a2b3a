"""LeaveGroup (key 13): members go, or an administrator removes static ones by instance id.

v3 names several members, each with its own error (KIP-345); before, the one member's error is the answer's. v5 has
a reason (KIP-800).
"""

from __future__ import annotations

from typing import Any

from ...protocol.apis.leave_group import LeaveGroupRequest
from ..dispatch import Context, handler


@handler(LeaveGroupRequest)
def leave_group(context: Context, request: LeaveGroupRequest) -> Any:
    """Remove members from a group."""
    return context.broker.groups.leave(context, request)
