"""AIOConsumer: the blocking Consumer in an executor's threads, as in the library."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from ..consumer import Consumer
from .common import COMMON, awaited, on_loop, wrapped


class AIOConsumer:
    """Settings are librdkafka's; callbacks may be coroutine functions."""

    def __init__(self, consumer_conf: dict[str, Any], max_workers: int = 2, executor: Executor | None = None) -> None:
        if executor is None and max_workers < 1:
            raise ValueError("max_workers must be at least 1")
        self._own = executor is None
        self.executor = executor or ThreadPoolExecutor(max_workers, "ottla-aio-consumer")
        loop = asyncio.get_running_loop()
        self.blocking = Consumer(wrapped(loop, consumer_conf, (*COMMON, "on_commit")))

    async def __aenter__(self) -> AIOConsumer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def subscribe(self, topics: list[str], **callbacks: Any) -> None:
        """Read these topics; `on_assign`, `on_revoke` and `on_lost` are called with this consumer."""
        loop = asyncio.get_running_loop()

        def with_self(callback: Any) -> Any:
            return on_loop(loop, lambda _, partitions: callback(self, partitions))

        told = {name: None if each is None else with_self(each) for name, each in callbacks.items()}
        await self._subscribe(topics, **told)

    _subscribe = awaited("subscribe")
    unsubscribe = awaited("unsubscribe")
    poll = awaited("poll")
    consume = awaited("consume")
    commit = awaited("commit")
    seek = awaited("seek")
    pause = awaited("pause")
    resume = awaited("resume")
    store_offsets = awaited("store_offsets")
    committed = awaited("committed")
    assign = awaited("assign")
    unassign = awaited("unassign")
    incremental_assign = awaited("incremental_assign")
    incremental_unassign = awaited("incremental_unassign")
    assignment = awaited("assignment")
    position = awaited("position")
    consumer_group_metadata = awaited("consumer_group_metadata")
    set_sasl_credentials = awaited("set_sasl_credentials")
    list_topics = awaited("list_topics")
    get_watermark_offsets = awaited("get_watermark_offsets")
    offsets_for_times = awaited("offsets_for_times")
    _close = awaited("close")

    async def close(self) -> None:
        """Leave the group, end."""
        await self._close()
        if self._own:
            self.executor.shutdown(wait=False)
