"""DescribeConfigs (key 32): every config of a topic, broker, group or client-metrics subscription, with its sources."""

from __future__ import annotations

from collections.abc import Sequence

from ...controller.names import check_name
from ...coordinator.groups.modern.hash_order import by_string
from ...metadata.configs.definition import ConfigSource
from ...metadata.configs.resolve import (
    ConfigEntry,
    broker_default_entries,
    broker_entries,
    client_metrics_entries,
    group_entries,
    topic_entries,
)
from ...metadata.configs.values import ConfigType
from ...metadata.image import ResourceType
from ...protocol.apis.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler
from ..loggers import levels_of_loggers

#: What one answer may weigh, roughly. A request of 100 KB can name a broker's 300 configs ten thousand times.
ANSWER_BYTES_MAX = 32 << 20
#: Our own configs, and those of KIP-1191 (dead letters of share groups), which comes with a later Kafka.
_NOT_KAFKAS = ("ottla.", "errors.deadletterqueue.")
_KNOWN = frozenset(
    {
        ResourceType.TOPIC,
        ResourceType.BROKER,
        ResourceType.BROKER_LOGGER,
        ResourceType.CLIENT_METRICS,
        ResourceType.GROUP,
    }
)


@handler(DescribeConfigsRequest)
def describe_configs(context: Context, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    """Describe resources; each has its own result. One of an unknown type fails the whole request, as in Kafka."""
    code = ErrorCode.INVALID_REQUEST
    unknown = not all(resource.resource_type in _KNOWN for resource in request.resources)
    results = []
    room = ANSWER_BYTES_MAX
    #: A thousand times the same resource in 10 KB would keep everybody waiting for seconds: it is looked up once.
    described: dict[tuple[int, str, tuple[str, ...] | None], tuple[list[DescribeConfigsResourceResult], int]] = {}
    for resource in request.resources:
        keys = None if resource.configuration_keys is None else tuple(resource.configuration_keys)
        place = (resource.resource_type, resource.resource_name, keys)
        try:
            if unknown:
                raise KafkaError(code, code.message)
            if place not in described:
                entries = _in_order(_entries(context, resource))
                rows = [_row(entry, request) for entry in _chosen(entries, resource)]
                described[place] = rows, sum(map(_size, rows))
            rows, size = described[place]
            room -= size
            if room < 0:
                raise KafkaError(code, "The answer would be too large: ask for fewer resources in one request.")
            results.append(_result(resource, rows))
        except KafkaError as error:
            refused = _result(resource, [])
            refused.error_code, refused.error_message = error.code, error.message or ""
            results.append(refused)
    return DescribeConfigsResponse(throttle_time_ms=0, results=results)


def _entries(context: Context, resource: DescribeConfigsResource) -> Sequence[ConfigEntry]:
    image = context.broker.image
    known = context.broker.config.levels_in(image)
    kind, name = resource.resource_type, resource.resource_name
    own = image.configs.get(kind, name)
    if kind == ResourceType.TOPIC:
        check_name(name)
        if name not in image.topics:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "")
        return topic_entries(own, known)
    if kind == ResourceType.BROKER:
        if not name:
            return broker_default_entries(known)
        _check_broker(context, name, "or empty string, ")
        return broker_entries(known)
    if kind == ResourceType.BROKER_LOGGER:
        if not name:
            raise KafkaError(ErrorCode.INVALID_REQUEST, "Broker id must not be empty")
        _check_broker(context, name, "")
        source, form = ConfigSource.DYNAMIC_BROKER_LOGGER, ConfigType.UNKNOWN
        # Their documentation is empty, and told even if none is asked for.
        return [
            ConfigEntry(logger, level, source, form, documentation="") for logger, level in levels_of_loggers().items()
        ]
    if not name:
        what = "Group name" if kind == ResourceType.GROUP else "Client metrics subscription name"
        raise KafkaError(ErrorCode.INVALID_REQUEST, f"{what} must not be empty")
    return group_entries(own, known) if kind == ResourceType.GROUP else client_metrics_entries(own)


def _in_order(entries: Sequence[ConfigEntry]) -> list[ConfigEntry]:
    """Put configs into the order of Kafka, that of a HashMap of Java: there are clients that expect the third to be the third.

    What Kafka 4.2 does not have stands at the end, where it does not make the map larger.
    """
    ours = [entry for entry in entries if entry.name.startswith(_NOT_KAFKAS)]
    by_name = {entry.name: entry for entry in entries if not entry.name.startswith(_NOT_KAFKAS)}
    return [*(by_name[name] for name in by_string(by_name)), *ours]


def _check_broker(context: Context, name: str, alternative: str) -> None:
    try:
        asked = int(name)
    except ValueError:
        why = f"Broker id must be an integer, but it is: {name}"
        raise KafkaError(ErrorCode.INVALID_REQUEST, why) from None
    if asked != context.broker.node_id:
        comma = " " if not alternative else f" {alternative}"
        why = f"Unexpected broker id, expected {context.broker.node_id}{comma}but received {name}"
        raise KafkaError(ErrorCode.INVALID_REQUEST, why)


def _chosen(entries: Sequence[ConfigEntry], resource: DescribeConfigsResource) -> Sequence[ConfigEntry]:
    keys = set(resource.configuration_keys or ())
    return [entry for entry in entries if entry.name in keys] if keys else entries


def _result(resource: DescribeConfigsResource, rows: list[DescribeConfigsResourceResult]) -> DescribeConfigsResult:
    return DescribeConfigsResult(
        error_code=ErrorCode.NONE,
        error_message="",
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
        configs=rows,
    )


def _row(entry: ConfigEntry, request: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    synonyms = entry.synonyms if request.include_synonyms else ()
    return DescribeConfigsResourceResult(
        name=entry.name,
        value=None if entry.sensitive else entry.value,
        read_only=entry.read_only,
        config_source=entry.source,
        is_sensitive=entry.sensitive,
        synonyms=[DescribeConfigsSynonym(name=s.name, value=s.value, source=s.source) for s in synonyms],
        config_type=entry.type,
        documentation=entry.documentation if request.include_documentation or entry.documentation == "" else None,
    )


def _size(row: DescribeConfigsResourceResult) -> int:
    synonyms = sum(len(synonym.name) + len(synonym.value or "") + 5 for synonym in row.synonyms)
    return len(row.name) + len(row.value or "") + len(row.documentation or "") + synonyms + 12
