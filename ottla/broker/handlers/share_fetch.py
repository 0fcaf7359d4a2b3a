"""ShareFetch (key 78): hand records of this broker's partitions to a member of a share group (KIP-932).

A request may bring acknowledgements along; they are taken before anything is read. The response waits for both: for the
acknowledgements to be kept, and for records (broker/share/fetch.py). The session epoch says which partitions are meant:
0 begins a session, -1 ends it and reads nothing. v2 has the acquire mode (KIP-1206) and the renewal of locks (KIP-1222); a
request that renews reads nothing either.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ...coordinator.share_partition import Wanted
from ...protocol.apis.share_fetch import (
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
    ShareFetchableTopicResponse,
    ShareFetchRequest,
    ShareFetchResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...security.acl import READ, TOPIC
from ..dispatch import Context, handler
from ..guards.asking import Asking, asking_of
from ..purgatory import Deferred, settled
from ..share.acknowledgements import Acknowledging, is_valid_member_id, share_groups_enabled
from ..share.fetch import NO_RECORDS, FetchLimits, Results, ShareFetching, failed_partition, rotated
from ..share.sessions import FINAL_EPOCH, INITIAL_EPOCH, PartitionId, ShareSession

RECORD_LIMIT = 1
_LEADER_ELSEWHERE = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)


@handler(ShareFetchRequest)
async def share_fetch(context: Context, request: ShareFetchRequest) -> ShareFetchResponse:
    """Take acknowledgements, fetch, and answer both."""
    try:
        session = _begin(context, request)
    except KafkaError as error:
        if error.code == ErrorCode.SHARE_SESSION_LIMIT_REACHED:
            await _pause(context, max(request.max_wait_ms, 0) / 1000)  # Kafka's way of slowing it down
        return ShareFetchResponse(error_code=error.code)
    shares = context.broker.share_partitions
    assert request.group_id is not None
    assert request.member_id is not None
    acknowledging = None
    if _has_acknowledgements(request):
        acknowledging = Acknowledging(
            context, request.group_id, request.member_id, request.topics, request.is_renew_ack
        )
    pending = None if acknowledging is None else asyncio.ensure_future(acknowledging.run())
    results: Results = {}
    final = request.share_session_epoch == FINAL_EPOCH
    if not final and not request.is_renew_ack:
        results = await _fetch(context, request, session)
    response = _respond(context, request, session, results)
    meter: Any = context.meter
    if meter is not None and results:
        # What was handed out is sent whatever the quota says: held back, it would be locked for nobody.
        response.throttle_time_ms, _ = meter.fetched(list(results.values()))
    if pending is not None:
        _add_acknowledged(response, await pending)
    if final:
        shares.close_session(session)
    return response


def _begin(context: Context, request: ShareFetchRequest) -> ShareSession:
    """Check the request and find or open its session."""
    if not share_groups_enabled(context.broker):
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    group_id, member_id = request.group_id, request.member_id
    if group_id is None or member_id is None:
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR)  # what becomes of Kafka's null pointer
    if not is_valid_member_id(member_id):
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    wants = (request.max_bytes, request.min_bytes, request.max_records, request.max_wait_ms)
    if request.is_renew_ack and any(wants):
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    sessions = context.broker.share_partitions.sessions
    topics = context.broker.image.topics
    named = [
        (PartitionId(topic.topic_id, partition.partition_index), topics.by_id(topic.topic_id) is not None)
        for topic in request.topics
        for partition in topic.partitions
    ]
    if request.share_session_epoch == FINAL_EPOCH:
        return sessions.find(group_id, member_id)
    if request.share_session_epoch == INITIAL_EPOCH:
        if _has_acknowledgements(request):
            raise KafkaError(ErrorCode.INVALID_REQUEST)
        return sessions.open(group_id, member_id, context.connection, named)
    session = sessions.take(group_id, member_id, request.share_session_epoch)
    sessions.add(session, named)
    for gone in request.forgotten_topics_data:
        for index in gone.partitions:
            session.partitions.pop(PartitionId(gone.topic_id, index), None)
    return session


def _has_acknowledgements(request: ShareFetchRequest) -> bool:
    return any(partition.acknowledgement_batches for topic in request.topics for partition in topic.partitions)


async def _fetch(context: Context, request: ShareFetchRequest, session: ShareSession) -> Results:
    broker = context.broker
    failed: Results = {}
    found: list[PartitionId] = []
    asking = asking_of(context, "ShareFetch")
    for cached in session.partitions.values():
        topic = broker.image.topics.by_id(cached.id.topic_id)
        if topic is not None and asking is not None and not asking.may(READ, TOPIC, topic.name):
            failed[cached.id] = _without_message(cached.id, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        elif topic is not None and 0 <= cached.id.partition_index < len(topic.partitions):
            found.append(cached.id)
        elif cached.known or request.share_session_epoch == INITIAL_EPOCH:
            failed[cached.id] = _without_message(cached.id, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        else:
            failed[cached.id] = _without_message(cached.id, ErrorCode.UNKNOWN_TOPIC_ID)
    results: Results = {}
    if found:
        most = min(request.max_bytes, broker.fetch_bytes_max)
        if context.meter is not None:
            most = context.meter.most_fetched(most)
        limits = FetchLimits(request.max_wait_ms, min(request.min_bytes, most), most)
        wanted = Wanted(
            session.member_id, request.max_records, request.batch_size, request.share_acquire_mode == RECORD_LIMIT
        )
        partitions = rotated(found, request.share_session_epoch)
        fetching = ShareFetching(
            broker.share_partitions, session.group_id, partitions, wanted, limits, context.connection,
            lambda: _refused(context, asking, found),
        )  # fmt: skip
        results = await _unless_closed(context, fetching.start())
    return {**results, **failed}


def _refused(context: Context, asked: Asking | None, partitions: list[PartitionId]) -> list[PartitionId]:
    """Say what may not be read any more of that which was allowed when `asked`: rules change while a fetch waits."""
    asking = asking_of(context, "ShareFetch")
    if asking is None or (asked is not None and asked.holds(asking)):
        return []
    names = {id_: context.broker.image.topics.by_id(id_.topic_id) for id_ in partitions}
    return [id_ for id_, topic in names.items() if topic is not None and not asking.may(READ, TOPIC, topic.name)]


async def _unless_closed(context: Context, results: Results | Deferred) -> Results:
    """Wait for a fetch, but not for one whose connection has ended: that will never be answered."""
    if not isinstance(results, Deferred):
        return results
    waiting = results

    def give_up() -> None:
        waiting.resolve({})

    on_close = context.connection.on_close
    on_close.add(give_up)
    try:
        found: Results = await settled(waiting)
    finally:
        on_close.discard(give_up)
    return found


async def _pause(context: Context, seconds: float) -> None:
    """Let time pass, but not for a connection that has ended."""
    waiting = Deferred()
    timer = asyncio.get_running_loop().call_later(seconds, waiting.resolve, {})
    try:
        await _unless_closed(context, waiting)
    finally:
        timer.cancel()


def _without_message(partition: PartitionId, code: ErrorCode) -> PartitionData:
    item = failed_partition(partition, KafkaError(code))
    item.error_message = None
    return item


def _respond(
    context: Context, request: ShareFetchRequest, session: ShareSession, results: Results
) -> ShareFetchResponse:  # fmt: skip
    """Group the partitions by topic; after a session's first answer, those with news."""
    broker = context.broker
    lock_ms = broker.share_partitions.settings_of(session.group_id).partition.record_lock_duration_ms
    response = ShareFetchResponse(acquisition_lock_timeout_ms=lock_ms)
    for partition, item in results.items():
        cached = session.partitions.get(partition)
        if request.share_session_epoch != INITIAL_EPOCH and cached is not None:
            if not cached.is_news(bool(item.records), bool(item.error_code)):
                continue
            if item.records:
                session.sent(partition)
        if item.error_code in _LEADER_ELSEWHERE:
            _add_leader(context, partition, item, response)
        _topic(response, partition.topic_id).partitions.append(item)
    return response


def _add_leader(
    context: Context, partition: PartitionId, item: PartitionData, response: ShareFetchResponse
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


def _topic(response: ShareFetchResponse, topic_id: bytes) -> ShareFetchableTopicResponse:
    for topic in response.responses:
        if topic.topic_id == topic_id:
            return topic
    topic = ShareFetchableTopicResponse(topic_id=topic_id)
    response.responses.append(topic)
    return topic


def _add_acknowledged(response: ShareFetchResponse, results: dict[PartitionId, KafkaError | None]) -> None:
    """Put what became of the acknowledgements beside what was fetched."""
    for partition, error in results.items():
        topic = _topic(response, partition.topic_id)
        item = next((item for item in topic.partitions if item.partition_index == partition.partition_index), None)
        if item is None:
            item = PartitionData(partition_index=partition.partition_index, records=NO_RECORDS)
            topic.partitions.append(item)
        if error is not None:
            item.acknowledge_error_code = error.code
            item.acknowledge_error_message = error.message or None
