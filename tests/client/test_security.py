"""The client on listeners with TLS and SASL: it gets in with what is right, and says what was wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ottla.client.cluster import ANY, Cluster
from ottla.client.config import Config
from ottla.client.errors import AuthenticationError, ConfigError, ConnectError
from ottla.client.sasl import jaas_options
from ottla.protocol.apis.list_groups import ListGroupsRequest
from tests.broker.test_authentication import SaslBroker, settings
from tests.broker.test_tls_broker import Two
from tests.support.sasl_talk import PASSWORDS

FAST: dict[str, Any] = {"reconnect_backoff_ms": 5, "retry_backoff_ms": 5, "default_api_timeout_ms": 20_000}


async def connect(port: int, **more: Any) -> None:
    cluster = Cluster(Config(f"127.0.0.1:{port}", **{**FAST, **more}))
    try:
        await cluster.start()
        answer = await cluster.request(ListGroupsRequest(), ANY)
        assert answer.error_code == 0
    finally:
        await cluster.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_each_mechanism_logs_in_and_a_wrong_password_is_told(mechanism: str) -> None:
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism}
    async with SaslBroker(**settings()) as broker:
        await connect(broker.sasl, sasl_username="alice", sasl_password=PASSWORDS["alice"], **login)
        jaas = f'x.Module required username="alice" password="{PASSWORDS["alice"]}";'
        await connect(broker.sasl, sasl_jaas_config=jaas, **login)
        with pytest.raises(AuthenticationError, match=mechanism) as caught:
            await connect(broker.sasl, sasl_username="alice", sasl_password="wrong", **login)
        assert (caught.value.stage, caught.value.retriable) == ("sasl", False)


async def test_a_mechanism_that_the_broker_lacks_is_named() -> None:
    async with SaslBroker(**settings()) as broker:
        with pytest.raises(ConfigError, match=r"sasl\.mechanism"):
            await connect(broker.sasl, security_protocol="SASL_PLAINTEXT", sasl_mechanism="NONSENSE")
    with pytest.raises(ConfigError, match="needs sasl"):
        Cluster(Config("127.0.0.1:1", security_protocol="SASL_SSL"))


async def test_tls_trusts_whom_it_is_told_to(tmp_path: Path) -> None:
    async with Two(tmp_path) as broker:
        port = broker.broker.listeners[1].port
        trusted = str(broker.authority.write(tmp_path / "ca.pem"))
        tls = {"security_protocol": "SSL", "ssl_endpoint_identification_algorithm": ""}
        await connect(port, ssl_ca_location=trusted, **tls)
        await connect(port, ssl_truststore_certificates=broker.authority.pem, **tls)
        with pytest.raises(ConnectError, match=r"tls:.*ssl\.ca\.location") as caught:
            await connect(port, **{**tls, "default_api_timeout_ms": 500})
        assert caught.value.stage == "tls"
        with pytest.raises(ConnectError, match="tls:"):  # the certificate does not name 127.0.0.1
            await connect(port, ssl_ca_location=trusted, security_protocol="SSL", default_api_timeout_ms=500)


async def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    async with Two(tmp_path) as broker:
        with pytest.raises(ConfigError, match=r"ssl\.truststore\.location=/nowhere"):
            await connect(broker.broker.listeners[1].port, security_protocol="SSL", ssl_ca_location="/nowhere")


def test_jaas_options() -> None:
    text = """org.x.ScramLoginModule required username="a" password="b\\"c; d=e" tokenauth=true;"""
    assert jaas_options(text) == {"username": "a", "password": 'b"c; d=e', "tokenauth": "true"}
