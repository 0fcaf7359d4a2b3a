"""`ottla quota` and `ottla token`, on both brokers."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from ottla.testing.kafka import Kafka
from tests.cli.support import Cli


def test_quotas_are_set_shown_and_taken_away(cli: Cli, name: str) -> None:
    cli("quota", "set", "--user", name, "producer_byte_rate=1MiB", "request-percentage=12.5")
    cli("quota", "set", "--user", name, "--client", "app", "consumer_byte_rate=2k")
    found = cli.json("quota", "list", "--user", name)
    assert sorted(found, key=lambda row: len(row["entity"])) == [
        {"entity": {"user": name}, "quotas": {"producer_byte_rate": 1048576.0, "request_percentage": 12.5}},
        {"entity": {"user": name, "client-id": "app"}, "quotas": {"consumer_byte_rate": 2048.0}},
    ]
    shown = [line.split() for line in cli("quota", "list", "--user", name, "--strict").splitlines()]
    assert [name, "-", "-", "producer_byte_rate", "1048576"] in shown
    cli("quota", "unset", "--user", name, "request_percentage")
    cli("quota", "unset", "--user", name, "--client", "app")
    assert cli.json("quota", "list", "--user", name) == [
        {"entity": {"user": name}, "quotas": {"producer_byte_rate": 1048576.0}}
    ]
    cli("quota", "unset", "--user", name)
    assert cli.json("quota", "list", "--user", name) == []


def test_a_default_is_not_a_name(cli: Cli) -> None:
    cli("quota", "set", "--ip-defaults", "connection_creation_rate=1000")
    assert cli.json("quota", "list", "--ip-defaults") == [
        {"entity": {"ip": None}, "quotas": {"connection_creation_rate": 1000.0}}
    ]
    assert "(default)" in cli("quota", "list", "--ip-defaults")
    assert "there was no quota" in cli("quota", "unset", "--client-defaults")
    assert "connection_creation_rate" in cli("quota", "unset", "--ip-defaults")


def test_what_is_wrong_is_told_before_anything_is_asked(cli: Cli) -> None:
    assert "whose quota?" in cli.fails("quota", "set", "producer_byte_rate=1", code=2)
    assert "producer_byte_rate" in cli.fails("quota", "set", "--user", "a", "producer=1", code=2)
    assert "no value" in cli.fails("quota", "set", "--user", "a", "request_percentage=much", code=2)
    assert "own" in cli.fails("quota", "list", "--user", "a", "--ip", "10.0.0.1", code=2)
    assert "exclude" in cli.fails("quota", "list", "--user", "a", "--user-defaults", code=2)


@pytest.fixture(scope="module")
def with_tokens() -> Iterator[Kafka]:
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="pw";'
    broker = Kafka({
        "listeners": "SASL_PLAINTEXT://127.0.0.1:0", "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": jaas, "delegation.token.secret.key": "abc",
    })  # fmt: skip
    yield broker
    broker.close()


def test_the_life_of_a_token(with_tokens: Kafka) -> None:
    plain = ("-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=PLAIN")
    alice = (*plain, "-X", "sasl.username=alice", "-X", "sasl.password=pw")
    cli = Cli(with_tokens.bootstrap)
    made = cli.json("token", "create", "--renewer", "bob", "--max-lifetime", "2d", *alice)
    assert (made["owner"], made["renewers"], len(base64.b64decode(made["hmac"]))) == ("User:alice", ["User:bob"], 64)
    (listed,) = cli.json("token", "list", *alice)
    assert listed == {key: value for key, value in made.items() if key != "hmac"}
    assert made["hmac"] in cli("token", "list", "--secrets", "--owner", "alice", *alice)
    assert cli.json("token", "list", "--owner", "carol", *alice) == []
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    login = f'{module} required username="{made["id"]}" password="{made["hmac"]}" tokenauth="true";'
    words = (
        "-X",
        "security.protocol=SASL_PLAINTEXT",
        "-X",
        "sasl.mechanism=SCRAM-SHA-256",
        "-X",
        f"sasl.jaas.config={login}",
    )
    cli("topic", "list", *words)
    assert "not with a token" in cli.fails("token", "create", *words)
    assert "lives until" in cli("token", "renew", made["id"], "--for", "1h", *alice)
    assert "lives until" in cli("token", "renew", made["hmac"], "--for", "1h", *alice)
    assert cli("token", "expire", made["id"], *alice) == "gone\n"
    assert cli.json("token", "list", *alice) == []
    assert "no HMAC" in cli.fails("token", "renew", "what!", *alice, code=2)
    assert "ottla token list" in cli.fails("token", "renew", made["hmac"], *alice)
