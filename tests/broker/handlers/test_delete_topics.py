"""DeleteTopics: by name and by id; what is gone answers so to everyone."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.protocol.errors import ErrorCode
from ottla.protocol.schema import ZERO_UUID
from tests.support.in_process import Client, RunningBroker


@pytest.mark.parametrize("version", range(7))
async def test_a_topic_is_gone_when_it_has_been_answered(broker: RunningBroker, client: Client, version: int) -> None:
    await broker.topic("t")
    request = DeleteTopicsRequest(topic_names=["t"]) if version < 6 else DeleteTopicsRequest(topics=[state("t")])
    (result,) = (await client.call(request, version)).responses
    assert (result.name, result.error_code) == ("t", 0)
    assert "t" not in broker.broker.image.topics
    assert broker.broker.logs.get("t", 0) is None


def state(name: str | None, topic_id: bytes = ZERO_UUID) -> DeleteTopicState:
    return DeleteTopicState(name=name, topic_id=topic_id)


async def test_a_topic_is_deleted_by_its_id(broker: RunningBroker, client: Client) -> None:
    topic_id = (await broker.topic("t")).topic_id
    (result,) = (await client.call(DeleteTopicsRequest(topics=[state(None, topic_id)]), 6)).responses
    assert (result.name, result.topic_id, result.error_code) == ("t", topic_id, 0)
    (result,) = (await client.call(DeleteTopicsRequest(topics=[state(None, topic_id)]), 6)).responses
    assert (result.name, result.error_code) == (None, ErrorCode.UNKNOWN_TOPIC_ID)


async def test_a_topic_named_twice_stays(broker: RunningBroker, client: Client) -> None:
    topic_id = (await broker.topic("t")).topic_id
    for states in ([state("t"), state("t")], [state("t"), state(None, topic_id)], [state("t", topic_id)]):
        answer = await client.call(DeleteTopicsRequest(topics=states), 6)
        assert [row.error_code for row in answer.responses] == [ErrorCode.INVALID_REQUEST]
    assert "t" in broker.broker.image.topics


async def test_deletion_can_be_forbidden() -> None:
    async with RunningBroker(**{"delete.topic.enable": "false"}) as broker, broker.connect() as client:
        await broker.topic("t")
        for version, code in ((1, ErrorCode.INVALID_REQUEST), (3, ErrorCode.TOPIC_DELETION_DISABLED)):
            (result,) = (await client.call(DeleteTopicsRequest(topic_names=["t"]), version)).responses
            assert result.error_code == code
        assert "t" in broker.broker.image.topics


async def test_a_new_topic_of_the_same_name_is_another_one(broker: RunningBroker, client: Client) -> None:
    old = (await broker.topic("t")).topic_id
    await client.call(DeleteTopicsRequest(topic_names=["t"]), 5)
    new = await broker.topic("t")
    assert new.topic_id != old
    assert new.log.log_end_offset == 0
