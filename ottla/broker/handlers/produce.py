"""Produce (key 0): append record batches to partitions this broker leads.

acks=0 wants no answer (an error closes the connection, so that the producer notices), acks=1 is answered after the
append, acks=all (-1) once the records are committed and as durable as configured. Each partition has its own error.

v3 is the first with batches of format 2 · v5 log start offset · v7 zstd · v8 says which record of a batch was wrong
(KIP-467) · v10 tells the present leader (KIP-951) · v12 adds partitions to a transaction implicitly (KIP-890) · v13
names topics by id (KIP-516).
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from ...protocol.apis.produce import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...records.batch import RecordValidationError, check_produce_request
from ...records.header import COMPRESSION_MASK, TRANSACTIONAL_MASK
from ..dispatch import Context, handler
from ..partition import ACKS_ALL, Partition, PendingAppends
from ..purgatory import Deferred
from ..topic_names import is_internal

#: The client id with which Kafka's own tools may write to internal topics.
ADMIN_CLIENT_ID = "__admin_client"
#: Versions at which Kafka began to answer or accept something.
CURRENT_LEADER_VERSION, TOPIC_ID_VERSION = 10, 13
#: Where a batch says whether it belongs to a transaction.
ATTRIBUTES_LOW_BYTE = 22
#: How long the compressed batches of one request may keep the loop from other clients; those beyond it come again. An
#: honest request unpacks a few MiB, at 10 ms each at worst; one of 3,000 bombs would take minutes.
UNPACKING_S = 0.25
#: Errors of an append with which Kafka does not tell the log start.
NO_LOG_START = frozenset({
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.MESSAGE_TOO_LARGE,
    ErrorCode.RECORD_LIST_TOO_LARGE, ErrorCode.CORRUPT_MESSAGE, ErrorCode.KAFKA_STORAGE_ERROR,
})  # fmt: skip


@handler(ProduceRequest, pipelined=True)
def produce(context: Context, request: ProduceRequest) -> ProduceResponse | Deferred | None:
    """Append what the request carries, partition by partition."""
    acks = request.acks
    response = ProduceResponse()
    pending: PendingAppends | None = None
    failed = False
    unpack_until = 0.0
    for topic in request.topic_data:
        items: list[PartitionProduceResponse] = []
        response.responses.append(
            TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=items)
        )
        for data in topic.partition_data:
            item = PartitionProduceResponse(index=data.index)
            items.append(item)
            partition: Partition | None = None
            try:
                if not -1 <= acks <= 1:
                    raise KafkaError(ErrorCode.INVALID_REQUIRED_ACKS)
                found = _find(context, topic, data.index)
                records: Any = b"" if data.records is None else data.records
                check_produce_request(records, context.version)
                if records[ATTRIBUTES_LOW_BYTE] & TRANSACTIONAL_MASK:
                    _refuse_transactional(request)
                if records[ATTRIBUTES_LOW_BYTE] & COMPRESSION_MASK:
                    unpack_until = _may_unpack(unpack_until)
                partition = found
                result = partition.append_as_leader(records, acks, context.broker.clock.now_ms())
            except KafkaError as error:
                failed = True
                _describe(context, item, error, response, topic)
                if partition is not None and error.code not in NO_LOG_START:
                    item.log_start_offset = partition.log.log_start_offset
                continue
            item.base_offset = result.first_offset
            item.log_append_time_ms = result.log_append_time_ms
            item.log_start_offset = result.log_start_offset
            if acks == ACKS_ALL and result.last_offset >= partition.high_watermark:
                if pending is None:
                    pending = PendingAppends(response)
                pending.add(partition, result.last_offset + 1, item)
    if acks == 0:
        if failed:
            context.connection.close()
        return None
    if pending is None:
        return response
    return _wait(pending, request, response)


def _find(context: Context, topic: Any, index: int) -> Partition:
    partitions = context.broker.partitions
    if context.version >= TOPIC_ID_VERSION:
        return partitions.get_by_id(topic.topic_id, index)
    name = topic.name
    if is_internal(name) and context.client_id != ADMIN_CLIENT_ID:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Cannot append to internal topic {name}")
    return partitions.get(name, index)


def _may_unpack(until: float) -> float:
    """Refuse a batch for now if those before it in this request have had their time; returns when that will be over."""
    now = monotonic()
    if until and now > until:
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, f"Unpacking this request takes longer than {UNPACKING_S} s.")
    return until or now + UNPACKING_S


def _refuse_transactional(request: ProduceRequest) -> None:
    """There is no transaction coordinator yet, so no transaction can be ongoing: a batch of one would never end."""
    if request.transactional_id is None:
        raise KafkaError(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    raise KafkaError(ErrorCode.INVALID_TXN_STATE)


def _describe(
    context: Context, item: PartitionProduceResponse, error: KafkaError, response: ProduceResponse, topic: Any
) -> None:
    """Write an error into a partition's answer, with what the version can say about it."""
    item.error_code = error.code
    item.base_offset = -1
    item.error_message = error.message
    if isinstance(error, RecordValidationError):
        item.record_errors = [
            BatchIndexAndErrorMessage(batch_index=index, batch_index_error_message=message)
            for index, message in error.record_errors
        ]
    if error.code == ErrorCode.NOT_LEADER_OR_FOLLOWER and context.version >= CURRENT_LEADER_VERSION:
        leader = context.broker.partitions.current_leader(topic.name, topic.topic_id, item.index)
        if leader is not None:
            item.current_leader = LeaderIdAndEpoch(leader_id=leader[0], leader_epoch=leader[1])
            endpoint = context.broker.endpoint_of(leader[0], context.connection.listener_name)
            if endpoint is not None and all(node.node_id != leader[0] for node in response.node_endpoints):
                response.node_endpoints.append(
                    NodeEndpoint(node_id=leader[0], host=endpoint.host, port=endpoint.port, rack=endpoint.rack)
                )


def _wait(pending: PendingAppends, request: ProduceRequest, response: ProduceResponse) -> Deferred:
    """Answer when all partitions have committed, or with REQUEST_TIMED_OUT for those that have not in time."""
    pending.release()
    if not pending.answer.done:
        timer = asyncio.get_running_loop().call_later(max(request.timeout_ms, 0) / 1000, pending.expire)
        pending.on_finish = timer.cancel
    return pending.answer
