"""A setting about security works or is refused: none is taken and forgotten."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

import pytest

from ottla.compat import kafka as kp
from ottla.compat.confluent_kafka import KafkaError, KafkaException, Producer
from ottla.compat.confluent_kafka.config import REFUSED, TAKEN, translate
from ottla.compat.errors import KafkaConfigurationError
from ottla.compat.settings import translate as translate_keywords


def keywords(**settings: Any) -> Any:
    return translate_keywords(settings, unknown=KafkaConfigurationError, defaults={})


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_librdkafkas_settings_that_are_not_done_are_refused_with_a_reason(name: str) -> None:
    with pytest.raises(KafkaException) as caught:
        translate({"bootstrap.servers": "localhost:1", name: "something"})
    assert caught.value.args[0].code() == KafkaError._INVALID_ARG  # type: ignore[attr-defined]
    assert name in str(caught.value)


def test_their_harmless_values_are_taken() -> None:
    for name, (harmless, _) in REFUSED.items():
        for value in harmless:
            translate({name: value})


def test_no_security_setting_is_among_those_that_are_taken_and_forgotten() -> None:
    forgotten = {name for name in TAKEN if name.startswith(("ssl", "sasl", "https", "security", "oauth"))}
    # Read by the shim itself, or (the period of kinit) without meaning where kinit is refused.
    assert forgotten <= {
        "ssl.crl.location",
        "sasl.oauthbearer.config",
        "sasl.kerberos.min.time.before.relogin",
        "oauth_cb",
        "oauthbearer_token_refresh_cb",
    }


@pytest.mark.parametrize("name", ["proxy_url", "socks5_proxy", "sasl_kerberos_name", "sasl_kerberos_domain_name"])
def test_keywords_that_are_not_done_are_refused(name: str) -> None:
    with pytest.raises(KafkaConfigurationError, match=name):
        keywords(**{name: "x"})
    with pytest.raises(KafkaConfigurationError, match=name):
        kp.KafkaProducer(**{name: "x"})


def test_a_revocation_list_that_cannot_be_read_is_an_error() -> None:
    from ottla.client.errors import ConfigError

    with pytest.raises(ConfigError, match="revocation list"):
        keywords(security_protocol="SSL", ssl_crlfile="/nowhere.pem")
    with pytest.raises(KafkaException, match="revocation list"):
        Producer({"bootstrap.servers": "localhost:1", "security.protocol": "ssl", "ssl.crl.location": "/nowhere.pem"})


def test_trust_in_any_certificate_keeps_the_other_tls_settings() -> None:
    config = translate(
        {
            "security.protocol": "ssl", "enable.ssl.certificate.verification": "false",
            "ssl.cipher.suites": "ECDHE-RSA-AES256-GCM-SHA384",
        }
    )  # fmt: skip
    context = config.ssl_context
    assert context.verify_mode is ssl.CERT_NONE
    assert "ECDHE-RSA-AES256-GCM-SHA384" in {each["name"] for each in context.get_ciphers()}


def test_the_name_in_a_certificate_is_not_checked_where_librdkafka_says_none() -> None:
    assert translate({"ssl.endpoint.identification.algorithm": "none"}).ssl_endpoint_identification_algorithm == ""


def test_tokens_come_from_oauth_cb_once_for_their_life() -> None:
    asked = []

    def oauth_cb(text: str) -> tuple[str, float]:
        asked.append(text)
        return "a.b.c", time.time() + 300

    config = translate(
        {
            "security.protocol": "sasl_plaintext", "sasl.mechanisms": "OAUTHBEARER", "oauth_cb": oauth_cb,
            "sasl.oauthbearer.config": "principal=me",
        }
    )  # fmt: skip
    source: Any = config.sasl_oauthbearer_token

    async def twice() -> list[str]:
        return [await source(), await source()]

    assert asyncio.run(twice()) == ["a.b.c", "a.b.c"]
    assert asked == ["principal=me"]


def test_tokens_come_from_a_provider() -> None:
    class Provider:
        def token(self) -> str:
            return "a.b.c"

    source: Any = keywords(
        security_protocol="SASL_PLAINTEXT", sasl_mechanism="OAUTHBEARER", sasl_oauth_token_provider=Provider()
    ).sasl_oauthbearer_token
    assert source() == "a.b.c"
