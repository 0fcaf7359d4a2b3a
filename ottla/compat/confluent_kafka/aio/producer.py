"""AIOProducer: `future = await producer.produce(...)`, `message = await future`.

    produce ──► a list ──► one thread of the executor puts it into the producer ──► our batches
                                             future ◄── call_soon_threadsafe ◄── acknowledged (I/O thread)

The library gathers `batch_size` records or waits `buffer_timeout` seconds. Here a thread sets out with what is there, and the rest
gathers while it is under way: those two are taken and not needed. Headers are sent, which the library refuses.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from ..errors import KafkaError, KafkaException
from ..producer import Producer
from ..types import Message
from .common import COMMON, awaited, wrapped

Wanted = tuple[dict[str, Any], "asyncio.Future[Message]"]


class _AtOnce(Producer):
    """Reports from the I/O thread as soon as it knows, without `poll`."""

    def _report(self, record: tuple[Any, ...], problem: Any, where: Any) -> None:
        with self._arrived:
            self._waiting -= 1
            self._arrived.notify_all()
        self._call(record, problem, where)


class AIOProducer:
    """Settings are librdkafka's; callbacks may be coroutine functions."""

    def __init__(
        self, producer_conf: dict[str, Any], max_workers: int = 4, executor: Executor | None = None,
        batch_size: int = 1000, buffer_timeout: float = 1.0,
    ) -> None:  # fmt: skip
        self._own = executor is None
        self.executor = executor or ThreadPoolExecutor(max_workers, "ottla-aio-producer")
        self._loop = asyncio.get_running_loop()
        self.blocking = _AtOnce(wrapped(self._loop, producer_conf, COMMON))
        self._wanted: list[Wanted] = []
        self._putting: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> AIOProducer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def produce(self, topic: str, value: Any = None, key: Any = None, **more: Any) -> asyncio.Future[Message]:
        """Put a record into the queue; the future gets its Message, or raises KafkaException."""
        if self._closed:
            raise RuntimeError("Producer has been closed")
        future: asyncio.Future[Message] = self._loop.create_future()
        self._wanted.append(({"topic": topic, "value": value, "key": key, **more}, future))
        if self._putting is None:
            self._putting = self._loop.create_task(self._put())
        return future

    async def _put(self) -> None:
        try:
            while self._wanted:
                wanted, self._wanted = self._wanted, []
                await self._loop.run_in_executor(self.executor, self._put_all, wanted)
        finally:
            self._putting = None

    def _put_all(self, wanted: list[Wanted]) -> None:
        """Runs in a thread of the executor: it may wait for metadata and for room."""
        for fields, future in wanted:
            try:
                self._put_one(fields, future)
            except Exception as problem:  # noqa: BLE001 - the future tells it
                self._loop.call_soon_threadsafe(_finish, future, None, problem)

    def _put_one(self, fields: dict[str, Any], future: asyncio.Future[Message]) -> None:
        def told(error: KafkaError | None, message: Message) -> None:
            problem = None if error is None else KafkaException(error)
            self._loop.call_soon_threadsafe(_finish, future, message, problem)

        while True:
            try:
                self.blocking.produce(**fields, on_delivery=told)
            except BufferError:
                self.blocking.wait_for_room()
            else:
                return

    async def _all_put(self) -> None:
        while self._putting is not None:
            await asyncio.wait([self._putting])

    async def flush(self, *arguments: Any) -> int:
        """Wait until all is delivered; how much is not."""
        await self._all_put()
        left: int = await self._flush(*arguments)
        await asyncio.sleep(0)  # the futures of what was delivered are done
        return left

    async def purge(self, *arguments: Any, **more: Any) -> None:
        """Give up what is not delivered."""
        for _, future in self._wanted:
            future.cancel()
        self._wanted = []
        await self._purge(*arguments, **more)

    async def begin_transaction(self) -> None:
        await self.flush()
        await self._begin()

    async def commit_transaction(self, *arguments: Any) -> None:
        await self.flush()
        await self._commit(*arguments)

    async def abort_transaction(self, *arguments: Any) -> None:
        await self.flush()
        await self._abort(*arguments)

    _flush = awaited("flush")
    _purge = awaited("purge")
    _begin = awaited("begin_transaction")
    _commit = awaited("commit_transaction")
    _abort = awaited("abort_transaction")
    _close = awaited("close")
    poll = awaited("poll")
    list_topics = awaited("list_topics")
    init_transactions = awaited("init_transactions")
    send_offsets_to_transaction = awaited("send_offsets_to_transaction")
    set_sasl_credentials = awaited("set_sasl_credentials")

    async def close(self) -> None:
        """Deliver, then end."""
        self._closed = True
        await self.flush()
        await self._close()
        if self._own:
            self.executor.shutdown(wait=False)


def _finish(future: asyncio.Future[Message], message: Message | None, problem: BaseException | None) -> None:
    if future.done():  # cancelled
        return
    if problem is not None:
        future.set_exception(problem)
    else:
        assert message is not None
        future.set_result(message)
