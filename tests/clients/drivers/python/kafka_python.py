"""kafka-python; the same program for the 3.x and the 2.0.2 line."""

from __future__ import annotations

import sys
from inspect import signature

import kafka
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

import driver

OLD = kafka.__version__.startswith("2.0.")


def version():
    return kafka.__version__


def produce(bootstrap, topic, codec, path):
    options = {"max_in_flight_requests_per_connection": 1} if OLD else {"enable_idempotence": True}
    codec = None if codec == "none" else codec
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        retries=10,
        compression_type=codec,
        linger_ms=20,
        batch_size=65536,
        **options,
    )
    futures = []
    for line in driver.lines(path):
        futures.append(producer.send(topic, line))
        if len(futures) == 20_000:
            for future in futures:
                future.get(timeout=driver.DEADLINE_S)
            futures = []
    producer.flush(timeout=driver.DEADLINE_S)
    for future in futures:
        future.get(timeout=driver.DEADLINE_S)
    producer.close()


def consume(bootstrap, topic, count, sink):
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek(partition, 0)
    deadline = driver.Deadline()
    while count:
        for record in consumer.poll(timeout_ms=1000, max_records=min(count, 10_000)).get(partition, ()):
            sink.write(record.value + b"\n")
            count -= 1
            deadline.moved()
        deadline.check("%d records missing in %s" % (count, topic))
    consumer.close()


class Listener(ConsumerRebalanceListener):
    def on_partitions_revoked(self, revoked):
        pass

    def on_partitions_assigned(self, assigned):
        driver.event(assigned=[p.partition for p in assigned])


def group(bootstrap, topic, group_id, assignor="range"):
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=[RangePartitionAssignor if assignor == "range" else RoundRobinPartitionAssignor],
        session_timeout_ms=driver.SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=500,
    )
    consumer.subscribe([topic], listener=Listener())
    while not driver.asked_to_stop():
        batches = consumer.poll(timeout_ms=100)
        if batches:
            try:
                consumer.commit()
            except (kafka.errors.CommitFailedError, kafka.errors.RebalanceInProgressError):
                continue  # a rebalance came between; the records come again, to whoever owns them then
        for records in batches.values():
            for record in records:
                driver.event(record=[record.partition, record.offset])
    consumer.close()
    driver.event(closed=True)


def no_errors(response):
    """Raises the first error of a create or delete response; the old line returns them unread."""
    for item in getattr(response, "topic_errors", None) or getattr(response, "topic_error_codes", None) or ():
        if isinstance(item, tuple) and item[1]:
            raise kafka.errors.for_code(item[1])(item)


def admin(bootstrap, topic):
    client = KafkaAdminClient(bootstrap_servers=bootstrap)

    def retention():
        described = client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        if isinstance(described, dict):  # 3.x: {type: {name: {config: value or entry}}}
            found = next(iter(described.values()))[topic]["retention.ms"]
            return found["value"] if isinstance(found, dict) else getattr(found, "value", found)
        entries = described[0].resources[0][4]
        return next(entry[1] for entry in entries if entry[0] == "retention.ms")

    def partitions():
        found = [t for t in client.describe_topics([topic]) if not t.get("error_code")]
        return len(found[0]["partitions"]) if found else 0

    def create():
        no_errors(client.create_topics([NewTopic(topic, 3, 1, topic_configs={"retention.ms": "3600000"})]))

    def describe():
        driver.until("3 partitions", lambda: partitions() == 3)
        driver.expect("retention.ms", retention(), "3600000")

    def alter():
        options = {"incremental": True} if "incremental" in signature(client.alter_configs).parameters else {}
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "7200000"})], **options)
        driver.until("retention.ms 7200000", lambda: retention() == "7200000")

    def grow():
        no_errors(client.create_partitions({topic: NewPartitions(5)}))
        driver.until("5 partitions", lambda: partitions() == 5)

    def groups():
        (client.list_consumer_groups if hasattr(client, "list_consumer_groups") else client.list_groups)()

    def delete():
        no_errors(client.delete_topics([topic]))
        driver.until("gone", lambda: topic not in client.list_topics())

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
