"""Where a share group goes on: altering and deleting it, by administrators.

The start offsets lie with the share coordinator, so each change is made in two steps. The group coordinator checks and
notes what is about to happen; the shell asks the share coordinator and comes back (`kind`: `initialized`, `deleted`).
All of it only while the group is empty.
"""

from __future__ import annotations

from typing import NamedTuple

from ....metadata.image import MetadataImage
from ....protocol.apis.alter_share_group_offsets import (
    AlterShareGroupOffsetsRequest,
    AlterShareGroupOffsetsRequestTopic,
    AlterShareGroupOffsetsResponse,
    AlterShareGroupOffsetsResponsePartition,
    AlterShareGroupOffsetsResponseTopic,
)
from ....protocol.apis.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponseTopic,
)
from ....protocol.errors import ErrorCode
from ....protocol.schema import ZERO_UUID
from ...decision import Decision
from . import records, states
from .group import ShareGroup, StateTopic
from .states import DeleteStates, InitializeStates

__all__ = ["AlterResult", "DeleteResult", "alter", "delete", "delete_group_states"]


class AlterResult(NamedTuple):
    """The answer if the share coordinator agrees, and what to ask it."""

    response: AlterShareGroupOffsetsResponse
    initialize: InitializeStates


class DeleteResult(NamedTuple):
    """Topics that cannot be deleted, and what to ask the share coordinator."""

    refused: list[DeleteShareGroupOffsetsResponseTopic]
    delete: DeleteStates


def alter(group: ShareGroup, request: AlterShareGroupOffsetsRequest, image: MetadataImage) -> Decision:
    """Begin to set start offsets; `group` may be new, and is stored with the record then."""
    group.validate_delete()
    response = AlterShareGroupOffsetsResponse()
    begun: dict[bytes, StateTopic] = {}
    start_offsets: dict[bytes, dict[int, int]] = {}
    for asked in request.topics:
        topic = image.topics.get(asked.topic_name)
        count = 0 if topic is None else len(topic.partitions)
        known = {one.partition_index: one.start_offset for one in asked.partitions if 0 <= one.partition_index < count}
        response.responses.append(_altered(asked, ZERO_UUID if topic is None else topic.id, known))
        if topic is not None:
            begun[topic.id] = StateTopic(topic.name, frozenset(known))
            if known:
                start_offsets[topic.id] = known
    decision = Decision(
        response=AlterResult(response, InitializeStates(group.group_id, group.group_epoch, start_offsets))
    )
    if begun:
        changed = states.begin_initializing(group.states, begun)
        decision.records.append(records.states_record(group.group_id, changed))
    return decision


def _altered(
    asked: AlterShareGroupOffsetsRequestTopic, topic_id: bytes, known: dict[int, int]
) -> AlterShareGroupOffsetsResponseTopic:
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return AlterShareGroupOffsetsResponseTopic(
        topic_name=asked.topic_name,
        topic_id=topic_id,
        partitions=[
            AlterShareGroupOffsetsResponsePartition(partition_index=one.partition_index)
            if one.partition_index in known
            else AlterShareGroupOffsetsResponsePartition(
                partition_index=one.partition_index, error_code=unknown, error_message=unknown.message
            )
            for one in asked.partitions
        ],
    )


def delete(group: ShareGroup, request: DeleteShareGroupOffsetsRequest, image: MetadataImage) -> Decision:
    """Begin to forget how far the group got in some topics. What was begun before and not finished is begun again."""
    group.validate_delete()
    refused: list[DeleteShareGroupOffsetsResponseTopic] = []
    partitions: dict[bytes, frozenset[int]] = {}
    for asked in request.topics:
        topic = image.topics.get(asked.topic_name)
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        why: str | None = None
        if topic is None:
            why = unknown.message
        elif topic.id in group.states.initialized:
            partitions[topic.id] = group.states.initialized[topic.id].partitions
        elif topic.id in group.states.deleting:
            partitions[topic.id] = frozenset(range(len(topic.partitions)))
        else:
            why = "There is no offset information to delete."
        if why is not None:
            refused.append(
                DeleteShareGroupOffsetsResponseTopic(topic_name=asked.topic_name, error_code=unknown, error_message=why)
            )
    decision = Decision(response=DeleteResult(refused, DeleteStates(group.group_id, partitions)))
    if partitions:
        changed = states.begin_deleting(group.states, partitions)
        decision.records.append(records.states_record(group.group_id, changed))
    return decision


def delete_group_states(group: ShareGroup, image: MetadataImage) -> Decision:
    """Begin to delete everything the share coordinator has of a group that is to be deleted."""
    group.validate_delete()
    old = group.states
    partitions: dict[bytes, frozenset[int]] = {}
    for topics in (old.initialized, old.initializing):
        for topic_id, topic in topics.items():
            partitions[topic_id] = partitions.get(topic_id, frozenset()) | topic.partitions
    for topic_id in old.deleting:
        known = image.topics.by_id(topic_id)
        if known is not None:
            partitions[topic_id] = frozenset(range(len(known.partitions)))
    decision = Decision(response=DeleteStates(group.group_id, partitions))
    if old.topic_ids():
        names = {
            topic_id: topic.name for topics in (old.initializing, old.initialized) for topic_id, topic in topics.items()
        }
        deleting = {topic_id: names.get(topic_id) or old.deleting[topic_id] for topic_id in partitions}
        decision.records.append(
            records.states_record(group.group_id, old._replace(initializing={}, initialized={}, deleting=deleting))
        )
    return decision
