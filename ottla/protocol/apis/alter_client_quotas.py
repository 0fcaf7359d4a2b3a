"""AlterClientQuotas (key 49): set or remove quotas of users, client ids and addresses (KIP-546).

Answered by the controller. Every entry stands or falls alone. v1 is flexible.
"""

from ..schema import Request, Response, Struct, float64, int16, int32, string


class EntityData(Struct):
    entity_type: string
    entity_name: string | None


class OpData(Struct):
    key: string
    value: float64
    remove: bool


class EntryData(Struct):
    entity: list[EntityData]
    ops: list[OpData]


class AlterClientQuotasRequest(Request, api_key=49, versions="0-1", flexible="1+"):
    entries: list[EntryData]
    validate_only: bool


class ResponseEntryData(Struct):
    error_code: int16
    error_message: string | None
    entity: list[EntityData]


class AlterClientQuotasResponse(Response, api_key=49, versions="0-1", flexible="1+"):
    throttle_time_ms: int32
    entries: list[ResponseEntryData]
