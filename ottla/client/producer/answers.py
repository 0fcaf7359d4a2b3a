"""What an answer to Produce means for a batch. Pure.

NONE, DUPLICATE_SEQUENCE_NUMBER          delivered
MESSAGE_TOO_LARGE                        halved, unless it is one record
retriable, or the connection ended       again; the sequence number makes a repetition harmless
OUT_OF_ORDER_SEQUENCE_NUMBER             again, while an earlier batch is not acknowledged: it was refused because of that.
                                         Otherwise the broker has lost records: the batch fails, the epoch is renewed
UNKNOWN_PRODUCER_ID, and in Kafka's words an epoch that is too old   again with a new epoch, if idempotent only
all else                                 failed; with `record_errors` only some records are to blame
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...protocol.errors import ErrorCode
from ..errors import BrokerError, ClientError, broker_error

if TYPE_CHECKING:
    from ..metadata import Metadata
    from .batch import Batch
    from .queues import PartitionQueue

#: Ways to go on: not, as it is, with a new epoch.
NO, AGAIN, RENEW = 0, 1, 2

TOO_LARGE = {ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE}
#: Codes that say: the leader is another, or the topic is.
STALE_METADATA = {
    ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.LEADER_NOT_AVAILABLE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.INCONSISTENT_TOPIC_ID, ErrorCode.FENCED_LEADER_EPOCH,
    ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.REPLICA_NOT_AVAILABLE,
}  # fmt: skip
_LOST_STATE = {ErrorCode.UNKNOWN_PRODUCER_ID, ErrorCode.INVALID_PRODUCER_EPOCH}


class Row(NamedTuple):
    """What an answer says of one batch."""

    error_code: int
    base_offset: int
    log_append_time_ms: int
    message: str | None
    record_errors: list[Any]
    leader: Any
    endpoints: list[Any]


def by_batch(batches: list[Batch], answer: Any, metadata: Metadata) -> dict[tuple[str, int], Row]:
    """(topic, partition) -> what the answer says, also where it names topics by id."""
    names = {view.id: view.name for view in (metadata.topics.get(batch.topic) for batch in batches) if view is not None}
    found = {}
    for topic in answer.responses:
        name = topic.name or names.get(topic.topic_id) or metadata.names.get(topic.topic_id, "")
        for part in topic.partition_responses:
            found[name, part.index] = Row(
                part.error_code, part.base_offset, part.log_append_time_ms, part.error_message,
                part.record_errors, part.current_leader, answer.node_endpoints,
            )  # fmt: skip
    if len(batches) == 1 and len(found) == 1:  # the topic has another id by now: still, who was asked for is known
        return {(batches[0].topic, batches[0].partition): next(iter(found.values()))}
    return found


def error_of(row: Row, batch: Batch, broker: str | None) -> BrokerError:
    """The error that a row stands for."""
    return broker_error(
        row.error_code, row.message, api="Produce", broker=broker, topic_partition=(batch.topic, batch.partition)
    )


def record_errors(row: Row | None, batch: Batch, error: ClientError) -> dict[int, ClientError]:
    """Index -> error of single records (KIP-467); those that are not to blame get one that says so."""
    if row is None or not row.record_errors or not isinstance(error, BrokerError):
        return {}
    about: dict[str, Any] = {"api": "Produce", "broker": error.broker, "topic_partition": error.topic_partition}
    told = {each.batch_index: each.batch_index_error_message for each in row.record_errors}
    innocent = broker_error(
        error.code, "another record of its batch was refused, so it was not written", retriable=True, **about
    )
    return {
        index: broker_error(error.code, told[index] or row.message, **about) if index in told else innocent
        for index in range(batch.records)
    }


def learn(metadata: Metadata, batch: Batch, row: Row) -> None:
    """Take what the answer says about a new leader (KIP-951)."""
    if row.leader is not None and row.leader.leader_id >= 0:
        metadata.learn_leader(
            batch.topic, batch.partition, row.leader.leader_id, row.leader.leader_epoch, row.endpoints
        )


def may_repeat(
    code: ErrorCode | None, error: ClientError, batch: Batch, queue: PartitionQueue, *, transactional: bool
) -> int:
    """Whether a batch is sent again, and how."""
    if code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER and batch.sequence >= 0:
        if not queue.is_next(batch) or batch.identity != queue.identity:
            return AGAIN
        return NO
    if code in _LOST_STATE and batch.sequence >= 0 and not transactional:
        return RENEW
    return AGAIN if error.retriable else NO
