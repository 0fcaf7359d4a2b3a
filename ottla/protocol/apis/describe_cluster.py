"""DescribeCluster (key 60): id, controller and brokers of the cluster (KIP-700).

Answered by any broker from what it knows.
v1 asks for brokers or for controllers (KIP-919), v2 can list fenced brokers too (KIP-1073).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string


class DescribeClusterRequest(Request, api_key=60, versions="0-2", flexible="0+"):
    include_cluster_authorized_operations: bool
    endpoint_type: int8 = f("1+", default=1)
    include_fenced_brokers: bool = f("2+")


class DescribeClusterBroker(Struct):
    broker_id: int32
    host: string
    port: int32
    rack: string | None = f(default=None)
    is_fenced: bool = f("2+")


class DescribeClusterResponse(Response, api_key=60, versions="0-2", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = f(default=None)
    endpoint_type: int8 = f("1+", default=1)
    cluster_id: string
    controller_id: int32 = f(default=-1)
    brokers: list[DescribeClusterBroker]
    cluster_authorized_operations: int32 = f(default=-2147483648)
