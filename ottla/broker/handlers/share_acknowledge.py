"""ShareAcknowledge (key 79): what became of the records that a member of a share group was handed (KIP-932).

Answered when it is kept. Epoch -1 ends the member's session here and releases what it still holds. v2 renews locks
(KIP-1222) and tells how long they last.
"""

from __future__ import annotations

from ...protocol.apis.share_acknowledge import (
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
    ShareAcknowledgeRequest,
    ShareAcknowledgeResponse,
    ShareAcknowledgeTopicResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..share.acknowledgements import Acknowledging, is_valid_member_id, share_groups_enabled
from ..share.sessions import FINAL_EPOCH, INITIAL_EPOCH, PartitionId, ShareSession

_LEADER_ELSEWHERE = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)


@handler(ShareAcknowledgeRequest)
async def share_acknowledge(context: Context, request: ShareAcknowledgeRequest) -> ShareAcknowledgeResponse:
    """Take the acknowledgements of each partition."""
    try:
        session = _session(context, request)
    except KafkaError as error:
        return ShareAcknowledgeResponse(error_code=error.code)
    shares = context.broker.share_partitions
    group_id, member_id = session.group_id, session.member_id
    results = await Acknowledging(context, group_id, member_id, request.topics, request.is_renew_ack).run()
    if request.share_session_epoch == FINAL_EPOCH:
        shares.close_session(session)
    lock_ms = shares.settings_of(group_id).partition.record_lock_duration_ms
    response = ShareAcknowledgeResponse(acquisition_lock_timeout_ms=lock_ms)
    topics: dict[bytes, ShareAcknowledgeTopicResponse] = {}
    for partition, problem in results.items():
        item = PartitionData(partition_index=partition.partition_index)
        if problem is not None:
            item.error_code = problem.code
            item.error_message = problem.message or None
            if problem.code in _LEADER_ELSEWHERE:
                _add_leader(context, partition, item, response)
        topic = topics.get(partition.topic_id)
        if topic is None:
            topic = topics[partition.topic_id] = ShareAcknowledgeTopicResponse(topic_id=partition.topic_id)
            response.responses.append(topic)
        topic.partitions.append(item)
    return response


def _session(context: Context, request: ShareAcknowledgeRequest) -> ShareSession:
    if not share_groups_enabled(context.broker):
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    group_id, member_id = request.group_id, request.member_id
    if group_id is None or member_id is None:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)  # what becomes of Kafka's null pointer
    if not is_valid_member_id(member_id):
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    if request.share_session_epoch == INITIAL_EPOCH:
        raise KafkaError(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
    sessions = context.broker.share_partitions.sessions
    if request.share_session_epoch == FINAL_EPOCH:
        return sessions.find(group_id, member_id)
    return sessions.take(group_id, member_id, request.share_session_epoch)


def _add_leader(
    context: Context, partition: PartitionId, item: PartitionData, response: ShareAcknowledgeResponse
) -> None:  # fmt: skip
    leader = context.broker.partitions.current_leader("", *partition)
    if leader is None:
        return
    item.current_leader = LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])
    endpoint = context.broker.endpoint_of(leader[0], context.connection.listener_name)
    if endpoint is not None and all(node.node_id != leader[0] for node in response.node_endpoints):
        response.node_endpoints.append(
            NodeEndpoint(node_id=leader[0], host=endpoint.host, port=endpoint.port, rack=endpoint.rack)
        )
