"""Decisions about topics: create, delete, add partitions.

Called by the broker's handlers of CreateTopics, DeleteTopics and CreatePartitions (and by auto-creation). Each function
looks at the request topic by topic, turns what is wrong with one into its error code and Kafka's own text, and collects
the records of the others. `levels` gives the broker's defaults (num.partitions, default.replication.factor and those of
topic configs); `random` gives topic ids and the place where round robin begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..metadata.configs.resolve import Levels, new_topic_entries
from ..metadata.image import BrokerImage, MetadataImage, PartitionImage, TopicImage, partition_record
from ..protocol.apis.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)
from ..protocol.apis.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ..protocol.apis.delete_topics import DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import ZERO_UUID, Data
from ..protocol.stored.metadata import RemoveTopicRecord, TopicRecord
from .configs import new_topic_configs
from .decision import Decision, Randomness, Take, unlimited
from .names import check_name
from .placement import place

#: Kafka's limit of new partitions in one request (`ReplicationControlManager.MAX_PARTITIONS_PER_BATCH`).
MAX_PARTITIONS_PER_REQUEST = 10_000
#: Kafka's controller keeps its own log under this name; nobody else may create it.
CLUSTER_METADATA_TOPIC = "__cluster_metadata"
#: Ids Kafka keeps for itself: "none", its metadata topic, and (as directory ids) a few more of the lowest.
_RESERVED_IDS = frozenset(number.to_bytes(16, "big") for number in range(100))


def new_topic_id(random: Randomness) -> bytes:
    """Make a topic id: a random version-4 UUID that is not reserved and whose text does not begin with '-'."""
    while True:
        raw = bytearray(random.randbytes(16))
        raw[6] = (raw[6] & 0x0F) | 0x40
        raw[8] = (raw[8] & 0x3F) | 0x80
        # 0xF8..0xFB is '-' in URL-safe base 64, which command lines take for an option (Kafka avoids it too).
        if bytes(raw) not in _RESERVED_IDS and raw[0] >> 2 != 0x3E:
            return bytes(raw)


# -- CreateTopics --------------------------------------------------------------------------------------------------


def create_topics(
    image: MetadataImage,
    request: CreateTopicsRequest,
    *,
    levels: Levels,
    random: Randomness,
    take: Take = unlimited,
) -> Decision[CreateTopicsResponse]:
    """Decide CreateTopics. Topics named twice are refused as a whole, as Kafka does."""
    counts = Counter(topic.name for topic in request.topics)
    results, records = [], list[Data]()
    described: dict[tuple[tuple[str, str], ...], list[CreatableTopicConfigs]] = {}
    too_many = _count_partitions(request.topics, levels) > MAX_PARTITIONS_PER_REQUEST
    for topic in request.topics:
        if counts[topic.name] > 1:
            continue
        try:
            if too_many:
                why = "Excessively large number of partitions per request."
                raise KafkaError(ErrorCode.POLICY_VIOLATION, why)
            result, new = _create_topic(image, topic, levels, random)
            take(result.num_partitions)
            configs = tuple((c.name, c.value) for c in topic.configs if c.value is not None)  # of two, the last holds
            if configs not in described:  # most topics of a request set the same
                described[configs] = _configs(dict(configs), levels)
            result.configs = described[configs]
        except KafkaError as error:
            result, new = _refused_topic(topic.name, error), []
        results.append(result)
        records += new
    for name, count in counts.items():
        if count > 1:
            duplicate = KafkaError(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
            results.append(_refused_topic(name, duplicate))
    response = CreateTopicsResponse(throttle_time_ms=0, topics=results)
    return Decision(response, [] if request.validate_only else records)


def _refused_topic(name: str, error: KafkaError) -> CreatableTopicResult:
    return CreatableTopicResult(
        name=name, topic_id=ZERO_UUID, error_code=error.code, error_message=error.message, configs=[]
    )


def _count_partitions(topics: Iterable[CreatableTopic], levels: Levels) -> int:
    default = levels.integer("num.partitions")
    return sum(len(t.assignments) or (default if t.num_partitions == -1 else max(0, t.num_partitions)) for t in topics)


def _create_topic(
    image: MetadataImage, topic: CreatableTopic, levels: Levels, random: Randomness
) -> tuple[CreatableTopicResult, list[Data]]:
    name = topic.name
    if name == CLUSTER_METADATA_TOPIC:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Creation of internal topic {name} is prohibited.")
    check_name(name)
    # Kafka looks at existence after collisions, and lets it win.
    if name in image.topics:
        raise KafkaError(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
    colliding = image.topics.colliding(name)
    if colliding is not None:
        why = f"Topic '{name}' collides with existing topic: {colliding}"
        raise KafkaError(ErrorCode.INVALID_TOPIC_EXCEPTION, why)
    nulls = [config.name for config in topic.configs if config.value is None]
    if nulls:
        why = f"Null value not supported for topic configs: {','.join(nulls)}"
        raise KafkaError(ErrorCode.INVALID_CONFIG, why)
    configs = {config.name: config.value for config in topic.configs if config.value is not None}
    config_records = new_topic_configs(image, name, configs, levels)
    replicas = _choose_replicas(image, topic, levels, random)
    topic_id = new_topic_id(random)
    while image.topics.by_id(topic_id) is not None:
        topic_id = new_topic_id(random)
    records: list[Data] = [TopicRecord(name=name, topic_id=topic_id), *config_records]
    records += _partition_records(image, topic_id, 0, replicas)
    result = CreatableTopicResult(
        name=name,
        topic_id=topic_id,
        error_code=ErrorCode.NONE,
        error_message=None,
        num_partitions=len(replicas),
        replication_factor=len(replicas[0]),
        configs=[],
    )
    return result, records


def _configs(own: Mapping[str, str], levels: Levels) -> list[CreatableTopicConfigs]:
    return [
        CreatableTopicConfigs(
            name=entry.name,
            value=None if entry.sensitive else entry.value,
            read_only=entry.read_only,
            config_source=entry.source,
            is_sensitive=entry.sensitive,
        )
        for entry in new_topic_entries(own, levels)
    ]


def _choose_replicas(
    image: MetadataImage, topic: CreatableTopic, levels: Levels, random: Randomness
) -> list[tuple[int, ...]]:
    """Return the replicas of partitions 0, 1, …, as assigned in the request or placed."""
    if topic.assignments:
        return _assigned_replicas(image, topic)
    if topic.replication_factor < -1 or topic.replication_factor == 0:
        why = "Replication factor must be larger than 0, or -1 to use the default value."
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, why)
    if topic.num_partitions < -1 or topic.num_partitions == 0:
        why = "Number of partitions was set to an invalid non-positive value."
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, why)
    count = levels.integer("num.partitions") if topic.num_partitions == -1 else topic.num_partitions
    factor = topic.replication_factor
    if factor == -1:
        factor = levels.integer("default.replication.factor")
    try:
        replicas = place(image.brokers.values(), count, factor, random)
        _check_active(image, replicas, factor)
    except KafkaError as error:
        why = f"Unable to replicate the partition {factor} time(s): {error.message}"
        raise KafkaError(error.code, why) from None
    return replicas


def _check_active(image: MetadataImage, rows: Iterable[Sequence[int]], factor: int) -> None:
    """Refuse placements of which no replica could lead (all shutting down)."""
    if not all(any(image.brokers[b].active for b in replicas) for replicas in rows):
        why = "All brokers are currently fenced or in controlled shutdown."
        raise KafkaError(ErrorCode.INVALID_REPLICATION_FACTOR, why)


def _assigned_replicas(image: MetadataImage, topic: CreatableTopic) -> list[tuple[int, ...]]:
    prefix = "A manual partition assignment was specified, but "
    if topic.replication_factor != -1:
        raise KafkaError(ErrorCode.INVALID_REQUEST, prefix + "replication factor was not set to -1.")
    if topic.num_partitions != -1:
        raise KafkaError(ErrorCode.INVALID_REQUEST, prefix + "numPartitions was not set to -1.")
    rows: dict[int, tuple[int, ...]] = {}
    factor = None
    for assignment in topic.assignments:
        index = assignment.partition_index
        if index in rows:
            why = f"Found multiple manual partition assignments for partition {index}"
            raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, why)
        rows[index] = check_assignment(image.brokers, assignment.broker_ids, factor, index)
        factor = len(rows[index])
    if sorted(rows) != list(range(len(rows))):
        why = "partitions should be a consecutive 0-based integer sequence"
        raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, why)
    return [rows[index] for index in range(len(rows))]


def check_assignment(
    brokers: Mapping[int, BrokerImage], broker_ids: Sequence[int], factor: int | None, index: int
) -> tuple[int, ...]:
    """Check a manual assignment of partition `index` against the brokers and the other partitions' factor."""
    prefix = "The manual partition assignment includes "
    problem = ""
    if not broker_ids:
        problem = prefix + "an empty replica list."
    previous = None
    for broker_id in sorted(broker_ids):
        if broker_id not in brokers:
            problem = prefix + f"broker {broker_id}, but no such broker is registered."
        elif broker_id == previous:
            problem = prefix + f"the broker {broker_id} more than once."
        if problem:
            break
        previous = broker_id
    if not problem and factor is not None and len(broker_ids) != factor:
        problem = prefix + (
            f"a partition with {len(broker_ids)} replica(s), but this is not consistent with previous "
            f"partitions, which have {factor} replica(s)."
        )
    if not problem and not any(brokers[b].active for b in broker_ids):
        problem = (
            f"All brokers specified in the manual partition assignment for partition {index} are fenced or in "
            "controlled shutdown."
        )
    if problem:
        raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, problem)
    return tuple(broker_ids)


def _partition_records(
    image: MetadataImage, topic_id: bytes, first: int, rows: Iterable[tuple[int, ...]]
) -> list[Data]:
    """Make the records of new partitions: led by the first active replica, all active ones in sync."""
    records: list[Data] = []
    for index, replicas in enumerate(rows, first):
        isr = tuple(b for b in replicas if image.brokers[b].active)
        records.append(partition_record(topic_id, index, PartitionImage(isr[0], 0, 0, replicas, isr)))
    return records


# -- DeleteTopics --------------------------------------------------------------------------------------------------


def delete_topics(
    image: MetadataImage, request: DeleteTopicsRequest, *, version: int, levels: Levels, take: Take = unlimited
) -> Decision[DeleteTopicsResponse]:
    """Decide DeleteTopics: by name (v0-5), by name or id (v6)."""
    names = [*request.topic_names, *(t.name for t in request.topics if t.name is not None and t.topic_id == ZERO_UUID)]
    ids = [t.topic_id for t in request.topics if t.name is None and t.topic_id != ZERO_UUID]
    if levels.value("delete.topic.enable") is False:
        if version < 3:
            why = "This version does not support topic deletion."
            return _refuse_deletion(names, ids, KafkaError(ErrorCode.INVALID_REQUEST, why))
        return _refuse_deletion(names, ids, KafkaError(ErrorCode.TOPIC_DELETION_DISABLED))
    results = []
    for topic in request.topics:
        if topic.name is None and topic.topic_id == ZERO_UUID:
            results.append(_deleted(None, ZERO_UUID, _bad("Neither topic name nor id were specified.")))
        elif topic.name is not None and topic.topic_id != ZERO_UUID:
            error = _bad("You may not specify both topic name and topic id.")
            results.append(_deleted(topic.name, topic.topic_id, error))
    name_counts, id_counts = Counter(names), Counter(ids)
    results += [_deleted(n, ZERO_UUID, _bad("Duplicate topic name.")) for n, c in name_counts.items() if c > 1]
    results += [_deleted(None, i, _bad("Duplicate topic id.")) for i, c in id_counts.items() if c > 1]
    doomed: dict[bytes, TopicImage] = {}
    for topic_id, count in id_counts.items():
        if count == 1:
            found = image.topics.by_id(topic_id)
            if found is None:
                results.append(_deleted(None, topic_id, KafkaError(ErrorCode.UNKNOWN_TOPIC_ID)))
            else:
                doomed[topic_id] = found
    for name, count in name_counts.items():
        if count > 1:
            continue
        found = image.topics.get(name)
        if found is None:
            results.append(_deleted(name, ZERO_UUID, KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)))
        elif found.id in id_counts:
            doomed.pop(found.id, None)
            error = _bad("The provided topic name maps to an ID that was already supplied.")
            results.append(_deleted(name, found.id, error))
        else:
            doomed[found.id] = found
    records: list[Data] = []
    for topic_id, found in doomed.items():
        refused = None
        try:
            take(len(found.partitions))
            records.append(RemoveTopicRecord(topic_id=topic_id))
        except KafkaError as error:
            refused = error
        results.append(_deleted(found.name, topic_id, refused))
    return Decision(DeleteTopicsResponse(throttle_time_ms=0, responses=results), records)


def _bad(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, message)


def _deleted(name: str | None, topic_id: bytes, error: KafkaError | None) -> DeletableTopicResult:
    return DeletableTopicResult(
        name=name,
        topic_id=topic_id,
        error_code=ErrorCode.NONE if error is None else error.code,
        error_message=None if error is None else error.message,
    )


def _refuse_deletion(names: list[str], ids: list[bytes], error: KafkaError) -> Decision[DeleteTopicsResponse]:
    results = [_deleted(name, ZERO_UUID, error) for name in names]
    results += [_deleted(None, topic_id, error) for topic_id in ids]
    return Decision(DeleteTopicsResponse(throttle_time_ms=0, responses=results))


# -- CreatePartitions ----------------------------------------------------------------------------------------------


def create_partitions(
    image: MetadataImage, request: CreatePartitionsRequest, *, random: Randomness, take: Take = unlimited
) -> Decision[CreatePartitionsResponse]:
    """Decide CreatePartitions."""
    counts = Counter(topic.name for topic in request.topics)
    results = [
        CreatePartitionsTopicResult(
            name=name, error_code=ErrorCode.INVALID_REQUEST, error_message="Duplicate topic name."
        )
        for name, count in counts.items()
        if count > 1
    ]
    records: list[Data] = []
    for topic in request.topics:
        if counts[topic.name] > 1:
            continue
        result = CreatePartitionsTopicResult(name=topic.name, error_code=ErrorCode.NONE)
        try:
            records += _add_partitions(image, topic, random, take)
        except KafkaError as error:
            result.error_code = error.code
            # Kafka says nothing beside the code where that says it all.
            result.error_message = None if error.message == error.code.message else error.message
        results.append(result)
    response = CreatePartitionsResponse(throttle_time_ms=0, results=results)
    return Decision(response, [] if request.validate_only else records)


def _add_partitions(image: MetadataImage, request: CreatePartitionsTopic, random: Randomness, take: Take) -> list[Data]:
    topic = image.topics.get(request.name)
    if topic is None:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    present = len(topic.partitions)
    added = request.count - present
    if added == 0:
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, f"Topic already has {present} partition(s).")
    if added < 0:
        why = f"The topic {topic.name} currently has {present} partition(s); {request.count} would not be an increase."
        raise KafkaError(ErrorCode.INVALID_PARTITIONS, why)
    if added > MAX_PARTITIONS_PER_REQUEST:
        raise KafkaError(ErrorCode.POLICY_VIOLATION, "Excessively large number of partitions per request.")
    factor = len(topic.partitions[0].replicas)
    if request.assignments is None:
        rows = place(image.brokers.values(), added, factor, random)
        try:
            _check_active(image, rows, factor)
        except KafkaError as error:
            why = f"Unable to replicate the partition {factor} time(s): {error.message}"
            raise KafkaError(error.code, why) from None
    else:
        if len(request.assignments) != added:
            why = (
                f"Attempted to add {added} additional partition(s), but only {len(request.assignments)} "
                "assignment(s) were specified."
            )
            raise KafkaError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, why)
        rows = [
            check_assignment(image.brokers, assignment.broker_ids, factor, present + i)
            for i, assignment in enumerate(request.assignments)
        ]
    take(added)
    return _partition_records(image, topic.id, present, rows)
