"""DescribeClientQuotas (key 48): list the quotas that match a filter (KIP-546).

Answered by any broker. `strict` leaves out entities that have further components. v1 is flexible.
"""

from ..schema import Request, Response, Struct, float64, int8, int16, int32, string


class ComponentData(Struct):
    entity_type: string
    match_type: int8
    match: string | None


class DescribeClientQuotasRequest(Request, api_key=48, versions="0-1", flexible="1+"):
    components: list[ComponentData]
    strict: bool


class EntityData(Struct):
    entity_type: string
    entity_name: string | None


class ValueData(Struct):
    key: string
    value: float64


class EntryData(Struct):
    entity: list[EntityData]
    values: list[ValueData]


class DescribeClientQuotasResponse(Response, api_key=48, versions="0-1", flexible="1+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    entries: list[EntryData] | None
