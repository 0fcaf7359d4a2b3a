"""librdkafka: some transactions that write, transform and commit offsets of a group. Arguments: bootstrap, a name."""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, Producer, TopicPartition


def main() -> None:
    """Four transactions that write, every other aborted, and those that transform what was committed."""
    bootstrap, name = sys.argv[1:3]
    common = {"bootstrap.servers": bootstrap, "log_level": 0}
    producer = Producer({**common, "transactional.id": f"{name}-producer"})
    producer.init_transactions(30)
    for number in range(4):
        producer.begin_transaction()
        for each in range(3):
            producer.produce(f"{name}-in", f"{number}.{each}")
        (producer.abort_transaction if number % 2 else producer.commit_transaction)(30)
    consumer = Consumer({
        **common, "group.id": f"{name}-group", "auto.offset.reset": "earliest", "isolation.level": "read_committed",
        "enable.auto.commit": False,
    })  # fmt: skip
    consumer.subscribe([f"{name}-in"])
    transformer = Producer({**common, "transactional.id": f"{name}-transformer"})
    transformer.init_transactions(30)
    done = 0
    while done < 6:
        messages = [message for message in consumer.consume(10, 1.0) if message.error() is None]
        if not messages:
            continue
        transformer.begin_transaction()
        for message in messages:
            transformer.produce(f"{name}-out", message.value())
        positions = [TopicPartition(f"{name}-in", message.partition(), message.offset() + 1) for message in messages]
        transformer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), 30)
        transformer.commit_transaction(30)
        done += len(messages)
    consumer.close()


if __name__ == "__main__":
    main()
