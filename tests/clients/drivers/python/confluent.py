"""confluent-kafka (librdkafka); the same program for the newest and the 1.9 line."""

from __future__ import annotations

import sys

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka import admin as admins

import driver


def version():
    own = confluent_kafka.version()  # a tuple in the old line, a string in the new one
    return "%s (librdkafka %s)" % (own if isinstance(own, str) else own[0], confluent_kafka.libversion()[0])


def produce(bootstrap, topic, codec, path):
    failed = []
    producer = Producer(
        {"bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True, "linger.ms": 20}
    )

    def delivered(error, _message):
        if error is not None:
            failed.append(error)

    for line in driver.lines(path):
        while True:
            try:
                producer.produce(topic, line, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(driver.DEADLINE_S)
    if failed or left:
        raise KafkaException(failed[0] if failed else "%d records not delivered" % left)


def consume(bootstrap, topic, count, sink):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    deadline = driver.Deadline()
    while count:
        for message in consumer.consume(min(count, 10_000), timeout=1.0):
            if message.error():
                raise KafkaException(message.error())
            sink.write(message.value() + b"\n")
            count -= 1
            deadline.moved()
        deadline.check("%d records missing in %s" % (count, topic))
    consumer.close()


def group(bootstrap, topic, group_id, assignor="range"):
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group_id,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": assignor,
            "session.timeout.ms": driver.SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": 500,
        }
    )

    def assigned(_consumer, partitions):
        driver.event(assigned=[p.partition for p in partitions])

    consumer.subscribe([topic], on_assign=assigned)
    while not driver.asked_to_stop():
        messages = consumer.consume(500, timeout=0.1)
        for message in messages:
            if message.error():
                raise KafkaException(message.error())
        if messages:
            try:
                consumer.commit(asynchronous=False)
            except (
                KafkaException
            ) as error:  # a rebalance came between; the records come again, to whoever owns them then
                if error.args[0].name() not in ("REBALANCE_IN_PROGRESS", "ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID"):
                    raise
                continue
        for message in messages:
            driver.event(record=[message.partition(), message.offset()])
    consumer.close()
    driver.event(closed=True)


def admin(bootstrap, topic):
    client = admins.AdminClient({"bootstrap.servers": bootstrap})
    resource = admins.ConfigResource(admins.ConfigResource.Type.TOPIC, topic)

    def done(futures):
        return [future.result(30) for future in futures.values()][0]

    def retention():
        return done(client.describe_configs([resource]))["retention.ms"].value

    def partitions():
        found = client.list_topics(topic, timeout=10).topics[topic]
        return 0 if found.error else len(found.partitions)

    def create():
        done(client.create_topics([admins.NewTopic(topic, 3, 1, config={"retention.ms": "3600000"})]))

    def describe():
        driver.until("3 partitions", lambda: partitions() == 3)
        driver.expect("retention.ms", retention(), "3600000")

    def alter():
        if hasattr(client, "incremental_alter_configs"):
            entry = admins.ConfigEntry("retention.ms", "7200000", incremental_operation=admins.AlterConfigOpType.SET)
            changed = admins.ConfigResource(admins.ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
            done(client.incremental_alter_configs([changed]))
        else:
            changed = admins.ConfigResource(
                admins.ConfigResource.Type.TOPIC, topic, set_config={"retention.ms": "7200000"}
            )
            done(client.alter_configs([changed]))
        driver.until("retention.ms 7200000", lambda: retention() == "7200000")

    def grow():
        done(client.create_partitions([admins.NewPartitions(topic, 5)]))
        driver.until("5 partitions", lambda: partitions() == 5)

    def groups():
        client.list_groups(timeout=10)

    def delete():
        done(client.delete_topics([topic]))
        driver.until("gone", lambda: topic not in client.list_topics(timeout=10).topics)

    driver.steps(
        ("create", create),
        ("describe", describe),
        ("alter", alter),
        ("grow", grow),
        ("groups", groups),
        ("delete", delete),
    )


if __name__ == "__main__":
    driver.main(sys.modules[__name__])
