"""/metrics, /healthz and /readyz as a monitoring system sees them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator

import pytest

from ottla.broker.monitoring.endpoint import OPEN_MAX, SOCKET_TIMEOUT_S, parse_address
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from tests.support.in_process import Client, RunningBroker, batch, produce_request
from tests.support.metric_names import ASKED_BY_DASHBOARDS

SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")


@pytest.fixture
async def broker() -> AsyncIterator[RunningBroker]:
    async with RunningBroker(**{"ottla.metrics.listener": "0"}) as running:
        yield running


@pytest.fixture
async def client(broker: RunningBroker) -> AsyncIterator[Client]:
    async with broker.connect() as connected:
        yield connected


def _get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def get(broker: RunningBroker, path: str) -> tuple[int, str]:
    assert broker.broker.monitoring is not None
    return await asyncio.to_thread(_get, broker.broker.monitoring.port, path)


async def samples(broker: RunningBroker) -> dict[str, float]:
    """Everything served, by name with its labels."""
    status, text = await get(broker, "/metrics")
    assert status == 200
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            matched = SAMPLE.match(line)
            assert matched, line
            found[matched[1] + (f"{{{matched[2]}}}" if matched[2] else "")] = float(matched[3])
    return found


async def test_what_stock_dashboards_ask_for_is_served(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    await commit(client, 0)
    names = {name.partition("{")[0] for name in await samples(broker)}
    assert set(ASKED_BY_DASHBOARDS) - names == set()


async def test_records_bytes_and_failures_are_counted_by_topic(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    for _ in range(3):
        await client.call(produce_request("t", batch(b"value")), 9)
    await client.call(produce_request("t", batch(b"value")[:-1] + b"x"), 9)  # a wrong checksum
    found = await samples(broker)
    assert found['kafka_server_brokertopicmetrics_messagesin_total{topic="t"}'] == 3
    assert (
        found['kafka_server_brokertopicmetrics_bytesin_total{topic="t"}']
        == broker.broker.partitions.get("t", 0).log.size
    )
    assert found['kafka_server_brokertopicmetrics_totalproducerequests_total{topic="t"}'] == 4
    assert found['kafka_server_brokertopicmetrics_failedproducerequests_total{topic="t"}'] == 1
    assert found['kafka_network_requestmetrics_requests_total{request="Produce"}'] == 4


async def commit(client: Client, offset: int) -> None:
    await client.call(FindCoordinatorRequest(key="g"), 0)
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    topic = OffsetCommitRequestTopic(name="t", partitions=[partition])
    answer = await client.call(OffsetCommitRequest(group_id="g", topics=[topic]), 8)
    assert answer.topics[0].partitions[0].error_code == 0


async def test_the_lag_of_a_group_is_what_it_has_not_committed(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    for _ in range(5):
        await client.call(produce_request("t", batch(b"value")), 9)
    await commit(client, 2)
    found = await samples(broker)
    assert found['kafka_consumergroup_current_offset{consumergroup="g",partition="0",topic="t"}'] == 2
    assert found['kafka_consumergroup_lag{consumergroup="g",partition="0",topic="t"}'] == 3
    assert found['kafka_consumergroup_lag_sum{consumergroup="g",topic="t"}'] == 3
    assert found['kafka_consumergroup_members{consumergroup="g",state="Empty"}'] == 0


async def test_probes(broker: RunningBroker) -> None:
    assert await get(broker, "/healthz") == (200, "ok\n")
    assert await get(broker, "/readyz") == (200, "ok\n")
    assert (await get(broker, "/"))[0] == 404
    broker.broker.failed.set()
    status, text = await get(broker, "/readyz")
    assert status == 503
    assert "failed" in text


async def test_peers_that_trickle_do_not_keep_others_out(broker: RunningBroker) -> None:
    """More of them than there may be at once, each with the beginning of a request; all is answered without waiting for their end."""
    assert broker.broker.monitoring is not None
    port = broker.broker.monitoring.port
    trickling = [socket.create_connection(("127.0.0.1", port)) for _ in range(3 * OPEN_MAX)]
    for connection in trickling:
        connection.sendall(b"GET /heal")
    async with asyncio.timeout(SOCKET_TIMEOUT_S / 2):
        assert (await get(broker, "/healthz"))[0] == 200
        assert (await get(broker, "/readyz"))[0] == 200
    ended = 0
    for connection in trickling:
        connection.settimeout(0.01)
        with contextlib.suppress(TimeoutError):
            ended += connection.recv(1) == b""
        connection.close()
    assert ended >= 2 * OPEN_MAX


@pytest.mark.parametrize(
    ("text", "address"),
    [("9404", ("127.0.0.1", 9404)), ("0.0.0.0:9404", ("0.0.0.0", 9404)), ("[::1]:9404", ("::1", 9404))],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "70000", "1.2.3.4:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)
