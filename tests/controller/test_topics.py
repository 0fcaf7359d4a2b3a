"""Decisions about topics, beyond the recorded conversation with Kafka (test_like_kafka)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.controller.names import check_name
from ottla.controller.topics import create_partitions, create_topics, delete_topics, new_topic_id
from ottla.metadata.configs.resolve import Levels
from ottla.metadata.image import MetadataImage
from ottla.protocol.apis.create_topics import CreateTopicsResponse
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.protocol.schema import ZERO_UUID
from ottla.protocol.stored.metadata import BrokerRegistrationChangeRecord
from tests.controller.test_brokers import registered
from tests.golden.admin import creates, grows, topic

LEVELS = Levels({})
ONE = registered(MetadataImage.empty(), 1)


def created(image: MetadataImage, *names: str) -> MetadataImage:
    decision = create_topics(image, creates(*map(topic, names)), levels=LEVELS, random=random.Random(1))  # type: ignore[arg-type]
    return image.apply(decision.records)


def codes(response: CreateTopicsResponse) -> list[tuple[str, int]]:
    return [(result.name, result.error_code) for result in response.topics]


def test_only_to_validate_writes_nothing_but_answers_the_same() -> None:
    asked = creates(topic("a", 3), validate_only=True)
    decision = create_topics(ONE, asked, levels=LEVELS, random=random.Random(1))  # type: ignore[arg-type]
    (result,) = decision.response.topics
    assert (decision.records, result.num_partitions, result.replication_factor, result.error_code) == ([], 3, 1, 0)
    assert result.configs is not None
    assert len(result.configs) == 33


def test_a_topic_of_a_bad_request_does_not_harm_the_others() -> None:
    asked = creates(topic("a"), topic("b b"), topic("c", 1, 5), topic("a2"))
    decision = create_topics(ONE, asked, levels=LEVELS, random=random.Random(1))  # type: ignore[arg-type]
    assert codes(decision.response) == [("a", 0), ("b b", 17), ("c", 38), ("a2", 0)]
    assert sorted(ONE.apply(decision.records).topics.names()) == ["a", "a2"]


def test_a_broker_that_shuts_down_gets_no_topic() -> None:
    leaving = BrokerRegistrationChangeRecord(broker_id=1, broker_epoch=1, in_controlled_shutdown=1)
    decision = create_topics(ONE.apply([leaving]), creates(topic("a")), levels=LEVELS, random=random.Random(1))  # type: ignore[arg-type]
    (result,) = decision.response.topics
    assert (result.error_code, result.error_message) == (
        ErrorCode.INVALID_REPLICATION_FACTOR,
        "Unable to replicate the partition 1 time(s): All brokers are currently fenced or in controlled shutdown.",
    )


def test_a_deleted_name_is_free_again_with_another_id() -> None:
    image = created(ONE, "a")
    before = image.topics.get("a")
    assert before is not None
    asked = DeleteTopicsRequest(topics=[DeleteTopicState(name="a", topic_id=ZERO_UUID)], topic_names=[], timeout_ms=1)
    image = image.apply(delete_topics(image, asked, version=6, levels=LEVELS).records)
    decision = create_topics(image, creates(topic("a")), levels=LEVELS, random=random.Random(2))  # type: ignore[arg-type]
    after = image.apply(decision.records).topics.get("a")
    assert after is not None
    assert after.id != before.id


def states(image: MetadataImage, *asked: tuple[str | None, bytes]) -> list[tuple[str | None, int]]:
    request = DeleteTopicsRequest(
        topics=[DeleteTopicState(name=name, topic_id=topic_id) for name, topic_id in asked],
        topic_names=[],
        timeout_ms=1,
    )
    return [(r.name, r.error_code) for r in delete_topics(image, request, version=6, levels=LEVELS).response.responses]


def test_topics_are_deleted_by_id() -> None:
    image = created(ONE, "a")
    a = image.topics.get("a")
    assert a is not None
    assert states(image, (None, a.id)) == [("a", 0)]
    assert states(image, (None, b"x" * 16)) == [(None, ErrorCode.UNKNOWN_TOPIC_ID)]
    assert states(image, (None, ZERO_UUID)) == [(None, ErrorCode.INVALID_REQUEST)]
    assert states(image, ("a", a.id)) == [("a", ErrorCode.INVALID_REQUEST)]
    assert states(image, (None, a.id), (None, a.id)) == [(None, ErrorCode.INVALID_REQUEST)]
    assert states(image, (None, a.id), ("a", ZERO_UUID)) == [("a", ErrorCode.INVALID_REQUEST)]


@pytest.mark.parametrize(("version", "code"), [(1, ErrorCode.INVALID_REQUEST), (6, ErrorCode.TOPIC_DELETION_DISABLED)])
def test_deletion_can_be_switched_off(version: int, code: ErrorCode) -> None:
    image = created(ONE, "a")
    request = DeleteTopicsRequest(topics=[], topic_names=["a"], timeout_ms=1)
    decision = delete_topics(image, request, version=version, levels=Levels({"delete.topic.enable": "false"}))
    assert ([r.error_code for r in decision.response.responses], decision.records) == ([code], [])


def test_new_partitions_follow_the_old_ones() -> None:
    image = created(ONE, "a")
    decision = create_partitions(image, grows("a", 4), random=random.Random(1))  # type: ignore[arg-type]
    grown = image.apply(decision.records).topics.get("a")
    assert grown is not None
    assert [(p.leader, p.replicas, p.isr) for p in grown.partitions] == [(1, (1,), (1,))] * 4


def test_an_absurd_number_of_partitions_is_refused() -> None:
    image = created(ONE, "a")
    decision = create_partitions(image, grows("a", 2_000_000_000), random=random.Random(1))  # type: ignore[arg-type]
    assert decision.response.results[0].error_code == ErrorCode.POLICY_VIOLATION


@given(st.integers(0, 2**32))
def test_topic_ids_are_random_uuids_that_no_command_line_takes_for_an_option(seed: int) -> None:
    topic_id = new_topic_id(random.Random(seed))
    assert (topic_id[6] >> 4, topic_id[8] >> 6, topic_id[0] >> 2 == 0x3E) == (4, 2, False)


@given(st.text())
def test_a_name_is_good_or_names_its_fault(name: str) -> None:
    try:
        check_name(name)
    except KafkaError as error:
        assert error.code is ErrorCode.INVALID_TOPIC_EXCEPTION
        return
    assert name.isascii()
    assert 0 < len(name) < 250
