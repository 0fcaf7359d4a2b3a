"""DescribeConfigs (key 32): the effective configuration of resources, and where each value comes from.

Answered by any broker; broker and logger resources by the broker meant. A null list of keys asks for all.
v1 replaces is_default by the source and adds synonyms (KIP-226), v3 adds types and documentation (KIP-569), v4 is
flexible.
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string


class DescribeConfigsResource(Struct):
    resource_type: int8
    resource_name: string
    configuration_keys: list[string] | None


class DescribeConfigsRequest(Request, api_key=32, versions="0-4", flexible="4+"):
    resources: list[DescribeConfigsResource]
    include_synonyms: bool = f("1+")
    include_documentation: bool = f("3+")


class DescribeConfigsSynonym(Struct):
    name: string = f("1+")
    value: string | None = f("1+")
    source: int8 = f("1+")


class DescribeConfigsResourceResult(Struct):
    name: string
    value: string | None
    read_only: bool
    is_default: bool = f("0")
    config_source: int8 = f("1+", default=-1, ignorable=True)
    is_sensitive: bool
    synonyms: list[DescribeConfigsSynonym] = f("1+", ignorable=True)
    config_type: int8 = f("3+", ignorable=True)
    documentation: string | None = f("3+", ignorable=True)


class DescribeConfigsResult(Struct):
    error_code: int16
    error_message: string | None
    resource_type: int8
    resource_name: string
    configs: list[DescribeConfigsResourceResult]


class DescribeConfigsResponse(Response, api_key=32, versions="0-4", flexible="4+"):
    throttle_time_ms: int32
    results: list[DescribeConfigsResult]
