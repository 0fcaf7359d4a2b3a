"""ListOffsets (key 2): which offset stands at a moment of a partition's log.

Asked of the leader. Besides a time in milliseconds there are special values: -1 the end (high watermark, or last stable
offset for read_committed), -2 the start, -3 the record of the highest timestamp (KIP-734, v7), -4 the start of the local
log (KIP-405, v8), -5 the last tiered offset (KIP-1005, v9), -6 the earliest offset not yet uploaded (KIP-1023, v11). There
is no tiered storage here: -4 equals -2, -5 and -6 answer "none". v0 answers a list of offsets of segments, v2 knows
isolation, v4 fences by leader epoch.
"""

from __future__ import annotations

from ...protocol.apis.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..partition import Partition

LATEST, EARLIEST, MAX_TIMESTAMP = -1, -2, -3
EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING_UPLOAD = -4, -5, -6
#: The version from which a special timestamp is understood.
SINCE_VERSION = {MAX_TIMESTAMP: 7, EARLIEST_LOCAL: 8, LATEST_TIERED: 9, EARLIEST_PENDING_UPLOAD: 11}
LEADER_EPOCH_VERSION = 4
READ_COMMITTED = 1
UNKNOWN = -1


@handler(ListOffsetsRequest)
def list_offsets(context: Context, request: ListOffsetsRequest) -> ListOffsetsResponse:
    """Answer each partition by itself; a partition named twice is INVALID_REQUEST."""
    response = ListOffsetsResponse()
    seen: set[tuple[str, int]] = set()
    twice = {
        key
        for topic in request.topics
        for key in ((topic.name, partition.partition_index) for partition in topic.partitions)
        if key in seen or seen.add(key)  # type: ignore[func-returns-value]
    }
    for topic in request.topics:
        items = []
        for wanted in {partition.partition_index: partition for partition in topic.partitions}.values():
            item = ListOffsetsPartitionResponse(partition_index=wanted.partition_index)
            try:
                if (topic.name, wanted.partition_index) in twice:
                    raise KafkaError(ErrorCode.INVALID_REQUEST)
                _answer(context, request, topic.name, wanted, item)
            except KafkaError as error:
                item.error_code = error.code
            items.append(item)
        response.topics.append(ListOffsetsTopicResponse(name=topic.name, partitions=items))
    return response


def _answer(
    context: Context,
    request: ListOffsetsRequest,
    topic: str,
    wanted: ListOffsetsPartition,
    item: ListOffsetsPartitionResponse,
) -> None:
    if wanted.timestamp < 0 and (
        wanted.timestamp < EARLIEST_PENDING_UPLOAD or context.version < SINCE_VERSION.get(wanted.timestamp, 0)
    ):
        raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)
    partition = context.broker.partitions.get(topic, wanted.partition_index)
    partition.check_epoch(wanted.current_leader_epoch)
    visible = partition.last_stable_offset if request.isolation_level == READ_COMMITTED else partition.high_watermark
    if context.version == 0:
        item.old_style_offsets = _segment_offsets(partition, wanted, visible)
        return
    item.timestamp, item.offset, epoch = _find(partition, wanted.timestamp, visible)
    if context.version >= LEADER_EPOCH_VERSION:
        item.leader_epoch = epoch


def _find(partition: Partition, timestamp: int, visible: int) -> tuple[int, int, int]:
    """Return (timestamp, offset, leader epoch), -1 for what there is not."""
    log = partition.log
    if timestamp == LATEST:
        return UNKNOWN, visible, partition.leader_epoch
    if timestamp in (EARLIEST, EARLIEST_LOCAL):
        return UNKNOWN, log.log_start_offset, log.leader_epochs.epoch_of(log.log_start_offset)
    if timestamp in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return UNKNOWN, UNKNOWN, UNKNOWN
    found = (
        log.max_timestamp_offset(visible)
        if timestamp == MAX_TIMESTAMP
        else log.offset_for_timestamp(timestamp, visible)
    )
    return found if found is not None else (UNKNOWN, UNKNOWN, UNKNOWN)


def _segment_offsets(partition: Partition, wanted: ListOffsetsPartition, visible: int) -> list[int]:
    """Answer v0: at most `max_num_offsets` offsets at which segments begin, newest first."""
    if wanted.timestamp == LATEST:
        bases = (segment.base_offset for segment in reversed(partition.log.segments))
        offsets = [visible, *(base for base in bases if base < visible)]
    elif wanted.timestamp == EARLIEST:
        offsets = [partition.log.log_start_offset]
    else:
        found = partition.log.offset_for_timestamp(wanted.timestamp, visible)
        offsets = [] if found is None else [found[1]]
    return offsets[: max(wanted.max_num_offsets, 0)]
