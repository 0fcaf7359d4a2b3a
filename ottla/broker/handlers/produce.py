"""Produce (key 0): append record batches to partitions this broker leads.

acks=0 wants no answer (an error closes the connection, so that the producer notices), acks=1 is answered after the
append, acks=all (-1) once the records are committed and as durable as configured. Each partition has its own error.

v3 is the first with batches of format 2 · v5 log start offset · v7 zstd · v8 says which record of a batch was wrong
(KIP-467) · v10 tells the present leader (KIP-951) · v12 adds partitions to a transaction implicitly (KIP-890) · v13
names topics by id (KIP-516).
"""

from __future__ import annotations

import asyncio
from struct import Struct
from time import monotonic
from typing import Any, NamedTuple

from ...protocol.apis.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...records.batch import check_produce_request
from ...records.header import COMPRESSION_MASK, TRANSACTIONAL_MASK
from ..coordinators.joining import IMPLIES_ADDING_SINCE, join, must_join
from ..coordinators.service import mapped
from ..dispatch import Context, handler
from ..partition import ACKS_ALL, Partition, PendingAppends
from ..produce_errors import describe_error
from ..produce_short import TOPIC_ID_VERSION, produce_short
from ..purgatory import Deferred
from ..topic_names import is_internal

#: The client id with which Kafka's own tools may write to internal topics.
ADMIN_CLIENT_ID = "__admin_client"
#: Where a batch says whether it belongs to a transaction.
ATTRIBUTES_LOW_BYTE = 22
#: Where a batch names its producer: id, epoch, and the sequence it begins with.
PRODUCER, PRODUCER_AT = Struct(">qhi"), 43
#: How long the compressed batches of one request may keep the loop from other clients; those beyond it come again. An
#: honest request unpacks a few MiB, at 10 ms each at worst; one of 3,000 bombs would take minutes.
UNPACKING_S = 0.25


@handler(ProduceRequest, pipelined=True, short=produce_short)
def produce(context: Context, request: ProduceRequest) -> ProduceResponse | Deferred | None:
    """Append what the request carries, partition by partition."""
    producing = _Producing(context, request)
    acks = request.acks
    #: What begins a transaction in its partition, and waits for the coordinator's word.
    joining: list[_Place] = []
    for topic in request.topic_data:
        if not topic.partition_data:
            continue  # Kafka answers partitions, and finds none here
        items: list[PartitionProduceResponse] = []
        producing.response.responses.append(
            TopicProduceResponse(name=topic.name, topic_id=topic.topic_id, partition_responses=items)
        )
        for data in topic.partition_data:
            item = PartitionProduceResponse(index=data.index)
            items.append(item)
            try:
                if not -1 <= acks <= 1:
                    raise KafkaError(ErrorCode.INVALID_REQUIRED_ACKS)
                partition = _find(context, topic, data.index)
                records: Any = b"" if data.records is None else data.records
                check_produce_request(records, context.version)
                if records[ATTRIBUTES_LOW_BYTE] & TRANSACTIONAL_MASK and _begins(context, request, partition, records):
                    joining.append(_Place(topic, item, partition, records))
                    continue
            except KafkaError as error:
                producing.refuse(topic, item, error, None)
                continue
            producing.append(topic, item, partition, records)
    return _join(producing, joining) if joining else producing.finish()


class _Place(NamedTuple):
    """A batch that waits, and where the answer for it belongs."""

    topic: Any
    item: PartitionProduceResponse
    partition: Partition
    records: Any


class _Producing:
    """One request under way."""

    __slots__ = ("_acks", "_failed", "_pending", "_unpack_until", "context", "request", "response")

    def __init__(self, context: Context, request: ProduceRequest) -> None:
        self.context = context
        self.request = request
        self.response = ProduceResponse()
        self._acks = request.acks
        self._pending: PendingAppends | None = None
        self._failed = False
        self._unpack_until = 0.0

    def append(self, topic: Any, item: PartitionProduceResponse, partition: Partition, records: Any) -> None:
        """Append one batch and write down what came of it."""
        acks = self._acks
        try:
            if records[ATTRIBUTES_LOW_BYTE] & COMPRESSION_MASK:
                self._unpack_until = _may_unpack(self._unpack_until)
            result = partition.append_as_leader(records, acks, self.context.broker.clock.now_ms())
        except KafkaError as error:
            self.refuse(topic, item, error, partition)
            return
        item.base_offset = result.first_offset
        item.log_append_time_ms = result.log_append_time_ms
        item.log_start_offset = result.log_start_offset
        last_offset = result.last_offset
        if last_offset >= partition.high_watermark and (
            acks == ACKS_ALL or (acks == 1 and last_offset < partition.flush_wanted)
        ):
            if self._pending is None:
                self._pending = PendingAppends(self.response)
            self._pending.add(partition, result.last_offset + 1, item)

    def refuse(
        self, topic: Any, item: PartitionProduceResponse, error: KafkaError, partition: Partition | None
    ) -> None:
        """Write down why a batch was not appended; `partition` is there if its log refused it."""
        self._failed = True
        context = self.context
        describe_error(context.connection, context.version, self.response, topic, item, error, partition)

    def finish(self) -> ProduceResponse | Deferred | None:
        """Every batch was appended or refused: answer, once what was appended is committed."""
        if self._acks == 0:
            if self._failed:
                self.context.connection.close()
            return None
        if self._pending is None:
            return self.response
        return _wait(self._pending, self.request, self.response)


def _find(context: Context, topic: Any, index: int) -> Partition:
    partitions = context.broker.partitions
    if context.version >= TOPIC_ID_VERSION:
        partition = partitions.get_by_id(topic.topic_id, index)
        name = partition.topic
    else:
        partition, name = None, topic.name
    if is_internal(name) and context.client_id != ADMIN_CLIENT_ID:
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Cannot append to internal topic {name}")
    return partitions.get(name, index) if partition is None else partition


# ── transactions ────────────────────────────────────────────────────────────────────────────────────────────────


def _begins(context: Context, request: ProduceRequest, partition: Partition, records: Any) -> bool:
    """Whether a transactional batch would be the first of its transaction in the partition, which takes asking."""
    if request.transactional_id is None:
        raise KafkaError(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    producer_id, epoch, sequence = PRODUCER.unpack_from(records, PRODUCER_AT)
    if partition.has_open_transaction(producer_id, epoch) or not must_join(context.broker, context.version):
        return False
    if context.version < IMPLIES_ADDING_SINCE:
        context.broker.transactions.late.note(context.connection, ProduceRequest.API_KEY, producer_id)
    partition.log.producer_state.begin_verification(producer_id, epoch, sequence)
    return True


def _join(producing: _Producing, joining: list[_Place]) -> ProduceResponse | Deferred | None:
    """Append the batches that begin a transaction in their partitions, when the coordinator says that they may."""
    request, context = producing.request, producing.context
    producer_id, epoch = producer = PRODUCER.unpack_from(joining[0].records, PRODUCER_AT)[:2]
    assert request.transactional_id is not None
    if any(PRODUCER.unpack_from(place.records, PRODUCER_AT)[:2] != producer for place in joining):
        error = KafkaError(
            ErrorCode.INVALID_PRODUCER_ID_MAPPING, "Transactional records contained more than one producer ID"
        )
        for place in joining:
            producing.refuse(place.topic, place.item, error, None)
        return producing.finish()
    partitions = [(place.partition.topic, place.partition.index) for place in joining]
    result = join(context.broker, context.version, request.transactional_id, producer_id, epoch, partitions)
    if not isinstance(result, Deferred):
        done: ProduceResponse | Deferred | None = _joined(producing, joining, result)
        return done
    if not result.done:
        # The buffer that the records lie in is used again when this returns.
        joining = [place._replace(records=bytearray(place.records)) for place in joining]
    answer = mapped(result, lambda errors: _joined(producing, joining, errors))
    assert isinstance(answer, Deferred)
    answer.serial = True  # one copied request per connection, and no batch overtakes another
    return answer


def _joined(producing: _Producing, joining: list[_Place], errors: Any) -> Any:
    """Append what may be appended."""
    if isinstance(errors, Exception):
        return errors
    for place in joining:
        error = errors.get((place.partition.topic, place.partition.index))
        if error is None:
            producing.append(*place)
        else:
            producing.refuse(place.topic, place.item, error, None)
    return producing.finish()


def _may_unpack(until: float) -> float:
    """Refuse a batch for now if those before it in this request have had their time; returns when that will be over."""
    now = monotonic()
    if until and now > until:
        raise KafkaError(ErrorCode.REQUEST_TIMED_OUT, f"Unpacking this request takes longer than {UNPACKING_S} s.")
    return until or now + UNPACKING_S


def _wait(pending: PendingAppends, request: ProduceRequest, response: ProduceResponse) -> Deferred:
    """Answer when all partitions have committed, or with REQUEST_TIMED_OUT for those that have not in time."""
    pending.release()
    if not pending.answer.done:
        timer = asyncio.get_running_loop().call_later(max(request.timeout_ms, 0) / 1000, pending.expire)
        pending.on_finish = timer.cancel
    return pending.answer
