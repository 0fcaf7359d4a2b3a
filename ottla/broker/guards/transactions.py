"""Producers and their transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...protocol.apis import add_partitions_to_txn as adding
from ...protocol.apis import describe_transactions
from ...protocol.errors import ErrorCode
from ...security import acl
from ..topic_names import is_internal
from .asking import TEXT, then
from .topics import REFUSED, TRANSACTION_REFUSED
from .whole import CLUSTER_FAILED, GROUP_FAILED, refused, refused_init_producer_id

if TYPE_CHECKING:
    from ..dispatch import Context, Handler
    from .asking import Asking

_BROKERS_SINCE = 4


def init_producer_id(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """WRITE on the transactional id; without one IDEMPOTENT_WRITE on the cluster, or WRITE on any topic (KIP-679)."""
    name = request.transactional_id
    if name is None:
        may = asking.may_on_cluster(acl.IDEMPOTENT_WRITE, tell_refusal=False)
        if may or asking.may_somewhere(acl.WRITE, acl.TOPIC):
            return function(context, request)
        return refused_init_producer_id(request, CLUSTER_FAILED, context.version, TEXT[CLUSTER_FAILED])
    may = asking.may(acl.WRITE, acl.TRANSACTIONAL_ID, name)
    if may and (not request.enable2_pc or asking.may(acl.TWO_PHASE_COMMIT, acl.TRANSACTIONAL_ID, name)):
        return function(context, request)
    return refused_init_producer_id(request, TRANSACTION_REFUSED, context.version, TEXT[TRANSACTION_REFUSED])


def end(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """WRITE on the transactional id."""
    if asking.may(acl.WRITE, acl.TRANSACTIONAL_ID, request.transactional_id):
        return function(context, request)
    answer = refused(request, TRANSACTION_REFUSED, context.version, TEXT[TRANSACTION_REFUSED])
    answer.producer_id = answer.producer_epoch = -1
    return answer


def add_offsets(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """WRITE on the transactional id, READ on the group."""
    if not asking.may(acl.WRITE, acl.TRANSACTIONAL_ID, request.transactional_id):
        return refused(request, TRANSACTION_REFUSED, context.version, TEXT[TRANSACTION_REFUSED])
    if not asking.may(acl.READ, acl.GROUP, request.group_id):
        return refused(request, GROUP_FAILED, context.version, TEXT[GROUP_FAILED])
    return function(context, request)


def add_partitions(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """WRITE on the transactional id and on each topic; brokers' versions need CLUSTER_ACTION."""
    if context.version >= _BROKERS_SINCE:
        if asking.may_on_cluster(acl.CLUSTER_ACTION):
            return function(context, request)
        return refused(request, CLUSTER_FAILED, context.version, TEXT[CLUSTER_FAILED])
    topics = request.v3_and_below_topics
    if not asking.may(acl.WRITE, acl.TRANSACTIONAL_ID, request.v3_and_below_transactional_id):
        return _results(topics, lambda *_: TRANSACTION_REFUSED)
    names = [topic.name for topic in topics if not is_internal(topic.name)]
    allowed = asking.which(acl.WRITE, acl.TOPIC, names)
    if allowed == set(names):
        return function(context, request)
    images = context.broker.image.topics

    def judge(name: str, index: int) -> ErrorCode:
        if name not in allowed:
            return REFUSED
        image = images.get(name)
        if image is None or not 0 <= index < len(image.partitions):
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return ErrorCode.OPERATION_NOT_ATTEMPTED

    return _results(topics, judge)


def _results(topics: list[Any], judge: Any) -> Any:
    return adding.AddPartitionsToTxnResponse(
        results_by_topic_v3_and_below=[
            adding.AddPartitionsToTxnTopicResult(
                name=topic.name,
                results_by_partition=[
                    adding.AddPartitionsToTxnPartitionResult(
                        partition_index=index, partition_error_code=judge(topic.name, index)
                    )
                    for index in topic.partitions
                ],
            )
            for topic in topics
        ]
    )


def describe(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DESCRIBE on each transactional id; only topics that may be described are named."""
    names = request.transactional_ids
    allowed = {name for name in names if asking.may(acl.DESCRIBE, acl.TRANSACTIONAL_ID, name)}
    rows = [
        describe_transactions.TransactionState(transactional_id=name, error_code=TRANSACTION_REFUSED)
        for name in names
        if name not in allowed
    ]
    request.transactional_ids = [name for name in names if name in allowed]

    def show(answer: Any) -> Any:
        for state in answer.transaction_states:
            state.topics = [each for each in state.topics if asking.may(acl.DESCRIBE, acl.TOPIC, each.topic)]
        answer.transaction_states += rows
        return answer

    return then(function(context, request), show)


def listing(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DESCRIBE on each transactional id that is shown."""

    def show(answer: Any) -> Any:
        answer.transaction_states = [
            state
            for state in answer.transaction_states
            if asking.may(acl.DESCRIBE, acl.TRANSACTIONAL_ID, state.transactional_id)
        ]
        return answer

    return then(function(context, request), show)
