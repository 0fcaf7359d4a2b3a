"""Client telemetry over a socket: from the administrator's subscription to a number that can be shown (KIP-714)."""

from __future__ import annotations

import zlib

import pytest

from ottla.broker.telemetry.subscriptions import INTERVAL_DEFAULT_MS
from ottla.metadata.image import ResourceType
from ottla.protocol.apis.api_versions import ApiVersionsRequest
from ottla.protocol.apis.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.apis.push_telemetry import PushTelemetryRequest
from ottla.protocol.errors import ErrorCode
from tests.broker.telemetry.test_collected import message
from tests.support.in_process import Client, RunningBroker


async def subscribe(client: Client, **configs: str) -> None:
    resource = AlterConfigsResource(
        resource_type=ResourceType.CLIENT_METRICS,
        resource_name="s",
        configs=[AlterableConfig(name=name.replace("_", "."), value=value) for name, value in configs.items()],
    )
    answer = await client.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)
    assert answer.responses[0].error_code == ErrorCode.NONE


async def get(client: Client, instance_id: bytes = bytes(16)) -> GetTelemetrySubscriptionsResponse:
    answer = await client.call(GetTelemetrySubscriptionsRequest(client_instance_id=instance_id), 0)
    assert isinstance(answer, GetTelemetrySubscriptionsResponse)
    return answer


def push(told: GetTelemetrySubscriptionsResponse, data: bytes, codec: int = 0) -> PushTelemetryRequest:
    return PushTelemetryRequest(
        client_instance_id=told.client_instance_id,
        subscription_id=told.subscription_id,
        compression_type=codec,
        metrics=data,
    )


async def test_what_a_client_pushes_can_be_shown(broker: RunningBroker, client: Client) -> None:
    await client.call(ApiVersionsRequest(client_software_name="lib", client_software_version="1.2"), 3)
    await subscribe(client, metrics="a.", interval_ms="1000", match="client_software_name=lib")
    told = await get(client)
    assert told.error_code == ErrorCode.NONE
    assert told.client_instance_id != bytes(16)
    assert told.requested_metrics == ["a."]
    assert told.push_interval_ms == 1000
    assert told.delta_temporality
    assert told.accepted_compression_types == [4, 3, 1, 2]
    squeezed = zlib.compress(message(), wbits=31)
    assert (await client.call(push(told, squeezed, 1), 0)).error_code == ErrorCode.NONE
    samples = {sample.name: sample for sample in broker.broker.client_telemetry.samples()}
    assert samples["a.total"].value == 7
    labels = dict(samples["a.total"].labels)
    assert labels["client_software_name"] == "lib"
    assert labels["client_source_address"] == "127.0.0.1"
    assert labels["node.id"] == "3"


async def test_clients_are_told_of_it_only_while_somebody_wants_their_metrics(client: Client) -> None:
    async def told() -> set[int]:
        return {api.api_key for api in (await client.call(ApiVersionsRequest(), 0)).api_keys} & {71, 72}

    assert await told() == set()
    await subscribe(client, metrics="*")
    assert await told() == {71, 72}


async def test_a_client_that_nothing_matches_is_asked_for_nothing(client: Client) -> None:
    await subscribe(client, metrics="*", match="client_id=somebody-else")
    told = await get(client)
    assert told.requested_metrics == []
    assert told.push_interval_ms == INTERVAL_DEFAULT_MS


@pytest.mark.parametrize("data", [b"\xff" * 30, zlib.compress(bytes(64 << 20), wbits=31)], ids=["rubbish", "bomb"])
async def test_what_are_no_metrics_is_refused_and_harms_nobody(
    broker: RunningBroker, client: Client, data: bytes
) -> None:
    told = await get(client)
    answer = await client.call(push(told, data, 1 if data[:2] == b"\x1f\x8b" else 0), 0)
    assert answer.error_code == ErrorCode.INVALID_RECORD
    assert list(broker.broker.client_telemetry.samples()) == []


async def test_an_unknown_subscription_is_refused_and_may_ask_anew(client: Client) -> None:
    told = await get(client)
    told.subscription_id += 1
    answer = await client.call(push(told, b""), 0)
    assert answer.error_code == ErrorCode.UNKNOWN_SUBSCRIPTION_ID
    assert (await get(client, told.client_instance_id)).error_code == ErrorCode.NONE
    assert (await get(client, told.client_instance_id)).error_code == ErrorCode.THROTTLING_QUOTA_EXCEEDED


async def test_a_client_that_hangs_up_is_forgotten(broker: RunningBroker) -> None:
    async with broker.connect() as other:
        await get(other)
        assert len(broker.broker.client_telemetry.subscriptions) == 1
    async with broker.connect() as again:
        await get(again)
        await get(again)
    assert len(broker.broker.client_telemetry.subscriptions) <= 3


def padded(size: int) -> bytes:
    """A message that a reader accepts, with an unknown field of so many bytes, which it skips."""
    length, rest = bytearray(), size
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return zlib.compress(message() + b"\x7a" + bytes(length) + bytes(size), wbits=31)


@pytest.mark.parametrize(("mib", "error"), [(1, ErrorCode.NONE), (17, ErrorCode.INVALID_RECORD)])
async def test_a_push_is_refused_for_what_it_becomes_and_nothing_else(
    broker: RunningBroker, client: Client, mib: int, error: ErrorCode
) -> None:
    """CVE-2026-111073: the compressed size was looked at, what it becomes was not."""
    await subscribe(client, metrics="*", interval_ms="1000", match="client_id=.*")
    data = padded(mib << 20)
    assert len(data) < 64 << 10
    assert (await client.call(push(await get(client), data, 1), 0)).error_code == error
