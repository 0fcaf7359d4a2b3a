"""What a request does not name itself is asked for too: sessions, pages, topics that are made on the way."""

from __future__ import annotations

import asyncio
from typing import Any

from ottla.coordinator.groups.streams.configured import StatusCode
from ottla.protocol.apis.create_acls import AclCreation
from ottla.protocol.apis.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from ottla.protocol.apis.describe_topic_partitions import DescribeTopicPartitionsRequest
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.share_acknowledge import AcknowledgementBatch, AcknowledgeTopic, ShareAcknowledgeRequest
from ottla.protocol.apis.share_acknowledge import AcknowledgePartition as AckPartition
from ottla.protocol.apis.share_fetch import FetchPartition as SharePartition
from ottla.protocol.apis.share_fetch import FetchTopic as ShareTopic
from ottla.protocol.apis.share_fetch import ShareFetchRequest
from ottla.protocol.errors import ErrorCode
from ottla.security import acl as a
from tests.support.in_process import Client, RunningBroker

from .handlers.test_streams_groups import counting, join
from .test_authorization import ALICE, ANYTHING, DENIED, acting_as, allow, producing, rule, secured


async def forbid(client: Client, name: str) -> None:
    """Take back what is allowed on a topic."""
    wanted = DeleteAclsFilter(**{**ANYTHING, "resource_type_filter": a.TOPIC, "resource_name_filter": name})
    await client.call(DeleteAclsRequest(filters=[wanted]), 3)


def topic_id(running: RunningBroker, name: str) -> bytes:
    topic = running.broker.image.topics.get(name)
    assert topic is not None
    return topic.id


async def test_a_fetch_session_is_asked_about_each_time() -> None:
    async with secured() as running, running.connect() as client:
        wanted = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
        topics = []
        for name in ("s1", "s2"):
            await running.topic(name)
            await allow(client, rule(name, a.READ))
            topics.append(FetchTopic(topic_id=topic_id(running, name), partitions=[wanted]))
        first = FetchRequest(max_wait_ms=0, max_bytes=1 << 20, session_epoch=0, topics=topics)
        with acting_as(running, ALICE):
            opened = await client.call(first, 17)
        assert [each.partitions[0].error_code for each in opened.responses] == [0, 0]
        await forbid(client, "s2")
        again = FetchRequest(max_wait_ms=0, max_bytes=1 << 20, session_id=opened.session_id, session_epoch=1, topics=[])
        with acting_as(running, ALICE):
            news = await client.call(again, 17)
        assert [(each.topic_id, each.partitions[0].error_code) for each in news.responses] == [
            (topic_id(running, "s2"), DENIED)
        ]


async def test_a_share_session_is_asked_about_each_time() -> None:
    async with secured() as running, running.connect() as client:
        await running.topic("t")
        await client.call(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4)
        await allow(client, rule("g", a.READ, a.GROUP), rule("t", a.READ))

        def fetch(epoch: int) -> ShareFetchRequest:
            topics = [ShareTopic(topic_id=topic_id(running, "t"), partitions=[SharePartition(partition_index=0)])]
            return ShareFetchRequest(
                group_id="g", member_id="m", share_session_epoch=epoch, max_wait_ms=0, max_bytes=1 << 20, max_records=1,
                topics=topics if not epoch else [],
            )  # fmt: skip

        with acting_as(running, ALICE):
            opened = await client.call(fetch(0), 1)
        assert opened.error_code == 0
        await forbid(client, "t")
        batches = [AcknowledgementBatch(first_offset=0, last_offset=0, acknowledge_types=[1])]
        acknowledging = ShareAcknowledgeRequest(
            group_id="g", member_id="m", share_session_epoch=2,
            topics=[AcknowledgeTopic(
                topic_id=topic_id(running, "t"),
                partitions=[AckPartition(partition_index=0, acknowledgement_batches=batches)],
            )],
        )  # fmt: skip
        with acting_as(running, ALICE):
            refused = await client.call(fetch(1), 1)
            taken = await client.call(acknowledging, 1)
        assert refused.responses[0].partitions[0].error_code == DENIED
        assert taken.responses[0].partitions[0].error_code == DENIED


async def test_topics_of_a_streams_group_are_made_by_who_may_create_them() -> None:
    everything: list[AclCreation] = [
        rule("*", a.READ, a.GROUP), rule("*", a.DESCRIBE), rule("*", a.DESCRIBE, a.GROUP)
    ]  # fmt: skip
    async with secured() as running, running.connect() as client:
        await running.topic("in")
        await running.broker.groups.ensure_topic()
        await allow(client, *everything)
        with acting_as(running, ALICE):
            joined = await join(client, counting())
        (status,) = [each for each in joined.status if each.status_code == StatusCode.MISSING_INTERNAL_TOPICS]
        assert "Unauthorized to CREATE on topics " in status.status_detail
        assert not any("changelog" in name for name in running.broker.image.topics.names())


async def test_pages_of_topics_hold_only_what_may_be_described() -> None:
    async with secured() as running, running.connect() as client:
        for name in ("p1", "p2", "p3"):
            await running.topic(name)
        await allow(client, rule("p1", a.DESCRIBE), rule("p3", a.READ))
        with acting_as(running, ALICE):
            page: Any = await client.call(
                DescribeTopicPartitionsRequest(topics=[], response_partition_limit=1, cursor=None), 0
            )
            assert [topic.name for topic in page.topics] == ["p1"]
            assert page.next_cursor.topic_name == "p3"
            assert page.topics[0].topic_authorized_operations == 1 << a.DESCRIBE


async def test_refusals_come_before_anything_waits() -> None:
    async with secured() as running, running.connect() as client:
        await running.topic("t")
        wanted = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
        request = FetchRequest(
            max_wait_ms=60_000, min_bytes=1, max_bytes=1 << 20, session_epoch=-1,
            topics=[FetchTopic(topic_id=topic_id(running, "t"), partitions=[wanted])],
        )  # fmt: skip
        with acting_as(running, ALICE):
            async with asyncio.timeout(5):
                answer = await client.call(request, 17)
        assert answer.responses[0].partitions[0].error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED


async def test_a_fetch_that_waits_is_asked_about_again_when_rules_change() -> None:
    """Who parks fetches and then loses the right to read gets nothing that is written after that."""
    async with secured() as running, running.connect() as admin, running.connect() as reader:
        await running.topic("t")
        await allow(admin, rule("t", a.READ))
        wanted = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1 << 20)
        request = FetchRequest(
            max_wait_ms=600_000, min_bytes=1, max_bytes=1 << 20, session_epoch=-1,
            topics=[FetchTopic(topic_id=topic_id(running, "t"), partitions=[wanted])],
        )  # fmt: skip
        connections = [each for listener in running.broker.listeners for each in listener.connections]
        max(connections, key=lambda each: each.number).principal = ALICE
        waiting = asyncio.ensure_future(reader.call(request, 17))
        async with asyncio.timeout(10):
            while not running.broker.partitions.get("t", 0).fetches_waiting:
                await asyncio.sleep(0)
            await forbid(admin, "t")
            await admin.call(producing("t"), 12)
            answer = await waiting
        (found,) = answer.responses[0].partitions
        assert (found.error_code, bytes(found.records or b"")) == (DENIED, b"")


async def test_a_share_fetch_that_waits_is_asked_about_again_when_rules_change() -> None:
    async with secured() as running, running.connect() as admin, running.connect() as reader:
        await running.topic("t")
        await admin.call(FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4)
        await allow(admin, rule("g", a.READ, a.GROUP), rule("t", a.READ))
        request = ShareFetchRequest(
            group_id="g", member_id="m", share_session_epoch=0, max_wait_ms=600_000, min_bytes=1, max_bytes=1 << 20, max_records=1,
            topics=[ShareTopic(topic_id=topic_id(running, "t"), partitions=[SharePartition(partition_index=0)])],
        )  # fmt: skip
        connections = [each for listener in running.broker.listeners for each in listener.connections]
        max(connections, key=lambda each: each.number).principal = ALICE
        waiting = asyncio.ensure_future(reader.call(request, 1))
        async with asyncio.timeout(10):
            while not running.broker.partitions.get("t", 0).fetches_waiting:
                await asyncio.sleep(0)
            await forbid(admin, "t")
            await admin.call(producing("t"), 12)
            answer = await waiting
        (found,) = answer.responses[0].partitions
        assert (found.error_code, bytes(found.records or b"")) == (DENIED, b"")
