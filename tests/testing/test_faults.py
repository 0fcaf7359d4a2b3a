"""Scripted faults hit the requests they speak of, as often as they say, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.schema import ZERO_UUID
from ottla.records.batch import Record, build_batch
from ottla.testing import Error, Kafka
from ottla.testing.__main__ import Commands
from ottla.testing.wire import Wire


class Client(Wire):
    """A client that is not the fixture's own, so that faults reach it."""

    client_id = "app"

    def produce(self, topic: str, value: str, partition: int = 0, acks: int = -1, topic_id: bytes = ZERO_UUID) -> Any:
        data = build_batch([Record(0, 1_700_000_000_000, None, value.encode())])
        request = ProduceRequest(
            acks=acks, timeout_ms=1000,
            topic_data=[TopicProduceData(name=topic, topic_id=topic_id, partition_data=[PartitionProduceData(index=partition, records=data)])],
        )  # fmt: skip
        (answer,) = self.call(request, 12 if topic_id == ZERO_UUID else 13).responses[0].partition_responses
        return answer


@pytest.fixture
def client(kafka: Kafka) -> Iterator[Client]:
    kafka.topic("t", partitions=2)
    kafka.topic("other", partitions=1)
    client = Client(kafka.host, kafka.port)
    yield client
    client.close()


def codes(client: Client, times: int, topic: str = "t") -> list[int]:
    return [client.produce(topic, "x").error_code for _ in range(times)]


REFUSED = Error.NOT_LEADER_OR_FOLLOWER


def test_once_refuses_the_next_and_only_the_next(kafka: Kafka, client: Client) -> None:
    kafka.fail("Produce", topic="t").once(REFUSED)
    assert codes(client, 3) == [REFUSED, 0, 0]
    assert len(kafka.topic("t").records()) == 2


def test_times_nth_and_always_count(kafka: Kafka, client: Client) -> None:
    kafka.fail("Produce", topic="t").times(2, REFUSED)
    assert codes(client, 3) == [REFUSED, REFUSED, 0]
    kafka.fail("Produce", topic="t").nth(2, REFUSED)
    assert codes(client, 3) == [0, REFUSED, 0]
    rule = kafka.fail("Produce", topic="t").always(REFUSED)
    assert codes(client, 3) == [REFUSED] * 3
    assert (rule.seen, rule.done) == (3, 3)
    rule.remove()
    assert codes(client, 1) == [0]


def test_other_topics_partitions_and_clients_are_left_alone(kafka: Kafka, client: Client) -> None:
    kafka.fail("Produce", topic="t").always(REFUSED)
    assert codes(client, 1, "other") == [0]
    assert kafka.topic("t").put(["the fixture's own"])
    kafka.fail("Produce", topic="other", partition=7).always(REFUSED)
    kafka.fail("Produce", topic="other", client_id="somebody").always(REFUSED)
    kafka.fail("Produce", topic="other", where=lambda request: request.acks == 1).always(REFUSED)
    assert codes(client, 1, "other") == [0]
    assert client.produce("other", "x", acks=1).error_code == REFUSED


def test_a_topic_spoken_of_by_its_id_is_found(kafka: Kafka, client: Client) -> None:
    (topic,) = client.call(MetadataRequest(topics=[MetadataRequestTopic(name="t")])).topics
    kafka.fail("Produce", topic="t").once(REFUSED)
    assert client.produce("", "x", topic_id=topic.topic_id).error_code == REFUSED
    assert client.produce("", "x", topic_id=topic.topic_id).error_code == 0


def test_a_fetch_is_refused_by_partition(kafka: Kafka, client: Client) -> None:
    kafka.fail("Fetch", topic="t").once(Error.OFFSET_OUT_OF_RANGE)
    request = FetchRequest(
        max_wait_ms=0, min_bytes=0, topics=[FetchTopic(topic="t", partitions=[FetchPartition(partition=1, fetch_offset=0, partition_max_bytes=100)])]
    )  # fmt: skip
    (part,) = client.call(request, 12).responses[0].partitions
    assert (part.partition_index, part.error_code) == (1, Error.OFFSET_OUT_OF_RANGE)


def test_a_request_about_a_group_is_found(kafka: Kafka, client: Client) -> None:
    kafka.fail("FindCoordinator", group="g").always(Error.COORDINATOR_NOT_AVAILABLE)
    (answer,) = client.call(FindCoordinatorRequest(coordinator_keys=["g"]), 4).coordinators
    assert (answer.key, answer.error_code) == ("g", Error.COORDINATOR_NOT_AVAILABLE)
    (answer,) = client.call(FindCoordinatorRequest(coordinator_keys=["h"]), 4).coordinators
    assert answer.error_code == 0


def test_disconnect_does_nothing_and_closes(kafka: Kafka, client: Client) -> None:
    client.produce("t", "before")
    kafka.on("Produce", topic="t").once().disconnect()
    with pytest.raises(ConnectionError):
        client.produce("t", "never")
    assert client.produce("t", "after").error_code == 0
    assert [record.value for record in kafka.topic("t").records(0)] == [b"before", b"after"]


def test_a_lost_answer_leaves_the_deed_done(kafka: Kafka, client: Client) -> None:
    kafka.on("Produce", topic="t").once().lose_answer()
    with pytest.raises(ConnectionError):
        client.produce("t", "done all the same")
    assert [record.value for record in kafka.topic("t").records(0)] == [b"done all the same"]


def test_a_gate_holds_until_it_is_released(kafka: Kafka, client: Client) -> None:
    gate = kafka.hold("Produce", topic="t")
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(client.produce("t", "held").error_code))
    thread.start()
    gate.wait(1)
    assert gate.held == 1
    assert kafka.topic("t").records() == []
    assert answers == []
    gate.release()
    thread.join(5)
    assert answers == [0]
    assert client.produce("t", "passes").error_code == 0


def test_a_gate_nobody_comes_to_says_so(kafka: Kafka, client: Client) -> None:
    with (
        kafka.hold("Produce") as gate,
        pytest.raises(AssertionError, match="0 requests came to the gate within 10ms, not 1"),
    ):
        gate.wait(within="10ms")


def test_a_delay_waits_and_goes_on(kafka: Kafka, client: Client) -> None:
    kafka.on("Produce").once().delay("10ms")
    assert client.produce("t", "late").error_code == 0


def test_a_closed_fixture_opens_its_gates(kafka_factory: Callable[..., Kafka]) -> None:
    kafka = kafka_factory()
    kafka.topic("t", partitions=1)
    client = Client(kafka.host, kafka.port)
    gate = kafka.hold("Produce")
    ended = threading.Event()

    def produce() -> None:
        try:
            client.produce("t", "x")
        except OSError:
            client.close()
        ended.set()

    thread = threading.Thread(target=produce)
    thread.start()
    gate.wait()
    kafka.close()
    assert ended.wait(5)
    thread.join()
    client.close()


def test_a_stop_does_not_wait_for_what_is_held_and_keeps_the_rules(kafka: Kafka, client: Client) -> None:
    gate = kafka.hold("Produce", topic="t")
    ended = threading.Event()

    def produce() -> None:
        with pytest.raises(OSError):
            client.produce("t", "held")
        ended.set()

    thread = threading.Thread(target=produce)
    thread.start()
    gate.wait()
    kafka.fail("Produce", topic="other").always(REFUSED)
    kafka.restart()
    thread.join(5)
    assert ended.is_set()
    assert gate.held == 0
    assert codes(client, 1, "other") == [REFUSED]
    gate.release()
    assert codes(client, 1) == [0]


def test_requests_are_recorded_with_versions(kafka: Kafka, client: Client) -> None:
    client.produce("t", "x")
    client.produce("other", "x", acks=1)
    assert [seen.api for seen in kafka.requests()] == ["ApiVersions", "Produce", "Produce"]
    assert kafka.requests("Produce").versions == {12}
    assert len(kafka.requests("Produce", topic="t")) == 1
    assert len(kafka.requests(client_id="app")) == 3
    assert len(kafka.requests(where=lambda request: request.API_KEY == 0)) == 2
    assert kafka.requests("Produce", acks=1)[0].request.topic_data[0].name == "other"


def test_an_api_that_is_none_is_told(kafka: Kafka) -> None:
    with pytest.raises(ValueError, match="no API 'Produec': did you mean 'Produce'"):
        kafka.fail("Produec")
    with pytest.raises(ValueError, match="occurrences count from 1"):
        kafka.on("Produce").nth(0)


def test_a_word_that_no_request_knows_is_told(kafka: Kafka) -> None:
    with pytest.raises(ValueError, match="Produce requests have no 'tpic': did you mean 'topic'"):
        kafka.fail("Produce", tpic="t")
    with pytest.raises(ValueError, match="Heartbeat requests have no 'topic'"):
        kafka.hold("Heartbeat", topic="t")
    with pytest.raises(ValueError, match="no request has 'cleint_id': did you mean 'client_id'"):
        kafka.on(cleint_id="app")
    with pytest.raises(ValueError, match="Produce requests have no 'partitoin': did you mean 'partition'"):
        kafka.requests("Produce", partitoin=0)
    with pytest.raises(TypeError, match="where= is a function of the request, not 'acks'"):
        kafka.on("Produce", where="acks")


@pytest.mark.parametrize("api", ["Fetch", "ListOffsets", "Metadata", "OffsetCommit", "OffsetFetch", "Produce"])
def test_requests_about_topics_can_be_narrowed_by_topic(kafka: Kafka, api: str) -> None:
    kafka.on(api, topic="t")


@pytest.mark.parametrize("api", ["DeleteGroups", "DescribeGroups", "FindCoordinator", "JoinGroup", "OffsetFetch"])
def test_requests_about_groups_can_be_narrowed_by_group(kafka: Kafka, api: str) -> None:
    kafka.on(api, group="g")


def test_an_error_that_is_none_is_told(kafka: Kafka) -> None:
    message = "one of ottla.testing.Error, not 'NOT_LEADER': did you mean 'NOT_LEADER_OR_FOLLOWER'"
    with pytest.raises(TypeError, match=message):
        kafka.fail("Produce").once("NOT_LEADER")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not 6"):
        kafka.on("Produce").fail(6)  # type: ignore[arg-type]
    answer = Commands(kafka).run('{"do": "fail", "api": "Produce", "error": "NOT_LEADER"}')
    assert message in answer["error"]
