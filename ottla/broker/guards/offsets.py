"""Committed offsets: the group is asked for, and each topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...protocol.apis import offset_commit, offset_delete, offset_fetch, txn_offset_commit
from ...protocol.errors import ErrorCode
from ...protocol.schema import ZERO_UUID
from ...security import acl
from .asking import TEXT, then
from .topics import REFUSED, TRANSACTION_REFUSED, named_topic, split
from .whole import GROUP_FAILED, refused

if TYPE_CHECKING:
    from ..dispatch import Context, Handler
    from .asking import Asking

_COMMIT_IDS_SINCE = 10
_FETCH_IDS_SINCE = 10
_GROUPS_SINCE = 8
_ERROR_OF_ITS_OWN_SINCE = 2


def commit(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """READ on the group and on each topic."""
    if not asking.may(acl.READ, acl.GROUP, request.group_id):
        return offset_commit.OffsetCommitResponse(topics=[_commit_row(each, GROUP_FAILED) for each in request.topics])
    by_id = context.version >= _COMMIT_IDS_SINCE
    passed, out = split(
        asking, acl.READ, request.topics, lambda topic: _name_by_id(context, topic) if by_id else topic.name
    )
    return _without(
        context,
        request,
        function,
        passed,
        [_commit_row(each, REFUSED) for each in out],
        offset_commit.OffsetCommitResponse,
    )


def _name_by_id(context: Context, topic: Any) -> str | None:
    return None if topic.topic_id == ZERO_UUID else named_topic(context, topic.name, topic.topic_id)


def _commit_row(topic: Any, code: ErrorCode) -> Any:
    return offset_commit.OffsetCommitResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            offset_commit.OffsetCommitResponsePartition(partition_index=each.partition_index, error_code=code)
            for each in topic.partitions
        ],
    )


def _without(
    context: Context, request: Any, function: Handler, passed: list[Any], rows: list[Any], response: Any
) -> Any:  # fmt: skip
    """Let the handler answer for the topics that passed, if there are any, and add the rows of the others."""
    if not rows:
        return function(context, request)
    if not passed:
        return response(topics=rows)
    request.topics = passed

    def add(answer: Any) -> Any:
        answer.topics += rows
        return answer

    return then(function(context, request), add)


def commit_in_transaction(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """WRITE on the transactional id, READ on the group and on each topic."""
    code = None
    if not asking.may(acl.WRITE, acl.TRANSACTIONAL_ID, request.transactional_id):
        code = TRANSACTION_REFUSED
    elif not asking.may(acl.READ, acl.GROUP, request.group_id):
        code = GROUP_FAILED
    response = txn_offset_commit.TxnOffsetCommitResponse
    if code is not None:
        return response(topics=[_transactional_row(each, code) for each in request.topics])
    passed, out = split(asking, acl.READ, request.topics, lambda topic: topic.name)
    return _without(context, request, function, passed, [_transactional_row(each, REFUSED) for each in out], response)


def _transactional_row(topic: Any, code: ErrorCode) -> Any:
    return txn_offset_commit.TxnOffsetCommitResponseTopic(
        name=topic.name,
        partitions=[
            txn_offset_commit.TxnOffsetCommitResponsePartition(partition_index=each.partition_index, error_code=code)
            for each in topic.partitions
        ],
    )


def delete(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DELETE on the group, READ on each topic."""
    if not asking.may(acl.DELETE, acl.GROUP, request.group_id):
        return refused(request, GROUP_FAILED, context.version, TEXT[GROUP_FAILED])
    passed, out = split(asking, acl.READ, request.topics, lambda topic: topic.name)
    if not out:
        return function(context, request)
    request.topics = passed
    rows = [
        offset_delete.OffsetDeleteResponseTopic(
            name=topic.name,
            partitions=[
                offset_delete.OffsetDeleteResponsePartition(partition_index=each.partition_index, error_code=REFUSED)
                for each in topic.partitions
            ],
        )
        for topic in out
    ]

    def add(answer: Any) -> Any:
        if not answer.error_code:
            answer.topics += rows
        return answer

    return then(function(context, request), add)


# ── OffsetFetch ─────────────────────────────────────────────────────────────────────────────────────────────────


def fetch(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DESCRIBE on each group and topic; of all topics, those that may be described."""
    if context.version < _GROUPS_SINCE:
        return _fetch_single(asking, context, request, function)
    by_id = context.version >= _FETCH_IDS_SINCE

    def name_of(topic: Any) -> str | None:
        return _name_by_id(context, topic) if by_id else topic.name

    passed = []
    rows: list[Any] = []
    out: dict[str, list[Any]] = {}
    for group in request.groups:
        if not asking.may(acl.DESCRIBE, acl.GROUP, group.group_id):
            rows.append(offset_fetch.OffsetFetchResponseGroup(group_id=group.group_id, error_code=GROUP_FAILED))
            continue
        if group.topics is not None:
            group.topics, refused_topics = split(asking, acl.DESCRIBE, group.topics, name_of)
            out[group.group_id] = [_fetch_row(each) for each in refused_topics]
        passed.append(group)
    request.groups = passed
    all_topics = {group.group_id for group in passed if group.topics is None}

    def finish(answer: Any) -> Any:
        for group in answer.groups:
            if group.error_code:
                continue
            if group.group_id in all_topics:
                _show_describable(asking, group)
            group.topics += out.get(group.group_id, ())
        answer.groups += rows
        return answer

    return then(function(context, request), finish)


def _fetch_row(topic: Any) -> Any:
    return offset_fetch.OffsetFetchResponseTopics(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            offset_fetch.OffsetFetchResponsePartitions(
                partition_index=index, committed_offset=-1, metadata="", error_code=REFUSED
            )
            for index in topic.partition_indexes
        ],
    )


def _show_describable(asking: Asking, answer: Any) -> None:
    allowed = asking.which(acl.DESCRIBE, acl.TOPIC, [topic.name for topic in answer.topics])
    answer.topics = [topic for topic in answer.topics if topic.name in allowed]


def _fetch_single(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    if not asking.may(acl.DESCRIBE, acl.GROUP, request.group_id):
        if context.version >= _ERROR_OF_ITS_OWN_SINCE:
            return offset_fetch.OffsetFetchResponse(error_code=GROUP_FAILED)
        return offset_fetch.OffsetFetchResponse(topics=[_single_row(t, GROUP_FAILED) for t in request.topics or ()])
    if request.topics is None:

        def show(answer: Any) -> Any:
            _show_describable(asking, answer)
            return answer

        return then(function(context, request), show)
    request.topics, out = split(asking, acl.DESCRIBE, request.topics, lambda topic: topic.name)

    def add(answer: Any) -> Any:
        if not answer.error_code:
            answer.topics += [_single_row(topic, REFUSED) for topic in out]
        return answer

    return then(function(context, request), add)


def _single_row(topic: Any, code: ErrorCode) -> Any:
    return offset_fetch.OffsetFetchResponseTopic(
        name=topic.name,
        partitions=[
            offset_fetch.OffsetFetchResponsePartition(
                partition_index=index, committed_offset=-1, metadata="", error_code=code
            )
            for index in topic.partition_indexes
        ],
    )
