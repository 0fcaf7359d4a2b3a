"""Programs written for kafka-python see the same with the shim as with the library."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.compat import kafka as shim
from ottla.compat.kafka import admin as shim_admin
from ottla.compat.kafka import errors as shim_errors
from ottla.testing import Kafka
from tests.compat import kafka_scripts as scripts
from tests.support.requires import requires

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def real() -> Any:
    requires("kafka")
    import kafka

    return kafka


def test_producing_and_consuming(kafka: Kafka, real: Any) -> None:
    kafka.topic("t", partitions=1)
    expected = scripts.produced(real, kafka.bootstrap, "t")
    assert scripts.produced(shim, kafka.bootstrap, "t") == expected
    expected = scripts.consumed(real, kafka.bootstrap, "t", "a")
    assert scripts.consumed(shim, kafka.bootstrap, "t", "b") == expected


def test_assigning_seeking_pausing(kafka: Kafka, real: Any) -> None:
    kafka.topic("t", partitions=1)
    for _ in range(2):
        scripts.produced(shim, kafka.bootstrap, "t")
    expected = scripts.assigned_by_hand(real, kafka.bootstrap, "t")
    assert scripts.assigned_by_hand(shim, kafka.bootstrap, "t") == expected


def test_administration(kafka: Kafka, real: Any) -> None:
    from kafka import admin as real_admin
    from kafka import errors as real_errors

    expected = scripts.administered(real, real_admin, real_errors, kafka.bootstrap, "made")
    assert scripts.administered(shim, shim_admin, shim_errors, kafka.bootstrap, "made") == expected


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(shim_errors.KafkaConfigurationError, match="no_such_thing"):  # type: ignore[attr-defined]
        shim.KafkaProducer(no_such_thing=1)


def test_the_classes_of_errors_have_the_librarys_names_and_numbers(real: Any) -> None:
    from kafka import errors as theirs

    known = {kind.errno: kind for kind in vars(theirs).values() if isinstance(getattr(kind, "errno", None), int)}
    missing = [
        kind.__name__ for number, kind in known.items() if number > 0 and not hasattr(shim_errors, kind.__name__)
    ]
    assert missing == []
