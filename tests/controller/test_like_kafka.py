"""Our decisions about topics and configs answer as Apache Kafka 4.2.1 did in the recorded conversation (tests/golden/admin)."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ottla.controller.configs import ELR_FEATURE, alter_configs, incremental_alter_configs
from ottla.controller.decision import Decision
from ottla.controller.names import check_name
from ottla.controller.topics import create_partitions, create_topics, delete_topics
from ottla.metadata.configs import resolve
from ottla.metadata.configs.broker import OTTLA
from ottla.metadata.configs.dead_letters import LATER_THAN_4_2
from ottla.metadata.configs.resolve import ConfigEntry, Levels
from ottla.metadata.image import BrokerImage, MetadataImage, ResourceType
from ottla.protocol.apis.alter_configs import AlterConfigsRequest
from ottla.protocol.apis.create_partitions import CreatePartitionsRequest
from ottla.protocol.apis.create_topics import CreateTopicsRequest
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest
from ottla.protocol.apis.describe_configs import DescribeConfigsRequest
from ottla.protocol.apis.incremental_alter_configs import IncrementalAlterConfigsRequest
from ottla.protocol.errors import KafkaError
from ottla.protocol.schema import Request
from ottla.protocol.stored.metadata import ConfigRecord, FeatureLevelRecord, RegisterBrokerRecord
from tests.golden import admin

GOLDEN: dict[str, Any] = json.loads(admin.FILE.read_text())
NODE_ID = int(admin.NODE)


def kafkas_first_image() -> MetadataImage:
    """What a freshly formatted Kafka 4.2 has: one broker, ELR, and with it a cluster-wide min.insync.replicas."""
    broker = RegisterBrokerRecord(broker_id=NODE_ID, broker_epoch=1, incarnation_id=bytes(16), is_migrating_zk_broker=False,
                                  end_points=[], features=[], rack=None, fenced=False, in_controlled_shutdown=False)  # fmt: skip
    elr = FeatureLevelRecord(name=ELR_FEATURE, feature_level=1)
    min_isr = ConfigRecord(resource_type=ResourceType.BROKER, resource_name="", name="min.insync.replicas", value="1")
    return MetadataImage.empty().apply([broker, elr, min_isr])


def levels(image: MetadataImage) -> Levels:
    static = {**GOLDEN["static"], "broker.id": admin.NODE}  # the broker fills in the one from the other
    return Levels.of(static, image.configs, NODE_ID)


def decide(image: MetadataImage, request: Request) -> Decision[Any]:
    known, chance = levels(image), random.Random(1)
    if isinstance(request, CreateTopicsRequest):
        return create_topics(image, request, levels=known, random=chance)
    if isinstance(request, DeleteTopicsRequest):
        return delete_topics(image, request, version=6, levels=known)
    if isinstance(request, CreatePartitionsRequest):
        return create_partitions(image, request, random=chance)
    if isinstance(request, AlterConfigsRequest):
        return alter_configs(image, request, levels=known, node_id=NODE_ID)
    assert isinstance(request, IncrementalAlterConfigsRequest)
    return incremental_alter_configs(image, request, levels=known, node_id=NODE_ID)


def described(image: MetadataImage, request: DescribeConfigsRequest) -> list[ConfigEntry]:
    known, resource = levels(image), request.resources[0]
    kind, name = resource.resource_type, resource.resource_name
    own = image.configs.get(kind, name)
    if kind == ResourceType.TOPIC:
        return resolve.topic_entries(own, known)
    if kind == ResourceType.BROKER:
        return resolve.broker_entries(known) if name else resolve.broker_default_entries(known)
    return resolve.group_entries(own, known) if kind == ResourceType.GROUP else resolve.client_metrics_entries(own)


def row(entry: ConfigEntry) -> dict[str, Any]:
    return {
        "name": entry.name, "value": entry.value, "read_only": entry.read_only, "config_source": int(entry.source),
        "is_sensitive": entry.sensitive, "config_type": int(entry.type),
        "synonyms": [{"name": s.name, "value": s.value, "source": int(s.source)} for s in entry.synonyms],
    }  # fmt: skip


@pytest.fixture(scope="module")
def conversation() -> dict[str, tuple[Request, Any]]:
    """Put all requests to our decisions, in order; an answer is plain data, or the entries of a description."""
    image, answers = kafkas_first_image(), {}
    for name, request in admin.STEPS:
        if isinstance(request, DescribeConfigsRequest):
            try:
                check_name(request.resources[0].resource_name or "default")
                answer: Any = {entry.name: row(entry) for entry in described(image, request)}
            except KafkaError as error:
                answer = error
        else:
            decision = decide(image, request)
            answer, image = admin.plain(decision.response), image.apply(decision.records)
        answers[name] = (request, answer)
    return answers


@pytest.mark.parametrize(
    "step", [name for name, request in admin.STEPS if not isinstance(request, DescribeConfigsRequest)]
)
def test_a_decision_answers_as_kafka_does(conversation: dict[str, tuple[Request, Any]], step: str) -> None:
    _, ours = conversation[step]
    theirs = GOLDEN["answers"][step]
    if step == "append to unknown key":  # Kafka fails over a missing map entry and says UNKNOWN_SERVER_ERROR
        assert (theirs["responses"][0]["error_code"], ours["responses"][0]["error_code"]) == (-1, 40)
        return
    assert sorted_rows(theirs) == sorted_rows(ours)


def sorted_rows(answer: dict[str, Any]) -> dict[str, Any]:
    """Leave out what differs on purpose: default texts of error codes are our own sentences; Kafka's Scala prints sets its way."""
    rows = next(rows for rows in answer.values() if isinstance(rows, list))
    for found in rows:
        if found.get("error_message") is not None:
            found["error_message"] = found["error_message"].replace("HashSet(", "Set(")
        if found["error_code"] == 3 and "does not exist" not in (found["error_message"] or ""):
            found["error_message"] = None
    return answer


@pytest.mark.parametrize("step", [name for name, request in admin.STEPS if isinstance(request, DescribeConfigsRequest)])
def test_a_description_is_kafkas(conversation: dict[str, tuple[Request, Any]], step: str) -> None:
    _, ours = conversation[step]
    theirs = GOLDEN["answers"][step]["results"][0]
    if theirs["error_code"]:
        assert theirs["error_code"] == 3 or (theirs["error_code"], theirs["error_message"]) == (ours.code, ours.message)
        return
    wanted = {
        found["name"]: {k: v for k, v in found.items() if k not in ("documentation", "is_default")}
        for found in theirs["configs"]
    }
    ours = {name: found for name, found in ours.items() if name not in OTTLA and name not in LATER_THAN_4_2}
    assert wanted.keys() == ours.keys()
    assert {name: (wanted[name], ours[name]) for name in wanted if wanted[name] != ours[name]} == {}


def test_a_broker_image_is_active_until_it_is_fenced() -> None:
    broker = BrokerImage(1, 1, bytes(16), ())
    assert [broker.active, broker._replace(fenced=True).active] == [True, False]
