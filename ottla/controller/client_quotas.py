"""Decisions about client quotas: AlterClientQuotas, and what DescribeClientQuotas finds (KIP-546).

An entity is a user, a client id, both, or an address; a name of None is the default entity of its type. Each entity of a
request stands or falls alone. Checks are Kafka's, in its order and words (`ClientQuotaControlManager`, `ClientQuotasImage`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from ..metadata.image import MetadataImage
from ..protocol.apis import alter_client_quotas as alter
from ..protocol.apis import describe_client_quotas as describe
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import Data
from ..protocol.stored.metadata import ClientQuotaRecord, EntityData
from .decision import Decision

USER, CLIENT_ID, IP = "user", "client-id", "ip"
_TYPES = (USER, CLIENT_ID, IP)
#: Quota -> the greatest value it may have, None where fractions are allowed.
_LONG_MAX, _INT_MAX = (1 << 63) - 1, (1 << 31) - 1
CLIENT_KEYS: Mapping[str, int | None] = {
    "producer_byte_rate": _LONG_MAX,
    "consumer_byte_rate": _LONG_MAX,
    "request_percentage": None,
    "controller_mutation_rate": None,
}
IP_KEYS: Mapping[str, int | None] = {"connection_creation_rate": _INT_MAX}
#: DescribeClientQuotas: how a component matches.
EXACT, DEFAULT, SPECIFIED = range(3)

Entity = tuple[tuple[str, str | None], ...]


# -- AlterClientQuotas ---------------------------------------------------------------------------------------------


def alter_client_quotas(
    image: MetadataImage, request: alter.AlterClientQuotasRequest, *, unresolvable: Collection[str] = ()
) -> Decision[alter.AlterClientQuotasResponse]:
    """Decide AlterClientQuotas. `unresolvable` are names of `ip` entities that are no address and no known host."""
    errors: dict[Entity, KafkaError | None] = {}
    records: list[Data] = []
    for entry in request.entries:
        # A type that is named twice keeps its last name, as in Kafka's map.
        names = {part.entity_type: part.entity_name for part in entry.entity}
        entity = tuple(sorted(names.items(), key=lambda item: item[0]))
        keys = [op.key for op in entry.ops]
        if entity in errors or len(set(keys)) < len(keys):
            errors[entity] = _bad(f"Ignoring duplicate entity ClientQuotaEntity(entries={_as_java(names)})")
            continue
        try:
            records += _alter_entity(image, entity, names, entry.ops, unresolvable)
            errors[entity] = None
        except KafkaError as error:
            errors[entity] = error
    rows = [
        alter.ResponseEntryData(
            error_code=ErrorCode.NONE if error is None else error.code,
            error_message=None if error is None else error.message,
            entity=[alter.EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
        )
        for entity, error in errors.items()
    ]
    response = alter.AlterClientQuotasResponse(throttle_time_ms=0, entries=rows)
    return Decision(response, [] if request.validate_only else records)


def _alter_entity(
    image: MetadataImage,
    entity: Entity,
    names: Mapping[str, str | None],
    operations: list[alter.OpData],
    unresolvable: Collection[str],
) -> list[Data]:
    _check_entity(names, unresolvable)
    allowed = IP_KEYS if IP in names else CLIENT_KEYS
    current = image.client_quotas.get(entity, {})
    records: list[Data] = []
    for operation in operations:
        key, value = operation.key, operation.value
        if operation.remove:
            if key in current:
                records.append(_record(entity, key, 0.0, remove=True))
            continue
        _check_value(allowed, key, value)
        if current.get(key) != value:
            records.append(_record(entity, key, value, remove=False))
    return records


def _record(entity: Entity, key: str, value: float, *, remove: bool) -> ClientQuotaRecord:
    parts = [EntityData(entity_type=kind, entity_name=name) for kind, name in entity]
    return ClientQuotaRecord(entity=parts, key=key, value=value, remove=remove)


def _check_entity(names: Mapping[str, str | None], unresolvable: Collection[str]) -> None:
    if not names:
        raise _bad("Invalid empty client quota entity")
    for kind, name in names.items():
        if kind not in _TYPES:
            raise _bad(f"Unhandled client quota entity type: {kind}")
        if name == "":
            raise _bad(f"Empty {kind} not supported")
    if IP in names:
        if len(names) > 1:
            raise _bad("Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId")
        if names[IP] in unresolvable:
            raise _bad(f"{names[IP]} is not a valid IP or resolvable host.")


def _check_value(allowed: Mapping[str, int | None], key: str, value: float) -> None:
    if key not in allowed:
        raise _bad(f"Invalid configuration key {key}")
    if math.isnan(value) or value <= 0:
        raise _bad(f"Quota {key} must be greater than 0")
    largest = allowed[key]
    if largest is None:
        return
    if value > largest:
        kind = "an INT" if largest == _INT_MAX else "a LONG"
        raise _bad(f"Proposed value for {key} is too large for {kind}.")
    if math.fmod(value, 1.0) > 1e-6:
        raise _bad(f"{key} cannot be a fractional value.")


def _as_java(names: Mapping[str, str | None]) -> str:
    """Write a map as Java's HashMap does: its order is that of hash codes."""
    ordered = sorted(names.items(), key=lambda item: _java_bucket(item[0]))
    return "{" + ", ".join(f"{kind}={'null' if name is None else name}" for kind, name in ordered) + "}"


def _java_bucket(text: str) -> int:
    number = 0
    for letter in text:
        number = (31 * number + ord(letter)) & 0xFFFFFFFF
    return (number ^ (number >> 16)) & 15


# -- DescribeClientQuotas ------------------------------------------------------------------------------------------


def describe_client_quotas(
    image: MetadataImage, request: describe.DescribeClientQuotasRequest
) -> list[describe.EntryData]:
    """List the entities that have all the components asked for, and with `strict` no others."""
    exact, specified = _filter(request.components)
    entries = []
    for entity, values in image.client_quotas.items():
        names = dict(entity)
        if request.strict and len(names) != len(exact) + len(specified):
            continue
        if any(kind not in names or names[kind] != name for kind, name in exact.items()):
            continue
        if not specified <= names.keys():
            continue
        entries.append(
            describe.EntryData(
                entity=[describe.EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
                values=[describe.ValueData(key=key, value=value) for key, value in values.items()],
            )
        )
    return entries


def _filter(components: list[describe.ComponentData]) -> tuple[dict[str, str | None], set[str]]:
    exact: dict[str, str | None] = {}
    specified: set[str] = set()
    for component in components:
        kind, match = component.entity_type, component.match
        if not kind:
            raise _bad("Invalid empty entity type.")
        if kind in exact or kind in specified:
            raise _bad(f"Entity type {kind} cannot appear more than once in the filter.")
        if kind not in _TYPES:
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION, f"Unsupported entity type {kind}")
        if component.match_type == EXACT:
            if match is None:
                raise _bad("Request specified MATCH_TYPE_EXACT, but set match string to null.")
            exact[kind] = match
        elif component.match_type == DEFAULT:
            if match is not None:
                raise _bad("Request specified MATCH_TYPE_DEFAULT, but also specified a match string.")
            exact[kind] = None
        elif component.match_type == SPECIFIED:
            if match is not None:
                raise _bad("Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.")
            specified.add(kind)
        else:
            raise _bad(f"Unknown match type {component.match_type}")
    asked = exact.keys() | specified
    if IP in asked and len(asked) > 1:
        why = "IP filter component should not be used with user or clientId filter component."
        raise _bad(f"Invalid entity filter component combination. {why}")
    return exact, specified


def _bad(message: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, message)
