"""DescribeCluster (key 60): the brokers, as the listener of the asking client names them."""

from __future__ import annotations

from ...protocol.apis.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)
from ...protocol.errors import ErrorCode
from ..dispatch import Context, handler
from ..operations import CLUSTER_OPERATIONS, NOT_ASKED

BROKERS, CONTROLLERS = 1, 2


@handler(DescribeClusterRequest)
def describe_cluster(context: Context, request: DescribeClusterRequest) -> DescribeClusterResponse:
    """Describe the cluster. Controllers have no endpoint of their own here, so asking for them is refused."""
    if request.endpoint_type != BROKERS:
        return _refusal(context.version, request.endpoint_type)
    broker = context.broker
    nodes = []
    for node in broker.image.brokers.values():
        endpoint = node.endpoint(context.connection.listener_name)
        if endpoint is not None and (request.include_fenced_brokers or not node.fenced):
            nodes.append(
                DescribeClusterBroker(
                    broker_id=node.id, host=endpoint.host, port=endpoint.port, rack=node.rack, is_fenced=node.fenced
                )
            )
    asked = request.include_cluster_authorized_operations
    return DescribeClusterResponse(
        throttle_time_ms=0,
        error_code=ErrorCode.NONE,
        cluster_id=broker.cluster_id,
        controller_id=broker.controller_id,
        brokers=nodes,
        cluster_authorized_operations=CLUSTER_OPERATIONS if asked else NOT_ASKED,
    )


def _refusal(version: int, endpoint_type: int) -> DescribeClusterResponse:
    if endpoint_type == CONTROLLERS:
        code = ErrorCode.MISMATCHED_ENDPOINT_TYPE
        message = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
    else:
        code, message = ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, f"Unsupported endpoint type {endpoint_type}"
    return DescribeClusterResponse(
        throttle_time_ms=0,
        error_code=code if version > 0 else ErrorCode.INVALID_REQUEST,
        error_message=message,
        cluster_id="",
        brokers=[],
    )
