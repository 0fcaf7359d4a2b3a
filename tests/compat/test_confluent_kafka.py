"""Programs written for confluent_kafka see the same with the shim as with the library."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.compat import confluent_kafka as shim
from ottla.compat.confluent_kafka import admin as shim_admin
from ottla.compat.confluent_kafka import serialization as shim_serialization
from ottla.testing import Kafka
from tests.compat import confluent_scripts as scripts
from tests.support.requires import requires


@pytest.fixture
def real() -> Any:
    requires("confluent_kafka")
    import confluent_kafka

    return confluent_kafka


def test_producing_and_consuming(kafka: Kafka, real: Any) -> None:
    told = []
    for name, library in (("t", real), ("t", shim)):
        kafka.topic(name, partitions=1) if not told else None
        produced = scripts.produced(library, kafka.bootstrap, name)
        told.append([row[3] % 5 for row in produced])
        assert [row[:3] + row[4:] for row in produced] == [
            (None, name, 0, f"k{n}".encode(), f"v{n}".encode()) for n in range(5)
        ]
    assert told[0] == told[1]
    assert scripts.consumed(shim, kafka.bootstrap, "t", "a") == scripts.consumed(real, kafka.bootstrap, "t", "b")


def test_assigning_seeking_pausing_committing(kafka: Kafka, real: Any) -> None:
    kafka.topic("t", partitions=1)
    scripts.produced(shim, kafka.bootstrap, "t", 10)
    assert scripts.assigned_by_hand(shim, kafka.bootstrap, "t") == scripts.assigned_by_hand(real, kafka.bootstrap, "t")


def test_offsets_that_the_program_stores(kafka: Kafka, real: Any) -> None:
    kafka.topic("t", partitions=1)
    scripts.produced(shim, kafka.bootstrap, "t", 10)
    expected = scripts.stored(real, kafka.bootstrap, "t", "b")
    assert scripts.stored(shim, kafka.bootstrap, "t", "a") == expected == [0, 1, 2, 3]


def test_transactions(kafka: Kafka, real: Any) -> None:
    told = []
    for number, library in enumerate((shim, real)):
        kafka.topic(f"in{number}", partitions=1)
        kafka.topic(f"out{number}", partitions=1)
        scripts.produced(shim, kafka.bootstrap, f"in{number}", 3)
        told.append(scripts.transactions(library, kafka.bootstrap, f"in{number}", f"out{number}"))
    assert told[0] == told[1]


def test_errors_and_their_words(real: Any) -> None:
    assert scripts.errors(shim) == scripts.errors(real)


def test_administration(kafka: Kafka, real: Any) -> None:
    from confluent_kafka import admin as real_admin

    expected = scripts.administered(real, real_admin, kafka.bootstrap, "made")
    assert scripts.administered(shim, shim_admin, kafka.bootstrap, "made") == expected


def test_serializers(kafka: Kafka, real: Any) -> None:
    from confluent_kafka import serialization as real_serialization

    kafka.topic("s0", partitions=1)
    kafka.topic("s1", partitions=1)
    expected = scripts.serialized(real, real_serialization, kafka.bootstrap, "s0")
    assert scripts.serialized(shim, shim_serialization, kafka.bootstrap, "s1") == expected


def test_a_full_queue_is_a_buffer_error_until_poll_has_run(kafka: Kafka) -> None:
    kafka.topic("t", partitions=1)
    producer = shim.Producer({"bootstrap.servers": kafka.bootstrap, "queue.buffering.max.messages": 2})
    producer.produce("t", b"1")
    producer.produce("t", b"2")
    with pytest.raises(BufferError, match="Queue full"):
        producer.produce("t", b"3")
    producer.flush()
    producer.produce("t", b"3")
    assert producer.close()
