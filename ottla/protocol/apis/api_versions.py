"""ApiVersions (key 18): which APIs does this broker serve, and in which versions?

The first request of nearly every connection, answered by any broker before authentication. A broker that does not
know the version of the request answers in v0 with UNSUPPORTED_VERSION and the range it does know (KIP-511), which is
why the response has header v0 for ever (`framing`).
v3 is flexible; the client names its software, the response tags features (KIP-584). v4 may say 0 for the lowest
version of a feature, which older clients misread (KAFKA-17011).
"""

from ..schema import Request, Response, Struct, f, int16, int32, int64, string


class ApiVersionsRequest(Request, api_key=18, versions="0-4", flexible="3+"):
    client_software_name: string = f("3+", ignorable=True)
    client_software_version: string = f("3+", ignorable=True)


class ApiVersion(Struct):
    api_key: int16
    min_version: int16
    max_version: int16


class SupportedFeatureKey(Struct):
    name: string = f("3+")
    min_version: int16 = f("3+")
    max_version: int16 = f("3+")


class FinalizedFeatureKey(Struct):
    name: string = f("3+")
    max_version_level: int16 = f("3+")
    min_version_level: int16 = f("3+")


class ApiVersionsResponse(Response, api_key=18, versions="0-4", flexible="3+"):
    error_code: int16
    api_keys: list[ApiVersion]
    throttle_time_ms: int32 = f("1+", ignorable=True)
    supported_features: list[SupportedFeatureKey] = f("3+", tag=0, ignorable=True)
    finalized_features_epoch: int64 = f("3+", default=-1, tag=1, ignorable=True)
    finalized_features: list[FinalizedFeatureKey] = f("3+", tag=2, ignorable=True)
    zk_migration_ready: bool = f("3+", tag=3, ignorable=True)
