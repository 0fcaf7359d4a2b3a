"""A broker with listeners of several kinds: addresses, principals and certificates changed by the Admin API."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from ottla.metadata.image import ResourceType
from ottla.protocol.apis.describe_cluster import DescribeClusterRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.apis.metadata import MetadataRequest
from ottla.protocol.errors import ErrorCode
from tests.support.certificates import Authority
from tests.support.in_process import Client, RunningBroker
from tests.support.tls_wires import client

LISTENERS = "INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.1:0"


class TlsClient(Client):
    """The same behind TLS."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(port)
        self.context = context

    async def __aenter__(self) -> Any:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.context, server_hostname="localhost"
        )
        return self

    @property
    def serial(self) -> str:
        return str(self.writer.get_extra_info("peercert")["serialNumber"])


class Two(RunningBroker):
    """A broker with a plain listener INSIDE and one with TLS, OUTSIDE."""

    def __init__(self, folder: Path, **sets: str) -> None:
        self.folder, self.authority = folder, Authority()
        self.pem = self.authority.issue("CN=broker", "localhost").write_pem(folder / "broker.pem")
        super().__init__(**{
            "listeners": LISTENERS, "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:SSL",
            "listener.name.outside.ssl.keystore.type": "PEM", "listener.name.outside.ssl.keystore.location": str(self.pem),
            **sets,
        })  # fmt: skip

    def outside(self) -> TlsClient:
        return TlsClient(self.broker.listeners[1].port, client(self.authority))

    async def set(self, **configs: str) -> tuple[int, str | None]:
        """Change configs of the broker by the Admin API: `_` is a dot."""
        changes = [AlterableConfig(name=k.replace("_", "."), config_operation=0, value=v) for k, v in configs.items()]
        resource = AlterConfigsResource(resource_type=ResourceType.BROKER, resource_name="1", configs=changes)
        async with self.connect() as inside:
            response = await inside.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)
        return response.responses[0].error_code, response.responses[0].error_message


async def test_each_listener_tells_its_own_advertised_address(tmp_path: Path) -> None:
    advertised = "INSIDE://broker.internal:29092,OUTSIDE://kafka.example:443"
    async with Two(tmp_path, **{"advertised.listeners": advertised}) as running:
        for make, address in (
            (running.connect, ("broker.internal", 29092)),
            (running.outside, ("kafka.example", 443)),
        ):
            async with make() as peer:
                metadata = await peer.call(MetadataRequest(topics=[]), 12)
                cluster = await peer.call(DescribeClusterRequest(), 1)
                found = await peer.call(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4)
            assert [(b.host, b.port) for b in metadata.brokers] == [address]
            assert [(b.host, b.port) for b in cluster.brokers] == [address]
            assert [(c.host, c.port) for c in found.coordinators] == [address]


async def test_the_registration_names_the_protocols(tmp_path: Path) -> None:
    async with Two(tmp_path) as running:
        endpoints = running.broker.image.brokers[1].endpoints
    assert {(e.name, e.security_protocol) for e in endpoints} == {("INSIDE", 0), ("OUTSIDE", 1)}


async def test_a_new_keystore_by_the_admin_api(tmp_path: Path) -> None:
    async with Two(tmp_path) as running, running.outside() as before:
        new = running.authority.issue("CN=broker", "localhost").write_pem(tmp_path / "new.pem")
        assert await running.set(listener_name_outside_ssl_keystore_location=str(new)) == (0, None)
        async with running.outside() as after:
            assert after.serial != before.serial
        assert (await before.call(MetadataRequest(topics=[]), 12)).brokers  # it lives on


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("listener_name_outside_ssl_keystore_location", "/nowhere.pem", "Validation of dynamic config update of SSLFactory failed: org.apache.kafka.common.errors.InvalidConfigurationException: cannot read"),
        ("ssl_keystore_location", "/x", "These security configs can be dynamically updated only per-listener using the listener prefix: Set(ssl.keystore.location)"),
    ],
)  # fmt: skip
async def test_what_cannot_be_changed_is_refused_and_changes_nothing(
    tmp_path: Path, key: str, value: str, problem: str
) -> None:
    async with Two(tmp_path) as running:
        code, message = await running.set(**{key: value})
        assert code == ErrorCode.INVALID_REQUEST
        assert message is not None
        assert problem in message
        async with running.outside() as peer:
            assert (await peer.call(MetadataRequest(topics=[]), 12)).brokers


async def test_who_must_show_a_certificate_may_change_while_it_serves(tmp_path: Path) -> None:
    async with Two(tmp_path) as running:
        assert await running.set(listener_name_outside_ssl_client_auth="required") == (0, None)
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            async with running.outside() as peer:
                await peer.call(MetadataRequest(topics=[]), 12)


async def test_a_secret_of_a_listener_is_never_told(tmp_path: Path) -> None:
    from ottla.protocol.apis.describe_configs import DescribeConfigsRequest, DescribeConfigsResource

    key = "listener.name.another.ssl.key.password"
    async with Two(tmp_path, **{key: "planted-canary"}) as running:
        resource = DescribeConfigsResource(
            resource_type=ResourceType.BROKER, resource_name="1", configuration_keys=None
        )
        async with running.connect() as peer:
            response = await peer.call(DescribeConfigsRequest(resources=[resource], include_synonyms=True), 4)
    (row,) = [row for row in response.results[0].configs if row.name == key]
    assert (row.value, row.is_sensitive) == (None, True)
    assert "planted-canary" not in str(response)
