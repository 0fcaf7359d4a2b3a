"""IncrementalAlterConfigs (key 44): set, delete, append to or subtract from single configuration keys (KIP-339).

Answered by the controller, or by the broker whose own configuration is meant. Append and subtract are for lists.
v1 is flexible.
"""

from ..schema import Request, Response, Struct, int8, int16, int32, string


class AlterableConfig(Struct):
    name: string
    config_operation: int8
    value: string | None


class AlterConfigsResource(Struct):
    resource_type: int8
    resource_name: string
    configs: list[AlterableConfig]


class IncrementalAlterConfigsRequest(Request, api_key=44, versions="0-1", flexible="1+"):
    resources: list[AlterConfigsResource]
    validate_only: bool


class AlterConfigsResourceResponse(Struct):
    error_code: int16
    error_message: string | None
    resource_type: int8
    resource_name: string


class IncrementalAlterConfigsResponse(Response, api_key=44, versions="0-1", flexible="1+"):
    throttle_time_ms: int32
    responses: list[AlterConfigsResourceResponse]
