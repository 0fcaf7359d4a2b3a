"""Offsets that are not there: the libraries say which, and programs go on from elsewhere."""

from __future__ import annotations

import pytest

from ottla.compat import aiokafka as ak
from ottla.compat import kafka as kp
from ottla.compat.aiokafka import errors
from ottla.testing import Kafka


async def test_aiokafka_names_the_partition_and_reads_on_after_a_seek(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    where = ak.TopicPartition("t", 0)
    async with ak.AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        await producer.send_and_wait("t", b"a")
    async with ak.AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="none") as consumer:
        consumer.assign([where])
        with pytest.raises(errors.NoOffsetForPartitionError) as nowhere:
            await consumer.getmany(timeout_ms=5000)
        assert nowhere.value.args == (where,)
        consumer.seek(where, 100)
        with pytest.raises(errors.OffsetOutOfRangeError) as caught:  # type: ignore[attr-defined]
            await consumer.getmany(timeout_ms=5000)
        assert caught.value.args[0] == {where: 100}
        await consumer.seek_to_beginning(*caught.value.args[0].keys())
        found = await consumer.getmany(timeout_ms=5000)
        assert [record.value for record in found[where]] == [b"a"]


def test_kafka_python_names_the_partition(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    where = kp.TopicPartition("t", 0)
    with kp.KafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="none") as consumer:
        consumer.assign([where])
        consumer.seek(where, 100)
        with pytest.raises(errors.OffsetOutOfRangeError) as caught:  # type: ignore[attr-defined]
            consumer.poll(timeout_ms=5000)
        assert caught.value.args[0] == {where: 100}
