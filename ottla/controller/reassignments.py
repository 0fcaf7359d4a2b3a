"""Decisions about where replicas lie: AlterPartitionReassignments and ListPartitionReassignments (KIP-455, KIP-860).

A move has two steps: the new replicas are added beside the old ones, and when they are in sync the old ones go. Where no
replica is new, both are one. A move that is not done can be cancelled, which takes the new replicas out again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..metadata.image import MetadataImage, PartitionImage, TopicImage
from ..protocol.apis import alter_partition_reassignments as alter
from ..protocol.apis import list_partition_reassignments as listing
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import Data
from ..protocol.stored.metadata import PartitionChangeRecord
from .decision import Decision


def alter_partition_reassignments(
    image: MetadataImage, request: alter.AlterPartitionReassignmentsRequest
) -> Decision[alter.AlterPartitionReassignmentsResponse]:
    """Decide AlterPartitionReassignments; each partition has its own result."""
    keep_factor = not request.allow_replication_factor_change
    records: list[Data] = []
    topics = []
    for topic in request.topics:
        rows = []
        for wanted in topic.partitions:
            row = alter.ReassignablePartitionResponse(partition_index=wanted.partition_index, error_message=None)
            try:
                records += _alter(image, topic.name, wanted, keep_factor)
            except KafkaError as error:
                row.error_code = error.code
                # Kafka says nothing beside the code where that says it all.
                row.error_message = None if error.message == error.code.message else error.message
            rows.append(row)
        topics.append(alter.ReassignableTopicResponse(name=topic.name, partitions=rows))
    response = alter.AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change,
        error_code=ErrorCode.NONE,
        error_message=None if topics else "",
        responses=topics,
    )
    return Decision(response, records)


def _alter(image: MetadataImage, name: str, wanted: alter.ReassignablePartition, keep_factor: bool) -> list[Data]:
    topic = image.topics.get(name)
    if topic is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find a topic named {name}.")
    index = wanted.partition_index
    if not 0 <= index < len(topic.partitions):
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"Unable to find partition {name}:{index}.")
    partition = topic.partitions[index]
    if wanted.replicas is None:
        if not _is_moving(partition):
            raise KafkaError(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS)
        target = [broker for broker in partition.replicas if broker not in partition.adding_replicas]
        return _record(topic, index, _moved(image, partition, target, adding=[]))
    _check_target(image, wanted.replicas)
    present = [broker for broker in partition.replicas if broker not in partition.removing_replicas]
    if keep_factor and len(present) != len(wanted.replicas):
        why = f"The replication factor is changed from {len(present)} to {len(wanted.replicas)}"
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, why)
    held = [broker for broker in partition.replicas if broker not in partition.adding_replicas]
    adding = [broker for broker in wanted.replicas if broker not in held]
    return _record(topic, index, _moved(image, partition, wanted.replicas, adding))


def _check_target(image: MetadataImage, replicas: Sequence[int]) -> None:
    includes = "The manual partition assignment includes"
    if not replicas:
        raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{includes} an empty replica list.")
    before = None
    for broker in sorted(replicas):
        if broker not in image.brokers:
            why = f"{includes} broker {broker}, but no such broker is registered."
            raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, why)
        if broker == before:
            raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{includes} the broker {broker} more than once.")
        before = broker


def _is_moving(partition: PartitionImage) -> bool:
    return bool(partition.adding_replicas or partition.removing_replicas)


def _moved(
    image: MetadataImage, old: PartitionImage, target: Sequence[int], adding: Sequence[int]
) -> tuple[PartitionImage, PartitionImage]:
    """Return the partition as it is and as it will be after the first step of a move, or after the only one."""
    removing = [broker for broker in old.replicas if broker not in target]
    isr = tuple(broker for broker in old.isr if broker in target)
    waiting = [broker for broker in adding if broker not in old.isr]
    if waiting or not isr:
        new = old._replace(
            replicas=(*target, *removing), adding_replicas=tuple(waiting), removing_replicas=tuple(removing)
        )
        return old, new
    new = old._replace(replicas=tuple(target), isr=isr, adding_replicas=(), removing_replicas=())
    if old.leader not in target:
        active = {broker.id for broker in image.brokers.values() if broker.active}
        new = new._replace(leader=next((b for b in target if b in isr and b in active), -1))
    return old, new


def _record(topic: TopicImage, index: int, change: tuple[PartitionImage, PartitionImage]) -> list[Data]:
    old, new = change
    if old == new:
        return []
    record = PartitionChangeRecord(partition_id=index, topic_id=topic.id)
    if new.leader != old.leader:
        record.leader = new.leader
    for field in ("replicas", "isr", "adding_replicas", "removing_replicas"):
        if getattr(new, field) != getattr(old, field):
            setattr(record, field, list(getattr(new, field)))
    if new.replicas != old.replicas and old.directories:
        known = dict(zip(old.replicas, old.directories, strict=False))
        record.directories = [known.get(broker, bytes(16)) for broker in new.replicas]
    return [record]


def list_partition_reassignments(
    image: MetadataImage, request: listing.ListPartitionReassignmentsRequest
) -> listing.ListPartitionReassignmentsResponse:
    """List the moves that are not done, of all topics (null) or of those asked for."""
    if request.topics is None:
        wanted = [(topic, range(len(topic.partitions))) for topic in image.topics]
    else:
        found = ((image.topics.get(topic.name), topic.partition_indexes) for topic in request.topics)
        wanted = [(topic, indexes) for topic, indexes in found if topic is not None]  # type: ignore[misc]
    topics = []
    for topic, indexes in wanted:
        rows = [
            _ongoing(index, topic.partitions[index])
            for index in indexes
            if 0 <= index < len(topic.partitions) and _is_moving(topic.partitions[index])
        ]
        if rows:
            topics.append(listing.OngoingTopicReassignment(name=topic.name, partitions=rows))
    return listing.ListPartitionReassignmentsResponse(error_code=ErrorCode.NONE, error_message=None, topics=topics)


def _ongoing(index: int, partition: PartitionImage) -> listing.OngoingPartitionReassignment:
    return listing.OngoingPartitionReassignment(
        partition_index=index,
        replicas=list(partition.replicas),
        adding_replicas=list(partition.adding_replicas),
        removing_replicas=list(partition.removing_replicas),
    )
