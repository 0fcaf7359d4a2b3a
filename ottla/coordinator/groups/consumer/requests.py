"""What ConsumerGroupHeartbeat must look like, whatever the group; the answers to others are Kafka's."""

from __future__ import annotations

from ....protocol.apis.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from ....protocol.errors import ErrorCode, KafkaError

__all__ = ["JOIN_EPOCH", "LEAVE_EPOCH", "STATIC_LEAVE_EPOCH", "check_heartbeat"]

JOIN_EPOCH = 0
LEAVE_EPOCH = -1
#: A static member goes away for a while; its place and partitions stay.
STATIC_LEAVE_EPOCH = -2
#: From this version members choose their ids themselves (KIP-1082).
_OWN_MEMBER_ID_SINCE = 1


def check_heartbeat(request: ConsumerGroupHeartbeatRequest, api_version: int, assignors: tuple[str, ...]) -> None:
    """Raise INVALID_REQUEST or UNSUPPORTED_ASSIGNOR if the request can be for no group."""
    epoch = request.member_epoch
    if api_version >= _OWN_MEMBER_ID_SINCE or epoch > 0 or epoch == LEAVE_EPOCH:
        _refuse(not request.member_id.strip(), "MemberId can't be empty.")
    _refuse(not request.group_id.strip(), "GroupId can't be empty.")
    _refuse(request.instance_id is not None and not request.instance_id.strip(), "InstanceId can't be empty.")
    _refuse(request.rack_id is not None and not request.rack_id.strip(), "RackId can't be empty.")
    if epoch == JOIN_EPOCH:
        _refuse(request.rebalance_timeout_ms == -1, "RebalanceTimeoutMs must be provided in first request.")
        owned = request.topic_partitions
        _refuse(owned is None or bool(owned), "TopicPartitions must be empty when (re-)joining.")
        _refuse(
            request.subscribed_topic_names is None and request.subscribed_topic_regex is None,
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        )
    elif epoch == STATIC_LEAVE_EPOCH:
        _refuse(request.instance_id is None, "InstanceId can't be null.")
    else:
        _refuse(epoch < STATIC_LEAVE_EPOCH, "MemberEpoch is invalid.")
    if request.server_assignor is not None and request.server_assignor not in assignors:
        raise KafkaError(
            ErrorCode.UNSUPPORTED_ASSIGNOR,
            f"ServerAssignor {request.server_assignor} is not supported. Supported assignors: {', '.join(assignors)}.",
        )


def _refuse(wrong: bool, why: str) -> None:
    if wrong:
        raise KafkaError(ErrorCode.INVALID_REQUEST, why)
