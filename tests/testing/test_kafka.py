"""The `kafka` fixture keeps its promises: real, fresh, fast, several at once, and gone without a trace."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ottla.protocol.errors import KafkaError
from ottla.records.compression import Compression
from ottla.testing import Error, Kafka
from ottla.testing.topics import Record
from ottla.testing.wire import Wire

if TYPE_CHECKING:
    Factory = Callable[..., Kafka]


def fields(records: list[Record]) -> list[tuple[bytes | None, bytes | None]]:
    return [(record.key, record.value) for record in records]


# ── topics ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_put_is_there_with_offsets_and_headers(kafka: Kafka) -> None:
    put = kafka.topic("t", partitions=1).put(["v", ("k", b"\xff"), ("k", None), ("k", "v", {"h": "x"})])
    assert put == kafka.topic("t").records()
    assert [record.offset for record in put] == [0, 1, 2, 3]
    assert fields(put) == [(None, b"v"), (b"k", b"\xff"), (b"k", None), (b"k", b"v")]
    assert put[3].headers == (("h", b"x"),)


def test_keys_go_where_a_java_producer_puts_them(kafka: Kafka) -> None:
    topic = kafka.topic("t", partitions=3)
    assert {record.partition for record in topic.put([("k", str(i)) for i in range(5)])} == {2}
    assert [record.partition for record in topic.put(["a", "b", "c", "d"], partition=1)] == [1] * 4
    assert sorted(record.partition for record in topic.put(["a", "b", "c"])) == [0, 1, 2]


def test_a_topic_has_the_configs_it_was_made_with(kafka: Kafka) -> None:
    topic = kafka.topic("small", partitions=1, max_message_bytes=100)
    with pytest.raises(KafkaError) as refused:
        topic.put(["x" * 1000])
    assert refused.value.code == Error.MESSAGE_TOO_LARGE


def test_a_topic_that_exists_with_other_partitions_is_no_silent_match(kafka: Kafka) -> None:
    kafka.topic("t", partitions=2)
    assert kafka.topic("t", partitions=2).partitions == 2
    with pytest.raises(ValueError, match="exists with 2 partitions, not 3"):
        kafka.topic("t", partitions=3)


def test_more_than_a_batch_is_put_in_several(kafka: Kafka) -> None:
    topic = kafka.topic("t", partitions=1)
    topic.put(["x" * 200_000] * 12)
    assert [record.offset for record in topic.records()] == list(range(12))


def test_a_record_that_is_none_is_refused(kafka: Kafka) -> None:
    with pytest.raises(TypeError, match="not int"):
        kafka.topic("t").put([5])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"\(key, value, headers\)"):
        kafka.topic("t").put([("a", "b", {}, "d")])


@pytest.mark.parametrize("records", ["abc", b"abc", {"key": "value"}, Record("t", 0, 0, 0, None, b"v")])
def test_one_record_is_no_list_of_records(kafka: Kafka, records: Any) -> None:
    with pytest.raises(TypeError, match=f"a list of records, not {type(records).__name__}"):
        kafka.topic("t").put(records)


def test_no_partitions_are_refused(kafka: Kafka) -> None:
    with pytest.raises(KafkaError) as refused:
        kafka.topic("t", partitions=0)
    assert refused.value.code == Error.INVALID_PARTITIONS


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd", Compression.ZSTD])
def test_records_are_put_compressed(kafka: Kafka, compression: str | Compression) -> None:
    topic = kafka.topic("t", partitions=1, max_message_bytes=1000)
    with pytest.raises(KafkaError):
        topic.put(["x" * 10_000], compression="none")
    topic.put(["x" * 10_000], compression=compression)
    assert fields(topic.records()) == [(None, b"x" * 10_000)]


def test_a_compression_that_is_none_is_told(kafka: Kafka) -> None:
    with pytest.raises(ValueError, match="one of none, gzip, snappy, lz4, zstd, not 'zip'"):
        kafka.topic("t").put(["x"], compression="zip")


# ── expectations ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_expect_returns_what_was_wanted(kafka: Kafka) -> None:
    topic = kafka.topic("t", partitions=2)
    topic.put([("a", "1"), ("b", "2"), ("a", "3")])
    assert fields(topic.expect(count=2, where=lambda record: record.key == b"a")) == [(b"a", b"1"), (b"a", b"3")]
    assert len(topic.expect()) == 3


def test_expect_waits_for_what_comes_later(kafka: Kafka) -> None:
    topic = kafka.topic("t", partitions=1)
    later = threading.Timer(0.05, lambda: topic.put(["late"]))
    later.start()
    started = time.monotonic()
    assert fields(topic.expect(count=1, within="5s")) == [(None, b"late")]
    assert time.monotonic() - started < 2
    later.join()


@pytest.mark.parametrize(("count", "found"), [(3, 2), (1, 2), (0, 2)])
def test_expect_tells_what_it_saw_instead(kafka: Kafka, count: int, found: int) -> None:
    topic = kafka.topic("t", partitions=1)
    topic.put(["one", "two"])
    with pytest.raises(AssertionError, match=rf"expected {count} records? within 50ms, found {found}") as failed:
        topic.expect(count=count, within="50ms")
    assert "value=b'one'" in str(failed.value)


def test_expecting_nothing_holds_when_nothing_comes(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1).expect(count=0, within="20ms")


# ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_start_takes_less_than_fifty_milliseconds(kafka: Kafka, kafka_factory: Factory) -> None:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        kafka_factory()
        times.append(time.perf_counter() - started)
    assert min(times) < 0.05


def test_several_brokers_know_nothing_of_each_other(kafka_factory: Factory) -> None:
    first, second = kafka_factory(), kafka_factory()
    assert first.bootstrap != second.bootstrap
    first.topic("t", partitions=1).put(["one"])
    second.topic("t", partitions=1).put(["two"])
    assert fields(first.topic("t").records()) == [(None, b"one")]
    assert fields(second.topic("t").records()) == [(None, b"two")]


def test_a_restart_keeps_everything_and_the_port(kafka: Kafka) -> None:
    topic = kafka.topic("t", partitions=1)
    topic.put(["kept"])
    before = kafka.bootstrap
    kafka.restart()
    assert kafka.bootstrap == before
    assert fields(topic.records()) == [(None, b"kept")]


def test_a_stopped_broker_refuses_connections(kafka: Kafka) -> None:
    kafka.stop()
    assert not kafka.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((kafka.host, kafka.port))


def test_a_kill_keeps_what_was_acknowledged(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1).put(["durable"])
    kafka.kill()
    kafka.start()
    assert fields(kafka.topic("t").records()) == [(None, b"durable")]


@pytest.mark.kafka(config={"ottla.durability": "os"})
def test_a_kill_loses_what_was_in_the_page_cache(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1).put(["gone"])
    kafka.kill()
    kafka.start()
    assert kafka.topic("t").records() == []


def test_disconnect_cuts_and_lets_come_again(kafka: Kafka) -> None:
    with socket.create_connection((kafka.host, kafka.port)) as client:
        Wire(kafka.host, kafka.port).close()
        kafka.topic("t", partitions=1)  # the broker has answered after it accepted `client`
        kafka.disconnect()
        client.settimeout(5)
        assert client.recv(1) == b""
    assert kafka.topic("t").put(["again"])[0].offset == 0


@pytest.mark.kafka(config={"auto.create.topics.enable": False})
def test_the_marker_sets_configs(kafka: Kafka) -> None:
    from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic

    wire = Wire(kafka.host, kafka.port)
    request = MetadataRequest(topics=[MetadataRequestTopic(name="new")], allow_auto_topic_creation=True)
    (topic,) = wire.call(request).topics
    wire.close()
    assert topic.error_code == Error.UNKNOWN_TOPIC_OR_PARTITION


def test_nothing_is_left_behind() -> None:
    """Threads, sockets and files of a broker are gone when it is closed."""

    def use() -> None:
        with Kafka() as kafka:
            kafka.topic("t", partitions=2).put(["a", "b"])
            kafka.restart()
            kafka.kill()
            kafka.start()

    use()  # what is made once for the process is made now
    gc.collect()
    threads, descriptors = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        use()
    gc.collect()
    assert threading.active_count() == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_an_unknown_config_fails_the_start() -> None:
    from ottla.broker.config import ConfigError

    with pytest.raises(ConfigError, match="did you mean"):
        Kafka({"log.retention.sm": 1})


def test_a_failed_start_leaves_no_thread() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        before = threading.active_count()
        with pytest.raises(OSError, match="in use"):
            Kafka({"listeners": f"PLAINTEXT://127.0.0.1:{taken.getsockname()[1]}"})
        assert threading.active_count() == before
    assert os.getpid()


def test_a_killed_broker_is_named_as_such(kafka: Kafka) -> None:
    kafka.topic("t").put([("k", "v")])
    kafka.kill()
    with pytest.raises(ConnectionError, match=r"it was stopped or killed, and kafka\.start"):
        kafka.topic("t").put([("k", "v")])
