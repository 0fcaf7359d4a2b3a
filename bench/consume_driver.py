"""Reads a topic with one client and says what that cost: `python -m bench.consume_driver CLIENT BOOTSTRAP TOPIC COUNT`.

One process per client, so that each has its own CPU clock: user and system time of the process between the first record and
the last, by getrusage. Each client with its defaults but for what it takes to read a topic from its beginning.
"""

from __future__ import annotations

import json
import resource
import socket
import sys
import time
from collections.abc import Callable

#: What a program that wants columns asks for at a time; it gets what is here, mostly one answer.
ARROW_RECORDS = 50_000
ANSWER_BYTES = 4 << 20


class Meter:
    """Counts from the first record on, so that start and joining are left out."""

    def __init__(self) -> None:
        self.began = self.cpu = 0.0

    @staticmethod
    def cpu_s() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    def first(self) -> None:
        self.began, self.cpu = time.perf_counter(), self.cpu_s()

    def result(self, count: int, size: int) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self.began, self.cpu_s() - self.cpu
        return {"records": count, "bytes": size, "seconds": wall, "cpu_us": cpu / count * 1e6, "rate": count / wall}


def run_async(main: Callable[..., object], *arguments: object) -> dict[str, float]:
    import uvloop

    return uvloop.run(main(*arguments))


async def ottla_records(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    from ottla.client.consumer.consumer import Consumer

    seen = size = 0
    meter = Meter()
    async with Consumer(bootstrap, topic, start="earliest") as consumer:
        async for record in consumer:
            if not seen:
                meter.first()
            size += len(record.value)
            seen += 1
            if seen == count:
                break
        return meter.result(seen, size)


async def ottla_arrow(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    import pyarrow.compute as pc

    from ottla.client.consumer.consumer import Consumer

    seen = size = 0
    meter = Meter()
    async with Consumer(bootstrap, topic, start="earliest") as consumer:
        async for batch in consumer.batches(max_records=ARROW_RECORDS):
            if not seen:
                batch.to_arrow()["value"].nbytes  # noqa: B018  # what is imported at first use does not count
                meter.first()
            table = batch.to_arrow()
            size += pc.sum(pc.binary_length(table["value"])).as_py()
            seen += len(batch)
            if seen >= count:
                break
        return meter.result(seen, size)


def confluent(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "x", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    meter, seen, size = Meter(), 0, 0
    while seen < count:
        for message in consumer.consume(1000, 1.0):
            if not seen:
                meter.first()
            size += len(message.value())
            seen += 1
    return meter.result(seen, size)


def confluent_poll(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "x", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    meter, seen, size = Meter(), 0, 0
    while seen < count:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if not seen:
            meter.first()
        size += len(message.value())
        seen += 1
    return meter.result(seen, size)


async def aiokafka(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    from aiokafka import AIOKafkaConsumer

    meter, seen, size = Meter(), 0, 0
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async for record in consumer:
            if not seen:
                meter.first()
            size += len(record.value)
            seen += 1
            if seen == count:
                break
        return meter.result(seen, size)
    finally:
        await consumer.stop()


def kafka_python(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    from kafka import KafkaConsumer

    meter, seen, size = Meter(), 0, 0
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    for record in consumer:
        if not seen:
            meter.first()
        size += len(record.value)
        seen += 1
        if seen == count:
            break
    return meter.result(seen, size)


def limit(bootstrap: str, topic: str, count: int) -> dict[str, float]:
    """What no client can do without: the same bytes out of the socket, into memory that is warm, and their checksums."""
    from ottla.client.consumer._runs_cy import scan
    from ottla.protocol import codec
    from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
    from ottla.protocol.framing import frame_request
    from ottla.records.batch import crc32c

    host, port = bootstrap.rsplit(":", 1)
    meter, offset, size = Meter(), 0, 0
    memory = memoryview(bytearray(ANSWER_BYTES + (64 << 10)))
    with socket.create_connection((host, int(port))) as sock:
        while offset < count:
            part = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=ANSWER_BYTES)
            request = FetchRequest(
                max_wait_ms=500,
                min_bytes=1,
                max_bytes=ANSWER_BYTES,
                topics=[FetchTopic(topic=topic, partitions=[part])],
            )
            sock.sendall(b"".join(frame_request(1, 4, 1, None, codec.encoder(FetchRequest, 4)(request))))
            end, have = 4, 0
            while have < end:
                have += sock.recv_into(memory[have:])
                if end == 4 <= have:
                    end = 4 + int.from_bytes(memory[:4], "big")
            if not offset:
                meter.first()
            answer, _ = codec.decoder(FetchResponse, 4)(memory[:end], 8)
            records = answer.responses[0].partitions[0].records
            size += len(records)
            crc32c(records)
            offset = scan(records, 0, len(records))[0]
    return meter.result(offset, size)


ASYNC = {"ottla": ottla_records, "ottla-arrow": ottla_arrow, "aiokafka": aiokafka}
PLAIN = {"confluent": confluent, "confluent-poll": confluent_poll, "kafka-python": kafka_python, "limit": limit}
CLIENTS = [*ASYNC, *PLAIN]


def main() -> None:
    client, bootstrap, topic, count = sys.argv[1:5]
    if client in ASYNC:
        found = run_async(ASYNC[client], bootstrap, topic, int(count))
    else:
        found = PLAIN[client](bootstrap, topic, int(count))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
