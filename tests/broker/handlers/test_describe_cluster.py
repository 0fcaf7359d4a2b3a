"""DescribeCluster: the brokers by the addresses of the listener that was asked."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.describe_cluster import DescribeClusterRequest
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker


@pytest.mark.parametrize("version", range(3))
async def test_the_cluster_is_described_in_every_version(broker: RunningBroker, client: Client, version: int) -> None:
    answer = await client.call(DescribeClusterRequest(), version)
    assert (answer.cluster_id, answer.controller_id) == (broker.broker.cluster_id, 1)
    assert [(row.broker_id, row.host, row.port) for row in answer.brokers] == [(1, "127.0.0.1", broker.port)]


async def test_what_one_may_do_is_told_on_demand(client: Client) -> None:
    assert (await client.call(DescribeClusterRequest(), 2)).cluster_authorized_operations == -(1 << 31)
    asked = DescribeClusterRequest(include_cluster_authorized_operations=True)
    assert (await client.call(asked, 2)).cluster_authorized_operations == 0b1_1111_1010_0000


@pytest.mark.parametrize(
    ("endpoint_type", "code"),
    [
        (2, ErrorCode.MISMATCHED_ENDPOINT_TYPE),
        (0, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE),
        (5, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE),
    ],
)
async def test_only_brokers_can_be_asked_for(client: Client, endpoint_type: int, code: ErrorCode) -> None:
    answer = await client.call(DescribeClusterRequest(endpoint_type=endpoint_type), 1)
    assert (answer.error_code, answer.brokers, answer.controller_id) == (code, [], -1)
