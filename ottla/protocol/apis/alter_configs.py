"""AlterConfigs (key 33): replace all dynamic configuration of a resource by what is sent.

Answered by the controller, or by the broker whose own configuration is meant. What is not named falls back to its
default, which is why clients prefer IncrementalAlterConfigs (KIP-339). v2 is flexible.
"""

from ..schema import Request, Response, Struct, int8, int16, int32, string


class AlterableConfig(Struct):
    name: string
    value: string | None


class AlterConfigsResource(Struct):
    resource_type: int8
    resource_name: string
    configs: list[AlterableConfig]


class AlterConfigsRequest(Request, api_key=33, versions="0-2", flexible="2+"):
    resources: list[AlterConfigsResource]
    validate_only: bool


class AlterConfigsResourceResponse(Struct):
    error_code: int16
    error_message: string | None
    resource_type: int8
    resource_name: string


class AlterConfigsResponse(Response, api_key=33, versions="0-2", flexible="2+"):
    throttle_time_ms: int32
    responses: list[AlterConfigsResourceResponse]
