"""Groups of all kinds: finding, describing, listing, deleting them, and the heartbeats that name topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ...protocol.apis import (
    consumer_group_describe,
    delete_groups,
    describe_groups,
    response_class,
    share_group_describe,
    streams_group_describe,
    streams_group_heartbeat,
)
from ...protocol.apis import find_coordinator as coordinators
from ...protocol.errors import ErrorCode
from ...security import acl
from ..operations import NOT_ASKED
from ..share.acknowledgements import is_valid_member_id, share_groups_enabled
from ..topic_names import is_internal
from .asking import TEXT, then
from .topics import REFUSED, TRANSACTION_REFUSED, is_name
from .whole import CLUSTER_FAILED, GROUP_FAILED, on_group

if TYPE_CHECKING:
    from ..dispatch import Context, Handler
    from .asking import Asking

_GROUP, _TRANSACTION, _SHARE = 0, 1, 2
_SHARE_SINCE = 6
_BATCHED_SINCE = 4


def coordinator(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DESCRIBE on the group or transactional id; CLUSTER_ACTION for the coordinator of a share partition."""
    batched = context.version >= _BATCHED_SINCE
    keys = request.coordinator_keys if batched else [request.key]
    if request.key_type == _SHARE and context.version >= _SHARE_SINCE:
        if not keys or asking.may_on_cluster(acl.CLUSTER_ACTION):
            return function(context, request)
        rows = [_nobody(key, CLUSTER_FAILED, TEXT[CLUSTER_FAILED]) for key in keys]
        return coordinators.FindCoordinatorResponse(coordinators=rows)
    if request.key_type == _GROUP:
        kind, code = acl.GROUP, GROUP_FAILED
    elif request.key_type == _TRANSACTION:
        kind, code = acl.TRANSACTIONAL_ID, TRANSACTION_REFUSED
    else:
        return function(context, request)
    allowed = {key for key in keys if asking.may(acl.DESCRIBE, kind, key)}
    if not batched:
        if allowed:
            return function(context, request)
        return coordinators.FindCoordinatorResponse(
            error_code=code, error_message=TEXT[code], node_id=-1, host="", port=-1
        )
    rows = [_nobody(key, code) for key in keys if key not in allowed]
    if not rows:
        return function(context, request)
    request.coordinator_keys = [key for key in keys if key in allowed]

    def add(answer: Any) -> Any:
        answer.coordinators += rows
        return answer

    return then(function(context, request), add)


def _nobody(key: str, code: ErrorCode, message: str = "") -> Any:
    return coordinators.Coordinator(key=key, node_id=-1, host="", port=-1, error_code=code, error_message=message)


def listing(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DESCRIBE on the cluster shows all groups, otherwise those that may be described."""
    if asking.may_on_cluster(acl.DESCRIBE, tell_refusal=False):
        return function(context, request)

    def show(answer: Any) -> Any:
        answer.groups = [
            group for group in answer.groups if asking.may(acl.DESCRIBE, acl.GROUP, group.group_id, tell_refusal=False)
        ]
        return answer

    return then(function(context, request), show)


def deletion(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DELETE on each group."""
    names = list(dict.fromkeys(request.groups_names))
    allowed = asking.which(acl.DELETE, acl.GROUP, names)
    rows = [
        delete_groups.DeletableGroupResult(group_id=name, error_code=GROUP_FAILED)
        for name in names
        if name not in allowed
    ]
    if not rows:
        return function(context, request)
    request.groups_names = [name for name in request.groups_names if name in allowed]

    def add(answer: Any) -> Any:
        answer.results += rows
        return answer

    return then(function(context, request), add)


# ── describing ──────────────────────────────────────────────────────────────────────────────────────────────────


def _describing(
    groups_at: str,
    row: Any,
    topics_of: Callable[[Any], Iterable[str]] | None,
    sentence: str,
    is_enabled: Callable[[Context], bool],
) -> Any:
    """DESCRIBE on each group; one that uses a topic which may not be described is not shown."""

    def guard(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
        if not is_enabled(context):
            return function(context, request)
        names = getattr(request, groups_at)
        allowed = {name for name in names if asking.may(acl.DESCRIBE, acl.GROUP, name)}
        rows = [row(group_id=name, error_code=GROUP_FAILED) for name in names if name not in allowed]
        setattr(request, groups_at, [name for name in names if name in allowed])

        def finish(answer: Any) -> Any:
            for group in answer.groups:
                if group.authorized_operations != NOT_ASKED:
                    group.authorized_operations = asking.operations(acl.GROUP, group.group_id)
            if topics_of is not None:
                used = {topic for group in answer.groups for topic in topics_of(group)}
                hidden = used - asking.which(acl.DESCRIBE, acl.TOPIC, used)
                answer.groups = [
                    row(group_id=group.group_id, error_code=REFUSED, error_message=sentence)
                    if not hidden.isdisjoint(topics_of(group))
                    else group
                    for group in answer.groups
                ]
            answer.groups += rows
            return answer

        return then(function(context, request), finish)

    return guard


def _consumers_topics(group: Any) -> Iterator[str]:
    for member in group.members:
        yield from (each.topic_name for each in member.assignment.topic_partitions)
        yield from (each.topic_name for each in member.target_assignment.topic_partitions)


def _shares_topics(group: Any) -> Iterator[str]:
    for member in group.members:
        yield from (each.topic_name for each in member.assignment.topic_partitions)


def _streams_topics(group: Any) -> Iterator[str]:
    if group.topology is not None:
        for each in group.topology.subtopologies or ():
            yield from topics_of_subtopology(each)


def topics_of_subtopology(each: Any) -> Iterator[str]:
    """Iterate over the names of all topics of a part of a topology."""
    yield from each.source_topics
    yield from each.repartition_sink_topics
    yield from (info.name for info in each.repartition_source_topics)
    yield from (info.name for info in each.state_changelog_topics)


def _always(context: Context) -> bool:
    return True


def _consumers_enabled(context: Context) -> bool:
    return context.broker.groups.consumer_enabled


def _streams_enabled(context: Context) -> bool:
    return context.broker.groups.streams_enabled


def _shares_enabled(context: Context) -> bool:
    return share_groups_enabled(context.broker)


_HIDDEN = "The group has described topic(s) that the client is not authorized to describe."
_HIDDEN_STREAMS = "The described group uses topics that the client is not authorized to describe."
describe_classic = _describing("groups", describe_groups.DescribedGroup, None, "", _always)
describe_consumers = _describing(
    "group_ids", consumer_group_describe.DescribedGroup, _consumers_topics, _HIDDEN, _consumers_enabled
)
describe_shares = _describing(
    "group_ids", share_group_describe.DescribedGroup, _shares_topics, _HIDDEN, _shares_enabled
)
describe_streams = _describing(
    "group_ids", streams_group_describe.DescribedGroup, _streams_topics, _HIDDEN_STREAMS, _streams_enabled
)


# ── heartbeats ──────────────────────────────────────────────────────────────────────────────────────────────────


def _subscribing(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    names = set(request.subscribed_topic_names or ())
    if len(asking.which(acl.DESCRIBE, acl.TOPIC, names)) < len(names):
        response: Any = response_class(request.API_KEY)()
        response.error_code = REFUSED
        return response
    return function(context, request)


def consumer_heartbeat(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """READ on the group, DESCRIBE on each topic that is subscribed to by its name."""
    if not _consumers_enabled(context):
        return function(context, request)

    def go_on(context: Context, request: Any) -> Any:
        return _subscribing(asking, context, request, function)

    return on_group(acl.READ)(asking, context, request, go_on)


def streams_heartbeat(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """READ on the group, DESCRIBE on each topic of the topology; what is to be made is asked for when it is."""
    if not _streams_enabled(context):
        return function(context, request)

    def go_on(context: Context, request: Any) -> Any:
        parts = () if request.topology is None else request.topology.subtopologies
        names = {name for part in parts for name in topics_of_subtopology(part)}
        # A name that cannot be one, or is internal, fails before anybody asks whether it may be described.
        if all(map(is_name, names)) and not any(map(is_internal, names)):
            allowed = asking.which(acl.DESCRIBE, acl.TOPIC, names)
            if len(allowed) < len(names):
                return streams_group_heartbeat.StreamsGroupHeartbeatResponse(error_code=REFUSED)
        return function(context, request)

    return on_group(acl.READ)(asking, context, request, go_on)


def streams_topics_refused(asking: Asking, names: Iterable[str]) -> list[str]:
    """Return those of the topics a streams group needs that this client may not have made."""
    if asking.may_on_cluster(acl.CREATE, tell_refusal=False):
        return []
    allowed = asking.which(acl.CREATE, acl.TOPIC, names)
    return [name for name in names if name not in allowed]


def share_heartbeat(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """READ on the group, DESCRIBE on each topic that is subscribed to."""
    if not _shares_enabled(context):
        return function(context, request)

    def go_on(context: Context, request: Any) -> Any:
        if not is_valid_member_id(request.member_id):
            return function(context, request)
        return _subscribing(asking, context, request, function)

    return on_group(acl.READ)(asking, context, request, go_on)
