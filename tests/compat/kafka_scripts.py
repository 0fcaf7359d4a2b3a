"""Small programs in the way of kafka-python's users; `kafka` is the library or the shim. Each returns what it saw."""

from __future__ import annotations

import json
from typing import Any


def produced(kafka: Any, bootstrap: str, topic: str) -> list[Any]:
    seen: list[Any] = []
    producer = kafka.KafkaProducer(
        bootstrap_servers=[bootstrap], value_serializer=lambda v: json.dumps(v).encode(), acks="all", retries=5
    )
    meta = producer.send(topic, {"n": 1}, key=b"k", partition=0, timestamp_ms=5, headers=[("h", b"1")]).get(timeout=10)
    seen.append((meta.topic, meta.partition, meta.timestamp, meta.serialized_key_size, meta.serialized_value_size))
    called: list[Any] = []
    producer.send(topic, {"n": 2}).add_callback(called.append).add_errback(called.append)
    producer.flush()
    seen += [(called[0].topic, called[0].offset - meta.offset), sorted(producer.partitions_for(topic))]
    producer.close()
    return seen


def consumed(kafka: Any, bootstrap: str, topic: str, group: str) -> list[Any]:
    seen: list[Any] = []
    consumer = kafka.KafkaConsumer(
        topic, group_id=group, bootstrap_servers=bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=2000,
        value_deserializer=lambda m: json.loads(m.decode("utf-8")),
    )  # fmt: skip
    for message in consumer:
        seen.append(
            (message.topic, message.partition, message.offset, message.key, message.value, message.headers,
             message.timestamp_type, message.serialized_value_size)
        )  # fmt: skip
    tp = kafka.TopicPartition(topic, 0)
    seen += [
        consumer.position(tp),
        consumer.assignment(),
        consumer.partitions_for_topic(topic),
        consumer.subscription(),
    ]
    consumer.commit()
    seen += [consumer.committed(tp), consumer.beginning_offsets([tp]), consumer.end_offsets([tp])]
    consumer.close()
    return seen


def assigned_by_hand(kafka: Any, bootstrap: str, topic: str) -> list[Any]:
    consumer = kafka.KafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    tp = kafka.TopicPartition(topic, 0)
    consumer.assign([tp])
    consumer.seek_to_beginning()
    seen: list[Any] = []

    def polled(**options: Any) -> list[Any]:
        for _ in range(20):
            found = consumer.poll(timeout_ms=500, **options)
            if found:
                return [(key, [r.offset for r in rows]) for key, rows in found.items()]
        return []

    seen.append(polled(max_records=1))
    consumer.seek(tp, 1)
    seen += [consumer.position(tp), polled(max_records=1)]
    consumer.pause(tp)
    seen += [consumer.poll(timeout_ms=200), consumer.paused()]
    consumer.resume(tp)
    seen.append(polled(max_records=1))
    consumer.seek_to_end(tp)
    seen += [consumer.position(tp), consumer.offsets_for_times({tp: 0})[tp].offset]
    consumer.close()
    return seen


def administered(kafka: Any, admin: Any, errors: Any, bootstrap: str, name: str) -> list[Any]:
    client = kafka.KafkaAdminClient(bootstrap_servers=bootstrap, client_id="test")
    seen: list[Any] = []
    client.create_topics({name: {"num_partitions": 2, "replication_factor": 1}})
    try:
        client.create_topics({name: {"num_partitions": 2, "replication_factor": 1}})
    except errors.TopicAlreadyExistsError as problem:
        seen.append((type(problem).__name__, problem.errno))
    seen += [name in client.list_topics(), [len(t["partitions"]) for t in client.describe_topics([name])]]
    seen.append(sorted(client.describe_cluster()))
    client.delete_topics([name])
    seen.append(name in client.list_topics())
    client.close()
    return seen
