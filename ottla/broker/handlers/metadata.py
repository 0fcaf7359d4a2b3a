"""Metadata (key 3): brokers, topics, partitions and their leaders; creates topics on first use.

Null topics (v1+; an empty list in v0) means all. A named topic that does not exist is created if both the client
(v4+) and `auto.create.topics.enable` allow it. As in Kafka the client has to ask again: this answer says that there is
none. (Clients' tests delete a topic, ask for it, and want to be told so. But here it is ready before they ask again.)
v10 topic ids · v12 asks by id · v8 to v10 the operations the client may do · v13 an error for the whole answer.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ...controller.names import check_name
from ...metadata.image import MetadataImage, TopicImage
from ...protocol.apis.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...protocol.schema import ZERO_UUID
from ..auto_create import auto_create
from ..dispatch import Context, handler
from ..operations import CLUSTER_OPERATIONS, NOT_ASKED, TOPIC_OPERATIONS
from ..throttling import taking_from
from ..topic_names import is_internal

ASK_BY_ID_VERSION = 12

#: Creating on first use is slowed down by a quota of changes and never refused.
NEVER_STRICT = 1 << 15


@handler(MetadataRequest)
def metadata(context: Context, request: MetadataRequest) -> MetadataResponse | Coroutine[Any, Any, MetadataResponse]:
    """Answer from the image; first create what is missing and may be created."""
    if context.version < ASK_BY_ID_VERSION and any(
        wanted.name is None or wanted.topic_id != ZERO_UUID for wanted in request.topics or ()
    ):
        return _refuse(request)
    missing = _missing(context, request)
    if missing and request.allow_auto_topic_creation and context.broker.config.boolean("auto.create.topics.enable"):
        return _create_and_answer(context, request, missing)
    return _answer(context, request, {})


async def _create_and_answer(context: Context, request: MetadataRequest, missing: list[str]) -> MetadataResponse:
    refused = await auto_create(context.broker, missing, taking_from(context, NEVER_STRICT))
    return _answer(context, request, dict.fromkeys(missing, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) | refused)


def _refuse(request: MetadataRequest) -> MetadataResponse:
    """v10 and v11 have a place for topic ids in requests that only v12 gave a meaning; the protocol says so per topic."""
    return MetadataResponse(
        brokers=[],
        topics=[
            MetadataResponseTopic(
                name=wanted.name or "", topic_id=wanted.topic_id, error_code=ErrorCode.INVALID_REQUEST
            )
            for wanted in request.topics or ()
        ],
    )


def _all_topics(context: Context, request: MetadataRequest) -> bool:
    return request.topics is None or (context.version == 0 and not request.topics)


def _missing(context: Context, request: MetadataRequest) -> list[str]:
    topics = context.broker.image.topics
    return [wanted.name for wanted in request.topics or () if wanted.name is not None and wanted.name not in topics]


def _answer(context: Context, request: MetadataRequest, errors: dict[str, ErrorCode]) -> MetadataResponse:
    broker = context.broker
    image = broker.image
    response = MetadataResponse(
        cluster_id=image.cluster_id,
        controller_id=broker.controller_id,
        brokers=[
            MetadataResponseBroker(node_id=node, host=endpoint.host, port=endpoint.port, rack=endpoint.rack)
            for node, endpoint in broker.endpoints(context.connection.listener_name)
        ],
    )
    if context.version in (8, 9, 10):
        response.cluster_authorized_operations = (
            CLUSTER_OPERATIONS if request.include_cluster_authorized_operations else NOT_ASKED
        )
    if _all_topics(context, request):
        response.topics = [_topic(context, topic) for topic in image.topics]
    else:
        response.topics = [_wanted(context, image, wanted, errors) for wanted in _distinct(request.topics or [])]
    if request.include_topic_authorized_operations:
        for item in response.topics:
            if item.name is not None:  # as in Kafka also of one that does not exist, not of an id that nobody has
                item.topic_authorized_operations = TOPIC_OPERATIONS
    return response


def _distinct(topics: list[MetadataRequestTopic]) -> list[MetadataRequestTopic]:
    """Answer a topic that is named twice once, as Kafka does."""
    return list({(wanted.name, wanted.topic_id): wanted for wanted in topics}.values())


def _wanted(
    context: Context, image: MetadataImage, wanted: MetadataRequestTopic, errors: dict[str, ErrorCode]
) -> MetadataResponseTopic:
    if wanted.name is None or (context.version >= ASK_BY_ID_VERSION and wanted.topic_id != ZERO_UUID):
        topic = image.topics.by_id(wanted.topic_id)
        if topic is None:
            return MetadataResponseTopic(name=None, topic_id=wanted.topic_id, error_code=ErrorCode.UNKNOWN_TOPIC_ID)
        return _topic(context, topic)
    topic = image.topics.get(wanted.name)
    if topic is not None and wanted.name not in errors:
        return _topic(context, topic)
    code = errors.get(wanted.name) or _why_unknown(wanted.name)
    return MetadataResponseTopic(name=wanted.name, error_code=code, is_internal=is_internal(wanted.name))


def _why_unknown(name: str) -> ErrorCode:
    try:
        check_name(name)
    except KafkaError as error:
        return error.code
    return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def _topic(context: Context, topic: TopicImage) -> MetadataResponseTopic:
    live = context.broker.live_brokers
    items = []
    for index, partition in enumerate(topic.partitions):
        has_leader = partition.leader in live
        items.append(
            MetadataResponsePartition(
                error_code=0 if has_leader else ErrorCode.LEADER_NOT_AVAILABLE,
                partition_index=index,
                leader_id=partition.leader if has_leader else -1,
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.isr),
                offline_replicas=[replica for replica in partition.replicas if replica not in live],
            )
        )
    return MetadataResponseTopic(
        error_code=0, name=topic.name, topic_id=topic.id, is_internal=is_internal(topic.name), partitions=items
    )
