"""UpdateFeatures (key 57): raise or lower finalized feature levels of the cluster (KIP-584).

Answered by the controller. v1 names the kind of downgrade and can only validate (KIP-778), v2 answers with one error
for all (KIP-1022).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string


class FeatureUpdateKey(Struct):
    feature: string
    max_version_level: int16
    allow_downgrade: bool = f("0")
    upgrade_type: int8 = f("1+", default=1)


class UpdateFeaturesRequest(Request, api_key=57, versions="0-2", flexible="0+"):
    timeout_ms: int32 = f(default=60000)
    feature_updates: list[FeatureUpdateKey]
    validate_only: bool = f("1+")


class UpdatableFeatureResult(Struct):
    feature: string
    error_code: int16
    error_message: string | None


class UpdateFeaturesResponse(Response, api_key=57, versions="0-2", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    results: list[UpdatableFeatureResult] = f("0-1", ignorable=True)
