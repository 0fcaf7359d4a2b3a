"""SyncGroup (key 14): the leader brings the assignments of a generation, every member fetches its own.

Followers wait for the leader, the leader for the assignment to be stored. v3 has static members (KIP-345), v5 checks
protocol type and name, which must both be there (KIP-559).
"""

from __future__ import annotations

from ...protocol.apis.sync_group import SyncGroupRequest
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..purgatory import Deferred

_PROTOCOL_SINCE = 5


@handler(SyncGroupRequest)
def sync_group(context: Context, request: SyncGroupRequest) -> Deferred:
    """Hand out assignments."""
    if context.version >= _PROTOCOL_SINCE and None in (request.protocol_type, request.protocol_name):
        raise KafkaError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    return context.broker.groups.sync(request)
