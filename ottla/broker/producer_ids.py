"""Gives out producer ids from blocks of a thousand that the controller reserved, so that most cost nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..controller.producer_ids import ProducerIdBlock, allocate_producer_ids

if TYPE_CHECKING:
    from .server import Broker


class ProducerIds:
    """The broker's present block."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._block = ProducerIdBlock(0, 0)
        self._turn = asyncio.Lock()

    async def next(self) -> int:
        """Return an id that nobody was ever given."""
        async with self._turn:
            first, end = self._block
            if first == end:
                broker = self._broker
                first, end = await broker.controller.submit(
                    lambda image: allocate_producer_ids(image, broker.node_id, broker.epoch)
                )
            self._block = ProducerIdBlock(first + 1, end)
            return first
