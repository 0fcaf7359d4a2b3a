"""How the golden folder of Apache Kafka 4.2.1 was made; run it again to make it anew.

    python tests/golden/kafka-data/make.py

Starts Apache Kafka (tests/support/kafka_jvm.py), writes one partition of every kind of batch, stops it cleanly and copies
the partition's folder, the checkpoint files and what a Kafka consumer read (expected.json) beside this file.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent.parent))

from confluent_kafka import Consumer, Producer, TopicPartition  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402

from tests.support.kafka_jvm import KafkaJvm  # noqa: E402

TOPIC = "golden"
START_MS = 1_700_000_000_000
CHECKPOINTS = ("recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint",
               "meta.properties", ".kafka_cleanshutdown")  # fmt: skip


def produce(bootstrap: str) -> None:
    clock = START_MS
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 20})
        for number in range(12):
            clock += 40
            headers = [("h", b"v"), ("null", None)] if number % 3 == 0 else None
            producer.produce(
                TOPIC, f"{codec} {number}".encode() * 10, f"key {number}".encode(), 0, timestamp=clock, headers=headers
            )
            if number % 4 == 3:
                producer.flush()
        producer.flush()
    idempotent = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 0})
    for number in range(6):
        clock += 40
        idempotent.produce(TOPIC, f"idempotent {number}".encode(), None, 0, timestamp=clock)
        idempotent.flush()
    for name, ends in (("t-1", ("commit", "abort", "abort")), ("t-2", ("abort", "commit", "open"))):
        producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name})
        producer.init_transactions()
        for end in ends:
            producer.begin_transaction()
            for number in range(3):
                clock += 40
                producer.produce(TOPIC, f"{name} {end} {number}".encode(), b"t", 0, timestamp=clock)
            producer.flush()
            if end == "commit":
                producer.commit_transaction()
            elif end == "abort":
                producer.abort_transaction()


def consume(bootstrap: str, isolation: str) -> list[list[object]]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "golden", "isolation.level": isolation,
                         "enable.auto.commit": False, "enable.partition.eof": True})  # fmt: skip
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    found: list[list[object]] = []
    while True:
        message = consumer.poll(20)
        assert message is not None
        if message.error():
            consumer.close()
            return found
        key, value = message.key(), message.value()
        found.append([message.offset(), message.timestamp()[1], key and key.decode(), value and value.decode()])


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        broker = KafkaJvm(Path(work))
        with broker:
            admin = AdminClient({"bootstrap.servers": broker.bootstrap})
            config = {"segment.ms": "600", "index.interval.bytes": "200"}
            admin.create_topics([NewTopic(TOPIC, 1, 1, config=config)])[TOPIC].result()
            produce(broker.bootstrap)
            expected = {level: consume(broker.bootstrap, level) for level in ("read_uncommitted", "read_committed")}
        data = Path(work) / "data"
        shutil.rmtree(HERE / "data", ignore_errors=True)
        shutil.copytree(data / f"{TOPIC}-0", HERE / "data" / f"{TOPIC}-0")
        for name in CHECKPOINTS:
            lines = (data / name).read_text().splitlines()
            if name.endswith("-checkpoint"):
                entries = [line for line in lines[2:] if line.startswith(f"{TOPIC} ")]
                lines = ["0", str(len(entries)), *entries]
            (HERE / "data" / name).write_text("\n".join([*lines, ""]))
        (HERE / "expected.json").write_text(json.dumps(expected, indent=0) + "\n")


if __name__ == "__main__":
    main()
