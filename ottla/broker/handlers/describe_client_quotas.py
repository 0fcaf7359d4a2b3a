"""DescribeClientQuotas (key 48): the quotas of users, client ids and addresses that match a filter (KIP-546)."""

from __future__ import annotations

from collections.abc import Iterable

from ...controller.client_quotas import describe_client_quotas as find
from ...coordinator.groups.modern.hash_order import by_hash, by_string
from ...coordinator.shard import java_string_hash
from ...protocol.apis.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntryData,
)
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler

#: As the image knows it: pairs of type and name, None for the default.
Entity = tuple[tuple[str, str | None], ...]


@handler(DescribeClientQuotasRequest)
def describe_client_quotas(context: Context, request: DescribeClientQuotasRequest) -> DescribeClientQuotasResponse:
    """List quotas; a filter that makes no sense has no entries."""
    try:
        entries = _in_order(find(context.broker.image, request), context.broker.image.client_quotas)
    except KafkaError as error:
        return DescribeClientQuotasResponse(error_code=error.code, error_message=error.message, entries=None)
    return DescribeClientQuotasResponse(error_code=ErrorCode.NONE, error_message="", entries=entries)


def _in_order(entries: list[EntryData], known: Iterable[Entity]) -> list[EntryData]:
    """Put entities and their quotas into the order of Kafka's HashMaps: clients' own tests compare whole answers.

    Kafka makes the map of entities for as many as there were before the last one came, that of an entity's quotas for
    none, and lets both grow; quotas changed together went through a map of the usual size before.
    """
    for entry in entries:
        values = {value.key: value for value in entry.values}
        entry.values = [values[key] for key in by_string(by_string(values), capacity=1)]
    by_entity = {tuple((part.entity_type, part.entity_name) for part in entry.entity): entry for entry in entries}
    all_known = list(known)
    ordered = by_hash(all_known, _entity_hash, capacity=max(1, len(all_known) - 1))
    return [by_entity[entity] for entity in ordered if entity in by_entity]


def _entity_hash(entity: Entity) -> int:
    """Compute `ClientQuotaEntity.hashCode`: that of a list of one map."""
    parts = (java_string_hash(kind) ^ (0 if name is None else java_string_hash(name)) for kind, name in entity)
    return 31 + sum(parts)
