"""aiokafka."""

from __future__ import annotations

import asyncio
import sys

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, RebalanceInProgressError

import driver


def version():
    return aiokafka.__version__


def produce(bootstrap, topic, codec, path):
    asyncio.run(_produce(bootstrap, topic, None if codec == "none" else codec, path))


async def _produce(bootstrap, topic, codec, path):
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type=codec, enable_idempotence=True, linger_ms=20, max_batch_size=65536
    )
    await producer.start()
    futures = []
    for line in driver.lines(path):
        futures.append(await producer.send(topic, line))
        if len(futures) == 20_000:
            await asyncio.gather(*futures)
            futures = []
    await producer.flush()
    await asyncio.gather(*futures)
    await producer.stop()


def consume(bootstrap, topic, count, sink):
    asyncio.run(_consume(bootstrap, topic, count, sink))


async def _consume(bootstrap, topic, count, sink):
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.start()
    consumer.seek(partition, 0)
    deadline = driver.Deadline()
    while count:
        found = await consumer.getmany(partition, timeout_ms=1000, max_records=min(count, 10_000))
        for record in found.get(partition, ()):
            sink.write(record.value + b"\n")
            count -= 1
            deadline.moved()
        deadline.check("%d records missing in %s" % (count, topic))
    await consumer.stop()


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        driver.event(assigned=[p.partition for p in assigned])


def group(bootstrap, topic, group_id, assignor="range"):
    asyncio.run(_group(bootstrap, topic, group_id, assignor))


async def _group(bootstrap, topic, group_id, assignor):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=[RangePartitionAssignor if assignor == "range" else RoundRobinPartitionAssignor],
        session_timeout_ms=driver.SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=500,
    )
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    while not driver.asked_to_stop():
        batches = await consumer.getmany(timeout_ms=100)
        if batches:
            try:
                await consumer.commit()
            except (CommitFailedError, RebalanceInProgressError):
                continue  # a rebalance came between; the records come again, to whoever owns them then
        for records in batches.values():
            for record in records:
                driver.event(record=[record.partition, record.offset])
    await consumer.stop()
    driver.event(closed=True)


def admin(bootstrap, topic):
    asyncio.run(_admin(bootstrap, topic))


def raise_for(response):
    for item in getattr(response, "topic_errors", None) or getattr(response, "topic_error_codes", None) or ():
        if item[1]:
            raise aiokafka.errors.for_code(item[1])(item)


async def until(what, condition):
    for _ in range(150):
        if await condition():
            return
        await asyncio.sleep(0.1)
    raise driver.Late(what)


async def _admin(bootstrap, topic):
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()

    async def retention():
        described = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return next(entry[1] for entry in described[0].resources[0][4] if entry[0] == "retention.ms")

    async def partitions(wanted):
        found = [t for t in await client.describe_topics([topic]) if not t["error_code"]]
        return bool(found) and len(found[0]["partitions"]) == wanted

    async def create():
        raise_for(await client.create_topics([NewTopic(topic, 3, 1, topic_configs={"retention.ms": "3600000"})]))

    async def describe():
        await until("3 partitions", lambda: partitions(3))
        driver.expect("retention.ms", await retention(), "3600000")

    async def altered():
        return await retention() == "7200000"

    async def alter():
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "7200000"})])
        await until("retention.ms 7200000", altered)

    async def grow():
        raise_for(await client.create_partitions({topic: NewPartitions(5)}))
        await until("5 partitions", lambda: partitions(5))

    async def groups():
        await client.list_consumer_groups()

    async def gone():
        return topic not in await client.list_topics()

    async def delete():
        raise_for(await client.delete_topics([topic]))
        await until("gone", gone)

    failed = False
    for name, step in (
        ("create", create),
        ("describe", describe),
        ("alter", alter),
        ("grow", grow),
        ("groups", groups),
        ("delete", delete),
    ):
        try:
            await step()
        except Exception as error:
            driver.event(step=name, error="%s: %s" % (type(error).__name__, error))
            failed = True
            break
        driver.event(step=name)
    await client.close()
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    driver.main(sys.modules[__name__])
