"""JoinGroup (key 11): become a member of a classic group, or stay one through a rebalance.

The answer comes when the group has collected its members. v1 has a rebalance timeout of its own, v4 hands out a
member id first (MEMBER_ID_REQUIRED, KIP-394), v5 has static members (KIP-345), v7 the protocol type, v8 a reason,
v9 lets a returning leader skip the assignment (KIP-814).
"""

from __future__ import annotations

from ...protocol.apis.join_group import JoinGroupRequest, JoinGroupResponse
from ...protocol.errors import KafkaError
from ..coordinators.service import mapped
from ..dispatch import Context, handler
from ..purgatory import Deferred

#: From this version "no protocol" is null; before, it is the empty string.
_NULL_PROTOCOL_SINCE = 7


@handler(JoinGroupRequest)
def join_group(context: Context, request: JoinGroupRequest) -> JoinGroupResponse | Deferred:
    """Join."""
    no_protocol = None if context.version >= _NULL_PROTOCOL_SINCE else ""

    def complete(result: JoinGroupResponse) -> JoinGroupResponse:
        result.protocol_name = result.protocol_name or no_protocol
        return result

    try:
        return mapped(context.broker.groups.join(context, request), complete)
    except KafkaError as error:
        return complete(JoinGroupResponse(error_code=error.code))
