"""StreamsGroupHeartbeat (key 88): join, stay in and leave a group of Kafka Streams (KIP-1071).

The topics of a topology must have legal names and may not be the broker's own. Internal topics that are missing are
created beside the answer; why that failed stands in the status MISSING_INTERNAL_TOPICS of the heartbeats that follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...controller.names import check_name
from ...coordinator.groups.streams.configured import StatusCode
from ...coordinator.groups.streams.heartbeat import HeartbeatResult
from ...coordinator.groups.streams.requests import validate_request
from ...protocol.apis.streams_group_heartbeat import (
    Status,
    StreamsGroupHeartbeatRequest,
    StreamsGroupHeartbeatResponse,
    Topology,
)
from ...protocol.errors import ErrorCode, KafkaError, clipped
from ..coordinators.service import mapped
from ..dispatch import Context, handler
from ..guards.asking import asking_of
from ..guards.groups import streams_topics_refused
from ..topic_names import is_internal

#: How many failures of topic creation a status names.
_FAILURES_NAMED_MAX = 3
#: For how many heartbeats a failure is remembered.
_FAILURE_HEARTBEATS = 2


@handler(StreamsGroupHeartbeatRequest)
def streams_group_heartbeat(context: Context, request: StreamsGroupHeartbeatRequest) -> Any:
    """Answer a heartbeat."""

    def complete(result: HeartbeatResult | KafkaError) -> StreamsGroupHeartbeatResponse:
        if isinstance(result, KafkaError):
            return _refused(result)
        if result.to_create:
            _create_topics(context, result)
        for status in result.response.status or ():
            status.status_detail = clipped(status.status_detail)
        return result.response

    try:
        if not context.broker.groups.streams_enabled:
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
        if request.topology is not None:
            _check_topics(request.topology)
        validate_request(request)
        return mapped(context.broker.groups.streams_heartbeat(context, request), complete)
    except KafkaError as error:
        return _refused(error)


def _refused(error: KafkaError) -> StreamsGroupHeartbeatResponse:
    # Kafka tells nothing beside the code where the code says it all.
    silent = error.code is ErrorCode.UNKNOWN_SERVER_ERROR or error.message == error.code.message
    return StreamsGroupHeartbeatResponse(
        error_code=error.code, error_message=None if silent else error.message, status=[]
    )


def _check_topics(topology: Topology) -> None:
    names = list(dict.fromkeys(_topics_of(topology)))
    internal = [name for name in names if is_internal(name)]
    if internal:
        why = f"Use of Kafka internal topics {','.join(internal)} in a Kafka Streams topology is prohibited."
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, why)
    invalid = [name for name in names if not _is_valid(name)]
    if invalid:
        why = f"Topic names {','.join(invalid)} are not valid topic names."
        raise KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, why)


def _topics_of(topology: Topology) -> Iterator[str]:
    for each in topology.subtopologies:
        yield from each.source_topics
        yield from each.repartition_sink_topics
        yield from (info.name for info in each.repartition_source_topics)
        yield from (info.name for info in each.state_changelog_topics)


def _is_valid(name: str) -> bool:
    try:
        check_name(name)
    except KafkaError:
        return False
    return True


def _create_topics(context: Context, result: HeartbeatResult) -> None:
    asking = asking_of(context, "StreamsGroupHeartbeat")
    refused = [] if asking is None else streams_topics_refused(asking, result.to_create)
    if refused:
        _tell_refused(result, ", ".join(refused))
        return
    streams_topics = context.broker.groups.streams_topics
    streams_topics.create(result.to_create, result.response.heartbeat_interval_ms * _FAILURE_HEARTBEATS)
    failures = streams_topics.failures(result.to_create)
    if not failures:
        return
    named = ", ".join(f"{name} ({why})" for name, why in list(failures.items())[:_FAILURES_NAMED_MAX])
    more = len(failures) - _FAILURES_NAMED_MAX
    detail = f"{named} and {more} more" if more > 0 else named
    for status in result.response.status or ():
        if status.status_code == StatusCode.MISSING_INTERNAL_TOPICS:
            status.status_detail += f"; Creation failed: {detail}."


def _tell_refused(result: HeartbeatResult, names: str) -> None:
    """Say which topics are not made because this client may not have them made."""
    why = f"Unauthorized to CREATE on topics {names}."
    for status in result.response.status or ():
        if status.status_code == StatusCode.MISSING_INTERNAL_TOPICS:
            status.status_detail += f"; {why}"
            return
    missing = Status(status_code=StatusCode.MISSING_INTERNAL_TOPICS, status_detail=why)
    result.response.status = [*(result.response.status or ()), missing]
