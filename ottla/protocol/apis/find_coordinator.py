"""FindCoordinator (key 10): which broker coordinates a group, a transactional id or a share partition?

Answered by any broker.
v1 adds the kind of key, until then always a group. v3 is flexible, v4 asks for many keys at once in new fields
(KIP-699), v5 knows TRANSACTION_ABORTABLE, v6 share partitions, whose key is "group:topic-id:partition" (KIP-932).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string


class FindCoordinatorRequest(Request, api_key=10, versions="0-6", flexible="3+"):
    key: string = f("0-3")
    key_type: int8 = f("1+")
    coordinator_keys: list[string] = f("4+")


class Coordinator(Struct):
    key: string = f("4+")
    node_id: int32 = f("4+")
    host: string = f("4+")
    port: int32 = f("4+")
    error_code: int16 = f("4+")
    error_message: string | None = f("4+", ignorable=True)


class FindCoordinatorResponse(Response, api_key=10, versions="0-6", flexible="3+"):
    throttle_time_ms: int32 = f("1+", ignorable=True)
    error_code: int16 = f("0-3")
    error_message: string | None = f("1-3", ignorable=True)
    node_id: int32 = f("0-3")
    host: string = f("0-3")
    port: int32 = f("0-3")
    coordinators: list[Coordinator] = f("4+")
