"""The short way of an ordinary Produce: one batch, appended without making message objects.

    frame ─► read_produce ─► partition.append_as_leader ─► write_produce_answer      at once, or when committed

It is taken first and may say "not me" (None) before it has asked for the append; then the request goes the complete way
(`handlers/produce`) from its beginning. An append that is refused is answered as there (`produce_errors`).
docs/decisions/0013 has the reasons and figures.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..protocol._produce_cy import read_produce, write_produce_answer
from ..protocol.apis.produce import PartitionProduceResponse, ProduceResponse, TopicProduceResponse
from ..protocol.errors import ErrorCode, KafkaError
from ..security.acl import TOPIC, WRITE
from .partition import ACKS_ALL
from .produce_errors import describe_error
from .purgatory import Deferred
from .topic_names import is_internal

if TYPE_CHECKING:
    from .connection import Connection
    from .partition import Partition
    from .partitions import Partitions

#: From this version on a topic is named by its id.
TOPIC_ID_VERSION = 13
#: A destination names the topic first, then one partition: its index is the last four bytes, after the count.
_INDEX_BYTES = 4
_TOPIC_ID_BYTES = 16


def produce_short(connection: Connection, frame: Any, pos: int, version: int, correlation_id: int) -> Any:
    """Append and answer; `pos` is the end of the client id. Returns the framed answer, a `Deferred` of it, or None."""
    found = read_produce(frame, pos, version)
    if found is None:
        return None
    acks, timeout_ms, destination, start, stop = found
    broker = connection.broker
    partitions = broker.partitions
    partition = partitions.by_destination[version >= TOPIC_ID_VERSION].get(destination)
    if partition is None:
        partition = _learn(partitions, destination, version)
    if partition is None or (acks != ACKS_ALL and acks != 1):
        return None
    if broker.authorization is not None and not broker.authorization.silently_may(
        connection, WRITE, TOPIC, partition.topic
    ):
        return None
    try:
        base_offset, last_offset, time_ms, log_start, _ = partition.append_as_leader(
            frame[start:stop], acks, broker.clock.now_ms()
        )
    except KafkaError as error:
        return _refused(connection, version, partition, error)
    answer = write_produce_answer(correlation_id, destination, base_offset, time_ms, log_start)
    if last_offset < partition.high_watermark or (acks == 1 and last_offset >= partition.flush_wanted):
        return answer
    return _when_committed(partition, last_offset + 1, timeout_ms, answer)


def _learn(partitions: Partitions, destination: bytes, version: int) -> Partition | None:
    """Find the partition of a destination and remember it, until the metadata changes."""
    index = int.from_bytes(destination[-_INDEX_BYTES:], "big", signed=True)
    by_id = version >= TOPIC_ID_VERSION
    try:
        if by_id:
            partition = partitions.get_by_id(destination[:_TOPIC_ID_BYTES], index)
        else:
            prefix = 1 if destination[0] < 128 else 2
            partition = partitions.get(destination[prefix : -_INDEX_BYTES - 1].decode(), index)
    except (KafkaError, UnicodeDecodeError):
        return None
    if is_internal(partition.topic):
        return None
    partitions.by_destination[by_id][destination] = partition
    return partition


def _refused(connection: Connection, version: int, partition: Partition, error: KafkaError) -> ProduceResponse:
    item = PartitionProduceResponse(index=partition.index)
    topic = TopicProduceResponse(name=partition.topic, topic_id=partition.topic_id, partition_responses=[item])
    response = ProduceResponse(responses=[topic])
    describe_error(connection, version, response, topic, item, error, partition)
    return response


def _when_committed(partition: Partition, end_offset: int, timeout_ms: int, answer: bytes) -> Deferred:
    """Answer when the records are committed, or with the error that prevents it, or that time is up."""
    later = Deferred()

    def fail(error: ErrorCode) -> None:
        # Without a message, as the complete way tells the failure of an append that it waited for.
        item = PartitionProduceResponse(index=partition.index, error_code=error, base_offset=-1)
        topic = TopicProduceResponse(name=partition.topic, topic_id=partition.topic_id, partition_responses=[item])
        later.resolve(ProduceResponse(responses=[topic]))

    timer = asyncio.get_running_loop().call_later(max(timeout_ms, 0) / 1000, fail, ErrorCode.REQUEST_TIMED_OUT)

    def on_committed(error: ErrorCode) -> None:
        timer.cancel()
        if error:
            fail(error)
        else:
            later.resolve(answer)

    partition.when_committed(end_offset, on_committed)
    return later
