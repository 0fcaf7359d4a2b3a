"""Who is asked for what, and which pushes are taken, in virtual time."""

from __future__ import annotations

import pytest

from ottla.broker.telemetry import subscriptions as module
from ottla.broker.telemetry.subscriptions import Pushed, Subscriptions
from ottla.metadata.image import MetadataImage, ResourceType
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.protocol.stored.metadata import ConfigRecord

JAVA = {"client_id": "app-1", "client_software_name": "apache-kafka-java", "client_source_port": "5000"}
ID = b"\7" * 16


def image(**subscriptions: dict[str, str]) -> MetadataImage:
    return MetadataImage.empty().apply(
        ConfigRecord(resource_type=ResourceType.CLIENT_METRICS, resource_name=name, name=key, value=value)
        for name, configs in subscriptions.items()
        for key, value in configs.items()
    )


def made(**of: dict[str, str]) -> Subscriptions:
    subscriptions = Subscriptions()
    subscriptions.update(image(**of).configs)
    return subscriptions


def push(subscriptions: Subscriptions, now_ms: float, subscription_id: int, **changed: int) -> ErrorCode:
    pushed = Pushed(subscription_id, False, 0, 10, 100)._replace(**changed)
    try:
        subscriptions.push(ID, JAVA, pushed, now_ms)
    except KafkaError as error:
        return error.code
    return ErrorCode.NONE


def test_what_several_subscriptions_ask_for_is_joined() -> None:
    subscriptions = made(
        a={"metrics": "org.apache.kafka.producer.,x.", "interval.ms": "60000", "match": "client_id=app-.*"},
        b={"metrics": "x.,y.", "interval.ms": "5000", "match": "client_software_name=.*java,client_source_port=5000"},
        c={"metrics": "z.", "interval.ms": "100", "match": "client_id=app"},
    )
    instance = subscriptions.get(ID, JAVA, 0)
    assert set(instance.metrics) == {"org.apache.kafka.producer.", "x.", "y."}
    assert instance.interval_ms == 5000


def test_all_metrics_stand_for_every_prefix_and_none_for_no_subscription() -> None:
    assert made(a={"metrics": "*"}, b={"metrics": "x."}).get(ID, JAVA, 0).metrics == ("*",)
    instance = made().get(ID, JAVA, 0)
    assert instance.metrics == ()
    assert instance.interval_ms == 300_000


def test_one_push_is_taken_per_interval_and_the_first_at_once() -> None:
    subscriptions = made(a={"metrics": "*", "interval.ms": "1000"})
    number = subscriptions.get(ID, JAVA, 0).subscription_id
    assert push(subscriptions, 1, number) == ErrorCode.NONE
    assert push(subscriptions, 500, number) == ErrorCode.THROTTLING_QUOTA_EXCEEDED
    assert push(subscriptions, 1001, number) == ErrorCode.NONE


def test_asking_before_the_interval_is_over_is_throttled() -> None:
    subscriptions = made(a={"metrics": "*", "interval.ms": "1000"})
    subscriptions.get(ID, JAVA, 0)
    with pytest.raises(KafkaError) as refused:
        subscriptions.get(ID, JAVA, 999)
    assert refused.value.code == ErrorCode.THROTTLING_QUOTA_EXCEEDED
    subscriptions.get(ID, JAVA, 1000)


def test_a_changed_subscription_is_told_at_once() -> None:
    subscriptions = made(a={"metrics": "*", "interval.ms": "1000"})
    number = subscriptions.get(ID, JAVA, 0).subscription_id
    subscriptions.update(image(a={"metrics": "x.", "interval.ms": "1000"}).configs)
    assert push(subscriptions, 1, number) == ErrorCode.UNKNOWN_SUBSCRIPTION_ID
    again = subscriptions.get(ID, JAVA, 2)
    assert again.metrics == ("x.",)
    assert push(subscriptions, 1002, again.subscription_id) == ErrorCode.NONE


def test_the_last_push_is_always_taken_and_none_after_it() -> None:
    subscriptions = made(a={"metrics": "*"})
    number = subscriptions.get(ID, JAVA, 0).subscription_id
    assert push(subscriptions, 1, number) == ErrorCode.NONE
    assert push(subscriptions, 2, number, terminating=True) == ErrorCode.NONE
    assert push(subscriptions, 400_000, number) == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"subscription_id": 77}, ErrorCode.UNKNOWN_SUBSCRIPTION_ID),
        ({"compression": 9}, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
        ({"compression": -1}, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
        ({"size": 101}, ErrorCode.TELEMETRY_TOO_LARGE),
    ],
)
def test_what_is_wrong_with_a_push_is_said(changed: dict[str, int], code: ErrorCode) -> None:
    subscriptions = made(a={"metrics": "*"})
    number = subscriptions.get(ID, JAVA, 0).subscription_id
    assert push(subscriptions, 1, **{"subscription_id": number, **changed}) == code


def test_reserved_ids_push_nothing() -> None:
    with pytest.raises(KafkaError):
        made().push(bytes(16), JAVA, Pushed(0, False, 0, 0, 100), 0)


def test_clients_are_forgotten_and_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INSTANCES_MAX", 10)
    subscriptions = made(a={"metrics": "*", "interval.ms": "100"})
    for number in range(30):
        subscriptions.get(bytes([number + 2]) * 16, JAVA, 0)
    assert len(subscriptions) == 10
    subscriptions.get(ID, JAVA, 60_001)
    assert len(subscriptions) == 1
