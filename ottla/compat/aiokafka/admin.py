"""AIOKafkaAdminClient: the synchronous shim's calls in a thread, with `await`."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from ..kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic

__all__ = [
    "AIOKafkaAdminClient", "ConfigResource", "ConfigResourceType", "NewPartitions", "NewTopic", "RecordsToDelete",
]  # fmt: skip


class RecordsToDelete(NamedTuple):
    """Delete what lies before this offset."""

    before_offset: int


class AIOKafkaAdminClient:
    """Settings are aiokafka's keywords."""

    def __init__(self, **configs: Any) -> None:
        self._configs = {name: value for name, value in configs.items() if name != "loop"}
        self._client: KafkaAdminClient | None = None

    async def start(self) -> None:
        self._client = await asyncio.to_thread(lambda: KafkaAdminClient(**self._configs))

    async def close(self) -> None:
        if self._client is not None:
            await asyncio.to_thread(self._client.close)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _call(self, name: str, *arguments: Any, **options: Any) -> Any:
        return await asyncio.to_thread(getattr(self._client, name), *arguments, **options)

    async def create_topics(self, new_topics: list[NewTopic], *_: Any, **options: Any) -> Any:
        return await self._call("create_topics", new_topics, **options)

    async def delete_topics(self, topics: list[str], *_: Any, **options: Any) -> Any:
        return await self._call("delete_topics", topics, **options)

    async def list_topics(self) -> Any:
        return await self._call("list_topics")

    async def describe_topics(self, topics: list[str] | None = None) -> Any:
        return [
            {**{k: v for k, v in topic.items() if k != "name"}, "topic": topic["name"]}
            for topic in await self._call("describe_topics", topics)
        ]

    async def create_partitions(self, topic_partitions: dict[str, NewPartitions], *_: Any, **options: Any) -> Any:
        return await self._call("create_partitions", topic_partitions, **options)

    async def describe_cluster(self) -> Any:
        return await self._call("describe_cluster")

    async def list_consumer_groups(self, *_: Any) -> Any:
        return await self._call("list_consumer_groups")

    async def list_consumer_group_offsets(self, group_id: str, *_: Any, partitions: Any = None) -> Any:
        return await self._call("list_consumer_group_offsets", group_id, partitions)

    async def delete_records(self, records_to_delete: Any, **_: Any) -> Any:
        before = {key: getattr(value, "before_offset", value) for key, value in records_to_delete.items()}
        return await self._call("delete_records", before)

    async def describe_configs(self, config_resources: Any, **options: Any) -> Any:
        return await self._call("describe_configs", config_resources, **options)

    async def alter_configs(self, config_resources: Any, **options: Any) -> Any:
        return await self._call("alter_configs", config_resources, **options)

    async def describe_consumer_groups(self, group_ids: Any, *_: Any, **__: Any) -> Any:
        return await self._call("describe_groups", group_ids)

    async def delete_consumer_groups(self, group_ids: Any, *_: Any) -> Any:
        return await self._call("delete_groups", group_ids)

    async def find_coordinator(self, group_id: str, *_: Any) -> int:
        """The id of the broker that coordinates the group."""
        return int(await self._call("coordinator_of", group_id))
