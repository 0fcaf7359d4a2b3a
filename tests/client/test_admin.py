"""Admin against Ottla: each room does what its verbs say, and failures are errors that name their item."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ottla.client.admin.admin import Admin
from ottla.client.admin.configs import ConfigResource, Kind
from ottla.client.admin.security import Acl
from ottla.client.consumer.consumer import Consumer
from ottla.client.errors import BrokerError, ConfigError
from ottla.client.offsets import Committed
from ottla.protocol.errors import ErrorCode
from ottla.testing.kafka import Kafka


@pytest.fixture
async def admin(kafka: Kafka) -> AsyncIterator[Admin]:
    async with Admin(kafka.bootstrap) as started:
        yield started


async def test_topics_are_created_described_grown_and_deleted(admin: Admin) -> None:
    await admin.topics.create("orders", partitions=2, config={"retention.ms": "7d"})
    await admin.topics.create(["orders", "other"], partitions=1, if_exists="ok")
    assert await admin.topics.list() == ["orders", "other"]
    await admin.topics.set_partitions("orders", 3)
    described = await admin.topics.describe("orders")
    assert len(described["orders"].partitions) == 3
    config = await admin.configs.get(ConfigResource.topic("orders"))
    assert (config["retention.ms"].value, config["retention.ms"].source) == (str(7 * 86_400_000), "topic")
    await admin.topics.delete("other")
    assert not await admin.topics.exists("other")
    with pytest.raises(BrokerError, match="orders") as problem:
        await admin.topics.create("orders")
    assert problem.value.code == ErrorCode.TOPIC_ALREADY_EXISTS


async def test_several_failures_are_one_group_and_what_could_be_done_is_done(admin: Admin) -> None:
    with pytest.raises(ExceptionGroup) as problems:
        await admin.topics.create(["good", "bad/name", "worse name"])
    assert {each.code for each in problems.value.exceptions} == {ErrorCode.INVALID_TOPIC_EXCEPTION}  # type: ignore[attr-defined]
    assert await admin.topics.exists("good")


async def test_configs_change_one_by_one(admin: Admin) -> None:
    await admin.topics.create("t")
    topic = ConfigResource.topic("t")
    await admin.configs.set(topic, {"cleanup.policy": "compact", "max.message.bytes": 1000})
    await admin.configs.append(topic, "cleanup.policy", "delete")
    await admin.configs.delete(topic, ["max.message.bytes"])
    config = await admin.configs.get(topic, ["cleanup.policy", "max.message.bytes"])
    assert config["cleanup.policy"].value == "compact,delete"
    assert config["max.message.bytes"].is_default
    assert ConfigResource(Kind.TOPIC, "t") in await admin.configs.resources(Kind.TOPIC)


async def test_a_groups_offsets_lag_and_end(kafka: Kafka, admin: Admin) -> None:
    kafka.topic("orders", partitions=1).put([b"1", b"2", b"3"])
    async with Consumer(kafka.bootstrap, "orders", group="billing", start="earliest") as consumer:
        async for record in consumer:
            if record.offset == 1:
                await consumer.commit()
                break
        described = await admin.groups.describe("billing")
        assert described.members[0].partitions == (("orders", 0),)
        assert [group.id for group in await admin.groups.list()] == ["billing"]
        with pytest.raises(BrokerError):
            await admin.groups.delete("billing")
    assert (await admin.groups.lag("billing"))["orders", 0] == (2, 3, 1)
    await admin.groups.set_offsets("billing", {("orders", 0): 1})
    assert (await admin.groups.offsets("billing"))["orders", 0] == Committed(1, -1, "")
    await admin.groups.delete_offsets("billing", [("orders", 0)])
    assert await admin.groups.offsets("billing") == {}
    await admin.groups.delete("billing")
    with pytest.raises(BrokerError, match="billing"):
        await admin.groups.describe("billing")


async def test_records_are_deleted_and_offsets_found(kafka: Kafka, admin: Admin) -> None:
    kafka.topic("t", partitions=1).put([b"1", b"2", b"3"])
    assert await admin.topics.delete_records({("t", 0): 2}) == {("t", 0): 2}
    assert (await admin.topics.offsets([("t", 0)], "earliest"))["t", 0].offset == 2
    assert (await admin.topics.offsets([("t", 0)]))["t", 0].offset == 3
    with pytest.raises(BrokerError):
        await admin.topics.delete_records({("t", 0): 9})


async def test_the_cluster_tells_of_itself(kafka: Kafka, admin: Admin) -> None:
    cluster = await admin.cluster.describe()
    assert [(broker.host, broker.port) for broker in cluster.brokers] == [(kafka.host, kafka.port)]
    features = await admin.cluster.features()
    assert features["group.version"].level == 1
    quorum = await admin.cluster.quorum()
    assert quorum.voters
    await admin.topics.create("t")
    (log_dir,) = (await admin.log_dirs.describe())[cluster.brokers[0].id]
    assert ("t", 0) in log_dir.replicas
    assert await admin.partitions.reassignments() == {}
    assert await admin.partitions.elect_leaders([("t", 0)]) == set()


async def test_users_and_quotas(admin: Admin) -> None:
    await admin.users.set_password("alice", "secret", iterations=4096)
    assert (await admin.users.describe())["alice"] == [("SCRAM-SHA-512", 4096)]
    await admin.users.delete("alice")
    with pytest.raises(BrokerError):
        await admin.users.describe("alice")
    await admin.quotas.set({"user": "alice"}, {"producer_byte_rate": 1024.0})
    assert await admin.quotas.describe({"user": "*"}) == [({"user": "alice"}, {"producer_byte_rate": 1024.0})]
    await admin.quotas.set({"user": "alice"}, {"producer_byte_rate": None})
    assert await admin.quotas.describe() == []


async def test_transactions_and_producers_are_seen(kafka: Kafka, admin: Admin) -> None:
    kafka.topic("t", partitions=1).put([b"1"])
    assert await admin.transactions.list() == []
    assert (await admin.transactions.producers([("t", 0)]))["t", 0] == ()
    producer_id, epoch = await admin.transactions.fence("tx")
    assert producer_id >= 0
    assert epoch == 0
    assert (await admin.transactions.describe("tx"))["tx"].state == "Empty"


async def test_words_that_mean_nothing_are_refused_before_anything_is_sent(admin: Admin) -> None:
    with pytest.raises(ConfigError, match="there are any, all, read"):
        await admin.acls.create(Acl("User:a", "fly"))
    with pytest.raises(ConfigError, match="SCRAM-SHA-256"):
        await admin.users.set_password("a", "b", mechanism="MD5")
