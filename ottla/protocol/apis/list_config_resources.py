"""ListConfigResources (key 74): names of resources that have configuration (KIP-1142).

Answered by any broker.
v0 was ListClientMetricsResources and lists those only (KIP-714); v1 lists the types asked for, all that can be listed
if none is named.
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string


class ListConfigResourcesRequest(Request, api_key=74, versions="0-1", flexible="0+"):
    resource_types: list[int8] = f("1+")


class ConfigResource(Struct):
    resource_name: string
    resource_type: int8 = f("1+", default=16, ignorable=True)


class ListConfigResourcesResponse(Response, api_key=74, versions="0-1", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    config_resources: list[ConfigResource]
