"""`exactly_once(consumer, producer)`: consume, transform, produce, each batch in a transaction with its offsets.

    async with exactly_once(consumer, producer) as eos:
        async for tx, batch in eos.batches():
            await tx.send_many("out", transform(batch))

    batch ──► transaction: what the body sends + the offsets behind the batch ──► commit when the loop comes back
                 │ the body raised, the commit failed, the group moved on
                 └──► abort, and rewind: what is still assigned is given again from the first record of the batch

If in doubt, abort: a transaction that is aborted without need costs a batch read twice, one that is committed without right
a duplicate. A rebalance waits for the open transaction (drain) as for any batch in hand.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from ..errors import ClientError, ConfigError
from ..producer.transaction import GroupMember
from .batch import Batch
from .committing import Commit
from .consumer import Consumer

log = logging.getLogger("ottla.client")


class ExactlyOnce:
    """Made by `exactly_once`."""

    def __init__(self, consumer: Consumer[Any, Any], producer: Any) -> None:
        if consumer.group is None:
            raise ConfigError("exactly_once needs a consumer with a group")
        if producer.config.transactional_id is None:
            raise ConfigError("exactly_once needs a producer with a transactional_id")
        if consumer.config.isolation_level != "read_committed":
            raise ConfigError("exactly_once needs isolation.level=read_committed")
        consumer._policy = Commit.MANUAL  # offsets are committed by the transactions alone
        self.consumer = consumer
        self.producer = producer
        self.committed = self.aborted = 0
        self._open: tuple[Any, Batch] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            await self._abort(error)

    async def batches(
        self, max_records: int | None = None, max_wait: str | int | timedelta = 0
    ) -> AsyncIterator[tuple[Any, Batch]]:
        """(transaction, batch); the transaction is committed when the loop comes back."""
        lane = self.consumer._batches
        room = max_records or self.consumer.config.max_poll_records
        wait_s = self.consumer.wait_s(max_wait)
        while True:
            slices = await lane.collect(room, wait_s)
            if not slices:
                return
            batch = Batch(slices)
            tx = self.producer.transaction()
            await tx.__aenter__()
            self._open = (tx, batch)
            yield tx, batch
            await self._commit()

    async def _commit(self) -> None:
        assert self._open is not None
        tx, batch = self._open
        try:
            await tx.send_offsets(batch.next_offsets, GroupMember(*self.consumer.group_member()))
            await tx.commit()
        except ClientError as problem:
            if problem.fatal:
                raise
            await self._abort(problem)
            return
        self._open = None
        self.committed += 1
        self.consumer._batches.done()

    async def _abort(self, why: BaseException | None) -> None:
        assert self._open is not None
        tx, batch = self._open
        self._open = None
        self.aborted += 1
        log.warning("a transaction is aborted and its %d records will be read again: %r", len(batch), why)
        try:
            await tx.abort()
        finally:
            self.consumer._batches.rewind(batch)


def exactly_once(consumer: Consumer[Any, Any], producer: Any) -> ExactlyOnce:
    """Tie a consumer and a transactional producer together; both are started and closed by their owner."""
    return ExactlyOnce(consumer, producer)
