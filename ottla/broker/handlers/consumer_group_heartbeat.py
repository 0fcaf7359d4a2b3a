"""ConsumerGroupHeartbeat (key 68): join, stay in, change and leave a consumer group (KIP-848).

v1 has subscriptions by pattern and member ids made by the members (KIP-1082). The assignment is computed here, by the
assignors `uniform` and `range`.
"""

from __future__ import annotations

from typing import Any

from ...protocol.apis.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..coordinators.service import mapped
from ..dispatch import Context, handler


@handler(ConsumerGroupHeartbeatRequest)
def consumer_group_heartbeat(context: Context, request: ConsumerGroupHeartbeatRequest) -> Any:
    """Answer a heartbeat."""
    groups = context.broker.groups
    try:
        if not groups.consumer_enabled:
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
        result = groups.consumer_heartbeat(context, request)
    except KafkaError as error:
        return _complete(error)
    return result if isinstance(result, ConsumerGroupHeartbeatResponse) else mapped(result, _complete)


def _complete(result: ConsumerGroupHeartbeatResponse | KafkaError) -> ConsumerGroupHeartbeatResponse:
    if isinstance(result, ConsumerGroupHeartbeatResponse):
        return result
    # Kafka tells nothing beside the code where the code says it all.
    told = None if result.message == result.code.message else result.message
    return ConsumerGroupHeartbeatResponse(error_code=result.code, error_message=told)
