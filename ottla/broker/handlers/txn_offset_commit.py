"""TxnOffsetCommit (key 28): a group's offsets as part of a producer's transaction.

The offsets count when the transaction is committed. Before they are written the group's partition of
`__consumer_offsets` must be part of the transaction: v5 takes it in by itself (transactions version 2), before that it
is verified (KIP-890), so that a late request cannot open a transaction that nobody will end. v2 has the leader epoch,
v3 fences members and generations (KIP-447), v4 knows TRANSACTION_ABORTABLE.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...coordinator.transactions.state import EPOCH_PER_TRANSACTION
from ...protocol.apis.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..purgatory import Deferred
from ..topic_names import GROUP_METADATA

_LOADING_SINCE = 2
_ABORTABLE_SINCE = 4
_IMPLIES_ADDING_SINCE = 5


class _Place(NamedTuple):
    """Where the result of a committed partition belongs in the response."""

    topic: int
    partition: int


@handler(TxnOffsetCommitRequest)
def txn_offset_commit(context: Context, request: TxnOffsetCommitRequest) -> Any:
    """Commit offsets in a transaction."""
    response = TxnOffsetCommitResponse()
    known: list[TxnOffsetCommitRequestTopic] = []
    places: list[_Place] = []
    for topic in request.topics:
        valid, results = _check_topic(context, topic, len(response.topics), places)
        response.topics.append(TxnOffsetCommitResponseTopic(name=topic.name, partitions=results))
        if valid.partitions:
            known.append(valid)
    if not known:
        return response
    request.topics = known
    answer = Deferred()

    def finish(result: Any) -> None:
        answer.resolve(_merge(context, response, places, result))

    def commit(joined: Any) -> None:
        if isinstance(joined, Exception):
            finish(joined)
        else:
            _continue(lambda: context.broker.groups.commit_offsets_in_transaction(context, request), finish)

    if not request.group_id:
        finish(KafkaError(ErrorCode.INVALID_GROUP_ID))
    else:
        _continue(lambda: _join(context, request), commit)
    return answer


def _continue(step: Any, then: Any) -> None:
    """Take a step and hand on its result, which may come later, or its error."""
    try:
        result = step()
    except KafkaError as error:
        result = error
    if isinstance(result, Deferred):
        result.on_result(then)
    else:
        then(result)


def _join(context: Context, request: TxnOffsetCommitRequest) -> Any:
    """Make sure that the group's partition is part of the transaction: NONE, or a `KafkaError`."""
    broker = context.broker
    index = broker.groups.partition_of(request.group_id)
    producer = (request.producer_id, request.producer_epoch)
    transactions = broker.transactions
    host = broker.groups.host(request.group_id)
    if context.version < _IMPLIES_ADDING_SINCE:
        transactions.late.check(context.connection, request.API_KEY, request.producer_id)
    if host.partition.has_open_transaction(*producer):
        return ErrorCode.NONE
    if not request.transactional_id:
        raise KafkaError(ErrorCode.INVALID_REQUEST)
    partition = (GROUP_METADATA, index)
    if context.version >= _IMPLIES_ADDING_SINCE:
        return transactions.add_partitions(request.transactional_id, *producer, [partition], EPOCH_PER_TRANSACTION)
    if not transactions.verifies:
        return ErrorCode.NONE
    verified = Deferred()

    def judge(missing: Any) -> None:
        if missing and not isinstance(missing, Exception):
            abortable = context.version >= _ABORTABLE_SINCE
            missing = KafkaError(ErrorCode.TRANSACTION_ABORTABLE if abortable else ErrorCode.INVALID_TXN_STATE)
        verified.resolve(missing)

    _continue(lambda: transactions.check_partitions(request.transactional_id, *producer, [partition]), judge)
    return verified


def _merge(context: Context, response: TxnOffsetCommitResponse, places: list[_Place], result: Any) -> Any:
    if isinstance(result, KafkaError):
        code = result.code
        if code is ErrorCode.PRODUCER_FENCED:
            code = ErrorCode.INVALID_PRODUCER_EPOCH
        elif code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS and context.version < _LOADING_SINCE:
            code = ErrorCode.COORDINATOR_NOT_AVAILABLE  # old producers fail at the other
        for place in places:
            response.topics[place.topic].partitions[place.partition].error_code = code
        return response
    if isinstance(result, Exception):
        return result
    committed = (partition for topic in result.topics for partition in topic.partitions)
    for place, partition in zip(places, committed, strict=True):
        response.topics[place.topic].partitions[place.partition].error_code = partition.error_code
    return response


def _check_topic(
    context: Context, topic: TxnOffsetCommitRequestTopic, topic_place: int, places: list[_Place]
) -> tuple[TxnOffsetCommitRequestTopic, list[TxnOffsetCommitResponsePartition]]:
    """Split a topic into the partitions that exist and a list of results with the errors of all others."""
    image = context.broker.image.topics.get(topic.name)
    count = 0 if image is None else len(image.partitions)
    valid = TxnOffsetCommitRequestTopic(name=topic.name, partitions=[])
    results: list[TxnOffsetCommitResponsePartition] = []
    for partition in topic.partitions:
        index = partition.partition_index
        error = ErrorCode.NONE
        if 0 <= index < count:
            valid.partitions.append(partition)
            places.append(_Place(topic_place, len(results)))
        else:
            error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        results.append(TxnOffsetCommitResponsePartition(partition_index=index, error_code=error))
    return valid, results
