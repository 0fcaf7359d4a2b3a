"""DescribeTopicPartitions: topics in order, page by page."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.describe_topic_partitions import Cursor, DescribeTopicPartitionsRequest, TopicRequest
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client


def asking(*names: str, limit: int = 2000, cursor: tuple[str, int] | None = None) -> DescribeTopicPartitionsRequest:
    at = None if cursor is None else Cursor(topic_name=cursor[0], partition_index=cursor[1])
    topics = [TopicRequest(name=name) for name in names]
    return DescribeTopicPartitionsRequest(topics=topics, response_partition_limit=limit, cursor=at)


async def create(client: Client, **topics: int) -> None:
    rows = [
        CreatableTopic(name=name, num_partitions=count, replication_factor=1, assignments=[], configs=[])
        for name, count in topics.items()
    ]
    await client.call(CreateTopicsRequest(topics=rows), 7)


async def test_topics_come_in_the_order_of_their_names(client: Client) -> None:
    await create(client, b=1, a=2)
    answer = await client.call(asking("b", "a", "zz"), 0)
    assert [(t.name, t.error_code, len(t.partitions)) for t in answer.topics] == [
        ("a", 0, 2),
        ("b", 0, 1),
        ("zz", 3, 0),
    ]
    first = answer.topics[0].partitions[0]
    assert (first.leader_id, first.replica_nodes, first.isr_nodes, first.offline_replicas) == (1, [1], [1], [])


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
@pytest.mark.parametrize("named", [False, True])
async def test_pages_put_together_are_the_whole(client: Client, limit: int, named: bool) -> None:
    sizes = {"a": 3, "b": 1, "c": 4}
    await create(client, **sizes)
    names = list(sizes) if named else []
    found: dict[str, list[int]] = {}
    cursor: tuple[str, int] | None = None
    while True:
        answer = await client.call(asking(*names, limit=limit, cursor=cursor), 0)
        assert sum(len(topic.partitions) for topic in answer.topics) <= limit
        for topic in answer.topics:
            found.setdefault(topic.name, []).extend(row.partition_index for row in topic.partitions)
        if answer.next_cursor is None:
            break
        cursor = (answer.next_cursor.topic_name, answer.next_cursor.partition_index)
    assert found == {name: list(range(count)) for name, count in sizes.items()}


@pytest.mark.parametrize("cursor", [("a", 0), ("b", -1)])
async def test_a_cursor_that_does_not_fit_fails_the_request(client: Client, cursor: tuple[str, int]) -> None:
    await create(client, a=1, b=1)
    answer = await client.call(asking("b", cursor=cursor), 0)
    assert [topic.error_code for topic in answer.topics] == [ErrorCode.INVALID_REQUEST]
