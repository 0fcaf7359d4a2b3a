"""Quotas hold for the name under which a client acts, alone and together with its client id."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ottla.protocol.apis.alter_client_quotas import AlterClientQuotasRequest, EntityData, EntryData, OpData
from ottla.security.principal import Principal
from tests.support.in_process import Client, RunningBroker, batch, produce_request

from .test_authorization import SETTINGS, acting_as, allow, rule

ALICE, BOB = Principal("User", "alice"), Principal("User", "bob")
WHO_MAY = {"principal": "User:*"}


@pytest.fixture
async def broker() -> AsyncIterator[RunningBroker]:
    async with RunningBroker(**{"quota.window.num": "2", **SETTINGS}) as running:
        await running.topic("t")
        yield running


async def limit(client: Client, value: float, **names: str | None) -> None:
    entity = [EntityData(entity_type=kind.replace("_", "-"), entity_name=name) for kind, name in names.items()]
    entry = EntryData(entity=entity, ops=[OpData(key="producer_byte_rate", value=value)])
    answer = await client.call(AlterClientQuotasRequest(entries=[entry]), 1)
    assert [row.error_code for row in answer.entries] == [0]


async def throttled_ms(broker: RunningBroker, principal: Principal, client_id: str) -> int:
    """How long a producer of 22 KB at once has to wait."""
    async with Client(broker.port, client_id) as client:
        await client.call(produce_request("t", batch(b"x")), 9)  # the broker knows the connection now
        with acting_as(broker, principal):
            answer = await client.call(produce_request("t", batch(b"x" * 22_500)), 9)
    assert not answer.responses[0].partition_responses[0].error_code
    waited: int = answer.throttle_time_ms
    return waited


async def test_a_quota_of_a_user_holds_for_all_its_clients_together_and_for_nobody_else(broker: RunningBroker) -> None:
    async with broker.connect() as admin:
        await allow(admin, rule("t", 4, **WHO_MAY))
        await limit(admin, 20_000, user="alice")
    assert await throttled_ms(broker, BOB, "one") == 0
    assert 100 <= await throttled_ms(broker, ALICE, "one") <= 200
    assert await throttled_ms(broker, ALICE, "two") > 1000, "it is the second 22 KB"


async def test_the_closest_quota_holds(broker: RunningBroker) -> None:
    async with broker.connect() as admin:
        await allow(admin, rule("t", 4, **WHO_MAY))
        await limit(admin, 1_000_000, user="alice", client_id="fast")
        await limit(admin, 20_000, user="alice", client_id=None)
        await limit(admin, 10, user="alice")
        await limit(admin, 1_000_000, user=None)
        await limit(admin, 10, client_id="fast")
    assert await throttled_ms(broker, ALICE, "fast") == 0, "(user, client id)"
    assert 100 <= await throttled_ms(broker, ALICE, "slow") <= 200, "(user, default client id)"
    assert await throttled_ms(broker, BOB, "fast") == 0, "default user, before the client id"
