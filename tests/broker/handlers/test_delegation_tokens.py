"""Delegation tokens over the wire: every conversation goes as with Apache Kafka (tests/golden/delegation-tokens.txt)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ottla.broker.clock import SystemClock
from ottla.broker.delegation_tokens import new_token_id
from ottla.protocol.apis.create_acls import AclCreation, CreateAclsRequest
from ottla.protocol.apis.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.security import acl
from tests.differential.delegation_tokens import GOLDEN, GOLDEN_TOOL, ON, printed, transcripts
from tests.differential.sasl import listener_settings
from tests.differential.tools import Tools
from tests.support import token_talk
from tests.support.in_process import RunningBroker
from tests.support.requires import requires
from tests.support.sasl_talk import SCRAM_256, SCRAM_512, Talk, read_transcripts
from tests.support.token_talk import as_user, create, describe, expire, password, renew

KAFKA = read_transcripts(GOLDEN.read_text())


class TokenBroker(RunningBroker):
    """A broker with a plaintext listener for the administrator and one with SASL."""

    def __init__(self, **more: str) -> None:
        super().__init__(**{
            "listeners": "PLAINTEXT://127.0.0.1:0,SASL://127.0.0.1:0",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT",
            "connection.failed.authentication.delay.ms": "0",
            **listener_settings("SASL"),
            **more,
        })  # fmt: skip

    @property
    def sasl(self) -> int:
        return self.broker.listeners[1].port


@pytest.fixture
async def running() -> AsyncIterator[TokenBroker]:
    async with TokenBroker(**ON) as broker:
        yield broker


@pytest.mark.parametrize("name", [name for name in KAFKA if name != "switched off"])
async def test_a_conversation_goes_as_with_kafka(running, name):
    conversation = {**token_talk.CONVERSATIONS, "without authentication": token_talk.without_authentication}[name]
    assert (await transcripts(running.port, running.sasl, {name: conversation}, no_pause))[name] == KAFKA[name]


async def test_switched_off_as_with_kafka():
    async with TokenBroker() as running:
        found = await transcripts(running.port, running.sasl, {"switched off": token_talk.switched_off}, no_pause)
    assert found["switched off"] == KAFKA["switched off"]


async def no_pause(seconds: float) -> None:
    """What is decided is seen at once."""


async def make(running, user="alice", **options):
    async with Talk(running.sasl, no_pause) as talk:
        await as_user(talk, user)
        return await create(talk, **options)


async def log_in(running, made, mechanism=SCRAM_512):
    async with Talk(running.sasl, no_pause) as talk:
        await talk.handshake(mechanism)
        await talk.login(mechanism, made.token_id, password(made.hmac), tokenauth="true")
        return talk.lines[-1]


async def test_a_session_lasts_as_long_as_its_token(running):
    made = await make(running, lifetime=60_000)
    assert await log_in(running, made) == "authenticated for 60000 ms"
    running.clock.time_ms += 20_000
    assert await log_in(running, made, SCRAM_256) == "authenticated for 40000 ms"
    running.clock.time_ms += 40_001
    assert "invalid credentials" in await log_in(running, made)


async def test_tokens_survive_a_restart_and_the_sweep_takes_the_ended(running):
    made, short = await make(running), await make(running, lifetime=60_000)
    await running.restart()
    assert (await log_in(running, made)).startswith("authenticated")
    running.clock.time_ms += 60_001
    await running.broker.delegation_tokens.sweep()
    assert list(running.broker.image.delegation_tokens) == [made.token_id]
    assert "invalid credentials" in await log_in(running, short)


async def test_another_secret_makes_old_tokens_worthless(running):
    made = await make(running)
    running.sets |= {"delegation.token.secret.key": "another"}
    await running.restart()
    assert "invalid credentials" in await log_in(running, made)


async def test_what_verifies_a_token_is_derived_once_and_forgotten_with_it(running):
    made = await make(running)
    await log_in(running, made)
    kept = running.broker.delegation_tokens._verifiers
    assert list(kept) == [(made.token_id, SCRAM_512)]
    async with Talk(running.sasl, no_pause) as talk:
        await as_user(talk, "alice")
        await expire(talk, made.hmac)
        await renew(talk, made.hmac)
    assert not running.broker.delegation_tokens._verifiers


async def test_the_secret_is_never_told(running):
    async with Talk(running.port) as talk:
        resource = DescribeConfigsResource(resource_type=4, resource_name="1", configuration_keys=None)
        answer = await talk.call(DescribeConfigsRequest(resources=[resource], include_synonyms=True), 4)
    assert token_talk.SECRET not in repr(answer)
    assert token_talk.SECRET not in repr(running.broker.delegation_tokens.settings)


def test_ids_are_uuids_as_kafka_writes_them():
    for _ in range(200):
        text = new_token_id()
        assert len(text) == 22
        assert not text.startswith("-")


@pytest.mark.java
@pytest.mark.slow
async def test_kafkas_tool_prints_what_it_prints_with_kafka(running, tmp_path):
    requires("java", "mvn")
    running.clock.time_ms = SystemClock().now_ms()
    with Tools() as tools:
        found = await asyncio.to_thread(printed, tools, f"127.0.0.1:{running.sasl}", tmp_path)
    assert found == read_transcripts(GOLDEN_TOOL.read_text())


# -- with an authorizer ------------------------------------------------------------------------------------------------

AUTHORIZED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    **ON,
}


async def allow(running, user, operation, kind, name):
    creation = AclCreation(
        resource_type=kind, resource_name=name, resource_pattern_type=acl.LITERAL, principal=f"User:{user}", host="*",
        operation=operation, permission_type=acl.ALLOW,
    )  # fmt: skip
    async with Talk(running.port) as talk:
        answer = await talk.call(CreateAclsRequest(creations=[creation]), 3)
        assert not answer.results[0].error_code


async def test_to_speak_for_another_needs_create_tokens():
    async with TokenBroker(**AUTHORIZED) as running, Talk(running.sasl, no_pause) as talk:
        await as_user(talk, "alice")
        await create(talk, owner=("User", "bob"))
        await create(talk)
        await allow(running, "alice", acl.CREATE_TOKENS, acl.USER, "User:bob")
        await create(talk, owner=("User", "bob"))
    codes = [line.split(" ")[1] for line in talk.lines]
    assert codes == ["DELEGATION_TOKEN_AUTHORIZATION_FAILED", "NONE", "NONE"]


@pytest.mark.parametrize("by", ["token", "user", "nothing"])
async def test_to_see_tokens_of_others_needs_describe(by):
    async with TokenBroker(**AUTHORIZED) as running, Talk(running.sasl, no_pause) as talk:
        made = await make(running, "alice")
        if by == "token":
            await allow(running, "bob", acl.DESCRIBE, acl.DELEGATION_TOKEN, made.token_id)
        elif by == "user":
            await allow(running, "bob", acl.DESCRIBE_TOKENS, acl.USER, "User:alice")
        await as_user(talk, "bob")
        assert len(await describe(talk, None)) == (0 if by == "nothing" else 1)
