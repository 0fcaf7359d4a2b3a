"""FindCoordinator (key 10): which broker coordinates a group or a transactional id, or keeps a share partition's state.

It is the leader of the partition that the key hashes to, of `__consumer_offsets` (group id), `__transaction_state`
(transactional id) or `__share_group_state` (`group:topic id:partition`); the topic is made when it is first asked for.
Kafka answers COORDINATOR_NOT_AVAILABLE while it makes it, here the client waits for the moment it takes. v1 has key types
(0 group, 1 transaction, 2 share), v4 several keys, v6 the share type. An unknown type and a share partition that is not
written as one are INVALID_REQUEST.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...protocol.apis.find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse
from ...protocol.errors import ErrorCode
from ..coordinators.service import CoordinatorService
from ..coordinators.share_state import coordinator_key, parse_coordinator_key
from ..dispatch import Context, handler

GROUP, TRANSACTION, SHARE = 0, 1, 2
_BATCHED_SINCE = 4
_SHARE_SINCE = 6


class _Found(NamedTuple):
    """The coordinator of one key, or why there is none: Kafka's "no node" then."""

    error: ErrorCode
    node_id: int = -1
    host: str = ""
    port: int = -1
    #: Said from v4 on; before, every answer carries the text of its error.
    message: str | None = ""


@handler(FindCoordinatorRequest)
async def find_coordinator(context: Context, request: FindCoordinatorRequest) -> FindCoordinatorResponse:
    """Find coordinators."""
    if context.version < _BATCHED_SINCE:
        found = await _find(context, request.key_type, request.key)
        return FindCoordinatorResponse(
            error_code=found.error, error_message=_message(found.error), node_id=found.node_id, host=found.host,
            port=found.port,
        )  # fmt: skip
    coordinators = []
    for key in request.coordinator_keys:
        found = await _find(context, request.key_type, key)
        coordinators.append(
            Coordinator(
                key=key,
                node_id=found.node_id,
                host=found.host,
                port=found.port,
                error_code=found.error,
                error_message=found.message,
            )
        )
    return FindCoordinatorResponse(coordinators=coordinators)


def _message(error: ErrorCode) -> str:
    return "NONE" if error is ErrorCode.NONE else error.message


async def _find(context: Context, key_type: int, key: str) -> _Found:
    if key_type not in (GROUP, TRANSACTION, SHARE):
        return _Found(ErrorCode.INVALID_REQUEST, message=ErrorCode.INVALID_REQUEST.message)
    if key_type == SHARE and context.version < _SHARE_SINCE:
        return _Found(ErrorCode.INVALID_REQUEST)
    broker = context.broker
    service: CoordinatorService[Any] = broker.transactions if key_type == TRANSACTION else broker.groups
    if key_type == SHARE:
        service = broker.share_state
        share_partition = parse_coordinator_key(key)
        if share_partition is None:
            return _Found(ErrorCode.INVALID_REQUEST)
        key = coordinator_key(share_partition)
    error = await service.ensure_topic()
    topic = broker.image.topics.get(service.TOPIC)
    if error or topic is None:
        return _Found(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    leader = topic.partitions[service.partition_of(key)].leader
    endpoint = broker.endpoint_of(leader, context.connection.listener_name)
    if endpoint is None:
        return _Found(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    return _Found(ErrorCode.NONE, leader, endpoint.host, endpoint.port)
