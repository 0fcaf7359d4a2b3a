"""A broker in the test's own event loop, on memory, and a client that speaks the protocol and nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.in_process import Client, RunningBroker


@pytest.fixture
async def broker() -> AsyncIterator[RunningBroker]:
    async with RunningBroker() as running:
        yield running


@pytest.fixture
async def client(broker: RunningBroker) -> AsyncIterator[Client]:
    async with broker.connect() as connected:
        yield connected
