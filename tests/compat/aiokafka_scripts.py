"""Small programs in the way of aiokafka's users; `lib` is the library or the shim. Each returns what it saw."""

from __future__ import annotations

from typing import Any


async def produced(lib: Any, bootstrap: str, topic: str) -> list[Any]:
    seen: list[Any] = []
    async with lib.AIOKafkaProducer(bootstrap_servers=bootstrap, value_serializer=str.encode) as producer:
        meta = await producer.send_and_wait(topic, "one", key=b"k", timestamp_ms=5, headers=[("h", b"1")])
        seen.append((meta.topic, meta.partition, meta.timestamp, meta.timestamp_type))
        future = await producer.send(topic, "two")
        seen.append((await future).offset - meta.offset)
        batch = producer.create_batch()
        batch.append(key=None, value="three", timestamp=None)
        sent = await producer.send_batch(batch, topic, partition=0)
        seen += [(await sent).offset - meta.offset, batch.record_count(), await producer.partitions_for(topic)]
    return seen


async def consumed(lib: Any, bootstrap: str, topic: str, group: str) -> list[Any]:
    seen: list[Any] = []
    consumer = lib.AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest")
    await consumer.start()
    tp = lib.TopicPartition(topic, 0)
    try:
        async for message in consumer:
            seen.append(
                (message.topic, message.partition, message.offset, message.key, message.value, tuple(message.headers))
            )
            if message.offset == 2:
                break
        await consumer.commit()
        seen += [
            await consumer.committed(tp),
            await consumer.position(tp),
            consumer.assignment(),
            consumer.subscription(),
        ]
        consumer.seek(tp, 1)
        found = await consumer.getmany(timeout_ms=5000, max_records=2)
        seen.append({key: [r.offset for r in rows] for key, rows in found.items()})
        await consumer.seek_to_beginning(tp)
        seen += [await consumer.position(tp), (await consumer.getone()).offset]
        await consumer.commit({tp: 2})
        seen += [await consumer.committed(tp), await consumer.beginning_offsets([tp])]
        consumer.pause(tp)
        seen += [consumer.paused(), await consumer.getmany(timeout_ms=100)]
    finally:
        await consumer.stop()
    return seen


async def transactions(lib: Any, errors: Any, bootstrap: str, topic: str) -> list[Any]:
    seen: list[Any] = []
    async with lib.AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"t-{topic}") as producer:
        try:
            await producer.send(topic, b"outside")
        except errors.IllegalOperation as problem:
            seen.append(type(problem).__name__)
        try:
            async with producer.transaction():
                await producer.send_and_wait(topic, b"aborted")
                raise KeyError
        except KeyError:
            seen.append("aborted")
        async with producer.transaction():
            await producer.send(topic, b"committed")
            await producer.send_offsets_to_transaction({lib.TopicPartition(topic, 0): 7}, "g")
    consumer = lib.AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest", group_id="g2"
    )
    consumer.subscribe([topic])
    async with consumer:
        message = await consumer.getone()
        seen.append(message.value)
    return seen
