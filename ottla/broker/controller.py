"""The controller's shell: asks a decide function, appends what it decided, and returns its answer once all is applied.

`controller/` holds the decisions and knows nothing of logs or loops; this is where they become real. A decision is made
against the newest image this broker has; if the metadata log has moved on meanwhile (another process was faster), it is
made again. Decisions of one broker run one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ..metadata.log import Conflict, catch_up

if TYPE_CHECKING:
    from ..controller.decision import Decision
    from ..metadata.image import MetadataImage
    from .server import Broker

AnswerT = TypeVar("AnswerT")


class Controller:
    """Carries decisions out, and follows what other processes decided."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._turn = asyncio.Lock()

    async def submit(self, decide: Callable[[MetadataImage], Decision[AnswerT]]) -> AnswerT:
        """Decide, append, apply; returns the decision's response. Raises what `decide` raises."""
        broker = self._broker
        async with self._turn:
            while True:
                image = broker.image
                decision = decide(image)
                if not decision.records:
                    return decision.response
                try:
                    version = await broker.metadata.append(decision.records, image.version)
                except Conflict:
                    broker.apply(catch_up(image, await broker.metadata.read(image.version)))
                    continue
                broker.apply(image.apply(decision.records, version))
                return decision.response

    async def follow(self) -> None:
        """Apply what other processes append, for as long as the broker runs; write snapshots when they are due."""
        broker = self._broker
        while True:
            version = await broker.metadata.wait(broker.image.version)
            async with self._turn:
                if version > broker.image.version:
                    broker.apply(catch_up(broker.image, await broker.metadata.read(broker.image.version)))
                if broker.metadata.snapshot_due:
                    await broker.metadata.write_snapshot(broker.image)
