"""Requests about topics: what is not allowed is taken out before the handler sees it, and refused in the answer.

A refused topic is answered alike whether it exists or not. A topic id that nobody has is the handler's affair; one that
somebody has is judged by the name of its topic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...controller.names import check_name
from ...protocol.apis import delete_records, describe_producers, list_offsets, metadata, offset_for_leader_epoch
from ...protocol.apis import produce as produce_api
from ...protocol.errors import ErrorCode, KafkaError
from ...protocol.schema import ZERO_UUID
from ...records.header import TRANSACTIONAL_MASK
from ...security import acl
from ..operations import NOT_ASKED
from ..produce_short import TOPIC_ID_VERSION
from ..topic_names import is_internal
from .asking import TEXT, then

if TYPE_CHECKING:
    from ..dispatch import Context, Handler
    from ..fetch_sessions import FetchedPartition
    from .asking import Asking

REFUSED = ErrorCode.TOPIC_AUTHORIZATION_FAILED
TRANSACTION_REFUSED = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
#: Where a batch says whether it belongs to a transaction.
_ATTRIBUTES_LOW_BYTE = 22
_METADATA_IDS_SINCE = 12


def named_topic(context: Context, name: str | None, topic_id: bytes) -> str | None:
    """Return the name of a topic that a request names by name or id; None for an id that nobody has."""
    if topic_id == ZERO_UUID:
        return name
    image = context.broker.image.topics.by_id(topic_id)
    return None if image is None else image.name


def split(
    asking: Asking, operation: int, topics: list[Any], name_of: Callable[[Any], str | None]
) -> tuple[list[Any], list[Any]]:
    """Divide topics into those to which the client may do `operation`, or which have no name, and the others."""
    names = [name_of(topic) for topic in topics]
    allowed = asking.which(operation, acl.TOPIC, [name for name in names if name is not None])
    if len(allowed) == len(set(names) - {None}):
        return topics, []
    passed = [topic for topic, name in zip(topics, names, strict=True) if name is None or name in allowed]
    refused = [topic for topic, name in zip(topics, names, strict=True) if name is not None and name not in allowed]
    return passed, refused


# ── Produce and Fetch ───────────────────────────────────────────────────────────────────────────────────────────


def produce(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """WRITE on each topic; and WRITE on the transactional id, if any batch, whatever the request says, has a transaction."""
    if any(map(_is_transactional, request.topic_data)) and not (
        request.transactional_id is not None and asking.may(acl.WRITE, acl.TRANSACTIONAL_ID, request.transactional_id)
    ):
        return _refuse_produce(context, request, request.topic_data, TRANSACTION_REFUSED)
    by_id = context.version >= TOPIC_ID_VERSION
    passed, refused = split(
        asking,
        acl.WRITE,
        request.topic_data,
        lambda topic: named_topic(context, topic.name, topic.topic_id) if by_id else topic.name,
    )
    if not refused:
        return function(context, request)
    if not passed or request.acks == 0:
        if passed:
            request.topic_data = passed
            function(context, request)
        return _refuse_produce(context, request, refused, REFUSED)
    request.topic_data = passed
    rows = [_refused_rows(topic, REFUSED) for topic in refused]

    def add(answer: Any) -> Any:
        answer.responses += rows
        return answer

    return then(function(context, request), add)


def _is_transactional(topic: Any) -> bool:
    return any(
        data.records is not None
        and len(data.records) > _ATTRIBUTES_LOW_BYTE
        and data.records[_ATTRIBUTES_LOW_BYTE] & TRANSACTIONAL_MASK
        for data in topic.partition_data
    )


def _refuse_produce(context: Context, request: Any, topics: list[Any], code: ErrorCode) -> Any:
    if request.acks == 0:
        context.connection.close()
        return None
    return produce_api.ProduceResponse(responses=[_refused_rows(topic, code) for topic in topics])


def _refused_rows(topic: Any, code: ErrorCode) -> produce_api.TopicProduceResponse:
    return produce_api.TopicProduceResponse(
        name=topic.name,
        topic_id=topic.topic_id,
        partition_responses=[
            produce_api.PartitionProduceResponse(
                index=data.index, error_code=code, base_offset=-1, log_append_time_ms=-1, log_start_offset=-1
            )
            for data in topic.partition_data
        ],
    )


def refused_fetches(
    asking: Asking, context: Context, wanted: list[FetchedPartition], *, is_follower: bool
) -> frozenset[str | bytes]:
    """Return the names or ids of fetched topics that may not be read; a follower may read all or none (CVE-2018-1288)."""
    topics = {each.topic_id if each.topic_id != ZERO_UUID else each.topic: each for each in wanted}
    if is_follower:
        return frozenset() if asking.may_on_cluster(acl.CLUSTER_ACTION) else frozenset(topics)
    names = {key: named_topic(context, each.topic, each.topic_id) for key, each in topics.items()}
    allowed = asking.which(acl.READ, acl.TOPIC, [name for name in names.values() if name is not None])
    return frozenset(key for key, name in names.items() if name is not None and name not in allowed)


# ── Metadata ────────────────────────────────────────────────────────────────────────────────────────────────────


def describe_metadata(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DESCRIBE each topic, and CREATE what is to be made; of all topics, show those that may be described."""
    version = context.version
    named = request.topics or []
    if version < _METADATA_IDS_SINCE and any(each.name is None or each.topic_id != ZERO_UUID for each in named):
        return function(context, request)  # refuses it as a whole
    all_topics = request.topics is None or (version == 0 and not named)
    rows: list[Any] = []
    if not all_topics:
        passed, refused = split(
            asking, acl.DESCRIBE, named, lambda topic: named_topic(context, topic.name, topic.topic_id)
        )
        rows = [_refused_metadata(topic) for topic in refused]
        passed = _creatable(asking, context, request, passed, rows)
        request.topics = passed

    def finish(answer: Any) -> Any:
        if all_topics:
            names = [topic.name for topic in answer.topics]
            seen = asking.which(acl.DESCRIBE, acl.TOPIC, names, tell_refusal=False)
            answer.topics = [topic for topic in answer.topics if topic.name in seen]
        elif not request.topics:
            answer.topics = []  # in v0 an empty list means all
        _tell_operations(asking, answer)
        answer.topics += rows
        return answer

    return then(function(context, request), finish)


def _refused_metadata(topic: Any) -> Any:
    by_id = topic.topic_id != ZERO_UUID
    name = None if by_id else topic.name
    return metadata.MetadataResponseTopic(name=name, topic_id=topic.topic_id, error_code=REFUSED)


def _creatable(asking: Asking, context: Context, request: Any, topics: list[Any], rows: list[Any]) -> list[Any]:
    broker = context.broker
    if not (request.allow_auto_topic_creation and broker.config.boolean("auto.create.topics.enable")):
        return topics
    missing = {topic.name for topic in topics if topic.topic_id == ZERO_UUID} - {None}
    missing = {name for name in missing if name not in broker.image.topics}
    if not missing or asking.may_on_cluster(acl.CREATE, tell_refusal=False):
        return topics
    refused = missing - asking.which(acl.CREATE, acl.TOPIC, missing)
    rows += [
        metadata.MetadataResponseTopic(name=name, error_code=REFUSED, is_internal=is_internal(name)) for name in refused
    ]
    return [topic for topic in topics if topic.name not in refused]


def _tell_operations(asking: Asking, answer: Any) -> None:
    if answer.cluster_authorized_operations != NOT_ASKED:
        may = asking.may_on_cluster(acl.DESCRIBE)
        operations = asking.operations(acl.CLUSTER, acl.CLUSTER_NAME) if may else 0
        answer.cluster_authorized_operations = operations
    for topic in answer.topics:
        if topic.topic_authorized_operations != NOT_ASKED:
            topic.topic_authorized_operations = asking.operations(acl.TOPIC, topic.name)


# ── each topic by itself ────────────────────────────────────────────────────────────────────────────────────────


def _each_topic(operation: int, topics_at: str, answers_at: str, name: str, refuse: Callable[[Any], Any]) -> Any:
    """Demand `operation` on each topic that the request names; `refuse` makes the answer about one."""

    def guard(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
        topics = getattr(request, topics_at)
        passed, refused = split(asking, operation, topics, lambda topic: getattr(topic, name))
        if not refused:
            return function(context, request)
        setattr(request, topics_at, passed)
        rows = [refuse(topic) for topic in refused]

        def add(answer: Any) -> Any:
            getattr(answer, answers_at).extend(rows)
            return answer

        return then(function(context, request), add)

    return guard


def _refused_offsets(topic: Any) -> Any:
    return list_offsets.ListOffsetsTopicResponse(
        name=topic.name,
        partitions=[
            list_offsets.ListOffsetsPartitionResponse(partition_index=each.partition_index, error_code=REFUSED)
            for each in topic.partitions
        ],
    )


def _refused_deletion(topic: Any) -> Any:
    return delete_records.DeleteRecordsTopicResult(
        name=topic.name,
        partitions=[
            delete_records.DeleteRecordsPartitionResult(
                partition_index=each.partition_index, low_watermark=-1, error_code=REFUSED
            )
            for each in topic.partitions
        ],
    )


def _refused_epochs(topic: Any) -> Any:
    return offset_for_leader_epoch.OffsetForLeaderTopicResult(
        topic=topic.topic,
        partitions=[
            offset_for_leader_epoch.EpochEndOffset(partition=each.partition, error_code=REFUSED)
            for each in topic.partitions
        ],
    )


list_of_offsets = _each_topic(acl.DESCRIBE, "topics", "topics", "name", _refused_offsets)
deletion_of_records = _each_topic(acl.DELETE, "topics", "topics", "name", _refused_deletion)
_epochs = _each_topic(acl.DESCRIBE, "topics", "topics", "topic", _refused_epochs)


def epochs(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """CLUSTER_ACTION for everything, or DESCRIBE on each topic: brokers ask, and consumers (KIP-320)."""
    if asking.may_on_cluster(acl.CLUSTER_ACTION, tell_refusal=False):
        return function(context, request)
    return _epochs(asking, context, request, function)


def producers(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """READ on each topic whose name is one."""
    passed, refused = split(asking, acl.READ, request.topics, lambda topic: topic.name if is_name(topic.name) else None)
    if not refused:
        return function(context, request)
    request.topics = passed
    rows = [
        describe_producers.TopicResponse(
            name=topic.name,
            partitions=[
                describe_producers.PartitionResponse(
                    partition_index=index, error_code=REFUSED, error_message=TEXT[REFUSED]
                )
                for index in topic.partition_indexes
            ],
        )
        for topic in refused
    ]

    def add(answer: Any) -> Any:
        answer.topics += rows
        return answer

    return then(function(context, request), add)


def is_name(name: str) -> bool:
    """Whether a topic may be called so."""
    try:
        check_name(name)
    except KafkaError:
        return False
    return True
