"""InitProducerId: ids that nobody else ever gets."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.init_producer_id import InitProducerIdRequest
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker


@pytest.mark.parametrize("version", range(6))
async def test_each_producer_gets_an_id_of_its_own(client: Client, version: int) -> None:
    asked = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000)
    answers = [await client.call(asked, version) for _ in range(3)]
    assert [(x.error_code, x.producer_epoch) for x in answers] == [(0, 0)] * 3
    assert len({x.producer_id for x in answers}) == 3


async def test_ids_are_not_given_out_again_after_a_restart(broker: RunningBroker) -> None:
    asked = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000)
    async with broker.connect() as client:
        before = (await client.call(asked, 4)).producer_id
    await broker.restart()
    async with broker.connect() as client:
        assert (await client.call(asked, 4)).producer_id > before


async def test_half_an_identity_is_refused(client: Client) -> None:
    asked = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000, producer_id=5, producer_epoch=-1)
    assert (await client.call(asked, 4)).error_code == ErrorCode.INVALID_REQUEST
