"""Decisions about leaders that an administrator asks for: ElectLeaders (KIP-183, KIP-460).

A preferred election gives a partition back to the first of its replicas, if that is in sync. An unclean one gives a
partition without leader to any living replica, and with it whatever that replica has.
"""

from __future__ import annotations

from ..metadata.image import NO_LEADER, MetadataImage, PartitionImage
from ..protocol.apis.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
)
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import Data
from ..protocol.stored.metadata import PartitionChangeRecord
from .decision import Decision

#: ElectionType
PREFERRED, UNCLEAN = 0, 1
#: PartitionChangeRecord.leader_recovery_state: the leader may lack committed records.
_RECOVERING = 1


def elect_leaders(image: MetadataImage, request: ElectLeadersRequest) -> Decision[ElectLeadersResponse]:
    """Decide ElectLeaders. Of all partitions (null) only those are told that had no leader of the kind asked for."""
    kind = request.election_type
    asked = request.topic_partitions
    if kind not in (PREFERRED, UNCLEAN):
        return Decision(_refused(request, KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown election type {kind}")))
    records: list[Data] = []
    results = []
    if asked is None:
        for topic in image.topics:
            rows = [_elect(image, topic.name, index, kind, records) for index in range(len(topic.partitions))]
            told = [row for row in rows if row.error_code != ErrorCode.ELECTION_NOT_NEEDED]
            results.append(ReplicaElectionResult(topic=topic.name, partition_result=told))
    else:
        for wanted in asked:
            rows = [_elect(image, wanted.topic, index, kind, records) for index in wanted.partitions]
            results.append(ReplicaElectionResult(topic=wanted.topic, partition_result=rows))
    return Decision(ElectLeadersResponse(error_code=ErrorCode.NONE, replica_election_results=results), records)


def _refused(request: ElectLeadersRequest, error: KafkaError) -> ElectLeadersResponse:
    results = [
        ReplicaElectionResult(
            topic=wanted.topic, partition_result=[_row(index, error.code, error.message) for index in wanted.partitions]
        )
        for wanted in request.topic_partitions or []
    ]
    return ElectLeadersResponse(error_code=error.code, replica_election_results=results)


def _elect(image: MetadataImage, name: str, index: int, kind: int, records: list[Data]) -> PartitionResult:
    topic = image.topics.get(name)
    if topic is None:
        return _row(index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {name}")
    if not 0 <= index < len(topic.partitions):
        return _row(index, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {name}-{index}")
    partition = topic.partitions[index]
    if partition.leader == (partition.replicas[0] if kind == PREFERRED else max(partition.leader, 0)):
        return _row(index, ErrorCode.ELECTION_NOT_NEEDED, ErrorCode.ELECTION_NOT_NEEDED.message)
    active = {broker.id for broker in image.brokers.values() if broker.active}
    record = PartitionChangeRecord(partition_id=index, topic_id=topic.id)
    if kind == PREFERRED:
        if not _make_preferred(partition, active, record):
            code = ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
            return _row(index, code, code.message)
    elif not _make_any(partition, active, record):
        code = ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
        return _row(index, code, code.message)
    records.append(record)
    return _row(index, ErrorCode.NONE, None)


def _make_preferred(partition: PartitionImage, active: set[int], record: PartitionChangeRecord) -> bool:
    first = partition.replicas[0]
    record.leader = first
    return first in active and first in partition.isr


def _make_any(partition: PartitionImage, active: set[int], record: PartitionChangeRecord) -> bool:
    """Choose one that is in sync, else one that may lead, else any that lives."""
    living = [broker for broker in partition.replicas if broker in active]
    clean = next((b for b in living if b in partition.isr or b in partition.elr), NO_LEADER)
    record.leader = clean if clean != NO_LEADER else next(iter(living), NO_LEADER)
    if record.leader not in partition.isr:
        record.isr = [record.leader]
    if clean == NO_LEADER:
        record.leader_recovery_state = _RECOVERING
    return record.leader != NO_LEADER


def _row(index: int, code: ErrorCode, message: str | None) -> PartitionResult:
    return PartitionResult(partition_id=index, error_code=code, error_message=message)
