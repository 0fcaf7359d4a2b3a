"""Offsets of share groups. ShareFetch and ShareAcknowledge ask for themselves: what they are about stands in a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...protocol.apis import alter_share_group_offsets as altering
from ...protocol.apis import delete_share_group_offsets as deleting
from ...protocol.apis import describe_share_group_offsets as describing
from ...protocol.schema import ZERO_UUID
from ...security import acl
from ..share.acknowledgements import share_groups_enabled
from .asking import TEXT, then
from .topics import REFUSED, split
from .whole import GROUP_FAILED, on_group, refused_with_text

if TYPE_CHECKING:
    from ..dispatch import Context, Handler
    from .asking import Asking


def describe_offsets(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DESCRIBE on each group and topic; of all topics, those that may be described."""
    if not share_groups_enabled(context.broker):
        return function(context, request)
    passed, rows = [], []
    out: dict[str, list[Any]] = {}
    for group in request.groups:
        if not asking.may(acl.DESCRIBE, acl.GROUP, group.group_id):
            rows.append(
                describing.DescribeShareGroupOffsetsResponseGroup(group_id=group.group_id, error_code=GROUP_FAILED)
            )
            continue
        if group.topics:
            group.topics, topics = split(asking, acl.DESCRIBE, group.topics, lambda topic: topic.topic_name)
            out[group.group_id] = [_described(topic) for topic in topics]
        passed.append(group)
    request.groups = passed
    all_topics = {group.group_id for group in passed if group.topics is None}

    def finish(answer: Any) -> Any:
        for group in answer.groups:
            if group.group_id in all_topics:
                names = [topic.topic_name for topic in group.topics]
                allowed = asking.which(acl.DESCRIBE, acl.TOPIC, names)
                group.topics = [topic for topic in group.topics if topic.topic_name in allowed]
            elif not group.error_code:
                group.topics += out.get(group.group_id, ())
        answer.groups += rows
        return answer

    return then(function(context, request), finish)


def _described(topic: Any) -> Any:
    return describing.DescribeShareGroupOffsetsResponseTopic(
        topic_name=topic.topic_name,
        topic_id=ZERO_UUID,
        partitions=[
            describing.DescribeShareGroupOffsetsResponsePartition(
                partition_index=index, start_offset=-1, lag=-1, error_code=REFUSED, error_message=TEXT[REFUSED]
            )
            for index in topic.partitions
        ],
    )


def _each(operation: int, row: Any) -> Any:
    """Demand `operation` on the group and READ on each topic; `row` makes the answer about a refused one."""

    def guard(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
        if not share_groups_enabled(context.broker):
            return function(context, request)

        def go_on(context: Context, request: Any) -> Any:
            request.topics, out = split(asking, acl.READ, request.topics, lambda topic: topic.topic_name)
            if not out:
                return function(context, request)

            def add(answer: Any) -> Any:
                if not answer.error_code:
                    answer.responses += [row(context, topic) for topic in out]
                return answer

            return then(function(context, request), add)

        return on_group(operation, refused_with_text)(asking, context, request, go_on)

    return guard


def _altered(context: Context, topic: Any) -> Any:
    image = context.broker.image.topics.get(topic.topic_name)
    return altering.AlterShareGroupOffsetsResponseTopic(
        topic_name=topic.topic_name,
        topic_id=ZERO_UUID if image is None else image.id,
        partitions=[
            altering.AlterShareGroupOffsetsResponsePartition(
                partition_index=each.partition_index, error_code=REFUSED, error_message=TEXT[REFUSED]
            )
            for each in topic.partitions
        ],
    )


def _deleted(context: Context, topic: Any) -> Any:
    return deleting.DeleteShareGroupOffsetsResponseTopic(
        topic_name=topic.topic_name, topic_id=ZERO_UUID, error_code=REFUSED, error_message=TEXT[REFUSED]
    )


def session(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """READ on the group; the handler asks for READ on each topic of the session."""
    if not share_groups_enabled(context.broker):
        return function(context, request)
    return on_group(acl.READ)(asking, context, request, function)


alter_offsets = _each(acl.READ, _altered)
delete_offsets = _each(acl.DELETE, _deleted)
