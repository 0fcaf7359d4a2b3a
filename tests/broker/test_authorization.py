"""A broker with an authorizer: what each API asks, and what nobody learns."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ottla.broker.authorization import TABLE
from ottla.broker.config import ConfigError
from ottla.broker.dispatch import load_handlers
from ottla.protocol.apis import API_KEYS
from ottla.protocol.apis.consumer_group_describe import ConsumerGroupDescribeRequest
from ottla.protocol.apis.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from ottla.protocol.apis.create_acls import AclCreation, CreateAclsRequest
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.protocol.apis.describe_acls import DescribeAclsRequest
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.init_producer_id import InitProducerIdRequest
from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ottla.protocol.apis.produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import Record, build_batch
from ottla.security import acl as a
from ottla.security.principal import Principal
from tests.support.in_process import Client, RunningBroker

SETTINGS = {"authorizer.class.name": "ottla", "super.users": "User:ANONYMOUS;User:admin"}
ALICE = Principal("User", "alice")
DENIED = ErrorCode.TOPIC_AUTHORIZATION_FAILED


def secured(**more: str) -> RunningBroker:
    return RunningBroker(**{**SETTINGS, **more})


@contextmanager
def acting_as(running: RunningBroker, principal: Principal) -> Iterator[None]:
    """Let every connection that the broker has act as `principal`."""
    connections = [each for listener in running.broker.listeners for each in listener.connections]
    before = [connection.principal for connection in connections]
    for connection in connections:
        connection.principal = principal
    try:
        yield
    finally:
        for connection, old in zip(connections, before, strict=True):
            connection.principal = old


def rule(name: str, operation: int, kind: int = a.TOPIC, **fields: Any) -> AclCreation:
    given = {
        "resource_type": kind, "resource_name": name, "resource_pattern_type": a.LITERAL, "principal": "User:alice",
        "host": "*", "operation": operation, "permission_type": a.ALLOW, **fields,
    }  # fmt: skip
    return AclCreation(**given)


async def allow(client: Client, *rules: AclCreation) -> list[int]:
    answer = await client.call(CreateAclsRequest(creations=list(rules)), 3)
    return [each.error_code for each in answer.results]


def producing(name: str, *, transactional_id: str | None = None, is_transactional: bool = False) -> ProduceRequest:
    producer: dict[str, Any] = {}
    if is_transactional:
        producer = {"producer_id": 7, "producer_epoch": 0, "base_sequence": 0, "transactional": True}
    batch = build_batch([Record(0, 1, None, b"v")], **producer)
    data = PartitionProduceData(index=0, records=batch)
    return ProduceRequest(
        transactional_id=transactional_id, acks=1, timeout_ms=1000,
        topic_data=[TopicProduceData(name=name, partition_data=[data])],
    )  # fmt: skip


def fetching(name: str, replica_id: int = -1) -> FetchRequest:
    partition = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
    return FetchRequest(
        replica_id=replica_id, max_wait_ms=0, min_bytes=0, max_bytes=1 << 20, session_epoch=-1,
        topics=[FetchTopic(topic=name, partitions=[partition])],
    )  # fmt: skip


def test_every_api_says_what_it_asks() -> None:
    assert TABLE.keys() == API_KEYS.keys()
    assert load_handlers().keys() <= TABLE.keys()
    by_themselves = {API_KEYS[key].name for key, asked in TABLE.items() if asked.needs and asked.guard is None}
    assert by_themselves == {"Fetch", "CreateDelegationToken", "DescribeDelegationToken", "DescribeTopicPartitions"}
    for name in by_themselves:
        handler = next(entry for entry in load_handlers().values() if entry.name == name).function
        assert "asking" in inspect.getsource(inspect.getmodule(handler) or handler), f"{name} asks nobody"
    #: Nothing is asked of these: they come before anybody has a name, or ask inside of it, or tell only about the client.
    free = {API_KEYS[key].name for key, asked in TABLE.items() if not asked.needs}
    assert free == {
        "SaslHandshake", "SaslAuthenticate", "ApiVersions", "RenewDelegationToken", "ExpireDelegationToken",
        "GetTelemetrySubscriptions", "PushTelemetry",
    }  # fmt: skip


async def test_without_an_authorizer_acls_are_disabled() -> None:
    async with RunningBroker() as running, running.connect() as client:
        described = await client.call(DescribeAclsRequest(**ANYTHING), 3)
        assert described.error_code == ErrorCode.SECURITY_DISABLED
        assert await allow(client, rule("t", a.READ)) == [ErrorCode.SECURITY_DISABLED]
        assert not running.broker.image.acls


ANYTHING = {
    "resource_type_filter": a.ANY, "resource_name_filter": None, "pattern_type_filter": a.ANY, "principal_filter": None,
    "host_filter": None, "operation": a.ANY, "permission_type": a.ANY,
}  # fmt: skip


async def test_rules_are_kept_described_and_deleted() -> None:
    async with secured() as running:
        async with running.connect() as client:
            rules = [rule("t", a.READ), rule("t", a.WRITE), rule("t", a.READ), rule("g", a.READ, a.GROUP)]
            assert await allow(client, *rules) == [0, 0, 0, 0]
        await running.restart()
        async with running.connect() as client:
            described = await client.call(DescribeAclsRequest(**ANYTHING), 3)
            found = {(each.resource_name, len(each.acls)) for each in described.resources}
            assert found == {("t", 2), ("g", 1)}
            wanted = DeleteAclsFilter(**{**ANYTHING, "operation": a.READ})
            deleted = await client.call(DeleteAclsRequest(filters=[wanted]), 3)
            assert sorted(each.resource_name for each in deleted.filter_results[0].matching_acls) == ["g", "t"]
            assert len(running.broker.image.acls) == 1


async def test_a_rule_that_cannot_be_one_is_refused_alone() -> None:
    async with secured() as running, running.connect() as client:
        answer = await client.call(
            CreateAclsRequest(
                creations=[
                    rule("other", a.READ, a.CLUSTER),
                    rule("", a.READ),
                    rule("t", a.READ, principal="alice"),
                    rule("t", a.ANY),
                    rule("t", a.READ),
                ]
            ),
            3,
        )
        assert [each.error_code for each in answer.results] == [ErrorCode.INVALID_REQUEST] * 4 + [0]
        assert answer.results[0].error_message == "The only valid name for the CLUSTER resource is kafka-cluster"
        assert answer.results[1].error_message == "Invalid empty resource name"
        assert answer.results[3].error_message == "Invalid operation ANY"


async def test_existence_never_leaks() -> None:
    async with secured() as running, running.connect() as client:
        await running.topic("there")
        for name in ("there", "missing"):
            with acting_as(running, ALICE):
                metadata = await client.call(MetadataRequest(topics=[MetadataRequestTopic(name=name)]), 12)
                (topic,) = metadata.topics
                assert (topic.error_code, topic.topic_id, topic.partitions) == (DENIED, bytes(16), [])
                produced = await client.call(producing(name), 11)
                assert produced.responses[0].partition_responses[0].error_code == DENIED
                fetched = await client.call(fetching(name), 12)
                assert fetched.responses[0].partitions[0].error_code == DENIED
                deleted = await client.call(DeleteTopicsRequest(topics=[DeleteTopicState(name=name)]), 6)
                assert deleted.responses[0].error_code == DENIED
                created = await client.call(
                    CreateTopicsRequest(topics=[CreatableTopic(name=name, num_partitions=1, replication_factor=1)]), 7
                )
                assert created.topics[0].error_code == DENIED
        with acting_as(running, ALICE):
            assert (await client.call(MetadataRequest(topics=None), 12)).topics == []
            assert (await client.call(MetadataRequest(topics=[]), 0)).topics == []
        assert "missing" not in running.broker.image.topics


async def test_the_short_way_of_produce_asks_as_well_and_at_once() -> None:
    async with secured() as running, running.connect() as client:
        partition = await running.topic("t")
        assert (await client.call(producing("t"), 11)).responses[0].partition_responses[0].error_code == 0
        with acting_as(running, ALICE):
            refused = await client.call(producing("t"), 11)
            assert refused.responses[0].partition_responses[0].error_code == DENIED
        await allow(client, rule("t", a.WRITE))
        with acting_as(running, ALICE):
            allowed = await client.call(producing("t"), 11)
            assert allowed.responses[0].partition_responses[0].error_code == 0
        await allow(client, rule("*", a.WRITE, permission_type=a.DENY))
        with acting_as(running, ALICE):
            refused = await client.call(producing("t"), 11)
            assert refused.responses[0].partition_responses[0].error_code == DENIED
        assert partition.log.log_end_offset == 2


async def test_a_refused_topic_does_not_stop_the_others_of_a_produce_request() -> None:
    async with secured() as running, running.connect() as client:
        await running.topic("mine")
        await running.topic("theirs")
        await allow(client, rule("mine", a.WRITE))
        with acting_as(running, ALICE):
            request = producing("mine")
            request.topic_data += producing("theirs").topic_data
            answer = await client.call(request, 11)
        codes = {topic.name: topic.partition_responses[0].error_code for topic in answer.responses}
        assert codes == {"mine": 0, "theirs": DENIED}


async def test_cve_2018_17196_a_transactional_batch_needs_the_transactional_id_whatever_the_request_claims() -> None:
    refused = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    async with secured() as running, running.connect() as client:
        partition = await running.topic("t")
        await allow(client, rule("t", a.ALL))
        with acting_as(running, ALICE):
            for claimed in (None, "", "tx"):
                answer = await client.call(producing("t", transactional_id=claimed, is_transactional=True), 11)
                assert answer.responses[0].partition_responses[0].error_code == refused
        assert partition.log.log_end_offset == 0


async def test_cve_2018_1288_who_says_that_it_is_a_replica_must_be_a_broker() -> None:
    async with secured() as running, running.connect() as client:
        await running.topic("t")
        await allow(client, rule("t", a.ALL))
        with acting_as(running, ALICE):
            own = await client.call(fetching("t"), 12)
            assert own.responses[0].partitions[0].error_code == 0
            replica = await client.call(fetching("t", replica_id=1), 12)
            assert replica.responses[0].partitions[0].error_code == DENIED
        await allow(client, rule(a.CLUSTER_NAME, a.CLUSTER_ACTION, a.CLUSTER))
        with acting_as(running, ALICE):
            replica = await client.call(fetching("t", replica_id=1), 12)
            assert replica.responses[0].partitions[0].error_code == 0


async def test_an_idempotent_producer_needs_any_topic_that_it_may_write() -> None:
    async with secured() as running, running.connect() as client:
        asked = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=1000)
        with acting_as(running, ALICE):
            assert (await client.call(asked, 4)).error_code == ErrorCode.CLUSTER_AUTHORIZATION_FAILED
        await allow(client, rule("some", a.WRITE))
        with acting_as(running, ALICE):
            assert (await client.call(asked, 4)).error_code == 0


async def test_a_pattern_finds_only_topics_that_may_be_described() -> None:
    async with secured() as running, running.connect() as client:
        for name in ("sub-a", "sub-b"):
            await running.topic(name)
        await allow(client, rule("g", a.READ, a.GROUP), rule("g", a.DESCRIBE, a.GROUP), rule("sub-a", a.DESCRIBE))
        beat = ConsumerGroupHeartbeatRequest(
            group_id="g", member_id="m", member_epoch=0, rebalance_timeout_ms=10_000, topic_partitions=[],
            subscribed_topic_regex="sub-.*",
        )  # fmt: skip
        await client.call(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4)
        with acting_as(running, ALICE):
            assert (await client.call(beat, 1)).error_code == 0
            await client.call(MetadataRequest(topics=None), 12)  # a turn of the loop in which the pattern is matched
            again = ConsumerGroupHeartbeatRequest(group_id="g", member_id="m", member_epoch=1, topic_partitions=[])
            answered = await client.call(again, 1)
        assert answered.error_code == 0
        described = await client.call(ConsumerGroupDescribeRequest(group_ids=["g"]), 1)
        (member,) = described.groups[0].members
        assert {each.topic_name for each in member.target_assignment.topic_partitions} == {"sub-a"}


async def test_the_audit_log_tells_refusals_at_info_and_permissions_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    async with secured() as running, running.connect() as client:
        await running.topic("t")
        caplog.set_level(logging.DEBUG, "kafka.authorizer.logger")
        with acting_as(running, Principal("User", "eve\nroot")):
            await client.call(fetching("t"), 12)
        await client.call(producing("t"), 11)
        lines = [(each.levelname, each.getMessage()) for each in caplog.records]
        assert lines == [
            (
                "INFO",
                (
                    "Principal = User:eve\\nroot is Denied operation = READ from host = 127.0.0.1 on resource = "
                    "Topic:LITERAL:t for request = Fetch with resourceRefCount = 1 based on rule DefaultDeny"
                ),
            ),
            (
                "DEBUG",
                (
                    "Principal = User:ANONYMOUS is Allowed operation = WRITE from host = 127.0.0.1 on resource = "
                    "Topic:LITERAL:t for request = Produce with resourceRefCount = 1 based on rule SuperUser"
                ),
            ),
        ]


async def test_one_request_does_not_flood_the_audit_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200,000 names in 1 MB were 40 MB of log, and seconds in which nobody else was served."""
    monkeypatch.setattr("ottla.broker.guards.asking.LINES_MAX", 5)
    async with secured() as running, running.connect() as client:
        caplog.set_level(logging.INFO, "kafka.authorizer.logger")
        names = [MetadataRequestTopic(name=f"t{number}") for number in range(50)]
        with acting_as(running, ALICE):
            answer = await client.call(MetadataRequest(topics=names), 12)
        lines = [each.getMessage() for each in caplog.records if each.name == "kafka.authorizer.logger"]
    assert {topic.error_code for topic in answer.topics} == {DENIED}
    assert ["is Denied" in line for line in lines] == [True] * 4 + [False]
    assert "asks more in this request = Metadata" in lines[-1]


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("authorizer.class.name", "kafka.security.authorizer.AclAuthorizer", "authorizer.class.name is"),
        ("super.users", "User:a;b", "super.users: expected a principal"),
    ],
)
def test_a_wrong_setting_keeps_the_broker_from_starting(key: str, value: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        secured(**{key: value})
