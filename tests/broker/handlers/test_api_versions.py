"""ApiVersions: the first thing a client asks."""

from __future__ import annotations

import pytest

from ottla.broker.handlers.api_versions import TELEMETRY
from ottla.protocol import codec
from ottla.protocol.apis.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.protocol.errors import ErrorCode
from ottla.protocol.framing import frame_request
from tests.support.in_process import Client, RunningBroker


@pytest.mark.parametrize("version", range(5))
async def test_what_has_a_handler_is_advertised(broker: RunningBroker, client: Client, version: int) -> None:
    hello = ApiVersionsRequest(client_software_name="test", client_software_version="1.0")
    answer = await client.call(hello, version)
    ranges = {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}
    assert answer.error_code == 0
    assert ranges[0] == (0, 13), "Kafka advertises Produce from 0, for librdkafka's sake"
    assert ranges[1] == (4, 18)
    assert ranges[22] == (0, 5), "an unstable version is not advertised"
    assert set(ranges) == set(broker.broker.dispatcher.entries) - TELEMETRY, "nobody asked for clients' metrics"


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" + "\n"])
async def test_a_strange_software_name_is_refused(client: Client, name: str) -> None:
    answer = await client.call(ApiVersionsRequest(client_software_name=name, client_software_version="1"), 3)
    assert answer.error_code == ErrorCode.INVALID_REQUEST


async def test_an_unknown_version_is_answered_in_version_0(client: Client) -> None:
    client.writer.write(b"".join(frame_request(18, 99, 5, "test", [b"whatever"])))
    size = int.from_bytes(await client.reader.readexactly(4), "big")
    answer = codec.decode(ApiVersionsResponse, await client.reader.readexactly(size), 0, 4)
    assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert [(api.api_key, api.max_version) for api in answer.api_keys] == [(18, 4)]
