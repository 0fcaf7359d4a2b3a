"""Small programs in the way of confluent_kafka's users; `ck` is the library or the shim. Each returns what it saw."""

from __future__ import annotations

import json
from typing import Any


def produced(ck: Any, bootstrap: str, topic: str, count: int = 5) -> list[Any]:
    seen: list[Any] = []
    producer = ck.Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})

    def acked(error: Any, message: Any) -> None:
        seen.append((error, message.topic(), message.partition(), message.offset(), message.key(), message.value()))

    for number in range(count):
        producer.produce(topic, key=f"k{number}", value=f"v{number}", headers={"h": b"1"}, callback=acked)
        producer.poll(0)
    assert producer.flush(10) == 0
    assert len(producer) == 0
    return sorted(seen)


def consumed(ck: Any, bootstrap: str, topic: str, group: str) -> list[Any]:
    events: list[Any] = []
    consumer = ck.Consumer(
        {
            "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "smallest",
            "enable.partition.eof": True, "session.timeout.ms": 6000,
        }
    )  # fmt: skip

    def assigned(consumer: Any, partitions: list[Any]) -> None:
        events.append(("assign", [(p.topic, p.partition, p.offset) for p in partitions]))

    def revoked(consumer: Any, partitions: list[Any]) -> None:
        events.append(("revoke", [(p.topic, p.partition) for p in partitions]))

    consumer.subscribe([topic], on_assign=assigned, on_revoke=revoked)
    ends = 0
    while ends < 1:
        message = consumer.poll(timeout=1.0)
        if message is None:
            continue
        if message.error():
            assert message.error().code() == ck.KafkaError._PARTITION_EOF
            events.append(("end", message.topic(), message.partition(), message.offset()))
            ends += 1
            continue
        events.append((message.key(), message.value(), message.offset(), message.headers(), message.timestamp()[0]))
    events.append([(p.topic, p.partition, p.offset) for p in consumer.position([ck.TopicPartition(topic, 0)])])
    done = consumer.commit(asynchronous=False)
    events.append([(p.topic, p.partition, p.offset) for p in done])
    events.append([p.offset for p in consumer.committed([ck.TopicPartition(topic, 0)], timeout=5)])
    events.append(consumer.get_watermark_offsets(ck.TopicPartition(topic, 0), timeout=5))
    consumer.close()
    return events


def assigned_by_hand(ck: Any, bootstrap: str, topic: str) -> list[Any]:
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "by-hand", "enable.auto.commit": False})
    consumer.assign([ck.TopicPartition(topic, 0, 2)])
    seen: list[Any] = [[m.offset() for m in consumer.consume(3, timeout=10)]]
    consumer.seek(ck.TopicPartition(topic, 0, 1))
    message = consumer.poll(10)
    seen.append((message.offset(), message.value(), len(message)))
    consumer.pause([ck.TopicPartition(topic, 0)])
    seen.append(consumer.poll(0.3))
    consumer.resume([ck.TopicPartition(topic, 0)])
    seen.append(consumer.poll(10).offset())
    consumer.commit(message=message, asynchronous=False)
    seen.append(consumer.committed([ck.TopicPartition(topic, 0)])[0].offset)
    consumer.commit(offsets=[ck.TopicPartition(topic, 0, 4)], asynchronous=False)
    seen.append(consumer.committed([ck.TopicPartition(topic, 0)])[0].offset)
    seen.append([(p.topic, p.partition) for p in consumer.assignment()])
    consumer.close()
    try:
        consumer.poll(0)
    except RuntimeError as problem:
        seen.append(str(problem))
    return seen


def stored(ck: Any, bootstrap: str, topic: str, group: str) -> list[Any]:
    settings = {
        "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
        "enable.auto.offset.store": False,
    }  # fmt: skip
    seen: list[Any] = []
    for _ in range(2):
        consumer = ck.Consumer(settings)
        consumer.subscribe([topic])
        for _ in range(2):
            message = consumer.poll(10)
            seen.append(message.offset())
        consumer.store_offsets(message)
        consumer.close()
    return seen


def transactions(ck: Any, bootstrap: str, source: str, target: str) -> list[Any]:
    consumer = ck.Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "eos",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([source])
    producer = ck.Producer({"bootstrap.servers": bootstrap, "transactional.id": f"eos-{target}"})
    producer.init_transactions()
    seen: list[Any] = []
    producer.begin_transaction()
    producer.produce(target, b"thrown away")
    producer.abort_transaction()
    producer.begin_transaction()
    for _ in range(3):
        message = consumer.poll(10)
        producer.produce(target, message.value().upper(), message.key())
        producer.poll(0)
    producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata())
    producer.commit_transaction()
    seen.append([p.offset for p in consumer.committed(consumer.assignment())])
    consumer.close()
    reader = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "eos-check"})
    reader.assign([ck.TopicPartition(target, 0, ck.OFFSET_BEGINNING)])
    seen.append([(m.key(), m.value()) for m in reader.consume(3, 10)])
    reader.close()
    return seen


def errors(ck: Any) -> list[Any]:
    seen: list[Any] = []
    for make, settings in (
        (ck.Producer, {"bootstrap.server": "x"}), (ck.Consumer, {"group.id": "g", "foo.bar": 1}),
        (ck.Consumer, {"bootstrap.servers": "x"}), (ck.Producer, {"buffer.memory": 1}),
    ):  # fmt: skip
        try:
            make(settings)
        except (ck.KafkaException, ValueError) as problem:
            seen.append((type(problem).__name__, str(problem)))
    error = ck.KafkaError(ck.KafkaError._PARTITION_EOF)
    seen += [error.name(), error.str(), error.code(), str(error), error == ck.KafkaError._PARTITION_EOF]
    error = ck.KafkaError(ck.KafkaError.UNKNOWN_TOPIC_OR_PART, "so it is")
    seen += [repr(error), error.fatal(), error.retriable(), repr(ck.TopicPartition("t", 1, 7))]
    return seen


def administered(ck: Any, admin: Any, bootstrap: str, name: str) -> list[Any]:
    client = admin.AdminClient({"bootstrap.servers": bootstrap})
    seen: list[Any] = []
    for _ in range(2):
        futures = client.create_topics([admin.NewTopic(name, num_partitions=3, replication_factor=1)])
        for topic, future in futures.items():
            try:
                seen.append((topic, future.result()))
            except ck.KafkaException as problem:
                seen.append((topic, problem.args[0].name()))
    for future in client.create_partitions([admin.NewPartitions(name, 4)]).values():
        seen.append(future.result())
    told = client.list_topics(timeout=10)
    seen += [sorted(told.topics[name].partitions), str(told.topics[name]), len(told.brokers)]
    resource = admin.ConfigResource("topic", name)
    entry = admin.ConfigEntry("retention.ms", "1000", incremental_operation=admin.AlterConfigOpType.SET)
    resource.add_incremental_config(entry)
    for future in client.incremental_alter_configs([resource]).values():
        seen.append(future.result())
    for future in client.describe_configs([admin.ConfigResource("topic", name)]).values():
        configs = future.result()
        seen.append([(n, configs[n].value, configs[n].is_default) for n in ("retention.ms", "cleanup.policy")])
    for topic, future in client.delete_topics([name]).items():
        seen.append((topic, future.result()))
    return seen


def serialized(ck: Any, serialization: Any, bootstrap: str, topic: str) -> list[Any]:
    producer = ck.SerializingProducer(
        {
            "bootstrap.servers": bootstrap, "key.serializer": serialization.StringSerializer("utf_8"),
            "value.serializer": lambda value, context: json.dumps(value).encode(),
        }
    )  # fmt: skip
    producer.produce(topic=topic, key="a", value={"n": 1})
    producer.flush()
    consumer = ck.DeserializingConsumer(
        {
            "bootstrap.servers": bootstrap, "group.id": "de", "auto.offset.reset": "earliest",
            "key.deserializer": serialization.StringDeserializer("utf_8"),
            "value.deserializer": lambda data, context: json.loads(data),
        }
    )  # fmt: skip
    consumer.subscribe([topic])
    message = consumer.poll(10)
    consumer.close()
    packed = serialization.IntegerSerializer()(7), serialization.DoubleSerializer()(1.5)
    return [message.key(), message.value(), packed]
