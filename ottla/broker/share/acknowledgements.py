"""Acknowledgements of one request, as ShareFetch brings them along and ShareAcknowledge is made of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...coordinator.share_partition import Acknowledgement, AcknowledgeType
from ...protocol.errors import ErrorCode, KafkaError
from ...security.acl import READ, TOPIC
from ..guards.asking import asking_of
from .sessions import PartitionId

if TYPE_CHECKING:
    from ..dispatch import Context
    from ..server import Broker

MEMBER_ID_LENGTH_MAX = 36
RENEW_VERSION = 2

Results = dict[PartitionId, KafkaError | None]


def is_valid_member_id(member_id: str) -> bool:
    """Tell whether a member may be called so: a UUID in text at most."""
    return 0 < len(member_id) <= MEMBER_ID_LENGTH_MAX


def share_groups_enabled(broker: Broker) -> bool:
    """Tell whether share groups are served: by the finalized feature, or by the config that stands in for it."""
    return broker.image.features.get("share.version", 0) > 0 or broker.config.boolean("group.share.enable")


class Acknowledging:
    """The acknowledgements of one request on their way."""

    __slots__ = ("_context", "_group_id", "_member_id", "_refused", "_said", "_silent")

    def __init__(
        self, context: Context, group_id: str, member_id: str, topics: Iterable[Any], is_renew_ack: bool
    ) -> None:  # fmt: skip
        self._context = context
        self._group_id = group_id
        self._member_id = member_id
        self._said: dict[PartitionId, list[Acknowledgement]] = {}
        self._refused: Results = {}
        #: Partitions of which nothing is said.
        self._silent: Results = {}
        images = context.broker.image.topics
        asking = asking_of(context, "ShareAcknowledge")
        for topic in topics:
            image = images.by_id(topic.topic_id)
            refused = image is not None and asking is not None and not asking.may(READ, TOPIC, image.name)
            for item in topic.partitions:
                partition = PartitionId(topic.topic_id, item.partition_index)
                batches = [
                    Acknowledgement(batch.first_offset, batch.last_offset, batch.acknowledge_types)
                    for batch in item.acknowledgement_batches
                ]
                if image is None:
                    self._refused[partition] = _error(ErrorCode.UNKNOWN_TOPIC_ID)
                elif not _is_valid(batches, context.version, is_renew_ack):
                    self._refused[partition] = _error(ErrorCode.INVALID_REQUEST)
                elif refused:
                    self._refused[partition] = _error(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
                elif not 0 <= partition.partition_index < len(image.partitions):
                    self._refused[partition] = _error(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                elif batches:
                    self._said[partition] = batches
                else:
                    self._silent[partition] = None

    async def run(self) -> Results:
        """Take them; returns what became of each partition's."""
        if not self._said:
            return self._refused  # Kafka forgets the silent ones here
        shares = self._context.broker.share_partitions
        results = await shares.acknowledge(self._group_id, self._member_id, self._said)
        return {**results, **self._refused, **self._silent}


def _error(code: ErrorCode) -> KafkaError:
    return KafkaError(code, "")


def _is_valid(batches: list[Acknowledgement], version: int, is_renew_ack: bool) -> bool:
    """Check ranges and types of one partition's acknowledgements."""
    highest = AcknowledgeType.RENEW if version >= RENEW_VERSION else AcknowledgeType.REJECT
    previous = -1
    for first, last, types in batches:
        if first > last or first < previous or not types:
            return False
        if len(types) > 1 and last - first != len(types) - 1:
            return False
        if min(types) < 0 or max(types) > highest:
            return False
        if AcknowledgeType.RENEW in types and not is_renew_ack:
            return False
        previous = last
    return True
