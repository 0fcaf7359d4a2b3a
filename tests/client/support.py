"""What tests of the client do to a cluster behind its back, through the client's own core."""

from __future__ import annotations

from typing import Any

from ottla.client.cluster import CONTROLLER, Cluster
from ottla.client.config import Config
from ottla.protocol.apis.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.protocol.apis.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.protocol.schema import Request


async def ask(bootstrap: str, request: Request, **options: Any) -> Any:
    """Send one request to the controller."""
    cluster = Cluster(Config(bootstrap))
    await cluster.start()
    try:
        return await cluster.request(request, CONTROLLER, **options)
    finally:
        await cluster.close()


async def create_topic(kafka: Any, name: str, partitions: int, **configs: str) -> None:
    rows = [CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()]
    topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, configs=rows)
    answer = await ask(kafka.bootstrap, CreateTopicsRequest(topics=[topic], timeout_ms=10_000))
    assert [row.error_code for row in answer.topics] == [0]


async def delete_topic(kafka: Any, name: str) -> None:
    request = DeleteTopicsRequest(topics=[DeleteTopicState(name=name)], timeout_ms=10_000)
    answer = await ask(kafka.bootstrap, request, low=6)
    assert [row.error_code for row in answer.responses] == [0]


async def add_partitions(kafka: Any, name: str, count: int) -> None:
    topic = CreatePartitionsTopic(name=name, count=count, assignments=None)
    answer = await ask(kafka.bootstrap, CreatePartitionsRequest(topics=[topic], timeout_ms=10_000))
    assert [row.error_code for row in answer.results] == [0]
