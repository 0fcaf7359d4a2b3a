"""Decisions about dynamic configs: AlterConfigs and IncrementalAlterConfigs on topics, brokers, groups, client metrics.

Every resource is decided by itself: the new set of its configs is computed, checked as a whole, and either all of its
changes become records or none. Checks are Kafka's, in Kafka's order and words (`ConfigAdminManager` on the broker, then
`ConfigurationControlManager` and `ControllerConfigurationValidator` on the controller); a test replays a recorded
conversation with Apache Kafka. BROKER_LOGGER resources are not for the metadata log: the handler keeps them to itself.

`levels` are the configs of the broker that was asked, `node_id` is its number: configs of a single broker are only
changed by asking that broker, because only it can tell whether they would work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..metadata.configs.broker import BROKER
from ..metadata.configs.definition import ConfigDefinition
from ..metadata.configs.resolve import Levels
from ..metadata.configs.topic import TOPIC
from ..metadata.configs.values import LIST
from ..metadata.image import MetadataImage, ResourceType
from ..protocol.apis import alter_configs as legacy
from ..protocol.apis import incremental_alter_configs as incremental
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import Data
from ..protocol.stored.metadata import ClearElrRecord, ConfigRecord
from .config_checks import check_broker_configs, check_client_metrics, check_group_configs, check_topic_configs
from .decision import Decision
from .names import check_name

#: Kafka's operations of IncrementalAlterConfigs.
SET, DELETE, APPEND, SUBTRACT = range(4)
_OPERATION_NAMES = ("SET", "DELETE", "APPEND", "SUBTRACT")
#: Kafka stores no longer value (`Short.MAX_VALUE`): its record format counted with 16 bits once.
VALUE_LENGTH_MAX = 32767
ELR_FEATURE = "eligible.leader.replicas.version"
_MIN_ISR = "min.insync.replicas"
_TABLES: Mapping[int, Mapping[str, ConfigDefinition]] = {ResourceType.TOPIC: TOPIC, ResourceType.BROKER: BROKER}
_KINDS = (ResourceType.TOPIC, ResourceType.BROKER, ResourceType.CLIENT_METRICS, ResourceType.GROUP)


#: Asks the broker whether it could work with these configs (certificates, for example); raises `KafkaError` if not.
Probe = Callable[[Levels], None]


class _Asked(NamedTuple):
    """What a request wants of one resource: (key, operation, value) in its order."""

    kind: int
    name: str
    operations: list[tuple[str, int, str | None]]


class _Outcome(NamedTuple):
    asked: _Asked
    error: KafkaError | None


# -- the two requests ----------------------------------------------------------------------------------------------


def incremental_alter_configs(
    image: MetadataImage,
    request: incremental.IncrementalAlterConfigsRequest,
    *,
    levels: Levels,
    node_id: int,
    probe: Probe | None = None,
) -> Decision[incremental.IncrementalAlterConfigsResponse]:
    """Decide IncrementalAlterConfigs: set, delete, append to and subtract from single configs."""
    asked = [
        _Asked(r.resource_type, r.resource_name, [(c.name, c.config_operation, c.value) for c in r.configs])
        for r in request.resources
    ]
    outcomes, records = _decide(image, asked, levels, node_id, _changed, probe)
    response = incremental.IncrementalAlterConfigsResponse(
        throttle_time_ms=0,
        responses=[
            incremental.AlterConfigsResourceResponse(
                error_code=ErrorCode.NONE if error is None else error.code,
                error_message=None if error is None else error.message,
                resource_type=a.kind,
                resource_name=a.name,
            )
            for a, error in outcomes
        ],
    )
    return Decision(response, [] if request.validate_only else records)


def alter_configs(
    image: MetadataImage,
    request: legacy.AlterConfigsRequest,
    *,
    levels: Levels,
    node_id: int,
    probe: Probe | None = None,
) -> Decision[legacy.AlterConfigsResponse]:
    """Decide AlterConfigs: the configs given replace all that a resource has."""
    asked = [
        _Asked(r.resource_type, r.resource_name, [(c.name, SET, c.value) for c in r.configs]) for r in request.resources
    ]
    outcomes, records = _decide(image, asked, levels, node_id, _replaced, probe)
    response = legacy.AlterConfigsResponse(
        throttle_time_ms=0,
        responses=[
            legacy.AlterConfigsResourceResponse(
                error_code=ErrorCode.NONE if error is None else error.code,
                error_message=None if error is None else error.message,
                resource_type=a.kind,
                resource_name=a.name,
            )
            for a, error in outcomes
        ],
    )
    return Decision(response, [] if request.validate_only else records)


def new_topic_configs(image: MetadataImage, name: str, configs: Mapping[str, str], levels: Levels) -> list[Data]:
    """Return the records of a new topic's configs, after checking them."""
    return _records(image, ResourceType.TOPIC, name, {}, dict(configs), levels) if configs else []


# -- resource by resource ------------------------------------------------------------------------------------------

_Change = Callable[[_Asked, Mapping[str, str]], dict[str, str | None]]


def _decide(
    image: MetadataImage,
    asked: Sequence[_Asked],
    levels: Levels,
    node_id: int,
    change: _Change,
    probe: Probe | None,
) -> tuple[list[_Outcome], list[Data]]:
    times = Counter((a.kind, a.name) for a in asked)
    outcomes, records = [], list[Data]()
    for a in asked:
        error = None
        try:
            if times[a.kind, a.name] > 1:
                raise KafkaError(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")
            _check_form(a, node_id)
            current = image.configs.get(a.kind, a.name)
            if a.kind == ResourceType.BROKER:
                _check_broker(a, current, levels, change, probe)
            new = _records(image, a.kind, a.name, current, change(a, current), levels)
            _check_exists(image, a)
            records += new
        except KafkaError as refused:
            error = refused
        outcomes.append(_Outcome(a, error))
    return outcomes, records


def _check_form(asked: _Asked, node_id: int) -> None:
    """Check what can be said without looking at configs."""
    keys = [key for key, _, _ in asked.operations]
    if len(set(keys)) != len(keys):
        raise KafkaError(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
    nulls = [key for key, operation, value in asked.operations if operation != DELETE and value is None]
    if nulls:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {', '.join(nulls)}")
    if asked.kind not in _KINDS:
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown resource type {asked.kind}")
    if asked.kind == ResourceType.BROKER and asked.name:
        try:
            number = int(asked.name)
        except ValueError:
            why = f"Node id must be an integer, but it is: {asked.name}"
            raise KafkaError(ErrorCode.INVALID_REQUEST, why) from None
        if number != node_id:
            why = f"Unexpected broker id, expected {node_id}, but received {asked.name}"
            raise KafkaError(ErrorCode.INVALID_REQUEST, why)
    for _, operation, _ in asked.operations:
        if not SET <= operation <= SUBTRACT:
            raise KafkaError(ErrorCode.INVALID_REQUEST, f"Unknown operations type {operation}")


def _check_exists(image: MetadataImage, asked: _Asked) -> None:
    if asked.kind == ResourceType.TOPIC and asked.name not in image.topics:
        raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{asked.name}' does not exist.")
    if asked.kind == ResourceType.BROKER and asked.name and int(asked.name) not in image.brokers:
        raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, f"No node with id {asked.name} found.")


def _check_broker(
    asked: _Asked, current: Mapping[str, str], levels: Levels, change: _Change, probe: Probe | None
) -> None:
    """Check a broker's new configs as the broker itself does, before the controller is asked."""
    for key, operation, _ in asked.operations:
        if operation in (APPEND, SUBTRACT):
            if key not in BROKER:
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"Unknown config name: {key}")
            if BROKER[key].type is not LIST:
                word = _OPERATION_NAMES[operation].lower()
                why = f"Config value {word} is not allowed for config key: {key}"
                raise KafkaError(ErrorCode.INVALID_CONFIG, why)
    outcome = _after(current, change(asked, current))
    check_broker_configs(outcome, levels, per_broker=bool(asked.name))
    if probe is not None and asked.name:
        probe(levels._replace(dynamic_broker=outcome))


def _changed(asked: _Asked, current: Mapping[str, str]) -> dict[str, str | None]:
    """Compute what IncrementalAlterConfigs changes; None removes a config."""
    changes: dict[str, str | None] = {}
    for key, operation, value in asked.operations:
        if operation == SET:
            changes[key] = value
        elif operation == DELETE:
            changes[key] = None
        else:
            definition = _TABLES.get(asked.kind, {}).get(key)
            if definition is None or definition.type is not LIST:
                word = _OPERATION_NAMES[operation]
                why = f"Can't {word} to key {key} because its type is not LIST."
                raise KafkaError(ErrorCode.INVALID_CONFIG, why)
            before = current.get(key, definition.default_string or "")
            items = [item for item in before.split(",") if item]
            given = (value or "").split(",")
            if operation == APPEND:
                items += [item for item in dict.fromkeys(given) if item not in items]
            else:
                for item in given:
                    if item in items:
                        items.remove(item)
            changes[key] = ",".join(items)
    return changes


def _replaced(asked: _Asked, current: Mapping[str, str]) -> dict[str, str | None]:
    """Compute what AlterConfigs changes: what is not named goes."""
    given = {key: value for key, _, value in asked.operations}
    return {**given, **{key: None for key in current if key not in given}}


def _after(current: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    merged = {**current, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def _records(
    image: MetadataImage,
    kind: int,
    name: str,
    current: Mapping[str, str],
    changes: Mapping[str, str | None],
    levels: Levels,
) -> list[Data]:
    """Check the outcome as the controller does and return the records that lead to it."""
    # A broker's config is written again even if it is the same: it makes brokers reload files it names (KAFKA-14136).
    changes = {k: v for k, v in changes.items() if current.get(k) != v or kind == ResourceType.BROKER}
    _check_min_isr(image, kind, name, changes)
    if any(value is not None and len(value) > VALUE_LENGTH_MAX for value in changes.values()):
        why = (
            "The configuration value cannot be added because it exceeds the maximum value size of "
            f"{VALUE_LENGTH_MAX} bytes."
        )
        raise KafkaError(ErrorCode.INVALID_CONFIG, why)
    outcome = _after(current, changes)
    if kind == ResourceType.TOPIC:
        if not name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed.")
        check_name(name)
        check_topic_configs(outcome, levels)
    elif kind == ResourceType.GROUP:
        check_group_configs(name, outcome, levels)
    elif kind == ResourceType.CLIENT_METRICS:
        check_client_metrics(name, outcome)
    records: list[Data] = [
        ConfigRecord(resource_type=kind, resource_name=name, name=key, value=value) for key, value in changes.items()
    ]
    if _MIN_ISR in changes and _elr(image):
        records.append(ClearElrRecord(topic_name=name if kind == ResourceType.TOPIC else ""))
    return records


def _elr(image: MetadataImage) -> bool:
    return image.features.get(ELR_FEATURE, 0) > 0


def _check_min_isr(image: MetadataImage, kind: int, name: str, changes: Mapping[str, str | None]) -> None:
    """With eligible leader replicas (KIP-966) min.insync.replicas must be the same on all brokers."""
    if kind != ResourceType.BROKER or _MIN_ISR not in changes or not _elr(image):
        return
    if name:
        why = "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
        raise KafkaError(ErrorCode.INVALID_CONFIG, why)
    if changes[_MIN_ISR] is None:
        why = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
        raise KafkaError(ErrorCode.INVALID_CONFIG, why)
