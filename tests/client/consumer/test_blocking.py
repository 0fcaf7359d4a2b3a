"""The synchronous Consumer, Admin and read: the same verbs, for threads."""

from __future__ import annotations

from ottla.sync import Admin, Consumer, Producer, read
from ottla.testing.kafka import Kafka


def test_records_batches_and_commits(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1).put([b"%d" % i for i in range(10)])
    with Consumer(kafka.bootstrap, "t", group="g", start="earliest") as consumer:
        for record in consumer:
            if record.offset == 3:
                consumer.commit()  # what was given, and no more of the batch that it came in
                break
        assert consumer.committed()["t", 0].offset == 4
    with Consumer(kafka.bootstrap, "t", group="g") as consumer:
        for batch in consumer.batches(max_records=3):
            assert [record.offset for record in batch] == [4, 5, 6]
            break
        assert consumer.assignment == {("t", 0)}
        assert [record.offset for record in consumer.poll(5)] == [7, 8, 9]
        assert len(consumer.poll(0)) == 0
    assert len(read(kafka.bootstrap, "t")) == 10


def test_admin_has_the_same_rooms(kafka: Kafka) -> None:
    with Admin(kafka.bootstrap) as admin, Producer(kafka.bootstrap) as producer:
        admin.topics.create("t", partitions=2)
        producer.send("t", b"x")
        assert admin.topics.list() == ["t"]
        assert sum(found.offset for found in admin.topics.offsets([("t", 0), ("t", 1)]).values()) == 1
