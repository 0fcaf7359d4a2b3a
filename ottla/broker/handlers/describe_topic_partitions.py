"""DescribeTopicPartitions (key 75, KIP-966): topics page by page, with their eligible leader replicas.

Topics go out in the order of their names. A page ends when it holds as many partitions as asked for or allowed; the
cursor then names the partition the next page begins with.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...controller.names import check_name
from ...metadata.image import NO_LEADER, PartitionImage, TopicImage
from ...protocol.apis.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...protocol.schema import ZERO_UUID
from ...security import acl
from ..dispatch import Context, handler
from ..guards.asking import asking_of
from ..operations import TOPIC_OPERATIONS
from ..topic_names import is_internal


@handler(DescribeTopicPartitionsRequest)
def describe_topic_partitions(
    context: Context, request: DescribeTopicPartitionsRequest
) -> DescribeTopicPartitionsResponse:
    """Describe topics from the cursor on."""
    topics = context.broker.image.topics
    cursor = request.cursor
    first = "" if cursor is None else cursor.topic_name
    names = {name for name in _names(context, request) if name >= first}
    if cursor is not None and not _cursor_fits(cursor, names, all_topics=not request.topics):
        return _refuse(request)
    asking = asking_of(context, "DescribeTopicPartitions")
    refused: set[str] = set()
    if asking is not None:
        refused = names - asking.which(acl.DESCRIBE, acl.TOPIC, names)
        names -= refused
    limit: int = context.broker.config.integer("max.request.partition.size.limit")
    left = max(1, min(limit, request.response_partition_limit))
    response = DescribeTopicPartitionsResponse(throttle_time_ms=0, topics=[])
    for name in sorted(names):
        if left == 0:
            response.next_cursor = Cursor(topic_name=name, partition_index=0)
            break
        topic = topics.get(name)
        if topic is None:
            if request.topics:
                response.topics.append(_unknown(name))
            continue
        start = cursor.partition_index if cursor is not None and name == first else 0
        stop = min(len(topic.partitions), start + left)
        response.topics.append(_describe(context, topic, range(start, stop)))
        if stop < len(topic.partitions):
            response.next_cursor = Cursor(topic_name=name, partition_index=stop)
            break
        left -= max(0, stop - start)
    if asking is not None:
        for item in response.topics:
            item.topic_authorized_operations = asking.operations(acl.TOPIC, item.name or "")
        if request.topics:
            response.topics += [_refused(name) for name in refused]
    return response


def _refused(name: str) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, name=name, topic_id=ZERO_UUID, is_internal=False, partitions=[]
    )


def _names(context: Context, request: DescribeTopicPartitionsRequest) -> Iterable[str]:
    return [topic.name for topic in request.topics] or context.broker.image.topics.names()


def _cursor_fits(cursor: Cursor, names: set[str], *, all_topics: bool) -> bool:
    return cursor.partition_index >= 0 and (all_topics or cursor.topic_name in names)


def _refuse(request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
    """The request is wrong as a whole; the protocol says so at each topic that it names."""
    return DescribeTopicPartitionsResponse(
        throttle_time_ms=0,
        topics=[
            DescribeTopicPartitionsResponseTopic(
                error_code=ErrorCode.INVALID_REQUEST,
                name=topic.name,
                topic_id=ZERO_UUID,
                is_internal=False,
                partitions=[],
            )
            for topic in request.topics
        ],
    )


def _unknown(name: str) -> DescribeTopicPartitionsResponseTopic:
    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    try:
        check_name(name)
    except KafkaError as error:
        code = error.code
    return DescribeTopicPartitionsResponseTopic(
        error_code=code, name=name, topic_id=ZERO_UUID, is_internal=is_internal(name), partitions=[],
        topic_authorized_operations=TOPIC_OPERATIONS,
    )  # fmt: skip


def _describe(context: Context, topic: TopicImage, indexes: range) -> DescribeTopicPartitionsResponseTopic:
    return DescribeTopicPartitionsResponseTopic(
        error_code=ErrorCode.NONE,
        name=topic.name,
        topic_id=topic.id,
        is_internal=is_internal(topic.name),
        partitions=[_partition(context, index, topic.partitions[index]) for index in indexes],
        topic_authorized_operations=TOPIC_OPERATIONS,
    )


def _partition(context: Context, index: int, partition: PartitionImage) -> DescribeTopicPartitionsResponsePartition:
    live = context.broker.live_brokers
    has_leader = partition.leader in live
    return DescribeTopicPartitionsResponsePartition(
        error_code=ErrorCode.NONE if has_leader else ErrorCode.LEADER_NOT_AVAILABLE,
        partition_index=index,
        leader_id=partition.leader if has_leader else NO_LEADER,
        leader_epoch=partition.leader_epoch,
        replica_nodes=list(partition.replicas),
        isr_nodes=list(partition.isr),
        eligible_leader_replicas=list(partition.elr),
        last_known_elr=list(partition.last_known_elr),
        offline_replicas=[replica for replica in partition.replicas if replica not in live],
    )
