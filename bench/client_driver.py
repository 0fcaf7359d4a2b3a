"""One client library, one job, in a process of its own: `python -m bench.client_driver LIBRARY ADDRESS TOPIC SIZE SECONDS`.

It sends records of SIZE bytes one by one (or all together, for `…-many`) for about SECONDS, waits until they are acknowledged,
and prints JSON: records, seconds, CPU seconds (user and system, all threads of this process). Before the clock starts, one record
was acknowledged and some thousand were sent. All libraries: acks=all, idempotent, linger 5 ms, no compression.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

CHUNK = 20_000


class Clock:
    """Counts from `start` on."""

    def __init__(self, seconds: float) -> None:
        self.limit = seconds
        self.records = 0

    def start(self) -> None:
        self.began, self.cpu_began = time.perf_counter(), _cpu_s()

    @property
    def more(self) -> bool:
        return time.perf_counter() - self.began < self.limit

    def stop(self) -> dict[str, float]:
        return {
            "records": self.records,
            "seconds": time.perf_counter() - self.began,
            "cpu_s": _cpu_s() - self.cpu_began,
        }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def one_by_one(
    send: Callable[[str, bytes], Any], flush: Callable[[], Any], topic: str, value: bytes, clock: Clock
) -> dict[str, float]:
    for _ in range(CHUNK):
        send(topic, value)
    flush()
    clock.start()
    while clock.more:
        for _ in range(CHUNK):
            send(topic, value)
        clock.records += CHUNK
    flush()
    return clock.stop()


def ottla_sync(address: str, topic: str, value: bytes, clock: Clock) -> dict[str, float]:
    from ottla.sync import Producer

    with Producer(address) as producer:
        return one_by_one(producer.enqueue, producer.flush, topic, value, clock)


def ottla_sync_many(address: str, topic: str, value: bytes, clock: Clock) -> dict[str, float]:
    from ottla.sync import Producer

    values = [value] * (max(CHUNK, 50_000_000 // len(value)))
    with Producer(address) as producer:
        producer.send_many(topic, values[:CHUNK])
        clock.start()
        while clock.more:
            clock.records += producer.send_many(topic, values).records
        return clock.stop()


def ottla_async(address: str, topic: str, value: bytes, clock: Clock) -> dict[str, float]:
    from ottla import Producer

    async def run() -> dict[str, float]:
        async with Producer(address) as producer:
            return await _async_one_by_one(producer.enqueue, producer.flush, topic, value, clock)

    return _run(run())


async def _async_one_by_one(send: Any, flush: Any, topic: str, value: bytes, clock: Clock) -> dict[str, float]:
    for _ in range(CHUNK):
        await send(topic, value)
    await flush()
    clock.start()
    while clock.more:
        for _ in range(CHUNK):
            await send(topic, value)
        clock.records += CHUNK
    await flush()
    return clock.stop()


def confluent(address: str, topic: str, value: bytes, clock: Clock) -> dict[str, float]:
    from confluent_kafka import Producer

    producer = Producer(
        {
            "bootstrap.servers": address,
            "enable.idempotence": True,
            "linger.ms": 5,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    produce, poll = producer.produce, producer.poll

    def send(topic: str, value: bytes) -> None:
        while True:
            try:
                produce(topic, value)
                return
            except BufferError:
                poll(0.01)

    return one_by_one(send, producer.flush, topic, value, clock)


def aiokafka(address: str, topic: str, value: bytes, clock: Clock) -> dict[str, float]:
    from aiokafka import AIOKafkaProducer

    async def run() -> dict[str, float]:
        producer = AIOKafkaProducer(
            bootstrap_servers=address, enable_idempotence=True, linger_ms=5, max_batch_size=512 << 10
        )
        await producer.start()
        try:
            return await _async_one_by_one(producer.send, producer.flush, topic, value, clock)
        finally:
            await producer.stop()

    return _run(run())


def kafka_python(address: str, topic: str, value: bytes, clock: Clock) -> dict[str, float]:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=address, linger_ms=5, batch_size=512 << 10)
    try:
        return one_by_one(producer.send, producer.flush, topic, value, clock)
    finally:
        producer.close()


def _run(work: Any) -> dict[str, float]:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found: dict[str, float] = runner.run(work)
        return found


LIBRARIES: dict[str, Callable[[str, str, bytes, Clock], dict[str, float]]] = {
    "ottla.sync": ottla_sync,
    "ottla": ottla_async,
    "ottla send_many": ottla_sync_many,
    "confluent-kafka": confluent,
    "aiokafka": aiokafka,
    "kafka-python": kafka_python,
}

if __name__ == "__main__":
    library, address, topic, size, seconds = sys.argv[1:]
    print(json.dumps(LIBRARIES[library](address, topic, b"x" * int(size), Clock(float(seconds)))))
