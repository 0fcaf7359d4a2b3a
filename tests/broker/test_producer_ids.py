"""Producer ids: one block serves a thousand, and none is given out twice."""

from __future__ import annotations

import asyncio

from ottla.controller.producer_ids import BLOCK_SIZE
from tests.support.in_process import RunningBroker, SharedMetadata


async def test_a_thousand_ids_cost_one_append(broker: RunningBroker) -> None:
    ids = broker.broker.producer_ids
    version = broker.broker.image.version
    assert [await ids.next() for _ in range(BLOCK_SIZE)] == list(range(BLOCK_SIZE))
    assert broker.broker.image.version == version + 1
    assert await ids.next() == BLOCK_SIZE
    assert broker.broker.image.version == version + 2


async def test_who_asks_at_the_same_time_gets_different_ids(broker: RunningBroker) -> None:
    found = await asyncio.gather(*(broker.broker.producer_ids.next() for _ in range(50)))
    assert sorted(found) == list(range(50))


async def test_ids_are_not_given_again_after_a_restart(broker: RunningBroker) -> None:
    assert await broker.broker.producer_ids.next() == 0
    await broker.restart(clean=False)
    assert await broker.broker.producer_ids.next() == BLOCK_SIZE


async def test_two_brokers_have_blocks_of_their_own() -> None:
    metadata = SharedMetadata()
    async with (
        RunningBroker(metadata=metadata, **{"node.id": "1"}) as one,
        RunningBroker(metadata=metadata, **{"node.id": "2"}) as two,
    ):
        assert await one.broker.producer_ids.next() == 0
        assert await two.broker.producer_ids.next() == BLOCK_SIZE
        assert await one.broker.producer_ids.next() == 1
