"""One client library, one record on the way: `python -m bench.latency_driver LIBRARY ADDRESS TOPIC TRIPS`.

A round trip is from the call that sends a record to when the consumer of the same process has it; the next record leaves then.
Both without linger. Printed: the trips in ms, in order. confluent-kafka gets its best settings: no Nagle, and a producer whose
acknowledgements nobody waits for between the two calls.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable

VALUE = b"x" * 100
WARM_UP = 200


def ottla(address: str, topic: str, trips: int) -> list[float]:
    import uvloop

    from ottla import Consumer, Producer

    async def run() -> list[float]:
        took = []
        async with Producer(address, linger_ms=0) as producer, Consumer(address, topic, start="earliest") as consumer:
            stream = aiter(consumer)
            for _ in range(trips + WARM_UP):
                began = time.perf_counter()
                await producer.enqueue(topic, VALUE)
                await anext(stream)
                took.append((time.perf_counter() - began) * 1000)
        return took[WARM_UP:]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def confluent(address: str, topic: str, trips: int) -> list[float]:
    from confluent_kafka import Consumer, Producer, TopicPartition

    common = {"bootstrap.servers": address, "socket.nagle.disable": True}
    producer = Producer({**common, "linger.ms": 0, "enable.idempotence": True})
    consumer = Consumer({**common, "group.id": "x", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    took = []
    for _ in range(trips + WARM_UP):
        began = time.perf_counter()
        producer.produce(topic, VALUE)
        while consumer.poll(1.0) is None:
            pass
        took.append((time.perf_counter() - began) * 1000)
        producer.poll(0)
    consumer.close()
    return took[WARM_UP:]


LIBRARIES: dict[str, Callable[[str, str, int], list[float]]] = {"ottla": ottla, "confluent-kafka": confluent}

if __name__ == "__main__":
    library, address, topic, trips = sys.argv[1:]
    print(json.dumps(LIBRARIES[library](address, topic, int(trips))))
